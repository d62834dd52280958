"""Random weights of a model, once for everybody: a folder that Diptych, open_clip and every rival opens.

    python models.py ViT-B-32 FOLDER

writes, all in f32 and with the same weights:

- `open_clip_config.json`, `open_clip_model.safetensors`: open_clip's layout, for Diptych and PyTorch;
- `images.onnx`, `texts.onnx`: a tower each, up to unit-norm embeddings; the batch is free, and the texts' length;
- `candle.safetensors`: transformers' layout (ViTs alone, as candle has no ResNet).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import open_clip
import safetensors.torch
import torch
from torch.nn.functional import normalize

SEED = 0

# Ends the names of models with large channels.
PLANTED = "-planted"


class Images(torch.nn.Module):
    """Pixels `[N, 3, S, S]` to embeddings `[N, D]`."""

    def __init__(self, model: open_clip.CLIP):
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model.encode_image(pixels, normalize=True)


class Texts(torch.nn.Module):
    """Token ids `[N, L]` to embeddings `[N, D]`: `encode_text` for any L, where open_clip takes only the full length."""

    def __init__(self, model: open_clip.CLIP):
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        model, length = self.model, ids.shape[1]
        x = model.token_embedding(ids) + model.positional_embedding[:length]  # [N, L, W]
        x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
        x = x[torch.arange(x.shape[0]), ids.argmax(dim=-1)]  # The end token has the highest id.
        return normalize(x @ model.text_projection, dim=-1)


def pixels(n: int, side: int, seed: int = SEED) -> np.ndarray:
    """Random pixels `[n, 3, side, side]` as a picture's are: smooth, of about unit variance."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.standard_normal((n, 3, 8, 8), dtype=np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
    return smooth.numpy() + 0.3 * rng.standard_normal((n, 3, side, side), dtype=np.float32)


def side(model: open_clip.CLIP) -> int:
    """A ViT's is a pair, a ResNet's a number."""
    size = model.visual.image_size
    return size if isinstance(size, int) else size[0]


def token_ids(n: int, length: int, seed: int = SEED) -> np.ndarray:
    """Random token ids `[n, length]`: a start token, words that differ, an end token at the last place."""
    rng = np.random.default_rng(seed)
    rows = [[49_406, *rng.choice(np.arange(300, 49_000), length - 2, replace=False), 49_407] for _ in range(n)]
    return np.array(rows, dtype=np.int64)


def plant(model: open_clip.CLIP) -> None:
    """Makes channels of the residual streams 50 to 100 times as large as the others, as trained models have some."""
    streams = [(model.visual.ln_pre.bias, 1.0), (model.positional_embedding, 0.02)]
    with torch.no_grad():
        for values, size in streams:  # Of the other channels.
            for channel, times in [(7, 60.0), (100, -80.0), (150, 100.0)]:
                values[..., channel] += times * size


def draw(name: str) -> open_clip.CLIP:
    name, is_planted = name.removesuffix(PLANTED), name.endswith(PLANTED)
    torch.manual_seed(SEED)
    model = open_clip.create_model(f"{name}-quickgelu", pretrained=None).eval()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        # A fresh ResNet's branches end in zeros, so none would matter; and its statistics are nobody's.
        torch.nn.init.uniform_(norm.weight, 0.5, 1.0)
        torch.nn.init.normal_(norm.bias, std=0.1)
        norm.momentum = 1.0
        norm.train()
    if norms:
        with torch.no_grad():
            model.encode_image(torch.from_numpy(pixels(8, side(model))))
    if is_planted:
        plant(model)
    return model.eval()


def write_open_clip(model: open_clip.CLIP, name: str, folder: Path) -> None:
    preprocess = {key: value for key, value in model.visual.preprocess_cfg.items() if value is not None}
    preprocess["size"] = side(model)
    architecture = f"{name.removesuffix(PLANTED)}-quickgelu"
    config = {"model_cfg": open_clip.get_model_config(architecture), "preprocess_cfg": preprocess}
    weights = {key: value.contiguous() for key, value in model.state_dict().items()}
    safetensors.torch.save_file(weights, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2))


def write_onnx(model: open_clip.CLIP, folder: Path) -> None:
    batch, length = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("length", min=2, max=77)
    towers = {
        "images": (Images(model), pixels(2, side(model)), {0: batch}),
        "texts": (Texts(model), token_ids(2, 20), {0: batch, 1: length}),
    }
    for tower, (module, example, shapes) in towers.items():
        torch.onnx.export(
            module.eval(),
            (torch.from_numpy(example),),
            folder / f"{tower}.onnx",
            input_names=["x"],
            output_names=["y"],
            dynamo=True,
            dynamic_shapes=(shapes,),
            external_data=True,
            verbose=False,
        )


def write_candle(model: open_clip.CLIP, folder: Path) -> None:
    weights = model.state_dict()
    out = {
        "logit_scale": weights["logit_scale"],
        "text_projection.weight": weights["text_projection"].T,
        "visual_projection.weight": weights["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": weights["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": weights["positional_embedding"],
        "vision_model.embeddings.class_embedding": weights["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": weights["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": weights["visual.positional_embedding"],
    }
    modules = {
        "ln_final": "text_model.final_layer_norm",
        "visual.ln_pre": "vision_model.pre_layrnorm",  # The name is spelt so.
        "visual.ln_post": "vision_model.post_layernorm",
    }
    parts = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
        "attn.out_proj": "self_attn.out_proj",
    }
    for theirs, ours in {"transformer": "text_model", "visual.transformer": "vision_model"}.items():
        for i in range(len(model.get_submodule(theirs).resblocks)):
            block, layer = f"{theirs}.resblocks.{i}", f"{ours}.encoder.layers.{i}"
            modules |= {f"{block}.{a}": f"{layer}.{b}" for a, b in parts.items()}
            for kind in ("weight", "bias"):
                for which, part in zip("qkv", weights[f"{block}.attn.in_proj_{kind}"].chunk(3)):
                    out[f"{layer}.self_attn.{which}_proj.{kind}"] = part
    for theirs, ours in modules.items():
        out |= {f"{ours}.{kind}": weights[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    safetensors.torch.save_file({key: value.contiguous() for key, value in out.items()}, folder / "candle.safetensors")


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    model = draw(name)
    write_open_clip(model, name, folder)
    if name.startswith("ViT"):
        write_candle(model, folder)
    try:
        import onnxscript  # noqa: F401

        write_onnx(model, folder)
    except ImportError as error:
        print(f"{name}: no ONNX files: {error}", file=sys.stderr)
    (folder / "whole").touch()


if __name__ == "__main__":
    main()
