#!/usr/bin/env python3
"""Checkpoints in every layout that people have, tiny, with what the libraries that wrote them compute.

`--write-golden` makes `crates/diptych/tests/golden/layouts/NAME/`: checkpoints, and one
`expected.safetensors` a folder (all checkpoints in a folder have the same weights):

| folder       | checkpoints                                                   | reference            |
| openai-vit   | script.pt (TorchScript), state_dict.pt                        | OpenAI's clip 1.0.1  |
| openai-rn    | script.pt                                                     | OpenAI's clip 1.0.1  |
| hf           | safetensors/, sharded/, bin/                                  | transformers         |
| open-clip    | custom-text/ (safetensors, GELU), bin/, pth/                  | open_clip            |
| siglip       | safetensors/, with SigLIP's SentencePiece tokenizer           | transformers         |
| siglip2      | safetensors/, with SigLIP 2's `tokenizer.json`                | transformers         |

`--opened` has the binary embed the pictures and texts with each of them, and compares with what is recorded;
`--converted` has the binary convert each of them, opens the results with open_clip and transformers, and
compares with what is recorded; `--full` makes a SigLIP-B/16 of seeded random weights in a temporary folder, and has the
binary embed with it.

`expected.safetensors` has `pictures` (u8 [N, S, S, 3]), `ids` and unit `image_embeddings`, `text_embeddings`.
Weights are rounded to f16 before anything is computed, so files in f16 and in f32 hold the same numbers.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import towers  # Sets the environment that keeps the libraries from downloading.

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel, SiglipTokenizer
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer


def openai_model() -> Any:
    """OpenAI's `clip/model.py`; its package imports what newer setuptools no longer has."""
    package = importlib.util.find_spec("clip").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("openai_clip_model", Path(package) / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # TorchScript looks it up.
    spec.loader.exec_module(module)
    return module


openai = openai_model()
GOLDEN = towers.GOLDEN / "layouts"
VOCAB = 512 + towers.TINY_MERGES + 2
TEXTS = towers.TEXTS


def ids(context_length: int, texts: list[str] = TEXTS) -> torch.Tensor:
    """The texts' ids in a vocabulary of the first merges: start, text, end, zeros."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = towers.write_tokenizer(Path(folder), towers.TINY_MERGES, context_length)
        tokenizer = open_clip.tokenizer.HFTokenizer(
            folder, context_length=context_length, **cfg["tokenizer_kwargs"]
        )
        return tokenizer(texts)


@torch.no_grad()
def to_f16(model: torch.nn.Module) -> None:
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


@torch.no_grad()
def record(
    folder: Path, encode: Callable[[torch.Tensor, torch.Tensor], tuple], side: int, tokens: torch.Tensor,
    texts: list[str] = TEXTS, normalise: Callable[[list], torch.Tensor] = towers.normalise,
) -> None:
    """Writes what `encode` makes of the pictures and texts, unit vectors."""
    pictures = towers.draw_pictures(6, side, 5)
    image, text = (f / f.norm(dim=-1, keepdim=True) for f in encode(normalise(pictures), tokens))
    # Texts that are the same to the tokenizer are the same to the model.
    different = torch.tensor([i for i, row in enumerate(tokens) if not any(torch.equal(row, r) for r in tokens[:i])])
    for what, embeddings in (("pictures", image), ("texts", text[different])):
        cosine = towers.highest_cosine(embeddings)
        print(f"{folder.name}: highest cosine between two {what} {cosine:.3f}", file=sys.stderr)
        assert cosine < towers.MAX_COSINE
    towers.save_tensors(
        folder / "expected.safetensors",
        {"pictures": torch.from_numpy(np.stack(pictures)), "ids": tokens, "image_embeddings": image.float(), "text_embeddings": text.float()},
    )
    towers.write_json(folder / "texts.json", texts)


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def prepared(model: torch.nn.Module, side: int, context: int, seed: int, resnet: bool = False) -> torch.nn.Module:
    """`model` with weights that matter, each a number in f16."""
    pixels = towers.normalise(towers.draw_pictures(6, side, 5))
    tokens = ids(context)
    towers.randomise(model, seed, 2.5, gain=1.4 if resnet else 1.6, shift=0.25)
    towers.calibrate(model.eval(), pixels, shift=0.3, seed=seed)
    towers.spread(model, pixels, tokens)
    to_f16(model)
    return model.eval()


def write_openai(name: str, side: int, vision: dict[str, Any], seed: int) -> None:
    folder = fresh(GOLDEN / name)
    context, width = 12, 64
    arguments = dict(
        embed_dim=24, image_resolution=side, context_length=context, vocab_size=VOCAB,
        transformer_width=width, transformer_heads=width // 64, transformer_layers=1, **vision,
    )
    model = prepared(openai.CLIP(**arguments), side, context, seed, resnet=not vision["vision_patch_size"])
    half = copy.deepcopy(model)
    openai.convert_weights(half)  # As OpenAI's files are: matrices in f16, the rest in f32.
    # OpenAI's archives have these three among their tensors.
    sizes = {"input_resolution": side, "context_length": context, "vocab_size": VOCAB}
    for name, size in sizes.items():
        if hasattr(model, name):
            delattr(model, name)
        model.register_buffer(name, torch.tensor(size))
    pixels, tokens = torch.zeros(2, 3, side, side), ids(context)[:2]
    # Traced in f32, which the CPU can run; then the parameters become what OpenAI's files hold.
    script = torch.jit.trace_module(
        model, {"forward": (pixels, tokens), "encode_image": (pixels,), "encode_text": (tokens,)}
    )
    for (_, parameter), (_, wanted) in zip(script.named_parameters(), half.named_parameters(), strict=True):
        parameter.data = wanted.data.clone()
    script.save(str(folder / "script.pt"))
    if vision["vision_patch_size"]:
        state = half.state_dict()
        state |= {name: torch.tensor(size) for name, size in sizes.items()}
        torch.save(state, folder / "state_dict.pt")
    reference = openai.build_model(torch.jit.load(str(folder / "script.pt")).state_dict()).float()
    record(folder, lambda p, t: (reference.encode_image(p), reference.encode_text(t)), side, ids(context))


@torch.no_grad()
def randomise_hf(model: torch.nn.Module, seed: int) -> None:
    """Weights that matter, of every kind of tensor."""
    g = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point() or name.startswith("logit_"):
            continue
        if "embedding" in name and "patch" not in name:
            tensor.copy_(0.5 * torch.randn(tensor.shape, generator=g))
        elif tensor.ndim >= 2:
            tensor.copy_(1.6 * tensor[0].numel() ** -0.5 * torch.randn(tensor.shape, generator=g))
        elif name.endswith("bias"):
            tensor.copy_(0.2 * torch.randn(tensor.shape, generator=g))
        else:
            tensor.copy_(1 + 0.2 * torch.randn(tensor.shape, generator=g))


def write_hf() -> None:
    folder = fresh(GOLDEN / "hf")
    side, context = 16, 12
    config = CLIPConfig(
        projection_dim=24,
        text_config=dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                         max_position_embeddings=context, hidden_act="quick_gelu", eos_token_id=2, bos_token_id=0, pad_token_id=1),
        vision_config=dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=3,
                           image_size=side, patch_size=4, hidden_act="quick_gelu"),
    )
    model = CLIPModel(config).eval()
    randomise_hf(model, 4)

    def encode(p: torch.Tensor, t: torch.Tensor) -> tuple:
        # The projections themselves: what the getters return has changed between versions.
        image = model.visual_projection(model.vision_model(pixel_values=p).pooler_output)
        text = model.text_projection(model.text_model(input_ids=t).pooler_output)
        return image, text

    with torch.no_grad():
        pixels, tokens = towers.normalise(towers.draw_pictures(6, side, 5)), ids(context)
        for features, projection in zip(encode(pixels, tokens), (model.visual_projection, model.text_projection)):
            _, s, vt = torch.linalg.svd(features, full_matrices=False)
            even = torch.eye(features.shape[1]) - vt.T @ torch.diag(1 - (s[-1] / s).sqrt()) @ vt
            projection.weight.copy_(even @ projection.weight)
    to_f16(model)
    record(folder, encode, side, ids(context))
    model.half()
    model.save_pretrained(folder / "safetensors")
    model.save_pretrained(folder / "sharded", max_shard_size="60KB")
    (folder / "bin").mkdir()
    shutil.copy(folder / "safetensors" / "config.json", folder / "bin")
    # As transformers 4 wrote it, position ids included.
    state = model.state_dict() | {"text_model.embeddings.position_ids": torch.arange(context)[None]}
    torch.save(state, folder / "bin" / "pytorch_model.bin")
    for part in ("safetensors", "sharded", "bin"):
        towers.write_tokenizer(folder / part, towers.TINY_MERGES, context)
    processor = {"crop_size": side, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3, "size": side,
                 "image_mean": list(open_clip.OPENAI_DATASET_MEAN), "image_std": list(open_clip.OPENAI_DATASET_STD)}
    towers.write_json(folder / "bin" / "preprocessor_config.json", processor)
    nested = {"image_processor": processor | {"image_processor_type": "CLIPImageProcessor"}, "processor_class": "CLIPProcessor"}
    towers.write_json(folder / "sharded" / "processor_config.json", nested)  # as version 5 writes it


def write_open_clip() -> None:
    folder = fresh(GOLDEN / "open-clip")
    side, context = 16, 12
    model_cfg = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": side, "patch_size": 4, "layers": 2, "width": 48, "head_width": 16},
        "text_cfg": {"context_length": context, "vocab_size": VOCAB, "width": 32, "heads": 4, "layers": 2},
    }
    model = prepared(open_clip.model.CLIP(**copy.deepcopy(model_cfg)), side, context, 9)
    record(folder, lambda p, t: (model.encode_image(p), model.encode_text(t)), side, ids(context))
    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    for name, cfg in (("bin", {}), ("pth", {}), ("custom-text", {"custom_text": True})):
        part = folder / name
        part.mkdir()
        text_cfg = model_cfg["text_cfg"] | towers.write_tokenizer(part, towers.TINY_MERGES, context)
        cfg = model_cfg | {"text_cfg": text_cfg} | cfg
        towers.write_json(part / "open_clip_config.json", {"model_cfg": cfg, "preprocess_cfg": towers.preprocess_cfg()})
    torch.save(state, folder / "bin" / "open_clip_pytorch_model.bin")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, folder / "pth" / "open_clip_pytorch_model.pth")
    custom = open_clip.model.convert_to_custom_text_state_dict(dict(state))
    towers.save_tensors(folder / "custom-text" / "open_clip_model.safetensors", custom)


# What SigLIP's cleaning bears on: capitals, a final sigma, punctuation, spaces of several kinds, other scripts.
SIGLIP_TEXTS = TEXTS + [
    "A Photo of a CAT!!", "don't_stop (now)", "  two   spaces\tand a tab ", "a cat, a dog; a bird.", "ΟΔΟΣ ΣΑΣ", "İstanbul",
    "\u3000wide\u3000space", "ＦＵＬＬ ｗｉｄｔｈ", "ﬁsh", "日本語 と text", "emoji 🐈 here", "a\u200bb", "...", "½ of 3²",
]


def half_normalise(pictures: list) -> torch.Tensor:
    """As SigLIP's processor does it: from -1 to 1."""
    return torch.stack([torch.from_numpy(np.asarray(p).copy()).permute(2, 0, 1).float() / 255 for p in pictures]) * 2 - 1


def siglip_tokenizer(folder: Path, texts: list[str]) -> tuple[Any, int]:
    """SigLIP's, its vocabulary learned from our texts; its normalisation has a few rules of its real one."""
    import sentencepiece

    (folder / "texts.txt").write_text("\n".join(8 * texts).lower())
    rules = {"\u3000": " ", "\u200b": " ", "ﬁ": "fi", "²": "2", "½": "1⁄2"} | {chr(0xFEE0 + c): chr(c) for c in range(33, 127)}
    lines = ["\t".join(" ".join(f"{ord(c):X}" for c in side) for side in rule) for rule in rules.items()]
    (folder / "rules.tsv").write_text("\n".join(lines) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "texts.txt"), model_prefix=str(folder / "spiece"), vocab_size=130, model_type="unigram", pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, normalization_rule_tsv=str(folder / "rules.tsv"), minloglevel=2, num_threads=1, hard_vocab_limit=False,
        character_coverage=0.98,
    )
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"))
    return tokenizer, tokenizer.vocab_size


