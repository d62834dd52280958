"""Diptych's index beside usearch, hnswlib and faiss: recall@10 and milliseconds of one query (p50 / p99) on one thread.

`python run.py SEARCH_BENCH FOLDER OUT.json [N …]`; FOLDER keeps the vectors and each library's index (about 9 GB for a
million). Each library has the least effort that finds 98 of 100; Diptych has no such setting. By itself it has cells
above 100,000 vectors, here always. Each query is asked alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import data

PERCENTS = (100, 50, 10, 1)
METHODS = ("auto", "scan", "cells")
# Above this a library is left out, for the time that its index takes to build.
LARGEST = {"hnswlib": 100_000}
PACKAGES = {"usearch": "usearch", "hnswlib": "hnswlib", "faiss": "faiss-cpu"}
ONE_THREAD = {**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def call(*command: str | Path, environment: dict = ONE_THREAD) -> dict:
    """What a process says in its last line."""
    line = subprocess.run([str(c) for c in command], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(line.stdout.splitlines()[-1])


def once(kept: Path, *command: str | Path) -> dict:
    """What a process says in its last line; it isn't run again while FOLDER keeps its answer."""
    if not kept.exists():
        kept.write_text(json.dumps(call(*command, environment=os.environ)))
    return json.loads(kept.read_text())


def diptych(bench: str, folder: Path, n: int) -> Iterator[dict]:
    index = folder / f"diptych-{n}.index"
    yield once(folder / f"diptych-{n}.json", bench, "build", folder / "base.npy", str(n), index)
    # The database's pages are in memory then, as all of the rivals' indexes are.
    call(bench, "query", index, folder / "queries.npy", data.truth(folder, n, 100), "auto", "100")
    for percent in PERCENTS:
        truth = data.truth(folder, n, percent)
        for method in METHODS:
            yield call(bench, "query", index, folder / "queries.npy", truth, method, str(percent))


def rival(name: str, folder: Path, n: int) -> Iterator[dict]:
    script = Path(__file__).with_name("rivals.py")
    yield once(folder / f"{name}-{n}.json", sys.executable, script, "build", name, folder, str(n))
    answer = call(sys.executable, script, "ask", name, folder, str(n))
    for row in answer.pop("rows"):
        yield {**row, **answer, "version": version(PACKAGES[name])}


def table(rows: list[dict]) -> str:
    """Markdown: a line for each library and number of vectors, a column for each share that a filter lets through."""
    lines = ["| vectors, library | " + " | ".join(f"{p} % (recall)" for p in PERCENTS) + " |", "| --- |" + " --- |" * 4]
    for n in sorted({row["n"] for row in rows}):
        names = [("diptych", asked) for asked in METHODS] + [(name, None) for name in PACKAGES]
        for name, asked in names:
            of = {r["percent"]: r for r in rows if (r["n"], r["library"], r.get("asked")) == (n, name, asked) and "percent" in r}
            if not of:
                continue
            cells = [
                f"{of[p]['p50_ms']:.2f} / {of[p]['p99_ms']:.1f} ({of[p]['recall']:.4f})" if p in of else "" for p in PERCENTS
            ]
            lines.append(f"| {n:,}, {name}{f' {asked}' if asked else ''} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    bench, folder, out, *sizes = sys.argv[1:]
    folder = Path(folder)
    sizes = [int(n) for n in sizes] or [10_000, 100_000, 1_000_000]
    data.make(folder, max(sizes))
    rows: list[dict] = []
    for n in sizes:
        libraries = {name: rival(name, folder, n) for name in PACKAGES if n <= LARGEST.get(name, n)}
        for name, answers in {"diptych": diptych(bench, folder, n), **libraries}.items():
            for answer in answers:
                rows.append({"library": name, "n": n, **answer})
                print(json.dumps(rows[-1]), flush=True)
        Path(out).write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
