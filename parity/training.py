#!/usr/bin/env python3
"""Ten recorded losses: a plain CLIP training in PyTorch on open_clip's towers, to compare a trainer with.

    python parity/training.py --write-golden    # makes crates/train/tests/golden/training
    python parity/training.py                   # runs it again and compares with the record

Starts from the golden checkpoints `tiny-vit` and `tiny-resnet` (made by towers.py) with `logit_scale`
set to ln(1/0.07), f32, train mode, no dropout, no augmentation, no gradient clipping.

Data, `batches.safetensors`: ten batches, one a step, of `B` = 8 pairs.
    pixels  u8  [10, 8, 3, 16, 16]   to floats by (pixels / 255 - mean) / std with the checkpoint's mean/std.
                                     tiny-resnet takes 64 × 64: each pixel is repeated 4 × 4, before that.
    ids     i64 [10, 8, 18]          tiny-resnet, whose context is 16, takes the first 16 columns.
    groups  i64 [10, 8]              only for the run `tiny-vit by group`, see below.

Loss. With unit-norm embeddings I, T [B, D] and s = exp(logit_scale), logits = s · I · Tᵀ [B, B]:
    rows are pictures, columns are texts.
Pairs whose texts are equal (all ids equal) are positives of each other. With same[i, j] = 1 where text i
equals text j (so same[i, i] = 1), and every positive an equal share of the target mass:
    targets[i, j] = same[i, j] / Σ_k same[i, k]
    image→text  = -1/B Σ_i Σ_j targets[i, j] · log softmax over row i    (all B texts)    of logits, at j
    text→image  = -1/B Σ_j Σ_i targets[j, i] · log softmax over column j (all B pictures) of logits, at i
    loss = (image→text + text→image) / 2
`same` is symmetric and rows of equal texts have equal counts, so targets = targetsᵀ: one matrix serves both
directions. Equal texts are not merged: a text that occurs n times has n columns. Targets carry no gradient;
their entropy is not subtracted (two equal texts: the loss of their rows and columns cannot fall below ln 2).

Note: where texts are *equal*, their columns of logits are equal too, and this loss is then the same function
as with targets = identity (a row's share moves between equal log-probabilities; a pair of columns swaps
halves of the same sum). It differs from CLIP's only where positives have different texts, as one class under
two templates has. Hence a third run, `tiny-vit by group`: same[i, j] = (groups[i] = groups[j]); pairs of
equal texts share their group, and some pairs of different texts do.

Step. AdamW (decoupled decay first: p ← p · (1 - lr · wd); bias-corrected; eps outside the square root):
    lr 1e-3, betas (0.9, 0.98), eps 1e-6, wd 0.2 for parameters of two or more dimensions, else 0;
    lr(step) = base · (step + 1) / 3 for step < 3, then base · (1 + cos(π · (step - 3) / 7)) / 2
    (open_clip's `cosine_lr` with 3 of 10 steps of warm-up); after each step logit_scale ← clamp(0, ln 100).
ResNet: batch-norm normalises by the batch's mean and biased variance; running statistics move by momentum
0.1 towards the batch's mean and *unbiased* variance.

`expected.json`, per run: `steps` (`step`, `lr`, `loss`, `logit_scale` as that step's forward used it,
`grad_norm` = the L2 norm of all gradients together, `loss_f64` = the same run in f64: its distance from
`loss` is what rounding alone does), `gradients` and `final` (per tensor `mean`, `abs_sum`; `final` has the
batch-norm statistics too). `gradients.safetensors` has some of step 0's gradients in full, as
`tiny-vit/NAME`, and tiny-resnet's running statistics after step 9, as `tiny-resnet/final/NAME`.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from towers import GOLDEN, ROOT, SEEDS, Row, draw_pictures, golden_main, open_checkpoint, row, save_tensors, versions, write_json

FOLDER = ROOT / "crates/train/tests/golden/training"
STEPS, BATCH, SIDE = 10, 8, 16
BASE_LR, WARMUP, BETAS, EPS, DECAY = 1e-3, 3, (0.9, 0.98), 1e-6, 0.2
MAX_LOGIT_SCALE = math.log(100)

# Run → (checkpoint, whether `groups` say what is a positive, rather than equal ids).
RUNS = {"tiny-vit": ("tiny-vit", False), "tiny-resnet": ("tiny-resnet", False), "tiny-vit by group": ("tiny-vit", True)}

# Step 0's gradients that are kept in full: one of each kind.
KEPT = {
    "tiny-vit": [
        "logit_scale",
        "positional_embedding",
        "text_projection",
        "ln_final.bias",
        "transformer.resblocks.0.attn.in_proj_weight",
        "transformer.resblocks.0.mlp.c_fc.bias",
        "transformer.resblocks.1.ln_1.weight",
        "visual.class_embedding",
        "visual.positional_embedding",
        "visual.conv1.weight",
        "visual.proj",
        "visual.ln_pre.weight",
        "visual.transformer.resblocks.0.attn.in_proj_bias",
        "visual.transformer.resblocks.1.attn.out_proj.weight",
        "visual.transformer.resblocks.1.mlp.c_proj.weight",
    ],
    "tiny-vit by group": ["logit_scale", "visual.proj", "text_projection"],
    "tiny-resnet": [
        "logit_scale",
        "visual.conv1.weight",
        "visual.bn2.weight",
        "visual.layer1.0.downsample.0.weight",
        "visual.layer2.1.conv2.weight",
        "visual.layer3.0.bn3.bias",
        "visual.attnpool.positional_embedding",
        "visual.attnpool.q_proj.weight",
        "visual.attnpool.v_proj.bias",
        "visual.attnpool.c_proj.weight",
    ],
}

CAPTIONS = ["a cat", "red hat", "rain", "on ice", "the sea", "one tin", "a hen", "42 ants", "in an inn", "tea", "a ram", "the hut"]


def make_batches() -> dict[str, torch.Tensor]:
    """Ten batches of drawn pictures with captions, some of which occur twice or three times in a batch."""
    pictures = draw_pictures(STEPS * BATCH, SIDE, seed=21)
    pixels = torch.stack([torch.from_numpy(np.array(p)).permute(2, 0, 1) for p in pictures])
    tokenizer = open_clip.get_tokenizer(f"local-dir:{GOLDEN / 'tiny-vit'}")
    g = torch.Generator().manual_seed(22)
    ids, groups = [], []
    for step in range(STEPS):
        captions = [CAPTIONS[i] for i in torch.randperm(len(CAPTIONS), generator=g)[:BATCH]]
        if step % 3 == 0:  # 0, 3, 6, 9: one caption twice
            captions[5] = captions[1]
        if step in (3, 7):  # one caption three times
            captions[2] = captions[4] = captions[7]
        ids.append(tokenizer(captions))
        group = [captions.index(c) for c in captions]  # Equal captions share the first one's number.
        merged = group[0]
        group = [merged if n in (group[3], group[6]) else n for n in group]  # Three captions, one group.
        groups.append(torch.tensor(group))
    ids = torch.stack(ids)
    assert ids[..., 16:].eq(0).all(), "captions must fit tiny-resnet's context"
    return {"pixels": pixels.view(STEPS, BATCH, 3, SIDE, SIDE), "ids": ids, "groups": torch.stack(groups)}


def inputs(name: str, batches: dict[str, torch.Tensor], step: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """One batch as the checkpoint `name` takes it: (pixels, ids)."""
    pixels, ids = batches["pixels"][step], batches["ids"][step]
    if name == "tiny-resnet":
        pixels = pixels.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
        ids = ids[:, :16]
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN, dtype=dtype).view(1, 3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD, dtype=dtype).view(1, 3, 1, 1)
    return (pixels.to(dtype) / 255 - mean) / std, ids


def clip_loss(logits_per_image: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy; pairs (i, j) with `same[i, j]` are positives. See the top."""
    same = same.to(logits_per_image.dtype)  # [B, B]
    targets = same / same.sum(dim=1, keepdim=True)
    image_to_text = -(targets * F.log_softmax(logits_per_image, dim=1)).sum(dim=1).mean()
    text_to_image = -(targets * F.log_softmax(logits_per_image.T, dim=1)).sum(dim=1).mean()
    return (image_to_text + text_to_image) / 2


