"""What an index of 20,000 pictures costs and survives: changes of 1 %, kills, a full disk, read-only media, lost files.

    python folder.py target/release/diptych PICTURES SCRATCH

PICTURES is a folder with 20,000 pictures or more, anywhere below it; SCRATCH is made and emptied. Needs Pillow, and root on
Linux for the small file systems. Prints a line of JSON for each thing tried; exit code 1 if one of them went wrong.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

N, KILLS = 20_000, 20
WRONG: list[str] = []


def tell(what: str, right: bool, **numbers) -> None:
    if not right:
        WRONG.append(what)
    print(json.dumps({"what": what, "right": right, **numbers}), flush=True)


class Diptych:
    def __init__(self, binary: Path, index: Path):
        self.binary, self.index = binary, index

    def command(self, *args: str | Path) -> list[str]:
        return [str(self.binary), *map(str, args), "--index", str(self.index)]

    def run(self, *args: str | Path) -> subprocess.CompletedProcess:
        start = time.perf_counter()
        ran = subprocess.run(self.command(*args), capture_output=True, text=True)
        ran.seconds = time.perf_counter() - start
        return ran

    def is_sound(self) -> bool:
        ran = self.run("index", "verify", "--json")
        return ran.returncode == 0 and json.loads(ran.stdout)["problems"] == []

    def holds(self, scratch: Path) -> tuple[dict, int]:
        """Each path's embedding, and the number of paths with those that are named twice."""
        out = scratch / "export"
        self.run("index", "export", out)
        rows = np.load(out / "embeddings.npy")
        lines = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
        paths = [(path, row) for line, row in zip(lines, rows, strict=True) for path in line["paths"]]
        return dict(paths), len(paths)


def same(one: dict, other: dict) -> bool:
    """Whether all paths have the same embeddings; those of a batch differ by rounding from the same made in another."""
    return one.keys() == other.keys() and all(float(one[path] @ other[path]) > 0.999 for path in one)


def tells(ran: subprocess.CompletedProcess, *words: str) -> bool:
    """Whether it failed with one sentence on stderr that has these words, and no panic."""
    text = ran.stderr
    return ran.returncode not in (0, 1, 101) and "panicked" not in text and all(word in text for word in words)


def changes(d: Diptych, binary: Path, pictures: Path, scratch: Path) -> None:
    first = d.run("index", pictures, "--json")
    tell("first run", json.loads(first.stdout)["encoded"] > 0, seconds=first.seconds)
    again = d.run("index", pictures, "--json")
    report = json.loads(again.stdout)
    tell("nothing changed", report["encoded"] == report["linked"] == 0, seconds=again.seconds)

    files = sorted(path for path in pictures.rglob("*") if path.is_file())
    chosen = random.Random(7).sample(files, 200)
    alone = scratch / "changed"
    alone.mkdir()
    for i, path in enumerate(chosen[:70]):
        picture = Image.open(path).convert("RGB")
        ImageDraw.Draw(picture).rectangle([2, 2, 20, 20], fill=(i, 200, 40))
        picture.save(path.with_suffix(".png"))
        shutil.copy(path.with_suffix(".png"), alone / f"{i}.png")
        path.unlink()
        path.with_suffix(".png").rename(path)
    (pictures / "moved").mkdir()
    for i, path in enumerate(chosen[70:140]):
        path.rename(pictures / "moved" / f"{i}{path.suffix}")
    for path in chosen[140:]:
        path.unlink()
    encoding = Diptych(binary, scratch / "alone.index").run("index", alone)
    ran = d.run("index", pictures, "--json")
    report = json.loads(ran.stdout)
    counts = [report[name] for name in ("encoded", "linked", "removed")]
    beyond = ran.seconds - again.seconds - encoding.seconds
    tell(
        "70 changed, 70 moved, 60 deleted",
        counts == [70, 70, 130] and beyond <= 2 and d.is_sound(),
        seconds=ran.seconds,
        encoding_alone_s=encoding.seconds,
        beyond_s=beyond,
        encoded_linked_removed=counts,
    )
    searches = sorted(d.run("search", "a dog on a beach").seconds for _ in range(11))
    tell("search in a new process", searches[5] <= 0.3, median_s=searches[5], slowest_s=searches[-1])


