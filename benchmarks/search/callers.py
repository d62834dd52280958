"""Searches by one caller and by eight at a time, alone and beside a writer that commits a hundred pictures every 100 ms.

`python callers.py SEARCH_BENCH FOLDER OUT.json [N …]`; FOLDER is that of `run.py`, and keeps the vectors and the indexes.
Callers ask again as soon as they are answered. One and eight callers alternate; so do rounds without and with a writer, which
is a thread of the same process or a process of its own. A second table has the latencies. On a machine that others use, too, a
run begins when they are quiet, and is repeated, a few times, if they were not while it lasted.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from statistics import median

import data
from run import call, once

CALLERS, ROUNDS = (1, 8), 5
# With a writer and without, each.
ROUNDS_BESIDE = 3
# Vectors, method and seconds of a round: an exact scan of ten thousand is one task, of a million it is shared by all cores.
CASES = [(10_000, "scan", 2), (1_000_000, "scan", 4), (1_000_000, "cells", 2)]


# Cores that others may use during a run, and how often it is repeated if they use more.
QUIET, TRIES = 0.2, 4


def busy() -> tuple[float, float, float]:
    """Seconds: of the clock, of all cores' work, and of the work of processes that were started here and have ended."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), work, own.ru_utime + own.ru_stime


def others(before: tuple[float, float, float]) -> float:
    """Cores that others have used since then."""
    clock, work, own = (now - then for now, then in zip(busy(), before))
    return max(0.0, (work - own) / clock)


def wait_for_quiet() -> None:
    for _ in range(30):
        before = busy()
        time.sleep(1)
        if others(before) < QUIET:
            return


def measure(bench: str, folder: Path, case: tuple, callers: int, rounds: int, writer: str) -> dict:
    n, method, seconds = case
    index, queries = folder / f"diptych-{n}.index", folder / "queries.npy"
    tries = []
    while len(tries) < TRIES:
        wait_for_quiet()
        before = busy()
        answer = call(bench, "callers", index, queries, str(callers), str(seconds), method, str(rounds), writer, environment=os.environ)
        tries.append({"n": n, "method": method, "callers": callers, "writer": writer, "others": others(before), **answer})
        if tries[-1]["others"] < QUIET:
            break
    return min(tries, key=lambda row: row["others"])


def throughput(rows: list[dict]) -> str:
    lines = ["| vectors, method | 1 caller, searches/s | 8 callers | ratio | p50 / p99 of 8, ms | p99 / p50 | others, cores |", "| --- |" + " --- |" * 6]
    for n, method, _ in CASES:
        here = [r for r in rows if (r["n"], r["method"], r["writer"]) == (n, method, "none")]
        of = {c: [r["alone"] for r in here if r["callers"] == c] for c in CALLERS}
        if not of[1]:
            continue
        used = max(r["others"] for r in here)
        one, eight = (median(r["rate"] for r in of[c]) for c in CALLERS)
        p50, p99 = (median(r[key] for r in of[8]) for key in ("p50_ms", "p99_ms"))
        lines.append(f"| {n:,}, {method} | {one:,.1f} | {eight:,.1f} | {eight / one:.2f} | {p50:.2f} / {p99:.2f} | {p99 / p50:.1f} | up to {used:.2f} |")
    return "\n".join(lines)


def beside(rows: list[dict]) -> str:
    columns = ("p50", "p99", "p999", "max")
    lines = ["| vectors, method, callers, writer | " + " | ".join(f"{c}, ms: alone → beside" for c in columns) + " | log, MB | others, cores |", "| --- |" + " --- |" * 6]
    for row in rows:
        if row["writer"] != "none":
            pairs = [f"{row['alone'][f'{c}_ms']:.2f} → {row['beside_writer'][f'{c}_ms']:.2f}" for c in columns]
            name = f"{row['n']:,}, {row['method']}, {row['callers']}, {row['writer']}"
            lines.append(f"| {name} | {' | '.join(pairs)} | {row['log_mb']:.0f} | {row['others']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    bench, folder, out, *sizes = sys.argv[1:]
    folder = Path(folder)
    sizes = [int(n) for n in sizes] or [10_000, 1_000_000]
    data.make(folder, max(sizes))
    rows: list[dict] = []
    for case in (case for case in CASES if case[0] in sizes):
        n = case[0]
        once(folder / f"diptych-{n}.json", bench, "build", folder / "base.npy", str(n), folder / f"diptych-{n}.index")
        runs = [(callers, 1, "none") for _ in range(ROUNDS) for callers in CALLERS]
        runs += [(callers, ROUNDS_BESIDE, writer) for writer in ("here", "beside") for callers in CALLERS]
        for callers, rounds, writer in runs:
            rows.append(measure(bench, folder, case, callers, rounds, writer))
            print(json.dumps(rows[-1]), flush=True)
            Path(out).write_text(json.dumps(rows, indent=1) + "\n")
    print(throughput(rows))
    print()
    print(beside(rows))


if __name__ == "__main__":
    main()
