"""Compares the pixels of `diptych preprocess` with those of Pillow, torchvision and open_clip.

Draws test pictures with its own code (nothing here was photographed), writes them in every format,
mode and odd size, makes the reference with open_clip's own `image_transform`, runs the binary on the
same file, and prints for each group how many pictures are the same to the last bit, and the largest
and mean difference in levels of 0..255.

    python parity/pixels.py                                 # target/release/diptych
    python parity/pixels.py --binary path/to/diptych --keep /tmp/pictures
    python parity/pixels.py --write-golden crates/diptych/tests/golden/pixels

Needs: numpy, pillow, torch, torchvision, open_clip_torch.
Pillow 13.0 or later: 12 and earlier resize tall pictures in another order of passes.
Exit code 0 if every lossless picture is the same to the last bit, 1 otherwise.
"""

import argparse
import json
import io
import struct
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import open_clip
import PIL
import torch
import torchvision
from open_clip.transform import image_transform
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

MEAN = np.array(open_clip.OPENAI_DATASET_MEAN, np.float32)
STD = np.array(open_clip.OPENAI_DATASET_STD, np.float32)

# Width, height: one pixel, threads, primes, exactly and almost the target, larger.
SIZES = [(1, 1), (1, 500), (500, 1), (3, 7), (16, 16), (31, 17), (223, 224), (224, 224), (225, 301), (640, 427)]


# Drawing ----------------------------------------------------------------------------------------


def scene(width, height, channels, seed=0):
    """Gradients, waves, a disc with a sharp edge, and noise: `[height, width, channels]` in 0..=1."""
    noise = np.random.default_rng(seed * 7919 + width * 31 + height * 17 + channels)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = (x + 0.5) / width, (y + 0.5) / height
    planes = []
    for c in range(channels):
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * ((3 + c) * u + (5 - c) * v) + seed)
        plane = 0.4 * ((u, v, 1 - u, 1 - v)[c % 4]) + 0.4 * wave + 0.2 * noise.random((height, width))
        inside = (u - 0.5) ** 2 + (v - 0.45) ** 2 < 0.09
        plane[inside] = 1 - plane[inside]
        planes.append(plane)
    return np.clip(np.stack(planes, -1), 0, 1)


