"""Seconds of one forward and backward to pixels through a frozen image tower: Diptych beside PyTorch, in turn.

Both have the same random weights, of which nothing is trained, and the same pixels; f32. Rounds alternate, and within one the
median of some runs counts; the table has the median of the rounds.

    cargo build --release -p diptych --examples
    python benchmarks/gradients.py [--rounds 5] [--runs 5] [--threads 2] [--models ViT-B-32 RN50] [--batches 1 4 8]
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "parity"))

import open_clip  # noqa: E402
import torch  # noqa: E402
from towers import open_checkpoint, write_full  # noqa: E402

PROGRAM = ROOT / "target/release/examples/towers"


def diptych(folder, batch, runs, threads):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    command = [PROGRAM, "speed", folder, str(batch), str(runs + 1)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    # The first run touches the memory.
    return statistics.median(float(line) for line in done.stdout.split()[1:])


def pytorch(visual, side, batch, runs):
    seconds = []
    for _ in range(runs + 1):
        pixels = (torch.arange(batch * 3 * side * side) % 255).float().view(batch, 3, side, side) / 127 - 1
        begun = time.perf_counter()
        pixels.requires_grad_()
        visual(pixels).sum().backward()
        pixels.grad.sum().item()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=["ViT-B-32", "RN50"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 8])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print(f"{cpu}, {args.threads} threads; PyTorch {torch.__version__}, open_clip {open_clip.__version__}\n")
    print("| model | batch | Diptych, ms | PyTorch, ms | times as fast |")
    print("| --- | --- | --- | --- | --- |")
    for name in args.models:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write_full(name, folder)
            model, _, _ = open_checkpoint(folder)
            visual = model.visual.requires_grad_(False)
            side = visual.image_size
            side = side[0] if isinstance(side, tuple) else side
            for batch in args.batches:
                ours, theirs = [], []
                for _ in range(args.rounds):
                    ours.append(diptych(folder, batch, args.runs, args.threads))
                    theirs.append(pytorch(visual, side, batch, args.runs))
                a, b = statistics.median(ours), statistics.median(theirs)
                print(f"| {name} | {batch} | {1000 * a:.0f} | {1000 * b:.0f} | {b / a:.2f} |", flush=True)


if __name__ == "__main__":
    main()