def siglip2_tokenizer(folder: Path, texts: list[str]) -> tuple[Any, int]:
    """SigLIP 2's, its vocabulary learned from our texts; bytes stand for what it never saw."""
    from tokenizers import Tokenizer, models, normalizers, trainers

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    learned = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    learned.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=380, special_tokens=special, limit_alphabet=50, show_progress=False)
    learned.train_from_iterator(8 * texts, trainer)
    model = json.loads(learned.to_str())["model"]
    tokenizer = Siglip2Tokenizer(
        vocab=model["vocab"], merges=[tuple(merge) for merge in model["merges"]], add_eos_token=True, padding_side="right"
    )
    return tokenizer, len(tokenizer)


def write_siglip(folder: Path, make_tokenizer: Callable[[Path, list[str]], tuple[Any, int]], seed: int, tiny: bool = True) -> None:
    fresh(folder)
    side, context, width = (16, 20, 24) if tiny else (224, 64, 768)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer, vocab_size = make_tokenizer(Path(scratch), SIGLIP_TEXTS)
        tokens = tokenizer(SIGLIP_TEXTS, padding="max_length", max_length=context, truncation=True, return_tensors="pt").input_ids
        config = SiglipConfig(
            text_config=dict(vocab_size=vocab_size, hidden_size=32, intermediate_size=50, num_hidden_layers=2, num_attention_heads=4,
                             max_position_embeddings=context, projection_size=width),
            vision_config=dict(hidden_size=width, intermediate_size=70, num_hidden_layers=2, num_attention_heads=3,
                               image_size=side, patch_size=4),
        )
        model = SiglipModel(config if tiny else SiglipConfig()).eval()  # The defaults are SigLIP-B/16's.
        randomise_hf(model, seed)
        pixels = half_normalise(towers.draw_pictures(6, side, 5))
        with torch.no_grad():
            model.logit_scale.fill_(2.5)
            model.logit_bias.fill_(-3.0)
            # Different inputs give different directions once what all share is taken away.
            model.vision_model.head.mlp.fc2.bias -= model.vision_model(pixel_values=pixels).pooler_output.mean(0)
            model.text_model.head.bias -= model.text_model(input_ids=tokens).pooler_output.mean(0)
        if tiny:
            to_f16(model)

        def encode(p: torch.Tensor, t: torch.Tensor) -> tuple:
            return model.vision_model(pixel_values=p).pooler_output, model.text_model(input_ids=t).pooler_output

        record(folder, encode, side, tokens, SIGLIP_TEXTS, half_normalise)
        (model.half() if tiny else model).save_pretrained(folder / "safetensors")
        tokenizer.save_pretrained(folder / "safetensors")
    processor = {"do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
                 "image_processor_type": "SiglipImageProcessor", "resample": 3, "size": {"height": side, "width": side}}
    towers.write_json(folder / "safetensors" / "preprocessor_config.json", processor)


