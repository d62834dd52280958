#!/usr/bin/env python3
"""Tower parity: the same weights in Python's open_clip and in Diptych give the same numbers.

What it does, by flag (several may be given; without any, `--check-golden`):

--write-golden   makes `crates/diptych/tests/golden/{tiny-vit,tiny-resnet}`: seeded tiny
                 checkpoints that open_clip opens as `local-dir:`, and open_clip's outputs.
--check-golden   opens those folders with open_clip and compares with the recorded outputs.
--tiny           runs the binary on the golden checkpoints and compares with open_clip.
--full           the same for full-size architectures with seeded random weights, one after the other, in a
                 temporary folder (`--keep DIR` keeps them in DIR).
--local-dir DIR  the opposite direction: a checkpoint that Diptych wrote opens in open_clip, with its
                 tokenizer, and gives the same embeddings as the binary.

Two towers that ignore their input agree with each other, so the weights are scaled until different
pictures (and different texts) have a cosine below 0.8, and every tensor is perturbed once to see that
the outputs notice. Pictures are drawn here and kept lossless, so no JPEG decoder takes part.

`expected.safetensors` in a golden folder, all f32 but `ids` (i64); `N` pictures, `M` texts:

| name               | shape        | meaning                                              |
| pixels             | [N, 3, S, S] | input, normalised                                    |
| ids                | [M, context] | input: start, text, end (the highest id), then zeros |
| image_features     | [N, D]       | image tower, before the norm                         |
| text_features      | [M, D]       | text tower, before the norm                          |
| image_embeddings   | [N, D]       | unit-norm                                            |
| text_embeddings    | [M, D]       | unit-norm                                            |
| logits_per_image   | [N, M]       | exp(logit_scale) · image_embeddings · text_embeddingsᵀ |
| logit_scale        | []           | as in the checkpoint: the logarithm of the scale     |

`texts.json` has the strings behind `ids`.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # Everything is local; fail rather than download.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import open_clip
import torch
from open_clip.tokenizer import bytes_to_unicode, default_bpe
from PIL import Image
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "crates" / "diptych" / "tests" / "golden"
BINARY = ROOT / "target" / "release" / "diptych"

MAX_EMBEDDING_DIFF = 1e-5  # L2-normalised embeddings, f32 on both sides
MAX_LOGIT_DIFF = 1e-3  # logits_per_image
MAX_COSINE = 0.8  # between different pictures, and between different texts

# The first merges of the standard list; a tiny vocabulary is 256 bytes, 256 bytes with `</w>`,
# these merges, the start and the end token.
TINY_MERGES = 26

TEXTS = [
    "a photo of a cat",
    "the rain in spain",
    "ON it!",
    "42 in, not on",
    "",
    "naïve & café",
]

# Architectures that are compared at their full size.
FULL = ("ViT-B-32", "ViT-B-16", "ViT-L-14", "RN50", "RN50x4")

# Architectures of the golden checkpoints. What OpenAI leaves at its default differs here (head width,
# MLP ratio, depth per tower), so that a reader which ignores a field is caught.
TINY = {
    "tiny-vit": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": 16,
            "patch_size": 4,
            "layers": 2,
            "width": 48,
            "head_width": 16,
            "mlp_ratio": 2.0,
        },
        "text_cfg": {"context_length": 18, "width": 32, "heads": 4, "layers": 2},
    },
    "tiny-resnet": {
        "embed_dim": 20,
        "vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 2, "head_width": 16},
        "text_cfg": {"context_length": 16, "width": 16, "heads": 2, "layers": 1},
    },
}
SEEDS = {"tiny-vit": 7, "tiny-resnet": 3, "ViT-B-32": 7, "RN50": 11, "ViT-B-16": 7, "ViT-L-14": 11, "RN50x4": 11}


@dataclass
class Row:
    """One line of the summary: a measured number, its limit, and whether it holds."""

    part: str
    check: str
    value: float
    limit: float
    ok: bool

    def __str__(self) -> str:
        verdict = "ok  " if self.ok else "FAIL"
        return f"{verdict}  {self.part:<24} {self.check:<46} {self.value:.2e}  (limit {self.limit:.1g})"


def row(part: str, check: str, value: float, limit: float) -> Row:
    """A row that holds if `value` is a number not above `limit`."""
    return Row(part, check, float(value), limit, bool(value <= limit))


def told(rows: list[Row], as_json: bool) -> int:
    """Prints the rows, as JSON one a line; the exit code."""
    print(*(json.dumps(asdict(r)) if as_json else r for r in rows), sep="\n")
    return 0 if all(r.ok for r in rows) else 1


def golden_main(description: str, write: Callable[[], None], check: Callable[[], list[Row]]) -> int:
    """The command line of a script whose golden files are compared on one thread, and written if it asks for that; the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-golden", action="store_true", help="make the golden folder")
    parser.add_argument("--json", action="store_true", help="rows as JSON, one a line, on stdout")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if args.write_golden:
        write()
    return told(check(), args.json)


