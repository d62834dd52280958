#!/usr/bin/env python3
"""Features before a tower's end, gradients to pixels, and differentiable views: open_clip's, PyTorch's and torchvision's.

    python parity/exits.py                    # compares with what is kept
    python parity/exits.py --write-golden     # makes crates/diptych/tests/golden/exits
    python parity/exits.py --full             # full-size towers with random weights against target/release/examples/towers

A golden file of a tower has `pixels` of its own size and `wide` ones of another, and for each of them (`NAME` or `wide.NAME`, all
`[N, L, C]`): `after.I.FINISH`, by `forward_intermediates` where open_clip has it; the dense forms, written down here from their
papers' formulas (last block: q, k, v of `ln_1(x)`, `o` the output's projection); `pooled`; `pool_values`. `text.I.FINISH` is of `ids`.
`gradient` is that of `(image_features * direction).sum()` to `pixels`.

`views.safetensors`: `pictures`, and of each view its picture and the gradient of `(view * NAME.upstream).sum()`.

Needs: open_clip, torch, torchvision. Exit code 1 if a number differs by more than its limit.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torchvision.transforms.v2 import functional as V

from towers import (
    GOLDEN, ROOT, SEEDS, Row, draw_pictures, normalise, open_checkpoint, row, save_tensors, told, versions, write_full, write_json,
)

FOLDER = GOLDEN / "exits"
FORMS = {  # attention, residual, MLP
    "mask_clip": ("v", True, True),
    "sclip": ("qq+kk", True, True),
    "clear_clip": ("qq", False, False),
    "na_clip": ("kk+w", False, False),
    "values_alone": ("v", False, False),
}
WIDE = {"tiny-vit": (27, 12), "tiny-resnet": (96, 64), "ViT-B-32": (224, 352), "ViT-B-16": (336, 224), "RN50": (256, 320)}


def near(rows: int, columns: int, prefix: int, deviation: float = 5.0) -> torch.Tensor:
    """NACLIP's w: exp(-distance² / 2 σ²) between patches, 0 at the class token."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()], 1).double()
    square = (places[:, None] - places[None]).square().sum(-1)
    w = torch.zeros(prefix + len(places), prefix + len(places))
    w[prefix:, prefix:] = torch.exp(-square / (2 * deviation**2)).float()
    return w


def dense(block: torch.nn.Module, x: torch.Tensor, form: str, grid: tuple[int, int]) -> torch.Tensor:
    """The last block in another form: `[N, L, W]` to `[N, L, W]`."""
    kind, residual, mlp = FORMS[form]
    attn = block.attn
    n, length, width = x.shape
    qkv = F.linear(block.ln_1(x), attn.in_proj_weight, attn.in_proj_bias)
    q, k, v = (part.view(n, length, attn.num_heads, -1).transpose(1, 2) for part in qkv.chunk(3, -1))
    scores = lambda a: a @ a.transpose(-1, -2) / a.shape[-1] ** 0.5
    found = {
        "v": lambda: v,
        "qq": lambda: scores(q).softmax(-1) @ v,
        "qq+kk": lambda: (scores(q).softmax(-1) + scores(k).softmax(-1)) @ v,
        "kk+w": lambda: (scores(k) + near(*grid, length - grid[0] * grid[1])).softmax(-1) @ v,
    }[kind]()
    y = attn.out_proj(found.transpose(1, 2).reshape(n, length, width))
    y = x + y if residual else y
    return y + block.mlp(block.ln_2(y)) if mlp else y


def at_size(visual: torch.nn.Module, height: int, width: int) -> torch.nn.Module:
    """The tower with positions for pictures of another size, resized as open_clip's `resize_pos_embed` does."""
    visual = copy.deepcopy(visual)
    resnet = hasattr(visual, "attnpool") and hasattr(visual, "layer4")
    old = visual.attnpool.positional_embedding if resnet else visual.positional_embedding
    side = round((len(old) - 1) ** 0.5)
    step = 32 if resnet else visual.patch_size[0]
    to = height // step, width // step
    grid = old[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=to, mode="bicubic", antialias=True, align_corners=False)
    new = torch.nn.Parameter(torch.cat([old[:1], grid.permute(0, 2, 3, 1).reshape(to[0] * to[1], -1)]))
    if resnet:
        visual.attnpool.positional_embedding = new
    else:
        visual.positional_embedding, visual.grid_size, visual.image_size = new, to, (height, width)
    return visual


