"""What a model can't do, on pictures drawn here: counting, relations, which colour belongs to what, words written over a
picture, and another style.

    python benchmarks/limits.py [--binary target/release/diptych] [--model default]

Every row is a share of right answers beside that of chance. Shapes are drawn with Pillow at 192 pixels, in places and colours
drawn from a seed; the drawings are those of `diptych demo`, whose labels are told from each other.
"""

import argparse
import itertools
import json
import math
import pathlib
import random
import subprocess
import tempfile

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

SIDE = 192
COLOURS = {"red": (214, 40, 40), "blue": (40, 80, 210), "green": (40, 160, 70), "yellow": (240, 200, 30)}
SHAPES = ["circle", "square", "triangle", "star"]
NUMBERS = ["one", "two", "three", "four", "five", "six"]
RELATIONS = {"to the left of": (-1, 0), "to the right of": (1, 0), "above": (0, -1), "below": (0, 1)}


def draw(canvas, shape, colour, x, y, r):
    fill = COLOURS[colour]
    box = (x - r, y - r, x + r, y + r)
    if shape == "circle":
        canvas.ellipse(box, fill=fill)
    elif shape == "square":
        canvas.rectangle(box, fill=fill)
    else:
        points = 3 if shape == "triangle" else 5
        corners = [(x + r * dx, y + r * dy) for dx, dy in star(points, 0.4 if shape == "star" else None)]
        canvas.polygon(corners, fill=fill)


def star(points, inner):
    steps = points if inner is None else 2 * points
    for i in range(steps):
        radius = inner if inner is not None and i % 2 else 1.0
        angle = 2 * math.pi * i / steps - math.pi / 2
        yield radius * math.cos(angle), radius * math.sin(angle)


def blank(rng):
    grey = rng.randint(225, 255)
    picture = Image.new("RGB", (SIDE, SIDE), (grey, grey, grey))
    return picture, ImageDraw.Draw(picture)


