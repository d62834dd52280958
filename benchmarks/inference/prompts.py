"""Zero-shot weights: the ImageNet's 1,000 labels in OpenAI's 80 templates, by ViT-B/32's text tower.

Diptych encodes all 80,000 prompts, and its time is the whole command's, tokens and the file it writes included. For rivals
that would take hours, so their rate on a random sample is carried forward, and their tokens are made before the clock
starts. They compute in f32. open_clip pads every text to 77; every other row is given texts of like length together, cut to the longest.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import numpy as np
import open_clip
from bench import Bench, table
from rivals import RIVALS

MODEL = "ViT-B-32"
PADDED, UNPADDED, BATCH, CHECKED = 256, 2048, 32, 200
TOLERANCE = 1e-5


def prompts(bench: Bench, count: int | None) -> None:
    labels, templates = open_clip.IMAGENET_CLASSNAMES, open_clip.OPENAI_IMAGENET_TEMPLATES
    everything = [template(label) for label in labels for template in templates]
    texts = everything[:count]
    rng = random.Random(0)
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for precision in ["auto", "int8", "f32"]:
            started = time.perf_counter()
            embeddings = encode(bench, texts, scratch, precision)
            seconds = time.perf_counter() - started
            rates[f"Diptych, {precision}, the whole command"] = len(texts) / seconds

        padded = [tokens(rng.sample(everything, PADDED), cut=False)]
        sample = sorted(rng.sample(everything, UNPADDED), key=lambda text: len(cut_row(text)))
        unpadded = [tokens(sample[i : i + BATCH], cut=True) for i in range(0, UNPADDED, BATCH)]
        for rival in [rival for rival in RIVALS if bench.has(rival, MODEL)]:
            if rival == "pytorch":
                batches = [part for whole in padded for part in np.split(whole, PADDED // BATCH)]
                rates["PyTorch (open_clip), padded to 77"] = rate(bench, rival, batches, scratch)
            rates[f"{rival}, unpadded, by length"] = rate(bench, rival, unpadded, scratch)
        if bench.has("candle", MODEL):
            rates["candle, unpadded, by length"] = rate(bench, "candle", unpadded, scratch)
        check(bench, texts, embeddings, rng, scratch)
    ours = rates["Diptych, auto, the whole command"]
    rows = [[who, f"{each:.1f}", f"{len(everything) / each:.0f}", f"{ours / each:.1f}"] for who, each in rates.items()]
    table([f"{len(everything):,} prompts, {MODEL}", "prompts a second", "seconds for all", "Diptych in auto is faster by"], rows)


def encode(bench: Bench, texts: list[str], scratch: Path, precision: str = "f32") -> np.ndarray:
    file, out = scratch / "texts.txt", scratch / "texts.npy"
    file.write_text("\n".join(texts) + "\n")
    bench.diptych("embed", "--texts", file, "--out", out, "--precision", precision, "--model", bench.folder(MODEL))
    return np.load(out)


def cut_row(text: str) -> np.ndarray:
    row = open_clip.tokenize([text])[0].numpy()
    return row[: row.argmax() + 1]


def tokens(texts: list[str], cut: bool) -> np.ndarray:
    rows = open_clip.tokenize(texts).numpy()
    return rows[:, : rows.argmax(axis=1).max() + 1] if cut else rows


def rate(bench: Bench, rival: str, batches: list[np.ndarray], scratch: Path) -> float:
    """Texts a second over all batches."""
    files = [scratch / f"{i}.npy" for i in range(len(batches))]
    for file, batch in zip(files, batches):
        np.save(file, batch)
    seconds, _ = bench.rival(rival, "texts", MODEL, files)
    return sum(len(batch) for batch in batches) / seconds


def check(bench: Bench, texts: list[str], embeddings: np.ndarray, rng: random.Random, scratch: Path) -> None:
    """Holds some of the embeddings to those of the same texts with few to share with, and to PyTorch's."""
    some = rng.sample(range(len(texts)), min(CHECKED, len(texts)))
    alone = np.concatenate([encode(bench, [texts[i]], scratch) for i in some[:20]])
    few = encode(bench, [texts[i] for i in some], scratch)
    file = scratch / "checked.npy"
    np.save(file, tokens([texts[i] for i in some], cut=False))
    _, theirs = bench.rival("pytorch", "texts", MODEL, [file])
    differences = {
        "each in a process of its own": np.abs(embeddings[some[:20]] - alone).max(),
        f"{len(some)} alone": np.abs(embeddings[some] - few).max(),
        "PyTorch": np.abs(embeddings[some] - theirs).max(),
    }
    for what, difference in differences.items():
        print(f"largest difference from {what}: {difference:.1e}")
        if difference > TOLERANCE:
            raise SystemExit(f"that is more than {TOLERANCE}")
    print()
