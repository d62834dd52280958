"""How fast and how exactly Diptych encodes on the CPU, beside PyTorch, ONNX Runtime, OpenVINO and candle.

All have the same random weights, and their embeddings of pictures are compared. Each measurement of towers is a process of
its own, after a pass that is not counted; everyone's turn comes once a round, and medians over rounds are compared. The
prompts are encoded once.

    cargo build --release && (cd benchmarks/candle && cargo build --release)
    parity/.venv/bin/pip install onnx onnxscript onnxruntime openvino nncf
    parity/.venv/bin/python benchmarks/inference/run.py [--only towers] [--models ViT-B-32,RN50] [--precision int8]

The models' files (8 GB for all three) are kept in `--cache`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from accuracy import accuracy
from bench import ROOT, Bench
from jpegs import jpegs, memory
from prompts import prompts
from rivals import PRECISIONS
from towers import towers

MODELS = "ViT-B-32,ViT-L-14,RN50"
PARTS = ["towers", "accuracy", "prompts", "jpegs", "memory"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--towers", default="images,texts")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32], help="of pictures; texts have 1 and 32")
    parser.add_argument("--precision", choices=PRECISIONS, action="append", help="all, if none is named")
    parser.add_argument("--samples", type=Path, help="WebDataset shard of pictures and captions, for the accuracy")
    parser.add_argument("--prompts", type=int, help="encode only so many with Diptych")
    parser.add_argument("--pictures", type=int, default=10_000, help="small pictures for the memory's part")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "diptych-bench")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/diptych")
    parser.add_argument("--candle", type=Path, default=ROOT / "benchmarks/candle/target/release/candle-rival")
    arguments = parser.parse_args()
    bench = Bench(
        binary=arguments.binary.resolve(),
        candle=arguments.candle.resolve(),
        cache=arguments.cache,
        threads=arguments.threads,
        seconds=arguments.seconds,
        rounds=arguments.rounds,
        samples=arguments.samples,
    )
    print(f"{datetime.date.today()}, {processor()}, {bench.threads} threads; {versions()}\n", flush=True)
    parts = arguments.only or PARTS
    precisions = arguments.precision or list(PRECISIONS)
    if "towers" in parts:
        towers(bench, arguments.models.split(","), arguments.towers.split(","), arguments.batches, precisions)
    if "accuracy" in parts and arguments.samples:
        accuracy(bench, arguments.samples, [p for p in precisions if p != "f32"])
    if "prompts" in parts:
        prompts(bench, arguments.prompts)
    if "jpegs" in parts:
        jpegs(bench)
    if "memory" in parts:
        memory(bench, arguments.pictures)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.processor())


def versions() -> str:
    found = []
    for name in ["torch", "open_clip_torch", "onnxruntime", "openvino", "nncf", "pillow"]:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


if __name__ == "__main__":
    main()