def versions() -> dict[str, str]:
    """Versions of everything that made the numbers."""
    import importlib.metadata as meta

    names = ["torch", "open_clip_torch", "transformers", "tokenizers", "safetensors", "numpy", "pillow", "ftfy", "regex"]
    return {"python": platform.python_version(), "machine": platform.machine()} | {n: meta.version(n) for n in names}


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


# --- pictures -----------------------------------------------------------------------------------


def draw_pictures(n: int, side: int | None, seed: int) -> list[Image.Image]:
    """Draws `n` pictures that differ in colour, layout and texture.

    All are `side` × `side`, or of various sizes and aspect ratios where `side` is None.
    """
    rng = np.random.default_rng(seed)
    sizes = [(224, 224), (320, 240), (97, 331), (500, 223), (64, 64), (301, 301)]
    pictures = []
    for i in range(n):
        width, height = (side, side) if side else sizes[i % len(sizes)]
        y, x = np.mgrid[0:height, 0:width] / np.array([[[height]], [[width]]])
        hue = 2.4 * i + rng.uniform(0, 0.5) + np.array([0, 2.1, 4.2])  # The golden angle keeps colours apart.
        colour, other = 128 + 120 * np.sin(hue), rng.uniform(0, 255, 3)
        kind = i % 6
        if kind == 0:  # stripes
            mask = np.sin(2 * np.pi * (3 * x + 2 * y)) > 0
        elif kind == 1:  # a disc
            mask = (x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.08
        elif kind == 2:  # a ramp
            mask = y * (1 - x)
        elif kind == 3:  # blocks
            mask = np.kron(rng.random((4, 4)), np.ones((height // 4 + 1, width // 4 + 1)))[:height, :width]
        elif kind == 4:  # a fine chequered pattern
            mask = (np.floor(x * 16) + np.floor(y * 16)) % 2
        else:  # noise of all colours
            mask, colour = rng.random((height, width)), rng.uniform(0, 255, (height, width, 3))
        mask = np.asarray(mask, float)[..., None]
        picture = mask * colour + (1 - mask) * other + rng.normal(0, 12, (height, width, 3))
        pictures.append(Image.fromarray(picture.clip(0, 255).astype(np.uint8), "RGB"))
    return pictures


def normalise(pictures: list[Image.Image]) -> torch.Tensor:
    """Pictures of the model's own size → pixels [N, 3, S, S]."""
    pixels = torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(1, 3, 1, 1)
    return ((pixels - mean) / std).contiguous()


# --- tokenizer of a pruned vocabulary -----------------------------------------------------------


def write_tokenizer(folder: Path, n_merges: int, context_length: int) -> dict[str, Any]:
    """Writes a tokenizer of CLIP's first `n_merges` merges; returns the keys to add to `text_cfg`.

    open_clip's `HFTokenizer` then gives `SimpleTokenizer`'s ids, zero padding included. Its pad token
    may not be `!`, which owns id 0 (transformers would cut "!" out of words), so a pad token past the
    vocabulary doubles as separator, and `strip_sep_token` makes it 0.
    """
    merges = gzip.open(default_bpe()).read().decode("utf-8").split("\n")[1 : 1 + n_merges]
    letters = list(bytes_to_unicode().values())
    start, end, pad = "<start_of_text>", "<end_of_text>", "<|padding|>"
    tokens = [*letters, *(c + "</w>" for c in letters), *("".join(m.split()) for m in merges), start, end]
    vocab = {token: i for i, token in enumerate(tokens)}
    special = {start: vocab[start], end: vocab[end], pad: len(tokens)}

    def one(token: str) -> dict[str, Any]:
        return {"SpecialToken": {"id": token, "type_id": 0}}

    def text(name: str) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": 0}}

    # SimpleTokenizer's pattern; cleaning has lowered the text, but "ſ" still matches "s" there.
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    write_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": i,
                    "content": token,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for token, i in special.items()
            ],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True},
                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
                ],
            },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [one(start), text("A"), one(end)],
                "pair": [one(start), text("A"), text("B"), one(end)],
                "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in (start, end)},
            },
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": "",
                "end_of_word_suffix": "</w>",
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": vocab,
                "merges": [m.split() for m in merges],
            },
        },
    )
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": start,
            "eos_token": end,
            "pad_token": pad,
            "sep_token": pad,
            "model_max_length": context_length,
            "clean_up_tokenization_spaces": False,
        },
    )
    return {
        "vocab_size": len(tokens),
        "hf_tokenizer_name": "tokenizer.json",
        "tokenizer_kwargs": {"clean": "lower", "strip_sep_token": True},
    }