def learning_rate(step: int) -> float:
    if step < WARMUP:
        return BASE_LR * (step + 1) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))) * BASE_LR


def checksum(tensor: torch.Tensor) -> dict[str, float]:
    tensor = tensor.detach().double()
    return {"mean": float(tensor.mean()), "abs_sum": float(tensor.abs().sum())}


def train(run_name: str, batches: dict[str, torch.Tensor], dtype: torch.dtype) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The run: (what goes into expected.json, what goes into gradients.safetensors)."""
    name, by_group = RUNS[run_name]
    torch.manual_seed(SEEDS[name])
    model, _, _ = open_checkpoint(GOLDEN / name)
    model = model.to(dtype).train()
    with torch.no_grad():
        model.logit_scale.fill_(math.log(1 / 0.07))
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}], lr=BASE_LR, betas=BETAS, eps=EPS
    )

    steps, gradients, kept = [], {}, {}
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        pixels, ids = inputs(name, batches, step, dtype)
        image_embeddings, text_embeddings, scale = model(pixels, ids)
        keys = batches["groups"][step, :, None] if by_group else ids
        same = (keys[:, None] == keys[None, :]).all(dim=-1)
        loss = clip_loss(scale * image_embeddings @ text_embeddings.T, same)
        optimizer.zero_grad()
        loss.backward()
        squares = [p.grad.double().square().sum() for p in model.parameters()]
        steps.append(
            {
                "step": step,
                "lr": learning_rate(step),
                "loss": float(loss.detach()),
                "logit_scale": float(model.logit_scale.detach()),
                "grad_norm": float(torch.stack(squares).sum().sqrt()),
            }
        )
        if step == 0:
            gradients = {key: checksum(p.grad) for key, p in model.named_parameters()}
            named = dict(model.named_parameters())
            kept = {f"{run_name}/{key}": named[key].grad.clone() for key in KEPT[run_name]}
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
    final = {key: tensor for key, tensor in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    kept |= {f"{run_name}/final/{key}": tensor.clone() for key, tensor in final.items() if "running_" in key}
    return {"steps": steps, "gradients": gradients, "final": {k: checksum(t) for k, t in final.items()}}, kept


def record(name: str, batches: dict[str, torch.Tensor]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The f32 run, with the f64 run's losses beside it."""
    run32, kept = train(name, batches, torch.float32)
    run64, _ = train(name, batches, torch.float64)
    for a, b in zip(run32["steps"], run64["steps"]):
        a["loss_f64"] = b["loss"]
    return run32, kept