def levels(width, height, channels, seed=0):
    """[`scene`] in 8 bits, reaching 0 and 255; one channel gives `[height, width]`."""
    pixels = np.round(np.clip(scene(width, height, channels, seed) * 1.3 - 0.15, 0, 1) * 255).astype(np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def wide(width, height, channels):
    """[`scene`] in 16 bits."""
    pixels = np.round(scene(width, height, channels) * 65535).astype(np.uint16)
    return pixels[..., 0] if channels == 1 else pixels


def colours(count):
    """A palette of `count` colours without order, `[count, 3]`."""
    return np.random.default_rng(count).integers(0, 256, (count, 3)).astype(np.uint8)


def palette_picture(width, height, count=256):
    """A picture of mode P."""
    indices = levels(width, height, 1).astype(np.uint16) * count // 256
    picture = Image.fromarray(indices.astype(np.uint8), "L")
    picture.putpalette(colours(count).tobytes())
    return picture


# Files that Pillow does not write ---------------------------------------------------------------


def png(width, height, depth, colour, samples, palette=None, chunks=(), interlaced=False):
    """A PNG from `samples` `[height, width, channels]`, of any depth and colour type."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    def lines(part):
        if 0 in part.shape:
            return b""
        if depth == 16:
            rows = [row.astype(">u2").tobytes() for row in part]
        elif depth == 8:
            rows = [row.astype(np.uint8).tobytes() for row in part]
        else:
            bits = (part[..., 0, None] >> np.arange(depth - 1, -1, -1)) & 1
            rows = [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in bits]
        return b"".join(b"\0" + row for row in rows)

    if samples.ndim == 2:
        samples = samples[..., None]
    passes = [(0, 0, 1, 1)]
    if interlaced:  # Adam7: first column and row, column and row steps
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    data = b"".join(lines(samples[y::dy, x::dx]) for x, y, dx, dy in passes)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if palette is not None:
        out += chunk(b"PLTE", palette.tobytes())
    out += b"".join(chunk(name, body) for name, body in chunks)
    return out + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def bmp(width, height, bits, body, palette=b"", masks=b"", compression=0, colours=0, top_down=False):
    """A BMP with a 40-byte header around finished lines."""
    offset = 14 + 40 + len(masks) + len(palette)
    rows = -height if top_down else height
    info = struct.pack("<IiiHHIIiiII", 40, width, rows, 1, bits, compression, len(body), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + info + masks + palette + body


def bmp_lines(packed, top_down=False):
    """Rows of bytes, each padded to four, bottom row first."""
    rows = [bytes(row) + b"\0" * (-len(bytes(row)) % 4) for row in packed]
    return b"".join(rows if top_down else rows[::-1])


def bmp_rle8(indices):
    """Runs, literals and ends of lines, bottom row first."""
    out = b""
    for row in indices[::-1]:
        at = 0
        while at < len(row):
            run = 1
            while at + run < len(row) and run < 255 and row[at + run] == row[at]:
                run += 1
            literal = min(len(row) - at, 5)
            if run == 1 and literal >= 3:
                out += bytes([0, literal]) + bytes(row[at : at + literal]) + b"\0" * (literal % 2)
                at += literal
            else:
                out += bytes([run, row[at]])
                at += run
        out += b"\0\0"
    return out + b"\0\1"


def gif(screen, frames, palette, background=0):
    """A GIF from frames of (left, top, indices, local palette or None, transparent index or None, interlaced)."""

    def table(colours):
        size = max(1, (len(colours) - 1).bit_length())
        return size - 1, colours.tobytes() + b"\0" * (3 * (2**size - len(colours)))

    out = b"GIF89a" + struct.pack("<HH", *screen)
    if palette is None:
        out += bytes([0, background, 0])
    else:
        flags, body = table(palette)
        out += bytes([0x80 | flags, background, 0]) + body
    for left, top, indices, local, transparent, interlaced in frames:
        if transparent is not None:
            out += bytes([0x21, 0xF9, 4, 1, 0, 0, transparent, 0])
        height, width = indices.shape
        out += b"," + struct.pack("<HHHH", left, top, width, height)
        flags, body = table(local) if local is not None else (0, b"")
        out += bytes([(0x80 if local is not None else 0) | (0x40 if interlaced else 0) | flags]) + body
        if interlaced:
            order = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
            indices = indices[order]
        # Codes of nine bits with a clear code often enough that they never grow: GIF without compression.
        codes = []
        for i, value in enumerate(indices.reshape(-1).tolist()):
            if i % 250 == 0:
                codes.append(256)
            codes.append(value)
        codes.append(257)
        bits = (np.array(codes)[:, None] >> np.arange(9)) & 1
        data = np.packbits(bits.reshape(-1).astype(np.uint8), bitorder="little").tobytes()
        blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
        out += bytes([8]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    return out + b";"


def saved(picture, format, **options):
    """The bytes that Pillow writes."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


# Cases ------------------------------------------------------------------------------------------


@dataclass
class Case:
    """One file, and how it is to be prepared."""

    group: str
    name: str
    data: bytes
    order: str = "native"
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    size: int = 224
    orient: bool = False
    lossy: bool = False
    grey16: bool = False  # Pillow would clip; the reference is scaled by numpy
    picture: Image.Image | None = field(default=None, repr=False)

    def reference(self):
        """What open_clip makes of the file: `[3, S, S]` in f32."""
        picture = self.picture or Image.open(io.BytesIO(self.data))
        if self.grey16:
            picture = Image.fromarray(np.round(np.asarray(picture).astype(np.float64) * 255 / 65535).astype(np.uint8))
        if self.orient:
            picture = ImageOps.exif_transpose(picture)
        if self.order == "rgb-first":
            picture = picture.convert("RGB")
        transform = image_transform(
            self.size, is_train=False, resize_mode=self.resize_mode, interpolation=self.interpolation
        )
        return transform(picture).numpy()

    def flags(self):
        """The same choices for the binary."""
        flags = ["--model", "ViT-B-32", "--order", self.order, "--interpolation", self.interpolation]
        flags += ["--resize-mode", self.resize_mode, "--size", str(self.size)]
        return flags if self.orient else [*flags, "--no-orient"]


def png_files(w, h):
    """(name, bytes, is 16-bit grey) of every PNG type."""
    grey, la, rgb, rgba = (levels(w, h, c) for c in (1, 2, 3, 4))
    yield "L", png(w, h, 8, 0, grey), False
    yield "LA", png(w, h, 8, 4, la), False
    yield "RGB", png(w, h, 8, 2, rgb), False
    yield "RGBA", png(w, h, 8, 6, rgba), False
    yield "RGB-trns", png(w, h, 8, 2, rgb, chunks=[(b"tRNS", struct.pack(">HHH", *rgb[0, 0]))]), False
    yield "L-trns", png(w, h, 8, 0, grey, chunks=[(b"tRNS", struct.pack(">H", grey[0, 0]))]), False
    for bits in (1, 2, 4):
        yield f"L{bits}", png(w, h, bits, 0, grey >> (8 - bits)), False
    for bits in (1, 2, 4, 8):
        yield f"P{bits}", png(w, h, bits, 3, grey >> (8 - bits), palette=colours(2**bits)), False
    yield "P8-trns", png(w, h, 8, 3, grey, colours(256), [(b"tRNS", bytes(range(256)))]), False
    yield "P8-short", png(w, h, 8, 3, grey % 100, colours(100)), False
    yield "L16", png(w, h, 16, 0, wide(w, h, 1)), True
    yield "LA16", png(w, h, 16, 4, wide(w, h, 2)), False
    yield "RGB16", png(w, h, 16, 2, wide(w, h, 3)), False
    yield "RGBA16", png(w, h, 16, 6, wide(w, h, 4)), False
    yield "RGB-adam7", png(w, h, 8, 2, rgb, interlaced=True), False
    yield "P4-adam7", png(w, h, 4, 3, grey >> 4, palette=colours(16), interlaced=True), False
    yield "L1-adam7", png(w, h, 1, 0, grey >> 7, interlaced=True), False
    frames = [Image.fromarray(levels(w, h, 3, seed)) for seed in (0, 1)]
    yield "apng", saved(frames[0], "PNG", save_all=True, append_images=frames[1:]), False
    yield "apng-still", saved(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True), False


def gif_files(w, h):
    """GIFs: grey, palettes, transparency, frames beside the screen, interlaced, animated."""
    indices, ramp = levels(w, h, 1), np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    yield "P", gif((w, h), [(0, 0, indices, None, None, False)], colours(256))
    yield "L", gif((w, h), [(0, 0, indices, None, None, False)], ramp)
    yield "local", gif((w, h), [(0, 0, indices, colours(255), None, False)], colours(256))
    yield "local-only", gif((w, h), [(0, 0, indices, colours(255), None, False)], None)
    yield "local-ramp", gif((w, h), [(0, 0, indices, ramp, None, False)], None)
    yield "transparent", gif((w, h), [(0, 0, indices, None, 17, False)], colours(256))
    yield "offset", gif((w + 9, h + 4), [(5, 3, indices, None, None, False)], colours(256), background=7)
    yield "offset-transparent", gif((w + 9, h + 4), [(5, 3, indices, None, 40, False)], colours(256), background=7)
    yield "outside", gif((w, h), [(2, 6, indices, None, None, False)], colours(256))
    yield "interlaced", gif((w, h), [(0, 0, indices, None, None, True)], colours(256))
    second = (0, 0, levels(w, h, 1, seed=1), colours(100), 3, False)
    yield "animated", gif((w, h), [(0, 0, indices, None, None, False), second], colours(256))
    yield "pillow", saved(palette_picture(w, h, 64), "GIF")


def bmp_files(w, h):
    """BMPs of every depth, with masks, runs and both directions."""
    grey, rgb, rgba = levels(w, h, 1), levels(w, h, 3), levels(w, h, 4)
    yield "24", saved(Image.fromarray(rgb), "BMP")
    yield "L", saved(Image.fromarray(grey), "BMP")
    yield "1", saved(Image.fromarray(grey).convert("1"), "BMP")
    yield "32", saved(Image.fromarray(rgba), "BMP")
    entries = lambda n: b"".join(bytes([b, g, r, 0]) for r, g, b in colours(n))
    yield "P8", bmp(w, h, 8, bmp_lines(grey), entries(256))
    yield "P8-short", bmp(w, h, 8, bmp_lines(grey % 50), entries(50), colours=50)
    pack = lambda bits: [np.packbits((row[:, None] >> np.arange(bits - 1, -1, -1) & 1).reshape(-1)) for row in grey >> (8 - bits)]
    yield "P4", bmp(w, h, 4, bmp_lines(pack(4)), entries(16))
    yield "P1", bmp(w, h, 1, bmp_lines(pack(1)), entries(2))
    yield "24-top-down", bmp(w, h, 24, bmp_lines(rgb[..., ::-1].reshape(h, -1), True), top_down=True)
    r, g, b = (rgb[..., c].astype(np.uint16) for c in range(3))
    words = (r >> 3 << 10 | g >> 3 << 5 | b >> 3).astype("<u2")
    yield "555", bmp(w, h, 16, bmp_lines([row.tobytes() for row in words]))
    words = (r >> 3 << 11 | g >> 2 << 5 | b >> 3).astype("<u2")
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    yield "565", bmp(w, h, 16, bmp_lines([row.tobytes() for row in words]), masks=masks, compression=3)
    yield "32-raw", bmp(w, h, 32, bmp_lines(rgba.reshape(h, -1)))
    masks = struct.pack("<III", 0xFF000000, 0xFF0000, 0xFF00)
    yield "32-masks", bmp(w, h, 32, bmp_lines(rgba.reshape(h, -1)), masks=masks, compression=3)
    yield "rle8", bmp(w, h, 8, bmp_rle8(grey // 40), entries(256), compression=1)


def tiff_files(w, h):
    """(name, bytes, is 16-bit grey) of TIFFs by mode and compression."""
    modes = {
        "1": Image.fromarray(levels(w, h, 1)).convert("1"),
        "L": Image.fromarray(levels(w, h, 1)),
        "LA": Image.fromarray(levels(w, h, 2), "LA"),
        "P": palette_picture(w, h),
        "RGB": Image.fromarray(levels(w, h, 3)),
        "RGBA": Image.fromarray(levels(w, h, 4)),
        "CMYK": Image.fromarray(levels(w, h, 4), "CMYK"),
    }
    for name, picture in modes.items():
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            yield f"{name}-{compression}", saved(picture, "TIFF", compression=compression), False
    predicted = {317: 2}
    yield "RGB-predictor", saved(modes["RGB"], "TIFF", compression="tiff_lzw", tiffinfo=predicted), False
    yield "I16", saved(Image.fromarray(wide(w, h, 1)), "TIFF"), True
    yield "white-is-zero", saved(modes["L"], "TIFF", tiffinfo={262: 0}), False


def jpeg_files(w, h):
    """JPEGs by mode, subsampling and quality."""
    grey, rgb, cmyk = (Image.fromarray(levels(w, h, c), m) for c, m in ((1, "L"), (3, "RGB"), (4, "CMYK")))
    for quality in (50, 95):
        yield f"L-q{quality}", saved(grey, "JPEG", quality=quality)
        for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
            yield f"{name}-q{quality}", saved(rgb, "JPEG", quality=quality, subsampling=subsampling)
            yield f"{name}-progressive-q{quality}", saved(
                rgb, "JPEG", quality=quality, subsampling=subsampling, progressive=True
            )
        yield f"CMYK-q{quality}", saved(cmyk, "JPEG", quality=quality)
    yield "RGB-stored", saved(rgb, "JPEG", quality=90, keep_rgb=True)


def webp_files(w, h):
    """(name, bytes, is lossy) of WebPs."""
    rgb, rgba = Image.fromarray(levels(w, h, 3)), Image.fromarray(levels(w, h, 4))
    yield "lossless-RGB", saved(rgb, "WEBP", lossless=True), False
    yield "lossless-RGBA", saved(rgba, "WEBP", lossless=True, exact=True), False
    yield "lossy-RGB", saved(rgb, "WEBP", quality=80), True
    yield "lossy-RGBA", saved(rgba, "WEBP", quality=80), True
    frames = [Image.fromarray(levels(w, h, 4, seed)) for seed in (0, 1)]
    yield "animated", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True), False


def orientation_files(w, h):
    """(name, bytes) of every orientation in every format that has one."""
    picture = Image.fromarray(levels(w, h, 3))
    for value in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = value
        yield f"jpeg-{value}", saved(Image.fromarray(levels(w, h, 1)), "JPEG", exif=exif, quality=100)
        yield f"png-{value}", saved(picture, "PNG", exif=exif)
        yield f"webp-{value}", saved(picture, "WEBP", exif=exif, lossless=True)
        yield f"tiff-{value}", saved(picture, "TIFF", tiffinfo={274: value})


def cases(sizes=SIZES, target=224):
    """Every picture with every choice that matters to it."""
    for w, h in sizes:
        files = [("png " + name.split("-")[0], f"{name}-{w}x{h}.png", data, dict(grey16=g)) for name, data, g in png_files(w, h)]
        files += [("gif", f"{name}-{w}x{h}.gif", data, {}) for name, data in gif_files(w, h)]
        files += [("bmp", f"{name}-{w}x{h}.bmp", data, {}) for name, data in bmp_files(w, h)]
        files += [("tiff " + name.split("-")[0], f"{name}-{w}x{h}.tif", data, dict(grey16=g)) for name, data, g in tiff_files(w, h)]
        files += [("jpeg " + name.split("-")[0], f"{name}-{w}x{h}.jpg", data, dict(lossy=True)) for name, data in jpeg_files(w, h)]
        files += [("webp lossy" if lossy else "webp lossless", f"{name}-{w}x{h}.webp", data, dict(lossy=lossy)) for name, data, lossy in webp_files(w, h)]
        for group, name, data, options in files:
            for order in ("native", "rgb-first"):
                yield Case(group, name, data, order=order, size=target, **options)
        modes = {"L": 1, "RGB": 3, "RGBA": 4}
        drawn = {f"{mode}-{w}x{h}.png": saved(Image.fromarray(levels(w, h, c)), "PNG") for mode, c in modes.items()}
        drawn[f"P-{w}x{h}.png"] = saved(palette_picture(w, h), "PNG")
        drawn[f"CMYK-{w}x{h}.tif"] = saved(Image.fromarray(levels(w, h, 4), "CMYK"), "TIFF")
        for name, data in drawn.items():
            for resize_mode in ("shortest", "squash", "longest"):
                for interpolation in ("bicubic", "bilinear"):
                    if resize_mode == "longest" and max(w, h) / min(w, h) > 2 * target:
                        continue  # Pillow refuses sides that round to zero
                    options = dict(resize_mode=resize_mode, interpolation=interpolation, size=target)
                    yield Case(f"{resize_mode} {interpolation}", name, data, **options)
            for side in (1, 7, 32, 336):
                yield Case("other targets", name, data, size=side)
    for name, data in orientation_files(37, 23):
        lossy = name.startswith("jpeg")
        yield Case("orient", f"{name}.{name.split('-')[0]}", data, orient=True, size=target, lossy=lossy)
        yield Case("no orient", f"{name}.{name.split('-')[0]}", data, orient=False, size=target, lossy=lossy)


# Comparison -------------------------------------------------------------------------------------


def to_levels(pixels):
    """Normalised `[3, S, S]` back to 0..=255, as whole numbers."""
    return np.round((pixels * STD[:, None, None] + MEAN[:, None, None]) * 255).astype(np.int16)


def compare(binary, folder):
    """Runs every case, prints one line a group; whether all lossless pictures are the same."""
    groups, failures = {}, []
    for i, case in enumerate(cases()):
        path, out = folder / f"{i:05}-{case.name}", folder / "out.npy"
        path.write_bytes(case.data)
        result = subprocess.run(
            [binary, "preprocess", path, "--out", out, *case.flags()], capture_output=True, text=True, check=False
        )
        stats = groups.setdefault(case.group, dict(n=0, same=0, max=0, mean=0.0, lossy=case.lossy))
        stats["n"] += 1
        if result.returncode != 0:
            failures.append(f"{case.group}: {path.name}: {result.stderr.strip()}")
            continue
        want, got = case.reference(), np.load(out)[0]
        difference = np.abs(to_levels(want) - to_levels(got))
        same = np.array_equal(want, got)
        stats["same"] += same
        stats["max"] = max(stats["max"], int(difference.max()))
        stats["mean"] += float(difference.mean())
        if not same and not case.lossy:
            failures.append(f"{case.group}: {path.name} {case.order} {case.resize_mode}: max {difference.max()}")
        if same:
            path.unlink()

    print(f"{'group':<20} {'pictures':>8} {'bit-exact':>9} {'max':>4} {'mean':>8}")
    for group, s in groups.items():
        print(f"{group:<20} {s['n']:>8} {s['same']:>9} {s['max']:>4} {s['mean'] / s['n']:>8.4f}")
    total, same = (sum(s[key] for s in groups.values()) for key in ("n", "same"))
    print(f"{'all':<20} {total:>8} {same:>9}")
    for failure in failures:
        print(failure, file=sys.stderr)
    return not failures


# Golden files -----------------------------------------------------------------------------------


def golden_cases():
    """A few tiny files of each kind, for the tests in Rust."""
    small = (13, 9)
    target = 16
    files = [("png", f"{name}.png", data, dict(grey16=g)) for name, data, g in png_files(*small)]
    files += [("gif", f"{name}.gif", data, {}) for name, data in gif_files(*small)]
    files += [("bmp", f"{name}.bmp", data, {}) for name, data in bmp_files(*small)]
    files += [("tiff", f"{name}.tif", data, dict(grey16=g)) for name, data, g in tiff_files(*small)]
    files += [("jpeg", f"{name}.jpg", data, dict(lossy=True)) for name, data in jpeg_files(*small)]
    files += [("webp", f"{name}.webp", data, dict(lossy=lossy)) for name, data, lossy in webp_files(*small)]
    for group, name, data, options in files:
        yield Case(group, name, data, size=target, **options)
    for name in ("P8.png", "RGBA.png", "LA.png", "P.gif"):
        data = next(data for _, other, data, _ in files if other == name)
        yield Case("rgb-first", name, data, size=target, order="rgb-first")
    for w, h in ((1, 1), (1, 500), (3, 7), (61, 40)):
        for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4)):
            data = saved(Image.fromarray(levels(w, h, channels)), "PNG")
            for resize_mode in ("shortest", "squash", "longest"):
                if resize_mode == "longest" and max(w, h) / min(w, h) > 2 * target:
                    continue
                interpolation = "bilinear" if w == 61 else "bicubic"
                options = dict(resize_mode=resize_mode, interpolation=interpolation, size=target)
                yield Case("sizes", f"{mode}-{w}x{h}.png", data, **options)
    for name, data in orientation_files(5, 3):
        if not name.startswith("jpeg"):
            yield Case("orient", f"orient-{name}.{name.split('-')[0]}", data, orient=True, size=target)
        if name.endswith("-6"):
            yield Case("orient", f"orient-{name}.{name.split('-')[0]}", data, size=target, lossy=name[0] == "j")