def counting(rng):
    """So many of one shape, on a grid so that none covers another; the labels are the six numbers of it."""
    for shape, colour, n in itertools.product(SHAPES[:2], COLOURS, range(1, 7)):
        picture, canvas = blank(rng)
        for cell in rng.sample(range(9), n):
            x, y = 32 + 64 * (cell % 3), 32 + 64 * (cell // 3)
            draw(canvas, shape, colour, x + rng.randint(-6, 6), y + rng.randint(-6, 6), 22)
        labels = [f"{number} {shape}{'s' if i else ''}" for i, number in enumerate(NUMBERS)]
        yield picture, labels[n - 1], labels


def relations(rng):
    """Two shapes beside each other; the labels are the sentence and its opposite."""
    opposite = {"to the left of": "to the right of", "above": "below"}
    opposite |= {b: a for a, b in opposite.items()}
    for (a, b), relation in itertools.product(itertools.permutations(SHAPES, 2), RELATIONS):
        picture, canvas = blank(rng)
        dx, dy = (step * 45 for step in RELATIONS[relation])
        one, two = rng.sample(sorted(COLOURS), 2)
        draw(canvas, a, one, SIDE / 2 + dx, SIDE / 2 + dy, 34)
        draw(canvas, b, two, SIDE / 2 - dx, SIDE / 2 - dy, 34)
        labels = [f"a {a} {which} a {b}" for which in (relation, opposite[relation])]
        yield picture, labels[0], labels


def colours(rng):
    """Two shapes in two colours; the labels are the sentence and the one with its colours exchanged."""
    for (a, b), (one, two) in itertools.product(itertools.combinations(SHAPES, 2), itertools.permutations(COLOURS, 2)):
        picture, canvas = blank(rng)
        places = rng.sample([(50, 96), (142, 96)], 2)
        draw(canvas, a, one, *places[0], 38)
        draw(canvas, b, two, *places[1], 38)
        labels = [f"a {one} {a} and a {two} {b}", f"a {two} {a} and a {one} {b}"]
        yield picture, labels[0], labels


def single(rng):
    """One shape in one colour, told from all others: the same shapes without the difficulty."""
    labels = [f"a {colour} {shape}" for colour in COLOURS for shape in SHAPES]
    for colour, shape in itertools.product(COLOURS, SHAPES):
        for _ in range(3):
            picture, canvas = blank(rng)
            draw(canvas, shape, colour, rng.randint(70, 122), rng.randint(70, 122), rng.randint(40, 64))
            yield picture, f"a {colour} {shape}", labels


def classify(binary, model, folder, labels, template):
    command = [binary, "classify", folder, "--model", model, "--json", "--quiet", "-k", str(len(labels)), "--template", template]
    command += ["--labels-file", "-"]
    done = subprocess.run(command, input="\n".join(labels) + "\n", capture_output=True, text=True, check=True)
    rows = map(json.loads, done.stdout.splitlines())
    return {pathlib.Path(row["path"]).stem: [p["label"] for p in row["predictions"]] for row in rows}


def score(binary, model, drawn):
    """Share of right first answers; pictures with the same labels are asked together."""
    groups = {}
    for i, (picture, truth, labels) in enumerate(drawn):
        groups.setdefault(tuple(sorted(labels)), []).append((f"{i:04}", picture, truth))
    right = total = 0
    chance = 0.0
    for labels, members in groups.items():
        with tempfile.TemporaryDirectory() as folder:
            for name, picture, _ in members:
                picture.save(f"{folder}/{name}.png")
            found = classify(binary, model, folder, labels, "{}")
        right += sum(found[name][0] == truth for name, _, truth in members)
        total += len(members)
        chance += len(members) / len(labels)
    return 100 * right / total, 100 * chance / total, total


def written(picture, word):
    picture = picture.convert("RGB").resize((256, 256))
    canvas = ImageDraw.Draw(picture)
    font = ImageFont.load_default(44)
    left, top, right, bottom = canvas.textbbox((0, 0), word, font=font)
    x, y = (256 - right + left) / 2, 190
    canvas.rectangle((x - 8, y - 4, x + right - left + 8, y + bottom + 8), fill="white")
    canvas.text((x - left, y), word, font=font, fill="black")
    return picture


STYLES = {
    "as drawn": lambda p: p,
    "grey": lambda p: ImageOps.grayscale(p).convert("RGB"),
    "inverted": ImageOps.invert,
    "outlines": lambda p: ImageOps.invert(ImageOps.grayscale(p.filter(ImageFilter.FIND_EDGES))).convert("RGB"),
    "blurred": lambda p: p.filter(ImageFilter.GaussianBlur(p.width / 24)),
    "upside down": ImageOps.flip,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/diptych")
    parser.add_argument("--model", default="default")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    binary = str(pathlib.Path(args.binary).resolve())
    model = args.model if args.model == "default" else str(pathlib.Path(args.model).resolve())
    print("| what | right | chance | pictures |\n| --- | --- | --- | --- |")

    def row(name, right, chance, n):
        print(f"| {name} | {right:.1f} % | {chance:.1f} % | {n} |")

    for name, pictures in [
        ("one shape in one colour, of 16", single),
        ("how many, one to six", counting),
        ("left or right, above or below", relations),
        ("which of two has which colour", colours),
    ]:
        row(name, *score(binary, model, list(pictures(random.Random(args.seed)))))
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "demo", "--model", model, "--json", "--quiet"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        demo = json.loads(done.stdout.splitlines()[-1])
        drawings = [(Image.open(f"{folder}/{p['path']}").convert("RGB"), p["label"]) for p in demo["pictures"]]
        named = {p["label"]: p["predictions"][0]["label"] == p["label"] for p in demo["pictures"]}
    labels = [label for _, label in drawings]
    for style, change in STYLES.items():
        row(f"the demo's drawings, {style}", *score(binary, model, [(change(p), label, labels) for p, label in drawings]))
    others = labels[1:] + labels[:1]
    over = [(written(p, other), label, other) for (p, label), other in zip(drawings, others)]
    right, chance, n = score(binary, model, [(p, label, labels) for p, label, _ in over])
    row("the demo's drawings, another's name written over", right, chance, n)
    right, chance, n = score(binary, model, [(p, other, labels) for p, _, other in over])
    row("… and told by the written name", right, chance, n)
    print(f"\n{sum(named.values())} of the {len(named)} drawings are named right in the demo.")


if __name__ == "__main__":
    main()
