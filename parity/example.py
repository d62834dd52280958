#!/usr/bin/env python3
"""Draws docs/example.png, the picture of the README's first command: a sailing ship, by our own code.

    python parity/example.py [OUT.png]
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (320, 240)
SKY_TOP, SKY_BOTTOM = (120, 170, 230), (210, 230, 250)
SEA, HULL, MAST = (30, 80, 140), (110, 60, 30), (60, 40, 20)
MAINSAIL, JIB = (245, 245, 240), (230, 225, 215)


def draw() -> Image.Image:
    image = Image.new("RGB", SIZE)
    pen = ImageDraw.Draw(image)
    width, height = SIZE
    for y in range(height):
        share = y / height
        colour = tuple(int(a + (b - a) * share) for a, b in zip(SKY_TOP, SKY_BOTTOM))
        pen.line([(0, y), (width, y)], fill=colour)
    pen.rectangle([0, 150, width, height], fill=SEA)
    pen.polygon([(90, 150), (230, 150), (205, 180), (115, 180)], fill=HULL)
    pen.polygon([(155, 145), (155, 30), (85, 135)], fill=MAINSAIL)
    pen.polygon([(162, 145), (162, 45), (225, 135)], fill=JIB)
    pen.line([(158, 150), (158, 25)], fill=MAST, width=4)
    return image


if __name__ == "__main__":
    default = Path(__file__).parents[1] / "docs" / "example.png"
    draw().save(Path(sys.argv[1]) if len(sys.argv) > 1 else default, optimize=True)
