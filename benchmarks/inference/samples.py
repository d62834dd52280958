"""Real pictures and captions from a WebDataset shard, as the models read them."""

from __future__ import annotations

import io
import tarfile
from itertools import islice
from pathlib import Path

import numpy as np
import open_clip
from PIL import Image

COUNT = 200  # that are measured, the first of a shard


def samples(shard: Path, skip: int = 0, count: int = COUNT) -> tuple[list[Image.Image], list[str]]:
    """Pictures, and the first caption of each."""
    images, captions = [], []
    with tarfile.open(shard) as tar:
        for member in tar:
            data = tar.extractfile(member).read() if member.isfile() else b""
            if member.name.endswith((".webp", ".jpg", ".png")):
                images.append(data)
            elif member.name.endswith(".txt"):
                captions.append(data.decode().splitlines()[0])
            if min(len(images), len(captions)) >= skip + count:
                break
    opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in islice(images, skip, skip + count)]
    return opened, captions[skip : skip + count]


def prepared(folder: Path, images: list[Image.Image], captions: list[str]) -> dict[str, np.ndarray]:
    """Pixels `[N, 3, S, S]` and token ids `[N, L]` of a model."""
    _, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    pixels = np.stack([transform(image).numpy() for image in images])
    return {"images": pixels, "texts": open_clip.tokenize(captions).numpy()}