def image_exits(visual: torch.nn.Module, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every exit of a tower, `[N, L, C]`."""
    flat = lambda maps: maps.flatten(2).transpose(1, 2)
    out = {"pooled": visual(pixels).unsqueeze(1)}
    if hasattr(visual, "layer4"):
        maps = visual.forward_intermediates(pixels)["image_intermediates"]
        out |= {f"after.{i}.none": flat(map) for i, map in enumerate(maps)}
        pool = visual.attnpool
        out["pool_values"] = pool.c_proj(pool.v_proj(flat(maps[-1])))
        return out
    whole = lambda patches, class_token: torch.cat([class_token, flat(patches)], 1)
    for finish, normal in (("none", False), ("norm", True)):
        found = visual.forward_intermediates(pixels, normalize_intermediates=normal, output_extra_tokens=True)
        pairs = zip(found["image_intermediates"], found["image_intermediates_prefix"])
        out |= {f"after.{i}.{finish}": whole(patches, token) for i, (patches, token) in enumerate(pairs)}
    blocks = visual.transformer.resblocks
    for i in range(len(blocks)):
        out[f"after.{i}.project"] = out[f"after.{i}.norm"] @ visual.proj
    for form in FORMS:
        x = dense(blocks[-1], out[f"after.{len(blocks) - 2}.none"], form, visual.grid_size)
        out[form] = visual.ln_post(x) @ visual.proj
    return out


def text_exits(model: torch.nn.Module, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    out = {}
    for finish, normal in (("none", False), ("norm", True)):
        found = model.forward_intermediates(text=ids, normalize_intermediates=normal)["text_intermediates"]
        out |= {f"text.{i}.{finish}": x for i, x in enumerate(found)}
    last = len(model.transformer.resblocks) - 1
    out[f"text.{last}.project"] = out[f"text.{last}.norm"] @ model.text_projection
    return out


def gradient(visual: torch.nn.Module, pixels: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    pixels = pixels.clone().requires_grad_()
    (visual(pixels) * direction).sum().backward()
    return pixels.grad


def tower(name: str) -> dict[str, torch.Tensor]:
    model, _, _ = open_checkpoint(GOLDEN / name)
    kept = load_file(GOLDEN / name / "expected.safetensors")
    height, width = WIDE[name]
    pixels = kept["pixels"][: 1 if "resnet" in name else 2]
    wide = F.interpolate(pixels, size=(height, width), mode="bilinear", align_corners=False)
    out = {"pixels": pixels, "wide": wide, "ids": kept["ids"]}
    with torch.no_grad():
        out |= image_exits(model.visual, pixels)
        out |= {f"wide.{k}": v for k, v in image_exits(at_size(model.visual, height, width), wide).items()}
        out |= text_exits(model, kept["ids"])
    torch.manual_seed(SEEDS[name])
    out["direction"] = torch.randn(len(pixels), out["pooled"].shape[-1])
    out["gradient"] = gradient(model.visual, pixels, out["direction"])
    return out


def filled(x: torch.Tensor, start: list, end: list, fill: float) -> torch.Tensor:
    """`perspective` with a fill, whose own arithmetic works in place and so has no gradient."""
    inside = V.perspective(torch.ones_like(x), start, end, fill=None)
    out = (V.perspective(x, start, end, fill=None) - fill) * inside + fill
    with torch.no_grad():
        assert torch.allclose(out, V.perspective(x, start, end, fill=[fill] * 3), atol=1e-6)
    return out


def views() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    pictures = torch.rand(2, 3, 11, 14)
    start = [[0, 0], [13, 0], [13, 10], [0, 10]]
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    made = {
        "resize.bicubic.7.9": lambda x: V.resize(x, [7, 9], V.InterpolationMode.BICUBIC, antialias=True),
        "resize.bicubic.20.17": lambda x: V.resize(x, [20, 17], V.InterpolationMode.BICUBIC, antialias=True),
        "resize.bilinear.5.28": lambda x: V.resize(x, [5, 28], V.InterpolationMode.BILINEAR, antialias=True),
        "crop.2.3.6.8": lambda x: V.crop(x, 2, 3, 6, 8),
        "crop.-3.5.9.15": lambda x: V.crop(x, -3, 5, 9, 15),
        "perspective.0": lambda x: V.perspective(x, start, [[1, 2], [12, 0], [10, 9], [2, 10]], fill=None),
        "perspective.0.25": lambda x: filled(x, start, [[3, 1], [11, 2], [13, 8], [0, 9]], 0.25),
        "normalise": lambda x: V.normalize(x, mean, std),
    }
    out = {"pictures": pictures}
    for name, view in made.items():
        x = pictures.clone().requires_grad_()
        y = view(x)
        upstream = torch.randn(y.shape)
        (y * upstream).sum().backward()
        out |= {name: y.detach(), f"{name}.upstream": upstream, f"{name}.gradient": x.grad}
    return out


def golden() -> dict[str, dict[str, torch.Tensor]]:
    return {"tiny-vit": tower("tiny-vit"), "tiny-resnet": tower("tiny-resnet"), "views": views()}


def write_golden() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, tensors in golden().items():
        save_tensors(FOLDER / f"{name}.safetensors", tensors)
    write_json(FOLDER / "versions.json", {"made_by": "parity/exits.py --write-golden"} | versions())


def check_golden() -> list[Row]:
    rows = []
    for name, tensors in golden().items():
        kept = load_file(FOLDER / f"{name}.safetensors")
        off = max(float((tensors[key] - kept[key]).abs().max()) for key in tensors)
        rows.append(row(f"exits {name}", "made again - recorded", off, 1e-4))
    return rows


def full(names: list[str]) -> list[Row]:
    """Full-size towers with random weights: the example `exits` writes every exit as NumPy arrays."""
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            write_full(name, folder)
            model, _, _ = open_checkpoint(folder)
            side = model.visual.image_size
            pixels = normalise(draw_pictures(2, side[0] if isinstance(side, tuple) else side, seed=1))
            height, width = WIDE[name]
            wide = F.interpolate(pixels, size=(height, width), mode="bilinear", align_corners=False)
            direction = torch.randn(2, model.text_projection.shape[1], generator=torch.Generator().manual_seed(3))
            with torch.no_grad():
                want = image_exits(model.visual, pixels)
                want |= {f"wide.{k}": v for k, v in image_exits(at_size(model.visual, height, width), wide).items()}
            for key, value in {"pixels": pixels, "wide": wide, "direction": direction}.items():
                np.save(folder / f"{key}.npy", value.numpy())
            subprocess.run([ROOT / "target/release/examples/towers", "exits", folder, folder], check=True)
            unit = lambda x: F.normalize(x, dim=-1)
            worst: dict[str, float] = {}
            for key, value in want.items():
                got = torch.from_numpy(np.load(folder / f"{key}.out.npy")).reshape(value.shape)
                kind = key.removeprefix("wide.").split(".")[0]
                worst[kind] = max(worst.get(kind, 0.0), float((unit(got) - unit(value)).abs().max()))
            rows += [row(f"exits {name}", f"{kind}, both sizes, of length 1", off, 1e-5) for kind, off in worst.items()]
            got = torch.from_numpy(np.load(folder / "gradient.out.npy")).reshape(pixels.shape)
            exact = gradient(copy.deepcopy(model.visual).double(), pixels.double(), direction.double())
            off = lambda grad: float((grad.double() - exact).norm() / exact.norm())
            if name.startswith("RN"):
                # A ReLU's gradient jumps at 0, and sums differ in their last bit: PyTorch's own paths differ by 1e-3.
                own = [gradient(model.visual, pixels, direction)]
                with torch.backends.mkldnn.flags(enabled=False):
                    own.append(gradient(model.visual, pixels, direction))
                worst_own = max(map(off, own))
                rows.append(row(f"exits {name}", f"gradient to pixels: error over PyTorch's {worst_own:.1e}", off(got) / worst_own, 3))
            else:
                rows.append(row(f"exits {name}", "gradient to pixels, relative", off(got), 1e-4))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-golden", action="store_true")
    parser.add_argument("--full", nargs="*", metavar="NAME", help="full-size towers; all without a name")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    args = parser.parse_args()
    torch.set_num_threads(2)
    if args.write_golden:
        write_golden()
        return 0
    rows = check_golden() if args.full is None else full(args.full or ["ViT-B-32", "ViT-B-16", "RN50"])
    return told(rows, args.json)


if __name__ == "__main__":
    sys.exit(main())
