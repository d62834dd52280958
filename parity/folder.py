"""Compares every picture below a folder with Pillow: what Pillow opens is opened, and is the same to the bit.

    cargo build --release -p diptych --no-default-features --example decode
    python parity/folder.py FOLDER                          # target/release/examples/decode
    python parity/folder.py FOLDER --list differences.tsv --threads 2

The pixels are compared as RGB, as they are stored (not turned upright; a TIFF is turned, as Pillow does). 16-bit grey is
scaled to 8 bits first, where Pillow clips (`Mode` says why). Formats that Diptych does not read are passed over, and
counted. For every file that is not the same the list has a line: what it is, what Pillow finds, what Diptych finds.

Needs: numpy, pillow. Exit code 0 if at least 99 % of what Pillow opens is the same to the bit, 1 otherwise.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageOps

FORMATS = ["BMP", "DIB", "GIF", "JPEG", "PNG", "TIFF", "WEBP"]
WANTED = 0.99


def reference(path, orient=False):
    """Kind of picture, and Pillow's RGB, `[height, width, 3]`, turned upright if asked; or why it opens none."""
    warnings.simplefilter("ignore")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            kind = f"{picture.format} {picture.mode}"
            if picture.width * picture.height > 200_000_000:
                return kind, "more than 200 megapixels"
            picture.load()
            if orient and picture.format != "TIFF":  # which is upright when it is loaded
                picture = ImageOps.exif_transpose(picture)
            if picture.mode.startswith("I;16"):
                wide = np.asarray(picture).astype(np.uint32)
                most = 4095 if kind.startswith("TIFF") and picture.tag_v2.get(258) == (12,) else 65535
                grey = ((wide * 255 + most // 2) // most).astype(np.uint8)
                return kind, np.repeat(grey[..., None], 3, 2)
            return kind, np.asarray(picture.convert("RGB"))
    except Exception as error:  # Whatever it is, Pillow opens it not.
        return "-", f"{type(error).__name__}: {error}"


def quiet():
    """Keeps libtiff from telling stderr of each bad code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def judged(path):
    """What Pillow says of a file, small enough to send between processes."""
    kind, found = reference(path)
    if isinstance(found, str):
        return path, kind, found, None
    digest = hashlib.sha256(found.tobytes()).hexdigest()
    return path, kind, digest, (found.shape[1], found.shape[0])


def decoded(binary, paths, threads, directory):
    """Diptych's answers by path, from `threads` processes."""

    def part(some):
        found = {}
        while some:  # A process that dies took one picture with it.
            lines = "".join(f"{path}\n" for path in some).encode("utf-8", "surrogateescape")
            command = [binary] + ([directory] if directory else [])
            out = subprocess.run(command, input=lines, stdout=subprocess.PIPE).stdout
            answers = [json.loads(line) for line in out.splitlines()]
            found.update(zip(some, answers))
            some = some[len(answers) :]
            if some:
                found[some[0]] = {"error": "THE PROCESS DIED"}
                some = some[1:]
        return found

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        parts = pool.map(part, [paths[i::threads] for i in range(threads)])
        return {path: answer for found in parts for path, answer in found.items()}


def difference(binary, path):
    """How far apart the two pictures of a file are."""
    with tempfile.TemporaryDirectory() as directory:
        answer = decoded(binary, [path], 1, directory)[path]
        ours = np.fromfile(Path(directory) / f"{answer['sha256']}.rgb", np.uint8)
    _, theirs = reference(path)
    if (answer["width"], answer["height"]) != (theirs.shape[1], theirs.shape[0]):
        return f"{answer['width']}x{answer['height']} is not {theirs.shape[1]}x{theirs.shape[0]}"
    apart = np.abs(ours.reshape(theirs.shape).astype(int) - theirs)
    pixels = (apart.max(2) > 0).mean()
    return f"{100 * pixels:.2f} % of the pixels differ, by at most {apart.max()} and on average {apart.mean():.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--binary", default="target/release/examples/decode")
    parser.add_argument("--list", type=Path, help="file to write, a line for each picture that is not the same")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    Image.init()
    Image.MAX_IMAGE_PIXELS = None

    names = (os.path.join(base, name) for base, _, files in os.walk(arguments.folder) for name in files)
    paths = sorted(path for path in names if "\n" not in path)
    with concurrent.futures.ProcessPoolExecutor(arguments.threads, initializer=quiet) as pool:
        theirs = list(pool.map(judged, paths, chunksize=16))
    ours = decoded(arguments.binary, paths, arguments.threads, None)

    counts = collections.defaultdict(collections.Counter)
    lines = []
    for path, kind, found, size in theirs:
        answer = ours[path]
        error = answer.get("error")
        if size is None:
            outcome = "neither" if error else "Diptych alone"
        elif error:
            outcome = "refused"
        elif answer["sha256"] == found and (answer["width"], answer["height"]) == size:
            outcome = "same"
        else:
            outcome, error = "different", difference(arguments.binary, path)
        counts[kind if size else "(not opened)"][outcome] += 1
        if outcome not in ("same", "neither"):
            lines.append((outcome, kind, path, error or found))

    columns = ["same", "different", "refused", "Diptych alone", "neither"]
    print(f"Pillow {PIL.__version__}")
    print("".join(f"{title:>15}" for title in columns))
    total = collections.Counter()
    for kind in sorted(counts):
        print("".join(f"{counts[kind][column]:15}" for column in columns), "", kind)
        total.update(counts[kind])
    print("".join(f"{total[column]:15}" for column in columns), "", "all")
    opened = total["same"] + total["different"] + total["refused"]
    share = total["same"] / max(opened, 1)
    print(f"{100 * share:.2f} % of the {opened} that Pillow opens are the same to the bit")
    if arguments.list:
        arguments.list.write_text("".join("\t".join(line) + "\n" for line in sorted(lines)), errors="surrogateescape")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
