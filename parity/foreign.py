"""Makes golden pictures as programs other than Pillow write them, with the pixels that Pillow reads.

Tiles of planes, extra samples, masks with alpha, run lengths that encode each line's padding, animations whose first
frame does not cover the canvas: files of these kinds are common, and Pillow writes none of them, so they are
built here byte by byte around small drawn pictures.

    python parity/foreign.py                                # compares with what is kept
    python parity/foreign.py --write-golden

Writes every file, `cases.tsv` (file, Pillow's mode, width, height) and `expected.raw`, which holds the pixels of each
case in Pillow's mode, or in RGB for the modes of palettes (P and PA).

Needs: numpy, pillow. Exit code 0 if Pillow still reads what is kept, 1 otherwise.
"""

import argparse
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

GOLDEN = Path(__file__).parent.parent / "crates/diptych/tests/golden/pixels-foreign"


def drawn(width, height, channels):
    """Ramps and noise, `[height, width, channels]`; no two channels and no two lines are alike."""
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    noise = np.random.default_rng(width * 31 + height + channels).integers(0, 32, (height, width, channels))
    return ((x * 6 * (c + 1) + y * 5 + c * 60 + noise) % 256).astype(np.uint8)


def colours(count):
    """A palette without order, `[count, 3]`."""
    return np.random.default_rng(count).integers(0, 256, (count, 3)).astype(np.uint8)


# BMP --------------------------------------------------------------------------------------------


def bmp(width, height, bits, body, palette=b"", masks=None, compression=0):
    """A BMP, with a header of 108 bytes if there are masks of red, green, blue and alpha."""
    more = b"" if masks is None else struct.pack("<4I", *masks) + b"BGRs" + bytes(48)
    size = 40 + len(more)
    info = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, len(body), 0, 0, len(palette) // 4, 0)
    offset = 14 + size + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + more + palette + body


def lines(rows):
    """Rows of bytes, each padded to four, bottom row first."""
    return b"".join(row.tobytes() + b"\0" * (-len(row.tobytes()) % 4) for row in rows[::-1])


def run_lengths(indices, unit):
    """Encoded runs of every line and its padding to `unit` pixels, as ImageMagick writes them; bottom row first."""
    out = b""
    for row in indices[::-1]:
        row = [*row.tolist(), *[0] * (-len(row) % unit)]
        while row:
            run = next((i for i, value in enumerate(row) if value != row[0]), len(row))
            out += bytes([run, row[0] if unit == 4 else row[0] * 17])
            row = row[run:]
        out += b"\0\0"
    return out + b"\0\1"


