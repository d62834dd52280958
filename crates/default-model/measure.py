"""Top-1 of a model in English and Chinese on what its runs held out, and on sets that a leg left out.

    python measure.py DATA [--model MODEL] [--binary target/release/diptych] [--only SET…]

A fiftieth of each set is held out, as `hold_out = 50` of the run files has it. `voc` are pictures of VOC2007's second shard
with one kind of thing, among the shard's twenty, and `nips2017` that set's among its 404 classes: the first runs did not
train on these two, the last one does. A label is the first of a class's names (all of them, if another class begins with it),
in plain templates whose embeddings are averaged. Chinese names are those of `names.zh.tsv`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

NAMES = pathlib.Path(__file__).parent / "names.zh.tsv"
ENGLISH = ["a photo of a {}.", "a picture of a {}.", "a {}.", "{}"]
CHINESE = ["一张{}的照片。", "一张{}的图片。", "{}"]
HELD_OUT = 50
TINY = [f"tiny-imagenet-train-00{i}" for i in range(3)]
SETS = {
    "cifar10": ["cifar10-train-000"],
    "tiny-imagenet": TINY,
    "caltech101": ["caltech101-train-000"],
    "pacs": ["pacs-train-000"],
    "flowers": ["flowers-train-000"],
    "voc": ["voc2007-detect-train-001"],
    "nips2017": ["nips2017-000"],
}


def samples(data, shards):
    """The samples of shards in their order: extension → bytes."""
    for shard in shards:
        keys = {}
        with tarfile.open(data / f"{shard}.tar.gz") as tar:
            for member in tar:
                key, extension = member.name.split(".", 1)
                keys.setdefault(key, {})[extension] = tar.extractfile(member).read()
        yield from keys.values()


def measured(data, name):
    """Pictures of a set with their classes."""
    for i, files in enumerate(samples(data, SETS[name])):
        if name == "voc":
            things = {box[4] for box in json.loads(files["json"])["boxes"]}
            if len(things) == 1:
                yield things.pop(), files["webp"]
        elif name == "nips2017" or i % HELD_OUT == HELD_OUT - 1:
            yield files["txt"].decode().split("\n")[0], files["webp"]


def first(lists, separator):
    """The first name of each list, or the whole list where that is another's first name, too."""
    firsts = [names.split(separator)[0] for names in lists]
    return [one if firsts.count(one) == 1 else whole for one, whole in zip(firsts, lists)]


def top_1(args, folder, labels, templates):
    """The share of pictures, in percent, that are called by the label of their folder's number."""
    listed = folder / "labels.txt"
    listed.write_text("".join(label + "\n" for label in labels), encoding="utf-8")
    command = [args.binary, "classify", "--model", args.model, "--labels-file", listed, "--top", "1", "--json", "-q"]
    for template in templates:
        command += ["--template", template]
    done = subprocess.run([*command, folder / "pictures"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{args.model} can't be measured with these labels, as said above")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    right = sum(labels[int(pathlib.Path(row["path"]).parent.name)] == row["predictions"][0]["label"] for row in rows)
    return 100 * right / len(rows), len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--only", nargs="+", metavar="SET", choices=SETS, default=SETS)
    parser.add_argument("--binary", default="target/release/diptych")
    args = parser.parse_args()
    chinese = {}
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        english, names = line.split("\t")
        chinese[english] = names
        chinese.setdefault(english.split(",")[0], names)
    for name in args.only:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            classes = {}
            for i, (thing, picture) in enumerate(measured(args.data, name)):
                place = folder / "pictures" / str(classes.setdefault(thing, len(classes)))
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{i}.webp").write_bytes(picture)
            # PACS's classes are sentences: "a sketch of a horse".
            whole = name == "pacs"
            english, pictures = top_1(args, folder, first(classes, ", "), ["{}"] if whole else ENGLISH)
            names = [chinese.get(thing) or chinese[thing.split(",")[0]] for thing in classes]
            translated, _ = top_1(args, folder, first(names, "、"), ["{}"] if whole else CHINESE)
        print(f"{name}: {english:.1f} % in English, {translated:.1f} % in Chinese; {pictures} pictures, {len(classes)} classes", flush=True)


main()
