"""Both towers of each model, some inputs at a time, beside every rival; the rivals' embeddings are compared."""

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

# One and the same in f32; with random weights an embedding has no better place to be than another's.
TOLERANCE = 1e-4


def towers(bench: Bench, names: list[str], which: list[str], batches: list[int]) -> None:
    for name in names:
        for tower in which:
            measure(bench, name, tower, batches if tower == "images" else TEXT_BATCHES)


def measure(bench: Bench, name: str, tower: str, batches: list[int]) -> None:
    rivals = [rival for rival in [*RIVALS, "candle"] if bench.has(rival, name)]
    rates = {who: {n: [] for n in batches} for who in ["Diptych", *rivals]}
    differences = dict.fromkeys(rivals, 0.0)
    with tempfile.TemporaryDirectory() as scratch:
        inputs = {n: Path(scratch) / f"{n}.npy" for n in batches}
        for n, path in inputs.items():
            np.save(path, pixels(n, SIDE) if tower == "images" else token_ids(n, LENGTH))
        for _ in range(bench.rounds):
            ours = images(bench, name, inputs) if tower == "images" else texts(bench, name, batches)
            for n, path in inputs.items():
                rate, embeddings = ours[n]
                rates["Diptych"][n].append(rate)
                for rival in rivals:
                    seconds, theirs = bench.rival(rival, tower, name, [path])
                    rates[rival][n].append(n / seconds)
                    if embeddings is not None:
                        differences[rival] = max(differences[rival], float(np.abs(embeddings - theirs).max()))
    for rival, difference in differences.items():
        if difference > TOLERANCE:
            raise SystemExit(f"{name}, {tower}: {rival} differs by {difference}, so it computes something else")
    medians = {who: {n: statistics.median(each) for n, each in of.items()} for who, of in rates.items()}
    best = {n: max(medians[rival][n] for rival in rivals) for n in batches}
    rows = []
    for who, of in medians.items():
        difference = f"{differences[who]:.1e}" if tower == "images" and who in rivals else ""
        rows.append([who, *[f"{of[n]:.1f}" for n in batches], difference])
    ratios = [f"**{medians['Diptych'][n] / best[n]:.2f}**" for n in batches]
    head = [f"{name}, {tower} a second", *[f"{n} at a time" for n in batches], "largest difference from ours"]
    table(head, [*rows, ["**Diptych / best rival**", *ratios, ""]])


def images(bench: Bench, name: str, inputs: dict[int, Path]) -> dict[int, tuple[float, np.ndarray]]:
    """Our rate for each batch of pixels, and the embeddings that were timed."""
    measured = {}
    for n, path in inputs.items():
        out = path.with_suffix(".out.npy")
        report = ours(bench, name, "--input", path, "--out", out)
        measured[n] = report["images_per_s"][str(n)], np.load(out)
    return measured


def texts(bench: Bench, name: str, batches: list[int]) -> dict[int, tuple[float, None]]:
    """Our rate for texts that fill the context; `prompts.py` compares texts' embeddings."""
    report = ours(bench, name, "--only", "texts")
    return {n: (report["texts_per_s"][str(n)], None) for n in batches}


def ours(bench: Bench, name: str, *options: object) -> dict:
    seconds = max(1, round(bench.seconds))
    return json.loads(bench.diptych("bench", "--model", bench.folder(name), "--seconds", seconds, "--json", *options))