def write_golden(folder):
    """Writes the files, their expected RGB (`expected.rgb`, one `[S, S, 3]` a line of `cases.tsv`) and versions."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    expected, lines = b"", ["file\torder\tinterpolation\tresize_mode\tsize\torient\tlossy"]
    for case in golden_cases():
        (folder / case.name).write_bytes(case.data)
        reference = case.reference()
        pixels = to_levels(reference).astype(np.uint8)
        assert np.array_equal(normalise(pixels), reference), "torch normalises otherwise"
        expected += pixels.transpose(1, 2, 0).tobytes()
        choices = (case.name, case.order, case.interpolation, case.resize_mode, case.size, case.orient, case.lossy)
        lines.append("\t".join(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices))
    (folder / "expected.rgb").write_bytes(expected)
    write_drafts(folder)
    (folder / "cases.tsv").write_text("\n".join(lines) + "\n")
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16), 3, 0)
    (folder / "normalised.f32").write_bytes(normalise(ramp).astype("<f4").tobytes())
    versions = {
        "pillow": PIL.__version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "open_clip": open_clip.__version__,
        "numpy": np.__version__,
    }
    versions["made_by"] = "parity/pixels.py --write-golden"
    (folder / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{len(lines) - 1} cases, {size} bytes in {folder}")


def write_drafts(folder):
    """Writes every JPEG of the folder as Pillow decodes it at a half, a quarter and an eighth (`drafts.raw`)."""
    drafts, lines = b"", ["file\tby\twidth\theight\tchannels"]
    for path in sorted(folder.glob("*.jpg")):
        for by in (2, 4, 8):
            picture = Image.open(path)
            picture.draft(None, (max(1, picture.width // by), max(1, picture.height // by)))
            pixels = np.asarray(picture)
            height, width, *channels = pixels.shape
            drafts += pixels.tobytes()
            lines.append("\t".join(map(str, (path.name, by, width, height, *(channels or [1])))))
    (folder / "drafts.raw").write_bytes(drafts)
    (folder / "drafts.tsv").write_text("\n".join(lines) + "\n")


def normalise(pixels):
    """`[3, S, S]` in 0..=255 as torchvision normalises it."""
    to_tensor = torchvision.transforms.functional.to_tensor(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return torchvision.transforms.functional.normalize(to_tensor, MEAN.tolist(), STD.tolist()).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/release/diptych"))
    parser.add_argument("--keep", type=Path, help="folder for pictures that differ (default: a temporary one)")
    parser.add_argument("--write-golden", type=Path, metavar="FOLDER", help="write the test files for Rust and stop")
    arguments = parser.parse_args()
    if arguments.write_golden:
        write_golden(arguments.write_golden)
        return 0
    print(f"Pillow {PIL.__version__}, torchvision {torchvision.__version__}, open_clip {open_clip.__version__}")
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        return 0 if compare(arguments.binary, arguments.keep) else 1
    with tempfile.TemporaryDirectory() as folder:
        return 0 if compare(arguments.binary, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
