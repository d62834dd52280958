"""Both towers of each model, some inputs at a time, beside every rival that computes in the same precision."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

import numpy as np
from bench import Bench, table
from models import pixels, token_ids
from rivals import RIVALS

TEXT_BATCHES = [1, 32]  # those of `diptych bench`
SIDE, LENGTH = 224, 77

# One and the same in f32; with random weights an embedding has no better place to be than another's. How near the other
# precisions are is `accuracy.py`'s.
TOLERANCE = 1e-4


def towers(bench: Bench, names: list[str], which: list[str], batches: list[int], precisions: list[str]) -> None:
    for name in names:
        for tower in which:
            for precision in precisions:
                measure(bench, name, tower, batches if tower == "images" else TEXT_BATCHES, precision)


def measure(bench: Bench, name: str, tower: str, batches: list[int], precision: str) -> None:
    rivals = [rival for rival in [*RIVALS, "candle"] if bench.has(rival, name, precision)]
    rates = {who: {n: [] for n in batches} for who in ["Diptych", *rivals]}
    shares: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        inputs = {n: Path(scratch) / f"{n}.npy" for n in batches}
        for n, path in inputs.items():
            np.save(path, pixels(n, SIDE) if tower == "images" else token_ids(n, LENGTH))
        for _ in range(bench.rounds):
            for n, path in inputs.items():
                rate, share, embeddings = ours(bench, name, tower, (n, path), precision)
                rates["Diptych"][n].append(rate)
                if n == max(batches):
                    shares.append(share)
                for rival in rivals:
                    seconds, theirs = bench.rival(rival, tower, name, [path], precision)
                    rates[rival][n].append(n / seconds)
                    if precision == "f32" and embeddings is not None:
                        difference = float(np.abs(embeddings - theirs).max())
                        if difference > TOLERANCE:
                            raise SystemExit(f"{name}: {rival} differs by {difference}, so it computes something else")
    medians = {who: {n: statistics.median(each) for n, each in of.items()} for who, of in rates.items()}
    best = {n: max(medians[rival][n] for rival in rivals) for n in batches}
    rows = [[who, *[f"{of[n]:.1f}" for n in batches]] for who, of in medians.items()]
    ratios = [f"**{medians['Diptych'][n] / best[n]:.2f}**" for n in batches]
    head = [f"{name}, {tower} a second in {precision}", *[f"{n} at a time" for n in batches]]
    table(head, [*rows, ["**Diptych / best rival**", *ratios]])
    print(f"{100 * statistics.median(shares):.0f} % of the processor's limit in {precision}, {max(batches)} at a time\n", flush=True)


def ours(
    bench: Bench, name: str, tower: str, batch: tuple[int, Path], precision: str
) -> tuple[float, float, np.ndarray | None]:
    """Our rate, its share of the limit and, of pictures, the embeddings that were timed."""
    n, path = batch
    seconds = max(1, round(bench.seconds))
    command = ["bench", "--model", bench.folder(name), "--seconds", seconds, "--json", "--precision", precision]
    out = path.with_suffix(".out.npy")
    command += ["--input", path, "--out", out] if tower == "images" else ["--only", "texts"]
    report = json.loads(bench.diptych(*command))
    rate, share = report[f"{tower}_per_s"][str(n)], report["share_of_limit"][tower][str(n)]
    return rate, share, np.load(out) if tower == "images" else None