CHECKPOINTS = [
    "openai-vit/script.pt", "openai-vit/state_dict.pt", "openai-rn/script.pt", "hf/safetensors", "hf/sharded", "hf/bin",
    "open-clip/custom-text", "open-clip/bin", "open-clip/pth", "siglip/safetensors", "siglip2/safetensors",
]


def embedded(checkpoint: Path, pictures: np.ndarray, texts: list[str], binary: Path) -> list[np.ndarray]:
    """What the binary makes of pictures and texts."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = [folder / f"{i}.png" for i in range(len(pictures))]
        for path, picture in zip(paths, pictures):
            Image.fromarray(picture).save(path)
        (folder / "texts.txt").write_text("\n".join(texts) + "\n")
        for what, inputs in (("image", ["--images", *paths]), ("text", ["--texts", folder / "texts.txt", "--truncate"])):
            command = [binary, "embed", *inputs, "--out", folder / f"{what}.npy", "--model", checkpoint, "--precision", "f32"]
            subprocess.run(command, check=True, capture_output=True)
        return [np.load(folder / f"{what}.npy") for what in ("image", "text")]


def misplaced(got: list[np.ndarray], want: list[np.ndarray]) -> int:
    """Pairs of texts that are in another order for a picture, of those whose similarities differ by more than 2e-5."""
    (ours, theirs) = (images @ texts.T for images, texts in (got, want))
    apart = theirs[:, :, None] - theirs[:, None, :]
    return int(((apart > 2e-5) & (ours[:, :, None] <= ours[:, None, :])).sum())


def rows_of(name: str, got: list[np.ndarray], want: list[np.ndarray]) -> list[towers.Row]:
    rows = []
    for what, ours, theirs in zip(("images", "texts"), got, want, strict=False):
        off = np.abs(ours - theirs).max()
        rows.append(towers.row(name, f"{len(ours)} {what}: max |embedding difference|", off, towers.MAX_EMBEDDING_DIFF))
    rows.append(towers.row(name, "similarities in another order", misplaced(got, want), 0))
    return rows


def compared(name: str, group: Path, checkpoint: Path, binary: Path) -> list[towers.Row]:
    """Embeds a group's recorded pictures and texts with a checkpoint, and compares."""
    expected = load_file(group / "expected.safetensors")
    texts = json.loads((group / "texts.json").read_text())
    got = embedded(checkpoint, expected["pictures"].numpy(), texts, binary)
    return rows_of(name, got, [expected[f"{what}_embeddings"].numpy() for what in ("image", "text")])


