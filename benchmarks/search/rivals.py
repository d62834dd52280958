"""Builds and asks the rivals' indexes of the same vectors: usearch, hnswlib and faiss."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

K = 10


class USearch:
    """A graph of vectors in f16; filters are not in its Python interface, so the mask is applied to more hits."""

    settings = [64, 128, 192, 256, 384, 512, 768]

    def __init__(self, dim: int, n: int, threads: int):
        from usearch.index import Index

        self.threads = threads
        self.index = Index(ndim=dim, metric="ip", dtype="f16", connectivity=16, expansion_add=128)

    def build(self, base: np.ndarray) -> None:
        self.index.add(np.arange(len(base)), base, threads=self.threads)

    def set(self, value: int) -> None:
        self.index.expansion_search = value

    def search(self, query: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(query, k, threads=1).keys

    def save(self, path: Path) -> None:
        self.index.save(str(path))

    def load(self, path: Path) -> None:
        self.index.load(str(path))


class Hnswlib:
    settings = [32, 64, 128, 192, 256, 384, 512]

    def __init__(self, dim: int, n: int, threads: int):
        import hnswlib

        self.n = n
        self.index = hnswlib.Index(space="ip", dim=dim)
        self.threads = threads

    def build(self, base: np.ndarray) -> None:
        self.index.init_index(max_elements=self.n, M=16, ef_construction=128, random_seed=7)
        self.index.add_items(base, np.arange(len(base)), num_threads=self.threads)

    def set(self, value: int) -> None:
        self.index.set_ef(value)

    def search(self, query: np.ndarray, k: int) -> np.ndarray:
        return self.index.knn_query(query, k=k, num_threads=1)[0][0]

    def filtered(self, query: np.ndarray, k: int, percent: int) -> np.ndarray:
        return self.index.knn_query(query, k=k, num_threads=1, filter=lambda i: i % 100 < percent)[0][0]

    def save(self, path: Path) -> None:
        self.index.save_index(str(path))

    def load(self, path: Path) -> None:
        self.index.load_index(str(path), max_elements=self.n)


class Faiss:
    """An inverted file in eight bits, which is nearest to what Diptych does."""

    settings = [1, 2, 4, 8, 16, 32, 64, 128]

    def __init__(self, dim: int, n: int, threads: int):
        import faiss

        self.faiss, self.threads = faiss, threads
        cells = int(4 * n**0.5)
        self.index = faiss.index_factory(dim, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)

    def build(self, base: np.ndarray) -> None:
        self.faiss.omp_set_num_threads(self.threads)
        cells = self.index.nlist
        self.index.train(base[:: max(1, len(base) // (48 * cells))])
        self.index.add(base)

    def set(self, value: int) -> None:
        self.faiss.omp_set_num_threads(1)
        self.index.nprobe = value

    def search(self, query: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(query[None], k)[1][0]

    def filtered(self, query: np.ndarray, k: int, percent: int) -> np.ndarray:
        if not hasattr(self, "masks"):
            self.masks = {}
        if percent not in self.masks:
            rows = np.arange(self.index.ntotal)
            self.masks[percent] = np.packbits(rows % 100 < percent, bitorder="little")
        selector = self.faiss.IDSelectorBitmap(self.masks[percent])
        parameters = self.faiss.SearchParametersIVF(sel=selector, nprobe=self.index.nprobe)
        return self.index.search(query[None], k, params=parameters)[1][0]

    def save(self, path: Path) -> None:
        self.faiss.write_index(self.index, str(path))

    def load(self, path: Path) -> None:
        self.index = self.faiss.read_index(str(path))


RIVALS = {"usearch": USearch, "hnswlib": Hnswlib, "faiss": Faiss}


def build(name: str, base: np.ndarray, threads: int, path: Path) -> float:
    rival = RIVALS[name](base.shape[1], len(base), threads)
    start = time.perf_counter()
    rival.build(base)
    seconds = time.perf_counter() - start
    rival.save(path)
    return seconds


def ask(rival, queries: np.ndarray, truth: np.ndarray, percent: int) -> dict | None:
    """Recall and milliseconds of one query at a time, with the least effort that finds 98 of 100."""
    if percent < 100 and not hasattr(rival, "filtered"):
        return None
    result = None
    for setting in rival.settings:
        rival.set(setting)
        times, right = [], 0
        for query, rows in zip(queries, truth):
            start = time.perf_counter()
            found = rival.search(query, K) if percent == 100 else rival.filtered(query, K, percent)
            times.append(1e3 * (time.perf_counter() - start))
            right += len(np.intersect1d(found, rows))
        result = {
            "setting": setting,
            "recall": right / (K * len(queries)),
            "p50_ms": float(np.percentile(times, 50)),
            "p99_ms": float(np.percentile(times, 99)),
        }
        if result["recall"] >= 0.98:
            break
    return result