# --- weights ------------------------------------------------------------------------------------


@torch.no_grad()
def randomise(model: torch.nn.Module, seed: int, logit_scale: float, gain: float, shift: float) -> None:
    """Gives every tensor seeded values with which it matters.

    Matrices keep the variance of their input, times `gain`²; biases, norms and batch-norm statistics
    leave their trivial values by about `shift`; embeddings are as large as what they are added to.
    """
    g = torch.Generator().manual_seed(seed)

    def normal(tensor: torch.Tensor, std: float, mean: float = 0.0) -> None:
        tensor.copy_(mean + std * torch.randn(tensor.shape, generator=g))

    for name, tensor in model.state_dict().items():
        leaf = name.rsplit(".", 1)[-1]
        if name == "logit_scale":
            tensor.fill_(logit_scale)
        elif leaf == "num_batches_tracked":
            tensor.fill_(100)
        elif leaf == "running_var":
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=g))
        elif name == "visual.attnpool.positional_embedding":
            normal(tensor, 0.1)  # Larger ones would drown the average over 50 tokens.
        elif leaf == "weight" and ".bn3." in name and ".layer" in name:
            normal(tensor, 0.3 * shift, 0.3)  # Small branches, as trained ones are, do not amplify rounding.
        elif name == "token_embedding.weight" or leaf in ("positional_embedding", "class_embedding"):
            normal(tensor, 0.5)
        elif leaf in ("text_projection", "proj"):  # [in, out]
            normal(tensor, gain * tensor.shape[0] ** -0.5)
        elif tensor.ndim >= 2:  # [out, in, …]
            normal(tensor, gain * tensor[0].numel() ** -0.5)
        elif leaf in ("bias", "in_proj_bias", "running_mean"):
            normal(tensor, shift)
        elif leaf == "weight":  # layer norm, batch norm
            normal(tensor, shift, 1.0)
        else:
            raise AssertionError(f"no rule for {name}")