def kills(d: Diptych, binary: Path, pictures: Path, scratch: Path, whole: dict, seconds: float) -> None:
    killed = Diptych(binary, scratch / "killed.index")
    moments = random.Random(11)
    for n in range(KILLS):
        with subprocess.Popen(killed.command("index", pictures), stdout=subprocess.DEVNULL) as child:
            # So that there is still something left to do after the last.
            time.sleep(moments.uniform(0, 2 * seconds / KILLS * 0.7))
            child.send_signal(signal.SIGKILL)
        has_begun = killed.index.exists()
        if child.returncode != -signal.SIGKILL or (has_begun and not killed.is_sound()):
            tell(f"kill {n}", False)
    last = json.loads(killed.run("index", pictures, "--json").stdout)
    has, paths = killed.holds(scratch)
    right = same(has, whole) and paths == len(whole) and killed.is_sound() and last["encoded"] > 0
    tell("20 times kill -9", right, paths=paths, left_for_the_last_run=last["encoded"])

    # A second writer, and readers beside the first.
    second = Diptych(binary, scratch / "second.index")
    with subprocess.Popen(second.command("index", pictures), stdout=subprocess.DEVNULL) as child:
        time.sleep(seconds / 4)
        other = second.run("index", pictures)
        reading = second.run("search", "a dog")
        right = tells(other, str(second.index)) and reading.returncode == 0 and child.poll() is None
        child.send_signal(signal.SIGINT)
    tell("a second writer", right and second.is_sound(), says=other.stderr.strip(), interrupted=child.returncode)


def disks(binary: Path, pictures: Path, scratch: Path, whole: dict) -> None:
    place = scratch / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "diptych", place], check=True)
    try:
        d = Diptych(binary, place / "photos.index")
        full = d.run("index", pictures)
        tell("a full disk", tells(full, str(d.index)), says=full.stderr.strip().splitlines()[-1])
        subprocess.run(["mount", "-o", "remount,size=400m", place], check=True)
        tell("after a full disk", d.is_sound())
        d.run("index", pictures)
        has, paths = d.holds(scratch)
        tell("more room", same(has, whole) and paths == len(whole) and d.is_sound(), paths=paths)

        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        found, other = d.run("search", "a dog", "--json"), d.run("index", pictures)
        tell("read-only media", found.returncode == 0 and d.is_sound() and tells(other), says=other.stderr.strip())
        (scan,) = place.glob("*.scan")
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
        scan.unlink()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        without = d.run("search", "a dog", "--json")
        tell("read-only, without what is searched", without.stdout == found.stdout, seconds=without.seconds)
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
        d.run("index", pictures)
        tell("made anew", scan.exists() and d.run("search", "a dog", "--json").stdout == found.stdout)
    finally:
        subprocess.run(["umount", place], check=True)


def cuts(d: Diptych, scratch: Path) -> None:
    bytes_of = d.index.read_bytes()
    cut = Diptych(d.binary, scratch / "cut.index")
    said = set()
    for share in (0, 0.001, 0.1, 0.5, 0.9, 0.999):
        for stale in scratch.glob("cut.index*"):
            stale.unlink()
        cut.index.write_bytes(bytes_of[: int(len(bytes_of) * share)])
        ran = [cut.run("index", "verify"), cut.run("search", "a dog")]
        text = ran[0].stderr
        if ran[0].returncode in (0, 101) or str(cut.index) not in text or any("panicked" in r.stderr for r in ran):
            tell(f"a database cut to {share}", False, says=text.strip())
        said.add(text.strip().splitlines()[0][:200] if text else "")
    tell("truncated databases", True, says=sorted(said))


def main() -> None:
    binary, source, scratch = map(Path, sys.argv[1:])
    binary = binary.resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    scratch = scratch.resolve()
    pictures = scratch / "pictures"
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".webp", ".jpg", ".jpeg", ".png"))[:N]
    if len(files) < N:
        sys.exit(f"{source}: {len(files)} pictures, wanted {N}")
    for i, path in enumerate(files):
        folder = pictures / f"{i // 500:02}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / f"{i:05}{path.suffix}")
    d = Diptych(binary, scratch / "photos.index")
    changes(d, binary, pictures, scratch)
    whole, paths = d.holds(scratch)
    tell("each path once", paths == len(whole), paths=paths)
    start = time.perf_counter()
    Diptych(binary, scratch / "whole.index").run("index", pictures)
    kills(d, binary, pictures, scratch, whole, time.perf_counter() - start)
    disks(binary, pictures, scratch, whole)
    cuts(d, scratch)
    if WRONG:
        sys.exit(f"wrong: {', '.join(WRONG)}")


if __name__ == "__main__":
    main()
