"""What the index finds on real pictures: retrieval beside brute force, and how often `--min-score auto` says "nothing".

    python quality.py target/release/diptych flickr8k-dev-000.tar.gz SCRATCH

The shard has a picture and five captions a sample. Retrieval takes each picture's shortest caption, word for word. The
threshold is asked for those of the first 500 samples, for 50 short queries for what is there, and for 500 texts of `absent.txt`,
whose nouns stand in no caption of the shard and in no text that thresholds are calibrated with (it is checked here).
Everything but the areas under curves goes through the command. Needs NumPy.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
BACKGROUND = HERE.parents[1] / "crates/search/src/query/background.txt"
FRAMES = ("a close view of {}", "{} seen from the side", "a picture of {} and of nothing else", "{} in front of a plain wall")
TEMPLATE = ("--template", "{}")


def absent(captions: list[str]) -> list[str]:
    things = (HERE / "absent.txt").read_text().splitlines()
    said = set(re.findall("[a-z]+", " ".join([*captions, BACKGROUND.read_text()]).lower()))
    for thing in things:
        noun = thing.split()[-1]
        if noun in said or noun + "s" in said:
            sys.exit(f"absent.txt: `{thing}` is there, or calibrates")
    texts = [frame.format(thing) for thing in things for frame in FRAMES]
    assert len(set(texts)) == 500
    return texts


class Index:
    def __init__(self, binary: str, scratch: Path):
        self.binary, self.path, self.scratch = binary, scratch / "photos.index", scratch

    def run(self, *args: str | Path) -> str:
        ran = subprocess.run([self.binary, *map(str, args)], capture_output=True, text=True)
        if ran.returncode not in (0, 1):
            sys.exit(ran.stderr)
        return ran.stdout

    def search(self, text: str, *more: str) -> list[dict]:
        lines = self.run("search", "--index", self.path, "--json", *TEMPLATE, *more, "--", text)
        return [json.loads(line) for line in lines.splitlines()]

    def embed(self, texts: list[str]) -> np.ndarray:
        file, out = self.scratch / "texts.txt", self.scratch / "texts.npy"
        file.write_text("\n".join(texts) + "\n")
        self.run("embed", "--truncate", "--texts", file, "--out", out)
        return np.load(out)


def recall(ranks: list[int | None]) -> list[int]:
    return [sum(rank is not None and rank < k for rank in ranks) for k in (1, 5, 10)]


def area(absent: np.ndarray, present: np.ndarray) -> float:
    """Of the curve of kept against kept: how often what is there scores higher than what isn't."""
    return float(np.mean(present[:, None] > absent[None]) + 0.5 * np.mean(present[:, None] == absent[None]))


def main() -> None:
    binary, shard, scratch = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    shutil.rmtree(scratch, ignore_errors=True)
    pictures = scratch / "pictures"
    with tarfile.open(shard) as tar:
        tar.extractall(pictures, filter="data")
    names = sorted(path.stem for path in pictures.glob("*.txt"))
    captions = {name: (pictures / f"{name}.txt").read_text().split("\n")[:5] for name in names}
    shortest = [min(captions[name], key=len) for name in names]
    index = Index(binary, scratch)
    index.run("index", pictures, "--index", index.path)

    out = scratch / "export"
    index.run("index", "export", out, "--index", index.path)
    images = np.load(out / "embeddings.npy")
    rows = [json.loads(line)["paths"] for line in (out / "metadata.jsonl").read_text().splitlines()]
    of_row = [{Path(path).stem for path in paths} for paths in rows]
    texts = index.embed(shortest)
    ranks, brute, alike = [], [], 0
    for name, caption, text in zip(names, shortest, texts, strict=True):
        found = [Path(hit["path"]).stem for hit in index.search(caption, "-k", "10")]
        order = np.argsort(-(images @ text), kind="stable")[:10]
        wanted = [of_row[row] for row in order]
        ranks.append(found.index(name) if name in found else None)
        brute.append(next((i for i, names in enumerate(wanted) if name in names), None))
        alike += all(one in names for one, names in zip(found, wanted))
    print(json.dumps({"R@1, 5, 10 of the index": recall(ranks), "by brute force": recall(brute), "same ten": alike}))

    short = (HERE / "present.txt").read_text().splitlines()
    said = " ".join(sum(captions.values(), [])).lower()
    queries = {"absent": absent(sum(captions.values(), [])), "present": shortest[:500], "short": short}
    assert all(text.split()[-1] in said for text in short)
    centre = index.embed(BACKGROUND.read_text().splitlines()).mean(0)
    lean, plain = {}, {}
    for kind, of_kind in queries.items():
        embedded = index.embed(of_kind)
        lean[kind], plain[kind] = ((embedded - centre) @ images.T).max(1), (embedded @ images.T).max(1)
        kept = sum(bool(index.search(text, "--min-score", "auto")) for text in of_kind)
        print(json.dumps({"queries": kind, "n": len(of_kind), "kept": kept, "share": kept / len(of_kind)}))
    for kind in ("present", "short"):
        areas = {"auto": area(lean["absent"], lean[kind]), "plain cosine": area(plain["absent"], plain[kind])}
        print(json.dumps({"area under the curve, absent and": kind, **areas}))


if __name__ == "__main__":
    main()
