"""Convolutions and filters forward and backward beside PyTorch, in turn, the median over rounds of each round's best time.

PyTorch runs each case in both of its memory formats, and the faster one counts. Its modulated convolutions scale the input,
as ours; its filters stuff zeros in and convolve each channel, as StyleGAN2's `upfirdn2d` does where there is no GPU.

    (cd benchmarks/layers && cargo build --release)
    parity/.venv/bin/python benchmarks/layers/run.py [--rounds 5] [--seconds 0.5] [--threads 2] [--only depthwise]
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
FORMATS = (torch.contiguous_format, torch.channels_last)


class Ours:
    """The program of this folder, which answers a line a request."""

    def __init__(self, binary, threads):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def filtered(x, case):
    """`upfirdn2d` as StyleGAN2 has it for CPUs."""
    up, down, (before, after) = case.get("up", 1), case.get("down", 1), case["padding"]
    n, c, height, width = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, height * up, width * up)
    x = F.pad(x, (before, after, before, after))
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return F.conv2d(x, torch.outer(taps, taps).expand(c, 1, -1, -1), stride=down, groups=c)


def forward(case, x, weight, style, factors):
    kind, stride = case["kind"], case.get("stride", 1)
    if kind == "fir":
        return filtered(x, case)
    if kind.startswith("modulated"):
        x = x * style[:, :, None, None]
    if kind in ("transposed", "modulated up"):
        y = F.conv_transpose2d(x, weight, stride=stride)
    else:
        y = F.conv2d(x, weight, stride=stride, padding=case.get("pad", 0), groups=case.get("groups", 1))
    return y * factors[:, :, None, None] if kind.startswith("modulated") else y


def pytorch(case, is_backward, seconds, memory_format):
    """The least seconds of a pass while `seconds` go by."""
    n, height, width, channels = case["x"]
    outputs, kernel = case.get("outputs", channels), case.get("kernel", [1, 1])
    is_up = case["kind"] in ("transposed", "modulated up")
    shape = [channels, outputs, *kernel] if is_up else [outputs, channels // case.get("groups", 1), *kernel]
    tensors = [torch.randn(n, channels, height, width), torch.randn(shape), torch.randn(n, channels), torch.randn(n, outputs)]
    tensors[:2] = [t.to(memory_format=memory_format) for t in tensors[:2]]
    for t in tensors:
        t.requires_grad_(is_backward)
    upstream = torch.randn_like(forward(case, *tensors).detach())

    def step():
        began = time.perf_counter()
        y = forward(case, *tensors)
        if is_backward:
            torch.autograd.grad(y, tensors, upstream, allow_unused=True)
        return time.perf_counter() - began

    step()
    began, least = time.perf_counter(), float("inf")
    while time.perf_counter() - began < seconds:
        least = min(least, step())
    return least


def gflop(case):
    """Billions of operations forward, a multiply-add being two; none are counted of a filter, whose ways differ."""
    if case["kind"] == "fir":
        return None
    n, height, width, channels = case["x"]
    (kh, kw), stride, pad = case["kernel"], case.get("stride", 1), case.get("pad", 0)
    if case["kind"] in ("transposed", "modulated up"):
        positions = height * width
    else:
        positions = ((height + 2 * pad - kh) // stride + 1) * ((width + 2 * pad - kw) // stride + 1)
    return 2e-9 * n * positions * channels / case.get("groups", 1) * case["outputs"] * kh * kw


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "an unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--binary", type=pathlib.Path, default=HERE / "target/release/layers-bench")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    ours = Ours(args.binary, args.threads)
    limit = ours.ask({"limit": args.threads})
    load = os.getloadavg()[0]
    print(f"{datetime.date.today()}, {cpu_name()}, {args.threads} threads, load {load:.1f}; PyTorch {torch.__version__}")
    print(f"limit {limit:.0f} GFLOP/s; median of {args.rounds} rounds in turn\n")
    print("| layer | input | pass | Diptych, ms | PyTorch, ms | ratio | Diptych, GFLOP/s (of the limit) | PyTorch |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for case in json.loads((HERE / "cases.json").read_text()):
        if args.only not in case["name"]:
            continue
        for name in ("forward", "backward"):
            mine, theirs = [], []
            for _ in range(args.rounds):
                mine.append(ours.ask({**case, "pass": name, "seconds": args.seconds}))
                by_format = [pytorch(case, name == "backward", args.seconds / 2, f) for f in FORMATS]
                theirs.append(min(by_format))
            mine, theirs = statistics.median(mine), statistics.median(theirs)
            work = gflop(case)
            work = work and work * (3 if name == "backward" else 1)
            rates = [f"{work / t:.0f} ({work / t / limit:.0%})" if work else "–" for t in (mine, theirs)]
            shape = " × ".join(map(str, case["x"]))
            label = "forward and backward" if name == "backward" else name
            print(
                f"| {case['name']} | {shape} | {label} | {mine * 1e3:.2f} | {theirs * 1e3:.2f} | {theirs / mine:.2f} "
                f"| {rates[0]} | {rates[1]} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
