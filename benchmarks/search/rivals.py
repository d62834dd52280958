"""Builds and asks the indexes of the same vectors by usearch, hnswlib and faiss."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

import data

K = data.K


class USearch:
    """A graph of vectors in f16; its Python interface has no filters."""

    settings = [32, 48, 64, 96, 128, 192, 256, 320, 384, 448, 512, 768]

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
    settings = [32, 48, 64, 96, 128, 192, 256, 320, 384, 448, 512]

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
    """An inverted file in eight bits, the best compared again in f16: nearest to what Diptych does."""

    settings = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096]

    def __init__(self, dim: int, n: int, threads: int):
        import faiss

        self.faiss, self.threads, self.masks = faiss, threads, {}
        cells = int(4 * n**0.5)
        self.index = faiss.index_factory(dim, f"IVF{cells},SQ8,Refine(SQfp16)", faiss.METRIC_INNER_PRODUCT)

    def build(self, base: np.ndarray) -> None:
        self.faiss.omp_set_num_threads(self.threads)
        cells = self.faiss.extract_index_ivf(self.index).nlist
        self.index.train(base[:: max(1, len(base) // (48 * cells))])
        self.index.add(base)

    def set(self, value: int) -> None:
        self.faiss.omp_set_num_threads(1)
        self.nprobe = value

    def parameters(self, selector=None):
        cells = self.faiss.SearchParametersIVF(sel=selector, nprobe=self.nprobe)
        return self.faiss.IndexRefineSearchParameters(k_factor=2, base_index_params=cells)

    def search(self, query: np.ndarray, k: int) -> np.ndarray:
        return self.index.search(query[None], k, params=self.parameters())[1][0]

    def filtered(self, query: np.ndarray, k: int, percent: int) -> np.ndarray:
        if percent not in self.masks:
            rows = np.arange(self.index.ntotal)
            self.masks[percent] = np.packbits(rows % 100 < percent, bitorder="little")
        selector = self.faiss.IDSelectorBitmap(self.masks[percent])
        return self.index.search(query[None], k, params=self.parameters(selector))[1][0]

    def save(self, path: Path) -> None:
        self.faiss.write_index(self.index, str(path))

    def load(self, path: Path) -> None:
        self.index = self.faiss.read_index(str(path))


RIVALS = {"usearch": USearch, "hnswlib": Hnswlib, "faiss": Faiss}


def build(rival, base: np.ndarray, path: Path) -> float:
    start = time.perf_counter()
    rival.build(base)
    seconds = time.perf_counter() - start
    rival.save(path)
    return seconds


def ask(rival, queries: np.ndarray, truth: np.ndarray, percent: int) -> dict:
    """Recall and milliseconds of one query at a time, with the least effort that finds 98 of 100."""
    result = {}
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


def main() -> None:
    """`rivals.py build|ask NAME FOLDER N`: a line of JSON on stdout."""
    name, folder, n = sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    path = folder / f"{name}-{n}"
    threads = {"build": os.cpu_count() or 1, "ask": 1}[sys.argv[1]]
    rival = RIVALS[name](data.DIM, n, threads)
    if sys.argv[1] == "build":
        base = np.load(folder / "base.npy", mmap_mode="r")[:n]
        print(json.dumps({"build_s": build(rival, base, path), "index_mb": path.stat().st_size / 1e6}))
        return
    rival.load(path)
    queries = np.load(folder / "queries.npy")
    rows = []
    for percent in (100, 50, 10, 1):
        if percent == 100 or hasattr(rival, "filtered"):
            truth = np.load(data.truth(folder, n, percent))
            rows.append({"percent": percent, **ask(rival, queries, truth, percent)})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"rows": rows, "peak_mb": peak}))


if __name__ == "__main__":
    main()