def reference(checkpoint: str) -> Callable[[torch.Tensor, torch.Tensor], tuple]:
    """What the library that wrote a golden checkpoint makes of pixels and ids, in f32."""
    path = GOLDEN / checkpoint
    if checkpoint.startswith("openai"):
        state = torch.jit.load(str(path)).state_dict() if "script" in checkpoint else torch.load(path)
        model = openai.build_model(state).float()
        return lambda p, t: (model.encode_image(p), model.encode_text(t))
    if checkpoint.startswith("hf"):
        hf = CLIPModel.from_pretrained(path, dtype=torch.float32).eval()
        return lambda p, t: (
            hf.visual_projection(hf.vision_model(pixel_values=p).pooler_output), hf.text_projection(hf.text_model(input_ids=t).pooler_output)
        )
    open_clip_model = open_clip.create_model(f"local-dir:{path}").eval()
    return lambda p, t: (open_clip_model.encode_image(p), open_clip_model.encode_text(t))


@torch.no_grad()
def opened(binary: Path) -> list[towers.Row]:
    """Every golden checkpoint: with what is recorded, and CLIP's with twenty texts beside the library that wrote them."""
    rows = []
    for checkpoint in CHECKPOINTS:
        group = GOLDEN / checkpoint.split("/")[0]
        rows += compared(checkpoint, group, GOLDEN / checkpoint, binary)
        if checkpoint.startswith("siglip"):
            continue  # their record has twenty texts
        pictures = load_file(group / "expected.safetensors")["pictures"].numpy()
        pixels = towers.normalise([Image.fromarray(picture) for picture in pictures])
        features = reference(checkpoint)(pixels, ids(12, SIGLIP_TEXTS))
        want = [(f / f.norm(dim=-1, keepdim=True)).numpy() for f in features]
        rows += rows_of(f"{checkpoint}, live", embedded(GOLDEN / checkpoint, pictures, SIGLIP_TEXTS, binary), want)
    return rows


