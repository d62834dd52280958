"""A folder of photographs with planted near duplicates, and `truth.json` that names them.

    python data.py SHARDS OUT [--photos 20000] [--planted 400] [--seed 1] [--tiny]

SHARDS is a folder of WebDataset tars with `.webp` pictures; drawn sets and those under 64 pixels are left out. Of each kind
of change so many pictures get one copy: resized (0.7 to 2 times), re-encoded (JPEG of quality 50 to 90), both, cropped (3 % of
each side in all) and brightened (1.15 to 1.35 times). Pillow makes the copies. `--tiny` takes Tiny-ImageNet, too, whose pictures have 64 pixels.
"""

import argparse
import glob
import io
import json
import os
import random
import tarfile

from PIL import Image, ImageEnhance

DRAWN_OR_SMALL = ["avatars", "cifar10", "emoji", "openclipart", "pacs", "picture-cards", "tuxpaint"]


def pictures(shards, left_out):
    for path in sorted(glob.glob(os.path.join(shards, "*.tar.gz"))):
        name = os.path.basename(path).split(".")[0]
        if any(name.startswith(drawn) for drawn in left_out):
            continue
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".webp"):
                    yield f"{name}-{os.path.basename(member.name)}", tar.extractfile(member).read()


def resized(picture, rng):
    factor = max(rng.uniform(0.7, 2.0), 64 / min(picture.size))
    size = [max(64, round(side * factor)) for side in picture.size]
    return picture.resize(size, Image.Resampling.LANCZOS)


def cropped(picture, rng):
    width, height = picture.size
    cut = [max(1, round(side * 0.03)) for side in picture.size]
    left, top = [rng.randint(0, c) for c in cut]
    return picture.crop((left, top, left + width - cut[0], top + height - cut[1]))


def brightened(picture, rng):
    return ImageEnhance.Brightness(picture).enhance(rng.uniform(1.15, 1.35))


def jpeg(picture, rng):
    return dict(format="JPEG", quality=rng.randint(50, 90))


def png(picture, rng):
    return dict(format="PNG")


KINDS = {
    "resized": (resized, png),
    "re-encoded": (lambda picture, rng: picture, jpeg),
    "resized and re-encoded": (resized, jpeg),
    "cropped": (cropped, png),
    "brightened": (brightened, png),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards")
    parser.add_argument("out")
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--planted", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    left_out = DRAWN_OR_SMALL + ([] if args.tiny else ["tiny-imagenet"])
    photos = [(name, data) for name, data in pictures(args.shards, left_out) if min(Image.open(io.BytesIO(data)).size) >= 64]
    rng.shuffle(photos)
    photos = photos[: args.photos]
    folder = os.path.join(args.out, "pictures")
    os.makedirs(folder)
    for name, data in photos:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    truth = []
    chosen = iter(rng.sample(photos, len(KINDS) * args.planted))
    for kind, (change, encode) in KINDS.items():
        for _ in range(args.planted):
            name, data = next(chosen)
            copy = change(Image.open(io.BytesIO(data)).convert("RGB"), rng)
            how = encode(copy, rng)
            new = f"copy-{len(truth):05}.{how['format'].lower()}"
            copy.save(os.path.join(folder, new), **how)
            truth.append([name, new, kind])
    with open(os.path.join(args.out, "truth.json"), "w") as file:
        json.dump(truth, file)
    print(f"{len(photos)} photographs, {len(truth)} copies")


main()