@torch.no_grad()
def calibrate(model: torch.nn.Module, pixels: torch.Tensor, shift: float, seed: int) -> None:
    """Moves batch-norm statistics near those of `pixels`, so that activations stay in range in depth."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    if not norms:
        return
    before = [m.momentum for m in norms]
    for m in norms:
        m.momentum = 1.0  # running statistics = those of this batch
    model.visual.train()
    model.visual(pixels)
    model.visual.eval()
    g = torch.Generator().manual_seed(seed)
    for m, momentum in zip(norms, before):
        m.momentum = momentum
        std = m.running_var.sqrt()
        m.running_mean += shift * std * torch.randn(std.shape, generator=g)
        m.running_var *= 1 + shift * (torch.rand(std.shape, generator=g) - 0.5)
        m.num_batches_tracked.fill_(100)


@torch.no_grad()
def spread(model: torch.nn.Module, pixels: torch.Tensor, ids: torch.Tensor) -> None:
    """Evens out, in each tower's last projection, the directions that features take.

    Random towers put every input near one direction, so that errors hide. With features F = U·S·Vᵀ, the
    projection is scaled by √(min S / S) along each column of V, and cosines between inputs become small.
    """
    for features, projection in (
        (model.encode_image(pixels), getattr(model.visual, "proj", None)),
        (model.encode_text(ids), model.text_projection),
    ):
        _, s, vt = torch.linalg.svd(features, full_matrices=False)
        scale = (s[-1] / s).sqrt()
        even = torch.eye(features.shape[1]) - vt.T @ torch.diag(1 - scale) @ vt  # [D, D], symmetric
        if projection is not None:  # [W, D]
            projection.copy_(projection @ even)
        else:  # attention pool, [D, W] and [D]
            c_proj = model.visual.attnpool.c_proj
            c_proj.weight.copy_(even @ c_proj.weight)
            c_proj.bias.copy_(even @ c_proj.bias)


def highest_cosine(embeddings: torch.Tensor) -> float:
    """The highest cosine between two different rows."""
    cosines = embeddings @ embeddings.T
    return float(cosines.fill_diagonal_(-1).max())


@torch.no_grad()
def outputs(model: torch.nn.Module, pixels: torch.Tensor, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """open_clip's numbers, as in the table at the top."""
    image_features, text_features = model.encode_image(pixels), model.encode_text(ids)
    logits_per_image, _ = model.get_logits(pixels, ids)
    return {
        "pixels": pixels,
        "ids": ids,
        "image_features": image_features,
        "text_features": text_features,
        "image_embeddings": model.encode_image(pixels, normalize=True),
        "text_embeddings": model.encode_text(ids, normalize=True),
        "logits_per_image": logits_per_image,
        "logit_scale": model.logit_scale.detach().clone(),
    }


def assert_fair(name: str, model: torch.nn.Module, out: dict[str, torch.Tensor]) -> None:
    """Asserts that the outputs show an error in any tensor, and are not moved by rounding alone."""
    for side in ("image", "text"):
        cosine = highest_cosine(out[f"{side}_embeddings"])
        print(f"{name}: highest cosine between two {side}s {cosine:.3f}", file=sys.stderr)
        assert cosine < MAX_COSINE, f"{name}: two {side}s have cosine {cosine:.3f}; change gain or seed"
    exact = outputs(copy.deepcopy(model).double(), out["pixels"].double(), out["ids"])
    rounding = max(float((exact[k] - out[k]).abs().max()) for k in ("image_embeddings", "text_embeddings"))
    print(f"{name}: f32 - f64 in open_clip {rounding:.1e}", file=sys.stderr)
    assert rounding < MAX_EMBEDDING_DIFF / 5, f"{name}: rounding alone moves embeddings by {rounding:.1e}"
    for key, tensor in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue  # Not used at inference.
        saved = tensor.clone()
        # One percent of a typical entry, with signs, so that no invariance to scale or shift hides it.
        g = torch.Generator().manual_seed(0)
        tensor += 0.01 * saved.abs().mean() * torch.randn(saved.shape, generator=g)
        moved = outputs(model, out["pixels"], out["ids"])
        tensor.copy_(saved)
        # Keys' biases shift all scores of a query alike, so softmax cannot see them.
        blind = key.endswith("k_proj.bias")
        change = max(float((moved[k] - out[k]).abs().max()) for k in ("image_embeddings", "text_embeddings", "logits_per_image"))
        assert blind or change > 3 * MAX_EMBEDDING_DIFF, f"{name}: the outputs do not notice {key} ({change:.1e})"