def full(binary: Path) -> list[towers.Row]:
    """SigLIP-B/16 at its full size; CLIP's own are `towers.py --full`."""
    with tempfile.TemporaryDirectory() as scratch:
        group = Path(scratch) / "siglip"
        write_siglip(group, siglip_tokenizer, 6, tiny=False)
        return compared("full-size SigLIP-B/16", group, group / "safetensors", binary)


@torch.no_grad()
def converted(binary: Path) -> list[towers.Row]:
    """Converts each golden checkpoint, opens the result in Python, and compares with the record."""
    rows = []
    for checkpoint in CHECKPOINTS:
        if checkpoint.startswith("siglip"):
            continue  # opened, but not written
        expected = load_file(GOLDEN / checkpoint.split("/")[0] / "expected.safetensors")
        pixels = towers.normalise([Image.fromarray(p) for p in expected["pictures"].numpy()])
        tokens = expected["ids"]
        layouts = ["open_clip"] if "rn" in checkpoint else ["open_clip", "hf"]
        for layout in layouts:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "out"
                subprocess.run([binary, "convert", GOLDEN / checkpoint, out, "--layout", layout], check=True, capture_output=True)
                if layout == "open_clip":
                    model = open_clip.create_model(f"local-dir:{out}").eval()
                    image, text = model.encode_image(pixels), model.encode_text(tokens)
                else:
                    model = CLIPModel.from_pretrained(out, dtype=torch.float32).eval()
                    image = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
                    text = model.text_projection(model.text_model(input_ids=tokens).pooler_output)
            for what, got in (("pictures", image), ("texts", text)):
                want = expected["image_embeddings" if what == "pictures" else "text_embeddings"]
                off = (got / got.norm(dim=-1, keepdim=True) - want).abs().max()
                rows.append(towers.row(f"{checkpoint} -> {layout}", f"{what}: max |embedding difference|", off, towers.MAX_EMBEDDING_DIFF))
    return rows


