#!/usr/bin/env python3
"""Layers of PyTorch on odd shapes, forward and backward, to compare `diptych::layers` with.

    python parity/layers.py --write-golden    # makes crates/diptych/tests/golden/layers
    python parity/layers.py                   # computes them again and compares with the record

`layers.safetensors` has for every case, under `CASE/`: its parameters `layer.…` and its inputs, the output `output`, a
gradient of it `upstream`, and the gradient of every parameter and input, `gradient/NAME`, all in f32, computed in f64.
`cases.json` has the kind and the options of each. Maps are channels-last, `[N, H, W, C]`; weights are as PyTorch has them.

Modulated convolutions and filters are those of StyleGAN2 (Karras et al., arXiv 1912.04958), written here from its equations: a
weight a picture, in a grouped convolution; zeros stuffed in, then a convolution with the whole filter.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from towers import ROOT, Row, golden_main, row, save_tensors, versions, write_json

FOLDER = ROOT / "crates/diptych/tests/golden/layers"
Tensors = dict[str, torch.Tensor]
Forward = Callable[[Tensors], torch.Tensor]


def first(x: torch.Tensor) -> torch.Tensor:
    """Channels-last to channels-first."""
    return x.permute(0, 3, 1, 2)


def last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


def convolution(o: dict[str, Any]) -> Forward:
    def forward(t: Tensors) -> torch.Tensor:
        bias = t.get("layer.bias")
        return last(F.conv2d(first(t["x"]), t["layer.weight"], bias, o["stride"], o["padding"], groups=o["groups"]))

    return forward


def transposed(o: dict[str, Any]) -> Forward:
    def forward(t: Tensors) -> torch.Tensor:
        x, bias = first(t["x"]), t.get("layer.bias")
        more = o["output_padding"]
        return last(F.conv_transpose2d(x, t["layer.weight"], bias, o["stride"], o["padding"], more, o["groups"]))

    return forward


def modulated(o: dict[str, Any]) -> Forward:
    def forward(t: Tensors) -> torch.Tensor:
        x, weight, style = first(t["x"]), t["layer.weight"], t["style"]
        (n, inputs, height, width), (outputs, _, k, _) = x.shape, weight.shape
        weight = (inputs * k * k) ** -0.5 * weight[None] * style[:, None, :, None, None]
        if o["demodulation"] is not None:
            weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + o["demodulation"]).rsqrt()
        x = x.reshape(1, n * inputs, height, width)
        if o["up"]:
            weight = weight.transpose(1, 2).reshape(n * inputs, outputs, k, k)
            y = F.conv_transpose2d(x, weight, stride=2, groups=n)
        else:
            y = F.conv2d(x, weight.reshape(n * outputs, inputs, k, k), padding=o["padding"], groups=n)
        return last(y.reshape(n, outputs, *y.shape[2:]))

    return forward


def fir(o: dict[str, Any]) -> Forward:
    def forward(t: Tensors) -> torch.Tensor:
        x, up, down, (before, after) = first(t["x"]), o["up"], o["down"], o["padding"]
        taps = torch.tensor(o["taps"], dtype=x.dtype)
        taps = taps / taps.sum() * o["gain"]
        n, c, height, width = x.shape
        x = F.pad(x.reshape(n, c, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, height * up, width * up)
        x = F.pad(x, (before, after, before, after))
        kernel = torch.outer(taps, taps).flip(0, 1).expand(c, 1, -1, -1)
        return last(F.conv2d(x, kernel, groups=c)[:, :, ::down, ::down])

    return forward


def group_norm(o: dict[str, Any]) -> Forward:
    return lambda t: last(F.group_norm(first(t["x"]), o["groups"], t["layer.weight"], t["layer.bias"], o["epsilon"]))


def batch_norm(o: dict[str, Any]) -> Forward:
    def forward(t: Tensors) -> torch.Tensor:
        weight, bias = t["layer.weight"], t["layer.bias"]
        return last(F.batch_norm(first(t["x"]), None, None, weight, bias, training=True, eps=o["epsilon"]))

    return forward


def attention(o: dict[str, Any]) -> Forward:
    def forward(t: Tensors) -> torch.Tensor:
        x, memory = t["x"], t.get("memory", t["x"])
        names = ["in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight"]
        stacked, bias, *apart = [t.get(f"layer.{name}") for name in names]
        mask = torch.ones(x.shape[1], memory.shape[1], dtype=torch.bool).triu(1) if o["causal"] else None
        y, _ = F.multi_head_attention_forward(
            *(v.transpose(0, 1) for v in (x, memory, memory)),
            x.shape[2], o["heads"], stacked, bias, None, None, False, 0.0,
            t["layer.out_proj.weight"], t["layer.out_proj.bias"], need_weights=False, attn_mask=mask,
            use_separate_proj_weight=stacked is None,
            q_proj_weight=apart[0], k_proj_weight=apart[1], v_proj_weight=apart[2],
        )  # fmt: skip
        return y.transpose(0, 1)

    return forward


KINDS = {
    "convolution": convolution,
    "transposed": transposed,
    "modulated": modulated,
    "fir": fir,
    "group_norm": group_norm,
    "batch_norm": batch_norm,
    "attention": attention,
}


def conv(x: list[int], outputs: int, kernel: list[int], stride: int = 1, padding: tuple[int, int] = (0, 0), groups: int = 1) -> Any:
    options = {"stride": stride, "padding": list(padding), "groups": groups}
    shapes = {"x": x, "layer.weight": [outputs, x[3] // groups, *kernel], "layer.bias": [outputs]}
    return "convolution", options, shapes


def back(x: list[int], outputs: int, kernel: list[int], stride: int, padding: tuple[int, int] = (0, 0), groups: int = 1, more: int = 0) -> Any:
    options = {"stride": stride, "padding": list(padding), "groups": groups, "output_padding": more}
    shapes = {"x": x, "layer.weight": [x[3], outputs // groups, *kernel], "layer.bias": [outputs]}
    return "transposed", options, shapes


def style(x: list[int], outputs: int, kernel: int, padding: int, up: bool, demodulation: float | None) -> Any:
    options = {"padding": padding, "up": up, "demodulation": demodulation}
    return "modulated", options, {"x": x, "layer.weight": [outputs, x[3], kernel, kernel], "style": [x[0], x[3]]}


def sampling(x: list[int], taps: list[float], up: int, down: int, padding: tuple[int, int], gain: float) -> Any:
    return "fir", {"taps": taps, "up": up, "down": down, "padding": list(padding), "gain": gain}, {"x": x}


def attend(x: list[int], heads: int, causal: bool = False, memory: list[int] | None = None) -> Any:
    width = x[2]
    shapes = {"x": x, "layer.in_proj_bias": [3 * width], "layer.out_proj.weight": [width, width], "layer.out_proj.bias": [width]}
    if memory and memory[2] != width:
        shapes |= {"layer.q_proj_weight": [width, width]} | {f"layer.{n}_proj_weight": [width, memory[2]] for n in "kv"}
    else:
        shapes["layer.in_proj_weight"] = [3 * width, width]
    return "attention", {"heads": heads, "causal": causal}, shapes | ({"memory": memory} if memory else {})


FOUR = [1.0, 3.0, 3.0, 1.0]

# Case → (kind, options, shapes).
CASES: dict[str, Any] = {
    "plain": conv([2, 7, 5, 3], 18, [3, 3], padding=(1, 1)),
    "stride 2, even and odd sides": conv([1, 9, 6, 5], 7, [3, 2], stride=2, padding=(1, 0)),
    "5 by 4": conv([2, 6, 7, 2], 3, [5, 4], padding=(2, 1)),
    "stride 2, 4 by 4": conv([1, 8, 11, 3], 4, [4, 4], stride=2, padding=(1, 1)),
    "1 by 1, stride 2": conv([2, 5, 5, 4], 6, [1, 1], stride=2),
    "grouped": conv([2, 5, 6, 6], 9, [3, 3], padding=(1, 1), groups=3),
    "grouped, stride 2": conv([1, 7, 5, 4], 6, [2, 3], stride=2, padding=(0, 1), groups=2),
    "depthwise": conv([2, 5, 7, 19], 19, [3, 3], padding=(1, 1), groups=19),
    "depthwise, stride 2": conv([1, 8, 5, 6], 6, [5, 2], stride=2, padding=(2, 0), groups=6),
    "transposed, StyleGAN2's": back([2, 5, 3, 4], 6, [3, 3], stride=2),
    "transposed, 4 by 4": back([1, 4, 5, 3], 5, [4, 4], stride=2, padding=(1, 1)),
    "transposed, output padding": back([2, 3, 4, 3], 2, [3, 2], stride=2, padding=(1, 0), more=1),
    "transposed, stride 1": back([1, 5, 4, 3], 4, [2, 3], stride=1, padding=(1, 1)),
    "transposed, grouped": back([1, 4, 3, 6], 4, [3, 3], stride=2, groups=2),
    "transposed, depthwise": back([2, 4, 3, 5], 5, [2, 2], stride=2, groups=5),
    "modulated": style([3, 5, 6, 4], 7, 3, 1, False, 1e-8),
    "modulated, up": style([2, 4, 5, 3], 6, 3, 0, True, 1e-8),
    "modulated, to pixels": style([2, 5, 4, 6], 3, 1, 0, False, None),
    "blur after up": sampling([2, 9, 7, 3], FOUR, 1, 1, (1, 1), 2.0),
    "up": sampling([1, 5, 4, 3], FOUR, 2, 1, (2, 1), 2.0),
    "down": sampling([2, 9, 6, 4], FOUR, 1, 2, (1, 1), 1.0),
    "three times up, half down, cut": sampling([1, 5, 4, 2], [1.0, 2.0, -0.5], 3, 2, (4, -1), 1.5),
    "group norm": ("group_norm", {"groups": 3, "epsilon": 1e-5}, {"x": [2, 5, 3, 12], "layer.weight": [12], "layer.bias": [12]}),
    "batch norm": ("batch_norm", {"epsilon": 1e-5}, {"x": [2, 5, 3, 7], "layer.weight": [7], "layer.bias": [7]}),
    "attention": attend([2, 7, 6], 3),
    "causal attention": attend([2, 5, 8], 2, causal=True),
    "attention to a memory": attend([2, 3, 8], 4, memory=[2, 5, 8]),
    "attention to another width": attend([2, 4, 6], 2, memory=[2, 3, 10]),
}  # fmt: skip


def compute(name: str, seed: int) -> Tensors:
    kind, options, shapes = CASES[name]
    g = torch.Generator().manual_seed(seed)
    # Drawn in f32, so that what is recorded is what was computed with.
    tensors = {key: torch.randn(shape, generator=g).double().requires_grad_() for key, shape in sorted(shapes.items())}
    output = KINDS[kind](options)(tensors)
    upstream = torch.randn(output.shape, generator=g).double()
    gradients = torch.autograd.grad(output, list(tensors.values()), upstream)
    gradients = {f"gradient/{key}": gradient for key, gradient in zip(tensors, gradients)}
    everything = tensors | {"output": output, "upstream": upstream} | gradients
    return {f"{name}/{key}": tensor.detach().float() for key, tensor in everything.items()}


def compute_all() -> Tensors:
    return {key: tensor for i, name in enumerate(CASES) for key, tensor in compute(name, 100 + i).items()}


def write_golden() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_tensors(FOLDER / "layers.safetensors", compute_all())
    write_json(FOLDER / "cases.json", [{"name": name, "kind": kind} | options for name, (kind, options, _) in CASES.items()])
    write_json(FOLDER / "versions.json", {"made_by": "parity/layers.py --write-golden"} | versions())
    sizes = sum(path.stat().st_size for path in Path(FOLDER).iterdir())
    assert sizes < 200_000, f"{sizes} bytes are too many for git"


def check_golden() -> list[Row]:
    """Computes everything again and compares with the record."""
    want, got = load_file(FOLDER / "layers.safetensors"), compute_all()
    assert want.keys() == got.keys(), "other tensors than recorded: run with --write-golden"
    rows = []
    for name in CASES:
        keys = [key for key in want if key.startswith(f"{name}/")]
        diff = max(float((want[key] - got[key]).abs().max() / want[key].abs().max()) for key in keys)
        rows.append(row(f"layer: {name}", "output and gradients, PyTorch - recorded", diff, 1e-5))
    return rows


if __name__ == "__main__":
    sys.exit(golden_main(__doc__, write_golden, check_golden))