def bmp_files():
    """Every kind of mask that Pillow reads, and run lengths of padded lines."""
    width, height = 13, 9
    indices = drawn(width, height, 1)[..., 0]
    entries = lambda n: b"".join(bytes([b, g, r, 0]) for r, g, b in colours(n))
    yield "rle8-padded", bmp(width, height, 8, run_lengths(indices // 40, 4), entries(256), compression=1)
    yield "rle4-padded", bmp(width, height, 4, run_lengths(indices // 40, 8), entries(16), compression=2)

    r, g, b, _ = (drawn(width, height, 4)[..., c].astype(np.uint16) for c in range(4))
    word = (r >> 3 << 10 | g >> 3 << 5 | b >> 3).astype("<u2")
    yield "1555", bmp(width, height, 16, lines(word), masks=(0x7C00, 0x3E0, 0x1F, 0x8000), compression=3)
    yield "1555-opaque", bmp(width, height, 16, lines(word | 0x8000), masks=(0x7C00, 0x3E0, 0x1F, 0x8000), compression=3)
    word = (r >> 3 << 11 | g >> 2 << 5 | b >> 3).astype("<u2")
    yield "565-v4", bmp(width, height, 16, lines(word), masks=(0xF800, 0x7E0, 0x1F, 0), compression=3)
    line = lines(drawn(width, height, 3).reshape(height, -1))
    yield "24-masks", bmp(width, height, 24, line, masks=(0xFF0000, 0xFF00, 0xFF, 0), compression=3)
    line = lines(drawn(width, height, 4).reshape(height, -1))
    for name, masks in {
        "bgrx": (0xFF0000, 0xFF00, 0xFF, 0),
        "xbgr": (0xFF000000, 0xFF0000, 0xFF00, 0),
        "bgxr": (0xFF000000, 0xFF00, 0xFF, 0),
        "abgr": (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        "rgba": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        "bgra": (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        "bgar": (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
        "no-masks": (0, 0, 0, 0),
    }.items():
        yield f"32-{name}", bmp(width, height, 32, line, masks=masks, compression=3)
    yield "32-v4", bmp(width, height, 32, line, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000))


# TIFF -------------------------------------------------------------------------------------------


def tiff(samples, photometric, extra=(), palette=None, planar=False, tile=None, rows=None, big=False, deflate=False):
    """A TIFF of `samples` `[height, width, channels]`, of 8 or 16 bits, in strips of `rows` or tiles of a side.

    Deflated samples go through the horizontal predictor.
    """
    height, width, channels = samples.shape
    order = ">" if big else "<"
    bits = samples.dtype.itemsize * 8

    def packed(part):
        if deflate:
            part = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
        data = part.astype(samples.dtype.newbyteorder(order)).tobytes()
        return zlib.compress(data) if deflate else data

    chunks = []
    for plane in [samples[..., c : c + 1] for c in range(channels)] if planar else [samples]:
        if tile is None:
            chunks += [packed(plane[y : y + rows]) for y in range(0, height, rows)]
        else:
            padded = np.full((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[2]), 77, samples.dtype)
            padded[:height, :width] = plane
            corners = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
            chunks += [packed(padded[y : y + tile, x : x + tile]) for y, x in corners]

    tags = {256: [width], 257: [height], 258: [bits] * channels, 259: [8 if deflate else 1], 262: [photometric]}
    tags |= {277: [channels], 284: [2 if planar else 1]}
    if extra:
        tags[338] = list(extra)
    if deflate:
        tags[317] = [2]
    if palette is not None:
        tags[320] = [int(v) * 257 for v in palette.T.reshape(-1)]
    offsets, counts = (324, 325) if tile else (273, 279)
    tags |= {322: [tile], 323: [tile]} if tile else {278: [rows]}
    tags |= {offsets: [0] * len(chunks), counts: [len(chunk) for chunk in chunks]}

    # The directory comes first, then what does not fit into it, then the chunks.
    wide = {offsets, counts}
    size = lambda tag: len(tags[tag]) * (4 if tag in wide else 2)
    at = 8 + 2 + 12 * len(tags) + 4
    places = {}
    for tag in sorted(tags):
        if size(tag) > 4:
            places[tag] = at
            at += size(tag)
    tags[offsets] = [at + sum(map(len, chunks[:i])) for i in range(len(chunks))]
    out = (b"MM\0*" if big else b"II*\0") + struct.pack(order + "IH", 8, len(tags))
    body = b""
    for tag in sorted(tags):
        kind = "I" if tag in wide else "H"
        values = struct.pack(f"{order}{len(tags[tag])}{kind}", *tags[tag])
        field = struct.pack(order + "I", places[tag]) if tag in places else values.ljust(4, b"\0")
        body += values if tag in places else b""
        out += struct.pack(order + "HHI", tag, 4 if tag in wide else 3, len(tags[tag])) + field
    return out + struct.pack(order + "I", 0) + body + b"".join(chunks)


def tiff_files():
    """Planes in tiles and strips whose last ones are cut, and samples beside the colours."""
    width, height = 37, 21
    narrow = lambda c: drawn(width, height, c)
    wide = lambda c: narrow(c).astype(np.uint16) * 256 + narrow(c)[::-1]
    for name, samples, photometric, extra in [
        ("rgb", narrow(3), 2, ()),
        ("rgba", narrow(4), 2, (2,)),
        ("cmyk", narrow(4), 5, ()),
        ("rgb16", wide(3), 2, ()),
        ("rgba16", wide(4), 2, (2,)),
    ]:
        yield f"{name}-planar-tiles", tiff(samples, photometric, extra, planar=True, tile=16)
        yield f"{name}-planar-strips", tiff(samples, photometric, extra, planar=True, rows=8)
        yield f"{name}-tiles", tiff(samples, photometric, extra, tile=16)
    yield "rgb16-planar-tiles-mm", tiff(wide(3), 2, planar=True, tile=16, big=True)
    yield "rgb-planar-tiles-deflate", tiff(narrow(3), 2, planar=True, tile=16, deflate=True)
    yield "rgb-one-planar-tile", tiff(narrow(3), 2, planar=True, tile=64)
    for name, extra in [("unspecified", 0), ("alpha", 2)]:
        for big in (False, True):
            case = f"p-{name}{'-mm' if big else ''}"
            yield case, tiff(narrow(2), 3, (extra,), palette=colours(256), rows=8, big=big)
        yield f"p-{name}-planar", tiff(narrow(2), 3, (extra,), palette=colours(256), planar=True, rows=8)
        yield f"p-{name}-deflate", tiff(narrow(2), 3, (extra,), palette=colours(256), rows=8, deflate=True)
    for name, channels, photometric, extra in [
        ("l-unspecified", 2, 1, (0,)),
        ("la", 2, 1, (2,)),
        ("rgbx", 4, 2, (0,)),
        ("rgb-and-one", 4, 2, ()),
        ("rgbxx", 5, 2, (0, 0)),
        ("rgbax", 5, 2, (2, 0)),
        ("rgb-premultiplied-x", 5, 2, (1, 0)),
        ("cmykx", 5, 5, (0,)),
        ("cmykxx", 6, 5, (0, 0)),
    ]:
        yield name, tiff(narrow(channels), photometric, extra, rows=8)
        yield f"{name}-deflate", tiff(narrow(channels), photometric, extra, rows=8, deflate=True)
    yield "rgbx16", tiff(wide(4), 2, (0,), rows=8)
    yield "rgbx-planar-tiles", tiff(narrow(4), 2, (0,), planar=True, tile=16)


# WebP -------------------------------------------------------------------------------------------


def riff(*chunks):
    """A WebP of named chunks."""
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def chunks_of(webp):
    """The chunks that hold pixels."""
    at, found = 12, []
    while at < len(webp):
        name, size = webp[at : at + 4], struct.unpack_from("<I", webp, at + 4)[0]
        if name in (b"ALPH", b"VP8 ", b"VP8L"):
            found.append((name, webp[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def animation(canvas, left, top, picture, flags, alpha=True, background=b"\x40\x80\xc0\xff", **options):
    """An animation of one frame, at an even place of a canvas; `flags` of 0 blend, of 2 do not."""
    out = io.BytesIO()
    picture.save(out, "WEBP", **options)
    u24 = lambda value: struct.pack("<I", value)[:3]
    width, height = picture.size
    head = u24(left // 2) + u24(top // 2) + u24(width - 1) + u24(height - 1) + u24(100) + bytes([flags])
    pixels = riff(*chunks_of(out.getvalue()))[12:]
    screen = bytes([2 | (16 if alpha else 0), 0, 0, 0]) + u24(canvas[0] - 1) + u24(canvas[1] - 1)
    return riff((b"VP8X", screen), (b"ANIM", background + b"\0\0"), (b"ANMF", head + pixels))


def webp_files():
    """First frames of every coding, over the whole canvas and a part of it, with and without blending."""
    rgba, rgb = Image.fromarray(drawn(12, 8, 4)), Image.fromarray(drawn(12, 8, 3))
    exact, lossy = dict(lossless=True, exact=True), dict(quality=80, alpha_quality=100)
    for flags, name in ((0, "blend"), (2, "copy")):
        yield f"lossless-{name}", animation((12, 8), 0, 0, rgba, flags, **exact), False
        yield f"lossless-part-{name}", animation((20, 15), 4, 6, rgba, flags, **exact), False
        yield f"lossy-{name}", animation((12, 8), 0, 0, rgba, flags, **lossy), True
        yield f"lossy-part-{name}", animation((20, 15), 4, 6, rgba, flags, **lossy), True
    out = io.BytesIO()
    rgb.save(out, "WEBP", quality=80)
    announced = bytes([16, 0, 0, 0, 11, 0, 0, 7, 0, 0])
    yield "alpha-announced", riff((b"VP8X", announced), *chunks_of(out.getvalue())), True
    yield "opaque-part", animation((20, 15), 4, 6, rgb, 0, **exact), False
    yield "opaque-part-no-alpha", animation((20, 15), 4, 6, rgb, 0, alpha=False, **exact), False
    yield "lossless-part-no-alpha", animation((20, 15), 4, 6, rgba, 0, alpha=False, **exact), False
    yield "lossy-opaque-part", animation((20, 15), 4, 6, rgb, 0, **lossy), True
    yield "lossy-opaque-part-no-alpha", animation((20, 15), 4, 6, rgb, 0, alpha=False, **lossy), True


# Golden files -----------------------------------------------------------------------------------

# Files that Pillow refuses or, if they have planes of 16 bits, misreads; and the ones that hold the same samples otherwise.
TWINS = {
    "rgb16-planar-strips.tif": "rgb16-tiles.tif",
    "rgb16-planar-tiles-mm.tif": "rgb16-tiles.tif",
    "rgb16-planar-tiles.tif": "rgb16-tiles.tif",
    "rgba16-planar-strips.tif": "rgba16-tiles.tif",
    "rgba16-planar-tiles.tif": "rgba16-tiles.tif",
    "p-unspecified-planar.tif": "p-unspecified.tif",
    "p-alpha-planar.tif": "p-alpha.tif",
    "rgbx-planar-tiles.tif": "rgbx.tif",
}


def files():
    """Name and bytes of every file, and whether its coding is lossy."""
    yield from ((f"{name}.bmp", data, False) for name, data in bmp_files())
    yield from ((f"{name}.tif", data, False) for name, data in tiff_files())
    yield from ((f"{name}.webp", data, lossy) for name, data, lossy in webp_files())


def golden():
    """Content of every golden file by its name."""
    out, table, expected = {}, ["file\tmode\twidth\theight\tlossy"], b""
    data_of = {name: data for name, data, _ in files()}
    for name, data, lossy in files():
        picture = Image.open(io.BytesIO(data_of[TWINS.get(name, name)]))
        mode, pixels = picture.mode, picture
        if mode in ("La", "RGBa"):
            mode = mode.upper()
            pixels = picture.convert(mode)
        expected += (pixels.convert("RGB") if mode in ("P", "PA") else pixels).tobytes()
        out[name] = data
        table.append("\t".join(map(str, (name, mode, *picture.size, str(lossy).lower()))))
    versions = {"pillow": PIL.__version__, "numpy": np.__version__, "made_by": "parity/foreign.py --write-golden"}
    out["cases.tsv"] = ("\n".join(table) + "\n").encode()
    out["expected.raw"] = expected
    out["versions.json"] = (json.dumps(versions, indent=2) + "\n").encode()
    return out


def kept_or_written(folder, made, description):
    """Writes golden files, if the command line asks for that, or compares them with those that are kept; the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write-golden", action="store_true", help="write the test files for Rust and stop")
    write = parser.parse_args().write_golden
    made = made()
    if write:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, data in made.items():
            (folder / name).write_bytes(data)
        print(f"{len(made)} files, {sum(map(len, made.values()))} bytes in {folder}")
        return 0
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    differing = sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))
    print(f"{len(made)} files, {len(differing)} differ {' '.join(differing)}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(kept_or_written(GOLDEN, golden, __doc__))