def write_positions() -> None:
    """Positional embeddings resized by open_clip's own functions."""
    g = torch.Generator().manual_seed(6)
    cases = []
    for kind, old, new in [("image", 10, 26), ("image", 50, 17), ("image", 26, 37), ("text", 6, 9), ("text", 9, 4)]:
        values = torch.randn(old, 3, generator=g)
        side = int((new - 1) ** 0.5)
        visual = SimpleNamespace(grid_size=(side, side))
        model = SimpleNamespace(visual=visual, positional_embedding=torch.zeros(new, 3))
        key = "visual.positional_embedding" if kind == "image" else "positional_embedding"
        state = {key: values.clone()}
        resize = open_clip.model.resize_pos_embed if kind == "image" else open_clip.model.resize_text_pos_embed
        resize(state, model)
        case = {"kind": kind, "width": 3, "old": values.flatten().tolist(), "new": state[key].flatten().tolist()}
        assert len(case["new"]) == 3 * new
        cases.append(case)
    towers.write_json(GOLDEN / "positions.json", cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write-golden", action="store_true")
    parser.add_argument("--opened", action="store_true")
    parser.add_argument("--converted", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json", action="store_true", help="rows as JSON, one a line")
    parser.add_argument("--binary", type=Path, default=towers.BINARY)
    arguments = parser.parse_args()
    if arguments.opened or arguments.converted or arguments.full:
        rows = opened(arguments.binary) if arguments.opened else []
        rows += converted(arguments.binary) if arguments.converted else []
        rows += full(arguments.binary) if arguments.full else []
        sys.exit(towers.told(rows, arguments.json))
    if not arguments.write_golden:
        parser.error("nothing to do; wanted --write-golden, --opened, --converted or --full")
    torch.manual_seed(0)
    write_openai("openai-vit", 16, dict(vision_layers=1, vision_width=64, vision_patch_size=8), 7)
    write_openai("openai-rn", 64, dict(vision_layers=(1, 2, 1, 1), vision_width=2, vision_patch_size=None), 27)
    write_hf()
    write_open_clip()
    write_siglip(GOLDEN / "siglip", siglip_tokenizer, 6)
    write_siglip(GOLDEN / "siglip2", siglip2_tokenizer, 11)
    write_positions()
    towers.write_json(GOLDEN / "versions.json", towers.versions() | {"openai-clip": "1.0.1", "sentencepiece": version("sentencepiece")})


if __name__ == "__main__":
    main()
