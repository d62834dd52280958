"""How near the lower precisions are to f32, beside the rivals', on real pictures and captions.

The weights are random, so all embeddings are nearly the same and plain cosines say little: the mean of those in f32 is taken
off first, which leaves what tells one input from another. The reference is PyTorch's f32.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from bench import Bench, table
from models import PLANTED
from PIL import Image
from rivals import RIVALS
from samples import COUNT, prepared, samples

BATCH = 40
NAMES = ["ViT-B-32", "ViT-B-32" + PLANTED]


def accuracy(bench: Bench, shard: Path, precisions: list[str]) -> None:
    images, captions = samples(shard)
    for name in NAMES:
        with tempfile.TemporaryDirectory() as scratch:
            rows = measure(bench, name, images, captions, precisions, Path(scratch))
        head = [f"{name}: least cosine to f32 of {COUNT}", "pictures", "centred", "captions", "centred "]
        table(head, rows)


def measure(
    bench: Bench, name: str, images: list[Image.Image], captions: list[str], precisions: list[str], scratch: Path
) -> list[list[str]]:
    inputs = prepared(bench.folder(name), images, captions)
    files: dict[str, list[Path]] = {}
    for tower, whole in inputs.items():
        files[tower] = [scratch / f"{tower}-{i}.npy" for i in range(0, COUNT, BATCH)]
        for i, file in enumerate(files[tower]):
            np.save(file, whole[i * BATCH : (i + 1) * BATCH])
    (scratch / "captions.txt").write_text("\n".join(captions) + "\n")
    want = {tower: bench.rival("pytorch", tower, name, files[tower])[1] for tower in inputs}
    rows = []
    for precision in precisions:
        got = {"images": pictures(bench, name, files["images"], precision)}
        got["texts"] = texts(bench, name, scratch / "captions.txt", precision)
        rows.append([f"Diptych, {precision}", *[cell for tower in inputs for cell in cosines(got[tower], want[tower])]])
        for rival in RIVALS:
            if rival == "openvino-throughput" or not bench.has(rival, name, precision):
                continue  # the same arithmetic as for latency
            got = {tower: bench.rival(rival, tower, name, files[tower], precision)[1] for tower in inputs}
            rows.append([f"{rival}, {precision}", *[cell for tower in inputs for cell in cosines(got[tower], want[tower])]])
    return rows


def pictures(bench: Bench, name: str, batches: list[Path], precision: str) -> np.ndarray:
    parts = []
    for batch in batches:
        out = batch.with_suffix(".out.npy")
        options = ["--seconds", 1, "--precision", precision, "--model", bench.folder(name)]
        bench.diptych("bench", "--input", batch, "--out", out, *options)
        parts.append(np.load(out))
    return np.concatenate(parts)


def texts(bench: Bench, name: str, file: Path, precision: str) -> np.ndarray:
    out = file.with_suffix(".npy")
    bench.diptych("embed", "--texts", file, "--out", out, "--precision", precision, "--model", bench.folder(name))
    return np.load(out)


def cosines(got: np.ndarray, want: np.ndarray) -> tuple[str, str]:
    """The least plain and the least centred cosine."""

    def least(a: np.ndarray, b: np.ndarray) -> str:
        return f"{((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min():.6f}"

    mean = want.mean(0)
    return least(got, want), least(got - mean, want - mean)
