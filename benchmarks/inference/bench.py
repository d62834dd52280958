"""What the parts of `run.py` share: the models' folders, one measurement in a process of its own, tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rivals import PRECISIONS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@dataclass
class Bench:
    binary: Path
    candle: Path
    cache: Path
    threads: int
    seconds: float
    rounds: int
    samples: Path | None

    def folder(self, name: str) -> Path:
        """The folder of a model, written if it is not there."""
        folder = self.cache / name
        if not (folder / "whole").exists():
            print(f"drawing {name}", file=sys.stderr)
            run([sys.executable, HERE / "models.py", name, folder])
        return folder

    def int8(self, name: str) -> Path:
        """The folder of a model, with the rivals' files in eight bits."""
        folder = self.folder(name)
        if not (folder / "whole-int8").exists():
            print(f"quantising {name} for the rivals", file=sys.stderr)
            run([sys.executable, HERE / "quantise.py", folder, *([self.samples] if self.samples else [])])
        return folder

    def rival(
        self, rival: str, tower: str, name: str, batches: list[Path], precision: str = "f32"
    ) -> tuple[float, np.ndarray]:
        """The median seconds in which a rival encodes some batches, and the embeddings."""
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "y.npy"
            if rival == "candle":
                weights = self.folder(name) / "candle.safetensors"
                command = [self.candle, weights, name, tower, self.seconds, out, *batches]
            else:
                options = ["--threads", self.threads, "--seconds", self.seconds, "--out", out]
                options += ["--precision", precision]
                folder = self.int8(name) if precision == "int8" else self.folder(name)
                command = [sys.executable, HERE / "rivals.py", rival, tower, folder, *options, *batches]
            seconds = json.loads(run(command, self.threads).splitlines()[-1])["seconds"]
            return seconds, np.load(out)

    def diptych(self, *arguments: object) -> str:
        return run([self.binary, *arguments, "--threads", self.threads], self.threads)

    def has(self, rival: str, name: str, precision: str = "f32") -> bool:
        """Whether a rival is installed, knows a model and computes in a precision."""
        if rival == "candle":
            return self.candle.exists() and name.startswith("ViT") and precision == "f32"
        if rival not in PRECISIONS[precision]:
            return False
        module = {"pytorch": "torch"}.get(rival, rival.split("-")[0])
        found = find_spec(module) is not None
        if not found:
            print(f"{rival} is not installed and left out", file=sys.stderr)
        return found


def run(command: list[object], threads: int | None = None) -> str:
    """The output of a process that must succeed."""
    limits = {} if threads is None else {key: str(threads) for key in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")}
    words = [str(word) for word in command]
    done = subprocess.run(words, env=os.environ | limits, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)[:500]}: {done.stderr[-2000:]}")
    return done.stdout


def table(head: list[str], rows: list[list[object]]) -> None:
    """Prints a table in Markdown."""
    for row in [head, ["---"] * len(head), *rows]:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print(flush=True)
