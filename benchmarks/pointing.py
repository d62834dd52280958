"""The pointing game: is the place that is most like a class's text a place of the class?

For each picture of shards for detection and each class that has a box in it, the part of the picture nearest to the
class's texts is looked for, and counts if its centre lies in a box of the class. A picture's sides are multiples of the
image tower's step, nearest to `--side` for the shorter; parts are the values that a ModifiedResNet's attention pools
(MaskCLIP's, Zhou et al. 2022; `ImageExit::PoolValues` in the library). Classes of which a picture has difficult boxes
alone are left out. Beside it stands the share that the picture's middle hits, and what a random place would.

Source: Zhang et al. 2016, arXiv 1608.00507, section 4.2, without its tolerance of 15 pixels.

    diptych convert default model
    python benchmarks/pointing.py model SHARD.tar.gz… [--side 224]
"""

import argparse
import io
import json
import tarfile

import open_clip
import torch
from PIL import Image
from torchvision.transforms import functional

STEP = 32
TEMPLATES = ["a photo of a {}.", "a picture of a {}.", "a {}.", "{}"]


def samples(shards):
    """Pictures, each with its boxes by class."""
    for shard in shards:
        parts = {}
        with tarfile.open(shard) as tar:
            for member in tar:
                key, extension = member.name.split(".", 1)
                parts.setdefault(key, {})[extension] = tar.extractfile(member).read()
        for files in parts.values():
            labels = json.loads(files["json"])
            difficult = labels.get("difficult", [0] * len(labels["boxes"]))
            boxes = {}
            for (*box, name), mark in zip(labels["boxes"], difficult):
                boxes.setdefault(name, []).append((box, mark))
            boxes = {name: [box for box, _ in all] for name, all in boxes.items() if not all_marked(all)}
            yield Image.open(io.BytesIO(files["webp"])).convert("RGB"), boxes


def all_marked(boxes):
    return all(mark for _, mark in boxes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("shards", nargs="+")
    parser.add_argument("--side", type=int, default=224)
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{args.model}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{args.model}")
    normalize = preprocess.transforms[-1]
    visual = model.eval().visual
    texts = {}

    def text(name):
        if name not in texts:
            rows = model.encode_text(tokenizer([t.format(name) for t in TEMPLATES]), normalize=True)
            texts[name] = torch.nn.functional.normalize(rows.mean(0), dim=0)
        return texts[name]

    counts = {}
    for picture, boxes in samples(args.shards):
        scale = args.side / min(picture.size)
        width, height = (max(1, round(side * scale / STEP)) * STEP for side in picture.size)
        pixels = normalize(functional.to_tensor(picture.resize((width, height), Image.BICUBIC)))[None]
        maps = visual.forward_intermediates(pixels, intermediates_only=True)["image_intermediates"][-1]
        parts = visual.attnpool.c_proj(visual.attnpool.v_proj(maps.flatten(2).transpose(1, 2)))[0]
        parts = torch.nn.functional.normalize(parts, dim=1)
        columns, rows = width // STEP, height // STEP
        centres = [((i % columns + 0.5) / columns, (i // columns + 0.5) / rows) for i in range(columns * rows)]
        for name, known in boxes.items():
            scaled = [(l / picture.width, t / picture.height, r / picture.width, b / picture.height) for l, t, r, b in known]
            inside = lambda x, y: any(l <= x <= r and t <= y <= b for l, t, r, b in scaled)
            best = int((parts @ text(name)).argmax())
            hits = [inside(*centres[best]), inside(0.5, 0.5), sum(inside(*c) for c in centres) / len(centres)]
            counts.setdefault(name, []).append(hits)
    mean = lambda rows: [100 * sum(column) / len(rows) for column in zip(*rows)]
    print(f"{'class':20} {'pairs':>6} {'found':>6} {'middle':>6} {'random':>6}")
    for name, rows in sorted(counts.items()):
        print(f"{name:20} {len(rows):6} " + " ".join(f"{value:6.1f}" for value in mean(rows)))
    by_class = [mean(rows) for rows in counts.values()]
    everything = [row for rows in counts.values() for row in rows]
    print(f"{'mean of classes':20} {len(by_class):6} " + " ".join(f"{value:6.1f}" for value in mean([[v / 100 for v in row] for row in by_class])))
    print(f"{'mean of pairs':20} {len(everything):6} " + " ".join(f"{value:6.1f}" for value in mean(everything)))


if __name__ == "__main__":
    main()
