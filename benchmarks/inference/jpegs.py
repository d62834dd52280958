"""300 JPEGs of 12 megapixels from the disk to embeddings, beside Pillow and PyTorch; and memory over many pictures.

The pictures are drawn: smooth shades of several sizes, edges, and a sensor's noise, which make files of a photograph's
size. The rival is open_clip's own preprocessing in a `DataLoader` of two workers, batches of 32; and the same with
Pillow's `draft`, which decodes at a reduced scale. Times are whole processes', so Python's start (some seconds) is in the
rival's; our own decoding and encoding alone are `diptych bench`'s, of a picture drawn by that and held in memory.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from bench import HERE, ROOT, Bench, run, table
from PIL import Image

COUNT, DIFFERENT, SIZE = 300, 12, (4000, 3000)
DEFAULT = ROOT / "crates/default-model/model"


def draw(seed: int, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    light = np.zeros((height, width, 3), dtype=np.float32)
    for cells, strength in [(4, 60), (12, 35), (40, 20), (160, 12)]:
        coarse = rng.normal(128, strength, (cells * 3 // 4, cells, 3)).clip(0, 255).astype(np.uint8)
        light += np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC), dtype=np.float32) - 128
    for _ in range(30):
        left, top = rng.integers(0, width), rng.integers(0, height)
        right, bottom = left + rng.integers(1, width // 4), top + rng.integers(1, height // 4)
        light[top:bottom, left:right] += rng.normal(0, 40, 3)
    light += 128 + rng.normal(0, 5, (height, width, 1))
    return Image.fromarray(light.clip(0, 255).astype(np.uint8))


def files(bench: Bench, name: str, count: int, size: tuple[int, int]) -> list[Path]:
    """`count` JPEGs of a size, of which some are different pictures and the others those, turned or encoded anew."""
    folder = bench.cache / name
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:05}.jpg" for i in range(count)]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    for seed in sorted({i % DIFFERENT for i in missing}):
        picture = draw(seed, *size)
        for i in [i for i in missing if i % DIFFERENT == seed]:
            turn = i // DIFFERENT % 4
            turned = picture if turn == 0 else picture.transpose(Image.Transpose(turn - 1))
            temporary = paths[i].with_suffix(".part")
            turned.save(temporary, "JPEG", quality=88 + i // DIFFERENT % 5)
            temporary.rename(paths[i])
    return paths


def jpegs(bench: Bench) -> None:
    paths = files(bench, "jpegs", COUNT, SIZE)
    size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
    for name, folder in {"ViT-B/32": bench.folder("ViT-B-32"), "default model": DEFAULT}.items():
        model = ["--model", folder]
        list_of = ["embed", "--images", *paths, "--decode", "fast", "--out", "/dev/null", *model]
        seconds: dict[str, list[float]] = {}
        for _ in range(bench.rounds):
            for precision in ["auto", "int8", "f32"]:
                command = [*list_of, "--precision", precision]
                who = f"Diptych, {precision}"
                seconds.setdefault(who, []).append(timed(lambda: bench.diptych(*command)))
            for draft in ["", "draft"]:
                who = f"Pillow{', draft' if draft else ''} + PyTorch"
                command = [sys.executable, HERE / "pipeline.py", folder, draft or "whole", bench.threads, *paths]
                seconds.setdefault(who, []).append(timed(lambda: run(command, bench.threads)))
        ours = statistics.median(seconds["Diptych, auto"])
        rows = []
        for who, each in seconds.items():
            median = statistics.median(each)
            rows.append([who, f"{median:.1f}", f"{COUNT / median:.1f}", f"{median / ours:.2f}"])
        for what, key in [("decoding alone", "decode"), ("encoding alone, 32 at a time", "images")]:
            report = json.loads(bench.diptych("bench", *model, "--only", key, "--json"))
            rate = report["decodes_per_s"] or report["images_per_s"]["32"]
            rows.append([f"Diptych, {what}", f"{COUNT / rate:.1f}", f"{rate:.1f}", ""])
        head = [f"{COUNT} JPEGs of 12 megapixels ({size:.1f} MB each), {name}", "seconds", "a second", "over Diptych in auto"]
        table(head, rows)


def timed(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def memory(bench: Bench, count: int) -> None:
    """The most memory of `diptych embed` over few and over many pictures."""
    paths = files(bench, "small", count, (640, 480))
    rows = []
    for n, precision in [(count // 20, "int8"), (count, "int8"), (count, "auto"), (count, "f32")]:
        command = [bench.binary, "embed", "--images", *paths[:n], "--decode", "fast", "--out", "/dev/null"]
        command += ["--model", bench.folder("ViT-B-32"), "--threads", bench.threads, "--precision", precision]
        rows.append([f"{n:,} pictures, {precision}", f"{peak([str(word) for word in command]):.0f}"])
    table(["ViT-B/32, streamed", "peak resident memory, MB"], rows)


def peak(command: list[str]) -> float:
    """Megabytes that a process had at most."""
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    return int(run([sys.executable, "-c", script, *command])) * 1024 / 1e6