# --- checkpoints --------------------------------------------------------------------------------


def preprocess_cfg() -> dict[str, Any]:
    return {
        "mean": list(open_clip.OPENAI_DATASET_MEAN),
        "std": list(open_clip.OPENAI_DATASET_STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }


def save_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)  # safetensors makes it private.


def save_checkpoint(folder: Path, model: torch.nn.Module, model_cfg: dict[str, Any]) -> None:
    """Writes what open_clip's `local-dir:` reads, besides a tokenizer."""
    save_tensors(folder / "open_clip_model.safetensors", model.state_dict())
    write_json(folder / "open_clip_config.json", {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg()})


def open_checkpoint(folder: Path) -> tuple[torch.nn.Module, Any, Any]:
    """A checkpoint folder as open_clip sees it: (model, preprocessing, tokenizer)."""
    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    return model.eval(), preprocess, open_clip.get_tokenizer(name)


def write_golden(name: str) -> None:
    """Makes one golden folder and checks that it is worth comparing with."""
    folder = GOLDEN / name
    folder.mkdir(parents=True, exist_ok=True)
    cfg = json.loads(json.dumps(TINY[name]))
    context_length = cfg["text_cfg"]["context_length"]
    cfg["text_cfg"] = {"context_length": context_length, **write_tokenizer(folder, TINY_MERGES, context_length), **cfg["text_cfg"]}

    resnet = isinstance(cfg["vision_cfg"]["layers"], list)
    model = open_clip.model.CLIP(**cfg).eval()
    randomise(model, SEEDS[name], logit_scale=3.5 if resnet else 4.0, gain=1.4, shift=0.25)
    pixels = normalise(draw_pictures(4 if resnet else 6, cfg["vision_cfg"]["image_size"], seed=1))
    write_json(folder / "open_clip_config.json", {"model_cfg": cfg})  # The tokenizer below needs it.
    ids = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    calibrate(model, pixels, shift=0.3, seed=SEEDS[name])
    spread(model, pixels, ids)
    save_checkpoint(folder, model, cfg)

    end = cfg["text_cfg"]["vocab_size"] - 1
    assert ((ids == end).sum(dim=1) == 1).all() and (ids[:, -1] != end).all(), "texts must fit, with padding after them"
    out = outputs(model, pixels, ids)
    assert_fair(name, model, out)
    save_tensors(folder / "expected.safetensors", out)
    write_json(folder / "texts.json", TEXTS)
    write_json(folder / "versions.json", {"made_by": "parity/towers.py --write-golden", "seed": SEEDS[name]} | versions())
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: {size / 1000:.0f} kB, {sum(p.numel() for p in model.parameters())} parameters", file=sys.stderr)
    assert size <= 400_000, f"{name}: {size} bytes is too large for git"


def check_golden(name: str) -> list[Row]:
    """open_clip opens the folder as `local-dir:` and gives the recorded numbers."""
    folder = GOLDEN / name
    model, _, tokenizer = open_checkpoint(folder)
    expected = load_file(folder / "expected.safetensors")
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    out = outputs(model, expected["pixels"], tokenizer(texts))
    part = f"golden {name}"
    rows = [row(part, "ids that differ, open_clip - recorded", (out["ids"] != expected["ids"]).sum(), 0)]
    for key in ("image_embeddings", "text_embeddings"):
        rows.append(row(part, f"{key}, open_clip - recorded", (out[key] - expected[key]).abs().max(), 1e-6))
    rows.append(row(part, "logits_per_image, open_clip - recorded", (out["logits_per_image"] - expected["logits_per_image"]).abs().max(), 1e-4))
    return rows


# --- the binary ---------------------------------------------------------------------------------


