#!/usr/bin/env python3
"""Three steps of `torch.optim.Muon` on small matrices: `golden/training/muon.json`.

PyTorch runs its Newton–Schulz iteration in bf16; here that name stands for f32, so that a wrong factor is not
lost in rounding. `in_proj` is three matrices in one tensor, each with a state of its own.
"""

from __future__ import annotations

import torch

from towers import GOLDEN, versions, write_json

torch.bfloat16 = torch.float32

OPTIONS = {"lr": 0.05, "weight_decay": 0.3, "adjust_lr_fn": "match_rms_adamw"}


def main() -> None:
    g = torch.Generator().manual_seed(2)
    cases = []
    for count, rows, columns in [(1, 4, 6), (1, 6, 4), (1, 5, 5), (3, 3, 4)]:
        start = torch.randn(count * rows, columns, generator=g)
        gradients = torch.randn(3, count * rows, columns, generator=g)
        parts = [torch.nn.Parameter(part.clone()) for part in start.chunk(count)]
        optimizer = torch.optim.Muon(parts, **OPTIONS)
        for gradient in gradients:
            for part, of_part in zip(parts, gradient.chunk(count)):
                part.grad = of_part.clone()
            optimizer.step()
        end = torch.cat([part.detach() for part in parts])
        cases.append(
            {"count": count, "rows": rows, "columns": columns}
            | {name: tensor.flatten().tolist() for name, tensor in [("start", start), ("gradients", gradients), ("end", end)]}
        )
    write_json(GOLDEN / "training" / "muon.json", {"options": OPTIONS, "cases": cases, "versions": versions()})


if __name__ == "__main__":
    main()
