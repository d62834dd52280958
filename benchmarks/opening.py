#!/usr/bin/env python3
"""How long it takes to open a ViT-B/32 in f32 and encode the first text, and how much memory that takes.

Diptych, transformers, ONNX Runtime and candle open the same random weights (605 MB; ONNX Runtime its own export of
the text tower), each in a process of its own, in turn, several rounds; the file is in the page cache. Time is from the
process's start to its end. Memory is the peak of anonymous resident memory, read every 2 ms, so a file that is
mapped does not count.

    cargo build --release && (cd benchmarks/candle && cargo build --release)
    parity/.venv/bin/pip install onnx onnxscript onnxruntime
    parity/.venv/bin/python benchmarks/opening.py
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TRANSFORMERS = """
import os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
import torch
torch.set_num_threads(int(sys.argv[2]))
from transformers import CLIPModel
model = CLIPModel.from_pretrained(sys.argv[1]).eval()
with torch.no_grad():
    model.text_projection(model.text_model(input_ids=torch.tensor([[49406] + 6 * [320] + [49407]])).pooler_output)
"""

ONNX_RUNTIME = """
import sys
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, {session.get_inputs()[0].name: numpy.array([[49406] + 75 * [320] + [49407]], dtype=numpy.int64)})
"""


def measure(command: list[str]) -> tuple[float, int]:
    """Seconds and bytes of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                peak = max(peak, int(line.split()[1]) << 10)
        time.sleep(0.002)
    seconds = time.perf_counter() - started
    if process.wait():
        raise SystemExit(f"{command}: {process.stderr.read().decode()[-2000:]}")
    return seconds, peak


def prepare(folder: Path) -> tuple[Path, Path | None]:
    """The weights in transformers' layout, and as an ONNX file if that can be made."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig()).eval()  # The defaults are ViT-B/32's.
    model.save_pretrained(folder / "vit-b-32")
    try:
        import onnxruntime  # noqa: F401

        class Text(torch.nn.Module):
            def forward(self, ids: torch.Tensor) -> torch.Tensor:
                return model.text_projection(model.text_model(input_ids=ids).pooler_output)

        ids = torch.tensor([[49406] + 75 * [320] + [49407]])
        torch.onnx.export(Text(), (ids,), folder / "text.onnx", dynamo=True, external_data=False)
    except ImportError as error:
        print(f"without ONNX Runtime: {error}", file=sys.stderr)
        return folder / "vit-b-32", None
    return folder / "vit-b-32", folder / "text.onnx"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "diptych")
    parser.add_argument("--candle", type=Path, default=ROOT / "benchmarks/candle/target/release/candle-rival")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    threads = str(arguments.threads)
    os.environ |= {"RAYON_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, onnx = prepare(folder)
        text = folder / "text.txt"
        text.write_text("a a a a a a\n")
        commands = {
            "Diptych": [arguments.binary, "embed", "--texts", text, "--out", folder / "out.npy", "--model", model, "--threads", threads],
            "transformers": [sys.executable, "-c", TRANSFORMERS, model, threads],
        }
        if onnx:
            commands["ONNX Runtime (text tower alone, 254 MB)"] = [sys.executable, "-c", ONNX_RUNTIME, onnx, threads]
        if arguments.candle.exists():
            commands["candle"] = [arguments.candle, model / "model.safetensors"]
        results = {name: [] for name in commands}
        for i in range(arguments.rounds + 1):
            for name, command in commands.items():
                result = measure([str(word) for word in command])
                if i:  # The first round fills the cache.
                    results[name].append(result)
        weights = (model / "model.safetensors").stat().st_size

    def known(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "–"

    packages = ", ".join(f"{p} {known(p)}" for p in ("torch", "transformers", "onnxruntime"))
    print(f"{platform.processor() or platform.machine()}, {threads} threads; {packages}; candle 0.11; {weights / 1e6:.0f} MB of weights; "
          f"median of {arguments.rounds}\n")
    print("| | seconds | peak of private memory, MB | over the weights |\n| --- | --- | --- | --- |")
    for name, values in results.items():
        seconds, peak = (statistics.median(column) for column in zip(*values))
        print(f"| {name} | {seconds:.2f} | {peak / 1e6:.0f} | {peak / weights:.2f} |")


if __name__ == "__main__":
    main()