class Diptych:
    """The binary under test, with one checkpoint."""

    def __init__(self, binary: Path, model: Path) -> None:
        self.binary, self.model = binary, model

    def _run(self, *args: str) -> str:
        command = [str(self.binary), *args, "--model", str(self.model), "--precision", "f32"]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\nexit {done.returncode}\n{done.stderr}")
        return done.stdout

    def embed(self, kind: str, inputs: list[str], work: Path) -> np.ndarray:
        """`diptych embed`: unit-norm rows [N, D]; `kind` is "images" or "texts"."""
        out = work / f"{kind}.npy"
        out.unlink(missing_ok=True)
        if kind == "texts":
            listing = work / "texts.txt"
            listing.write_text("".join(t + "\n" for t in inputs), encoding="utf-8")
            inputs = [str(listing)]
        self._run("embed", f"--{kind}", *inputs, "--out", str(out))
        return np.load(out)

    def similarity(self, images: list[str], texts: list[str]) -> dict[str, np.ndarray]:
        """`diptych similarity --json`: the numbers [N, M] by their name, `cosine` and `logit`."""
        # `=`, so that a text that begins with "-" is not read as an option.
        stdout = self._run("similarity", *images, "--json", *(f"--texts={t}" for t in texts))
        return parse_similarity(stdout, len(images), len(texts))


def parse_similarity(stdout: str, n_images: int, n_texts: int) -> dict[str, np.ndarray]:
    """One JSON object a line, one line an image: its arrays of numbers, stacked."""
    lines = [json.loads(line) for line in stdout.splitlines() if line.strip()]
    assert len(lines) == n_images, f"{len(lines)} lines for {n_images} images"
    found: dict[str, np.ndarray] = {}
    for key, value in lines[0].items():
        if not isinstance(value, list) or len(value) != n_texts:
            continue
        if all(isinstance(v, dict) for v in value):
            for inner in value[0]:
                if isinstance(value[0][inner], (int, float)):
                    found[inner] = np.array([[v[inner] for v in line[key]] for line in lines])
        elif all(isinstance(v, (int, float)) for v in value):
            found[key] = np.array([line[key] for line in lines])
    return found


def compare_with_binary(
    part: str, folder: Path, binary: Path, texts: list[str], n_images: int, seed: int, max_cosine: float = MAX_COSINE
) -> list[Row]:
    """Pictures and texts through open_clip and through the binary, from files to embeddings."""
    model, preprocess, tokenizer = open_checkpoint(folder)
    diptych = Diptych(binary, folder)
    with tempfile.TemporaryDirectory(prefix="diptych-parity-") as tmp:
        work = Path(tmp)
        pictures = draw_pictures(n_images, None, seed)
        paths = []
        for i, picture in enumerate(pictures):
            paths.append(str(work / f"{i}.png"))
            picture.save(paths[-1])
        out = outputs(model, torch.stack([preprocess(p) for p in pictures]), tokenizer(texts))
        rows = []
        for side, inputs in (("image", paths), ("text", texts)):
            want = out[f"{side}_embeddings"].numpy()
            got = diptych.embed(f"{side}s", inputs, work)
            assert got.shape == want.shape and got.dtype == np.float32, f"{got.shape} {got.dtype}, wanted {want.shape} float32"
            rows.append(row(part, f"{side}_embeddings, max |diptych - open_clip|", np.abs(got - want).max(), MAX_EMBEDDING_DIFF))
        found = diptych.similarity(paths, texts)
    logits = out["logits_per_image"].numpy()
    scale = float(out["logit_scale"].exp())
    for key, got in found.items():
        if "cos" in key:
            rows.append(row(part, f"similarity {key}", np.abs(got - logits / scale).max(), MAX_EMBEDDING_DIFF))
        elif "logit" in key:
            rows.append(row(part, f"similarity {key}, exp(logit_scale) {scale:.1f}", np.abs(got - logits).max(), MAX_LOGIT_DIFF))
    if not any("logit" in key for key in found):
        rows.append(Row(part, f"similarity gave no logits, only {sorted(found)}", float("nan"), MAX_LOGIT_DIFF, False))
    # What shows that the rows above can see an error.
    highest = max(highest_cosine(out["image_embeddings"]), highest_cosine(out["text_embeddings"]))
    rows.append(row(part, "highest cosine of two pictures or two texts", highest, max_cosine))
    return rows


