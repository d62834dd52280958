"""Pillow and PyTorch: `pipeline.py FOLDER whole|draft THREADS FILES…` encodes pictures as open_clip's users do."""

from __future__ import annotations

import sys

import open_clip
import torch
from PIL import Image

BATCH, WORKERS = 32, 2


class Pictures(torch.utils.data.Dataset):
    def __init__(self, paths: list[str], transform, draft: int | None):
        self.paths, self.transform, self.draft = paths, transform, draft

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> torch.Tensor:
        picture = Image.open(self.paths[i])
        if self.draft:
            picture.draft("RGB", (self.draft, self.draft))
        return self.transform(picture)


def main() -> None:
    folder, decode, threads, *paths = sys.argv[1:]
    torch.set_num_threads(int(threads))
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    side = model.visual.image_size
    side = side if isinstance(side, int) else side[0]
    pictures = Pictures(paths, transform, side if decode == "draft" else None)
    loader = torch.utils.data.DataLoader(pictures, batch_size=BATCH, num_workers=WORKERS)
    done = 0
    with torch.inference_mode():
        for batch in loader:
            done += len(model.encode_image(batch, normalize=True))
    assert done == len(paths)


if __name__ == "__main__":
    main()
