"""Vectors to search in: 10,000 Gaussian centres, points about them, and queries that are not among these."""

from __future__ import annotations

from pathlib import Path

import numpy as np

DIM, CENTRES, SPREAD, QUERIES, K = 512, 10_000, 0.7, 1000, 10
CHUNK = 50_000


def about(rng: np.random.Generator, centres: np.ndarray, n: int) -> np.ndarray:
    """`n` unit vectors, each of a centre of length 1 and noise whose length is SPREAD in the mean."""
    noise = rng.standard_normal((n, DIM), dtype=np.float32) * np.float32(SPREAD / DIM**0.5)
    rows = centres[rng.integers(0, len(centres), n)] + noise
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make(folder: Path, n: int) -> None:
    """Writes `base.npy` [n, 512] and `queries.npy` [1000, 512], both f32."""
    if (folder / "queries.npy").exists():
        if len(np.load(folder / "base.npy", mmap_mode="r")) < n:
            raise SystemExit(f"{folder}: it has fewer than {n} vectors; remove it")
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((CENTRES, DIM), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    base = np.lib.format.open_memmap(folder / "base.npy", "w+", np.float32, (n, DIM))
    for first in range(0, n, CHUNK):
        base[first : first + CHUNK] = about(rng, centres, min(CHUNK, n - first))
    base.flush()
    np.save(folder / "queries.npy", about(rng, centres, QUERIES))


def truth(folder: Path, n: int, percent: int) -> Path:
    """The rows of the K highest products in f32, among the first `n` whose number mod 100 is below `percent`."""
    path = folder / f"truth-{n}-{percent}.npy"
    if path.exists():
        return path
    base = np.load(folder / "base.npy", mmap_mode="r")
    queries = np.load(folder / "queries.npy")
    scores = np.full((len(queries), 0), 0, np.float32)
    best = np.full((len(queries), 0), 0, np.int64)
    for first in range(0, n, CHUNK):
        rows = np.arange(first, min(first + CHUNK, n))
        rows = rows[rows % 100 < percent]
        products = queries @ base[rows].T
        top = np.argpartition(-products, min(K, len(rows) - 1), axis=1)[:, :K]
        scores = np.hstack([scores, np.take_along_axis(products, top, 1)])
        best = np.hstack([best, rows[top]])
        order = np.argsort(-scores, axis=1)[:, :K]
        scores, best = np.take_along_axis(scores, order, 1), np.take_along_axis(best, order, 1)
    np.save(path, best)
    return path