def write_full(name: str, folder: Path) -> None:
    """A full-size checkpoint with seeded random weights, whose pictures and texts differ."""
    folder.mkdir(parents=True, exist_ok=True)
    cfg = json.loads((ROOT / "crates/diptych/models" / f"{name}.json").read_text(encoding="utf-8"))
    model = open_clip.model.CLIP(**cfg).eval()
    # OpenAI's models end at a scale of 100; the difference of logits is the larger for it.
    randomise(model, SEEDS[name], logit_scale=float(np.log(100)), gain=1.4, shift=0.2)
    pixels = normalise(draw_pictures(6, cfg["vision_cfg"]["image_size"], seed=1))
    ids = open_clip.get_tokenizer(name)(TEXTS)
    calibrate(model, pixels, shift=0.2, seed=SEEDS[name])
    spread(model, pixels, ids)
    out = outputs(model, pixels, ids)
    for side in ("image", "text"):
        cosine = highest_cosine(out[f"{side}_embeddings"])
        assert cosine < MAX_COSINE, f"{name}: two {side}s have cosine {cosine:.3f}; change gain or seed"
    save_checkpoint(folder, model, cfg)


def file_texts() -> list[str]:
    """The texts that can be lines of a file: not the empty one."""
    return [t for t in TEXTS if t]


def check_full(name: str, binary: Path, keep: Path | None) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="diptych-full-") as tmp:
        folder = (keep or Path(tmp)) / name
        write_full(name, folder)
        return compare_with_binary(f"full-size {name}", folder, binary, file_texts(), n_images=6, seed=2)


def check_local_dir(folder: Path, binary: Path) -> list[Row]:
    """A checkpoint that Diptych wrote: same ids, same embeddings, in open_clip."""
    _, _, tokenizer = open_checkpoint(folder)
    texts = [*file_texts(), "A dog's ball isn't HERE!!! 3 of 10", "日本語 テキスト", "👍🏽 ok", "&lt;b&gt; &amp;amp; &eacute;"]
    width = tokenizer(texts).shape[1]
    end = int(tokenizer([""]).max())
    texts = [t for t in texts if int(tokenizer([t])[0, width - 1]) != end]  # Longer ones are an error in Diptych.
    return compare_with_binary(f"local-dir {folder.name}", folder, binary, texts, n_images=6, seed=4, max_cosine=1.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-golden", action="store_true", help="make the golden folders")
    parser.add_argument("--check-golden", action="store_true", help="open_clip against the golden folders")
    parser.add_argument("--tiny", action="store_true", help="binary against open_clip, golden checkpoints")
    parser.add_argument("--full", action="store_true", help="binary against open_clip, full-size random weights")
    parser.add_argument("--local-dir", type=Path, action="append", default=[], metavar="DIR", help="checkpoint written by Diptych")
    parser.add_argument("--binary", type=Path, default=BINARY, help="default: target/release/diptych")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where --full leaves its checkpoints")
    parser.add_argument("--threads", type=int, default=1, help="PyTorch's threads")
    parser.add_argument("--json", action="store_true", help="rows as JSON, one a line, on stdout")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    rows: list[Row] = []
    if args.write_golden:
        for name in TINY:
            write_golden(name)
    if args.check_golden or not (args.tiny or args.full or args.local_dir):
        for name in TINY:
            rows += check_golden(name)
    if args.tiny:
        for name in TINY:
            rows += compare_with_binary(name, GOLDEN / name, args.binary, file_texts(), n_images=5, seed=59)
    if args.full:
        for name in FULL:
            rows += check_full(name, args.binary, args.keep)
    for folder in args.local_dir:
        rows += check_local_dir(folder, args.binary)
    return told(rows, args.json)


if __name__ == "__main__":
    sys.exit(main())