def write_golden() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    batches = make_batches()
    save_tensors(FOLDER / "batches.safetensors", batches)
    expected, tensors = {}, {}
    for name in RUNS:
        expected[name], kept = record(name, batches)
        tensors |= kept
    write_json(FOLDER / "expected.json", expected)
    save_tensors(FOLDER / "gradients.safetensors", tensors)
    write_json(FOLDER / "versions.json", {"made_by": "parity/training.py --write-golden"} | versions())


def check_golden() -> list[Row]:
    """Runs the training again and compares with the record."""
    batches = load_file(FOLDER / "batches.safetensors")
    expected = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
    rows = []
    for name, want in expected.items():
        got, _ = train(name, batches, torch.float32)
        for key, limit in (("loss", 1e-5), ("logit_scale", 1e-5), ("grad_norm", 1e-3)):
            diff = max(abs(a[key] - b[key]) for a, b in zip(got["steps"], want["steps"]))
            rows.append(row(f"training {name}", f"{key} of ten steps, PyTorch - recorded", diff, limit))
        rounding = max(abs(s["loss"] - s["loss_f64"]) for s in want["steps"])
        rows.append(row(f"training {name}", "loss, recorded f32 - f64 (rounding alone)", rounding, 1e-3))
    return rows


if __name__ == "__main__":
    sys.exit(golden_main(__doc__, write_golden, check_golden))
