"""Makes files that break the rules of their format, or use rare parts of it, with the pixels that Pillow reads of them.

libjpeg only warns of a flipped bit, libtiff reads on after a bad code, and what programs wrote thirty years ago is still on
people's disks. Each file is drawn here, written by Pillow or built byte by byte, and then damaged, if it is to be.

    python parity/lenient.py                                # compares with what is kept
    python parity/lenient.py --write-golden

Writes every file, and `cases.tsv`: file, whether it is turned upright, width, height and the SHA-256 of the pixels as RGB (16-bit grey
scaled to 8), as `parity/folder.py` compares them.

Needs: numpy, pillow. Exit code 0 if Pillow still reads what is kept, 1 otherwise.
"""

import hashlib
import io
import json
import random
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from folder import reference
from foreign import drawn, kept_or_written

GOLDEN = Path(__file__).parent.parent / "crates/diptych/tests/golden/pixels-lenient"


def saved(picture, format, **options):
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def smooth(width, height, channels):
    """Ramps and a little noise, such as a JPEG keeps: `[height, width, channels]`."""
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    noise = np.random.default_rng(width + channels).integers(0, 24, (height, width, channels))
    return np.clip(x * 5 * (c + 1) % 200 + y * 3 + noise, 0, 255).astype(np.uint8)


# JPEG -------------------------------------------------------------------------------------------

# Table K.3 of T.81: the code of each size of a first coefficient's difference.
DC_CODES = ["00", "010", "011", "100", "101", "110", "1110", "11110", "111110", "1111110", "11111110", "111111110"]


def flat_blocks(width, height, sampling, ids=(1, 2, 3, 4), adobe=None):
    """A baseline JPEG whose blocks have one level each, of any sampling (across, down) of each component."""
    segment = lambda marker, body: bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    most = max(h for h, _ in sampling), max(v for _, v in sampling)
    mcus = -(-width // (8 * most[0])), -(-height // (8 * most[1]))
    levels = np.random.default_rng(width + len(sampling))
    last, bits = [0] * len(sampling), ""
    for _ in range(mcus[0] * mcus[1]):
        for i, (h, v) in enumerate(sampling):
            for _ in range(h * v):
                level = int(levels.integers(-60, 60))
                difference, last[i] = level - last[i], level
                size = abs(difference).bit_length()
                value = difference if difference >= 0 else difference + (1 << size) - 1
                bits += DC_CODES[size] + (f"{value:0{size}b}" if size else "") + "1010"  # and no more coefficients
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    components = list(zip(ids, sampling))
    frame = struct.pack(">BHHB", 8, height, width, len(sampling))
    frame += b"".join(bytes([id, h << 4 | v, 0]) for id, (h, v) in components)
    scan = bytes([len(sampling)]) + b"".join(bytes([id, 0]) for id, _ in components) + b"\0\x3f\0"
    dc = bytes([0, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]) + bytes(range(12))
    # Eleven codes of four bits; the last is "the block ends".
    ac = bytes([0x10, 0, 0, 0, 11, *[0] * 12]) + bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0])
    out = b"\xff\xd8"
    if adobe is not None:
        out += segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    out += segment(0xDB, b"\0" + bytes([16] * 64)) + segment(0xC0, frame) + segment(0xC4, dc) + segment(0xC4, ac)
    return out + segment(0xDA, scan) + data + b"\xff\xd9"


def jpeg_files():
    """Flipped bits, lost bytes and lost restart markers in scans of every kind; rare samplings; harmless nonsense."""
    rgb = Image.fromarray(smooth(45, 37, 3))
    for progressive in (False, True):
        for mode, subsampling in (("RGB", "4:2:0"), ("RGB", "4:2:2"), ("RGB", "4:4:4"), ("L", None), ("CMYK", None)):
            for restart in (0, 2):
                options = dict(quality=70, progressive=progressive, restart_marker_blocks=restart)
                if subsampling:
                    options["subsampling"] = subsampling
                whole = saved(rgb.convert(mode), "JPEG", **options)
                name = f"{'progressive' if progressive else 'baseline'}-{(subsampling or mode).replace(':', '')}-{restart}"
                chance = random.Random(name)
                start = whole.index(b"\xff\xda") + 14
                for i in range(2):
                    flipped = bytearray(whole)
                    flipped[chance.randrange(start, len(whole) - 2)] ^= 1 << chance.randrange(8)
                    yield f"{name}-flip{i}.jpg", bytes(flipped)
                at = chance.randrange(start, len(whole) - 40)
                yield f"{name}-lost.jpg", whole[:at] + whole[at + chance.randrange(2, 30) :]
    whole = saved(rgb, "JPEG", quality=70, restart_marker_blocks=1)
    for i, (old, new) in enumerate([(b"\xff\xd2", b""), (b"\xff\xd2", b"\xff\xd5"), (b"\xff\xd3", b"\xff\xd1")]):
        yield f"restart-marker-{i}.jpg", whole.replace(old, new, 1)
    whole = saved(rgb, "JPEG", quality=70)
    yield "comment-of-no-length.jpg", whole[:2] + b"\xff\xfe\0\0" + whole[2:]
    yield "fill-bytes.jpg", whole[:2] + b"\xff\xff\xff" + whole[2:]
    yield "more-behind-the-end.jpg", whole + b"and more"
    # A progressive file that lacks its last scans is smoothed.
    whole = saved(Image.fromarray(smooth(70, 50, 3)), "JPEG", quality=70, progressive=True)
    scans = [at for at in range(len(whole) - 1) if whole[at : at + 2] == b"\xff\xda"]
    for count in (1, 3, 6):
        yield f"first-scans-{count}.jpg", whole[: scans[count]] + b"\xff\xd9"
    for name, sampling, more in [
        ("cmyk-subsampled", [(2, 2), (1, 1), (1, 1), (2, 2)], dict(adobe=0)),
        ("ycck-subsampled", [(2, 2), (1, 1), (1, 1), (2, 2)], dict(adobe=2)),
        ("ycck-422", [(2, 1), (1, 1), (1, 1), (2, 1)], dict(adobe=2)),
        ("cmyk-plain", [(1, 1)] * 4, {}),
        ("chroma-larger", [(1, 1), (2, 2), (2, 2)], {}),
        ("chroma-unequal", [(2, 2), (2, 1), (1, 2)], {}),
        ("luma-halved", [(1, 2), (2, 2), (2, 2)], {}),
        ("rgb-subsampled", [(2, 2), (1, 1), (1, 1)], dict(ids=b"RGB")),
        ("410", [(4, 1), (1, 1), (1, 1)], {}),
        ("441", [(1, 4), (1, 1), (1, 1)], {}),
        ("440", [(1, 2), (1, 1), (1, 1)], {}),
    ]:
        yield f"{name}.jpg", flat_blocks(45, 37, sampling, **more)
        yield f"{name}-narrow.jpg", flat_blocks(3, 5, sampling, **more)


# TIFF -------------------------------------------------------------------------------------------


def tiff(width, height, body, *, head=b"", tile=None, big=False, order="<", next_directory=0, left_out=(), **tags):
    """A TIFF of one strip (or of the strips or tiles in a list), its tags by number as `t258=…`; floats become fractions.

    `head` lies before the strips; a tag that is a function is given its place.
    """
    strips = body if isinstance(body, list) else [body]
    offsets, lengths = (324, 325) if tile else (273, 279)
    entries = {256: width, 257: height, 258: 8, 259: 1, 262: 1, offsets: [0] * len(strips), 277: 1}
    entries |= {322: tile[0], 323: tile[1]} if tile else {278: height}
    entries[lengths] = [len(strip) for strip in strips]
    entries |= {int(name[1:]): value for name, value in tags.items()}
    entries = {tag: value for tag, value in sorted(entries.items()) if tag not in left_out}
    before = 16 if big else 8
    at = before + (8 if big else 2) + len(entries) * (20 if big else 12) + (8 if big else 4)

    def packed(tag, value, start):
        value = value(start) if callable(value) else value
        value = value if isinstance(value, (list, bytes)) else [value]
        if isinstance(value, bytes):
            return 7, len(value), value
        if isinstance(value[0], float):
            pairs = [number for one in value for number in (int(one * 10000), 10000)]
            return 5, len(value), struct.pack(f"{order}{len(pairs)}I", *pairs)
        places = (273, 279, 324, 325)
        kind = (16, "Q") if big and tag in places else (4, "I") if tag in (*places, 513, 514, 519, 520, 521) else (3, "H")
        return kind[0], len(value), struct.pack(f"{order}{len(value)}{kind[1]}", *value)

    def written(start):
        out, more, behind = b"", b"", at
        for tag, value in entries.items():
            kind, count, data = packed(tag, value, start)
            out += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count)
            room = 8 if big else 4
            if len(data) > room:
                out += struct.pack(order + ("Q" if big else "I"), behind + len(more))
                more += data + b"\0" * (len(data) % 2)
            else:
                out += data.ljust(room, b"\0")
        return out, more

    start = at + len(written(0)[1])
    if offsets in entries:
        entries[offsets] = [start + len(head) + sum(map(len, strips[:i])) for i in range(len(strips))]
    out, more = written(start)
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    number = b"II" if order == "<" else b"MM"
    number += struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    return number + count + out + struct.pack(order + ("Q" if big else "I"), next_directory) + more + head + b"".join(strips)


def old_lzw(data):
    """LZW as libtiff's compatibility code reads it: least significant bit first, a code wider one code later."""
    bits, filled, out = 0, 0, bytearray()
    codes, width, begun = {bytes([i]): i for i in range(256)}, 9, b""

    def put(code):
        nonlocal bits, filled
        bits |= code << filled
        filled += width
        while filled >= 8:
            out.append(bits & 255)
            bits >>= 8
            filled -= 8

    put(256)
    after = 258
    for value in data:
        longer = begun + bytes([value])
        if longer in codes:
            begun = longer
            continue
        put(codes[begun])
        codes[longer] = after
        after += 1
        if after > (1 << width) and width < 12:
            width += 1
        begun = bytes([value])
    put(codes[begun])
    put(257)
    out.append(bits & 255)
    return bytes(out) + b"\0\0"


def tiff_files():
    """Every compression, sample and order of bits that Pillow reads, and directories that are not as they should be."""
    width, height = 45, 23
    grey, rgb = smooth(width, height, 1)[..., 0], smooth(width, height, 3)
    bilevel = Image.fromarray(grey).convert("1")
    for compression in ("group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw"):
        yield f"bilevel-{compression}.tif", saved(bilevel, "TIFF", compression=compression)
    yield "bilevel-group3-2d.tif", saved(bilevel, "TIFF", compression="group3", tiffinfo={292: 1})
    wide = Image.fromarray((np.add.outer(np.arange(4), np.arange(3000)) // 701 % 2 * 255).astype(np.uint8)).convert("1")
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield f"wide-{compression}.tif", saved(wide, "TIFF", compression=compression)
    fax = saved(bilevel, "TIFF", compression="group4")
    with Image.open(io.BytesIO(fax)) as picture:
        at, length = picture.tag_v2[273][0], picture.tag_v2[279][0]
    strip = fax[at : at + length]
    reverse = lambda data: bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
    yield "group4-reversed.tif", tiff(width, height, reverse(strip), t258=1, t259=4, t262=0, t266=2)
    yield "group4-no-photometric.tif", tiff(width, height, strip, t258=1, t259=4, left_out=(262,))
    chance = random.Random(4)
    for i in range(6):
        damaged = bytearray(strip)
        damaged[chance.randrange(len(strip) // 4, len(strip))] ^= 1 << chance.randrange(8)
        yield f"group4-damaged-{i}.tif", tiff(width, height, bytes(damaged), t258=1, t259=4, t262=0)
    for mode in ("L", "RGB", "CMYK"):
        picture = Image.fromarray(rgb).convert(mode)
        for compression in ("jpeg", "lzma", "zstd", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"):
            yield f"{mode.lower()}-{compression}.tif", saved(picture, "TIFF", compression=compression)
    yield "rgb-jpeg-ycbcr.tif", saved(Image.fromarray(rgb).convert("YCbCr"), "TIFF", compression="jpeg")
    yield "rgba-jpeg.tif", saved(Image.fromarray(smooth(width, height, 4)), "TIFF", compression="jpeg")
    yield "bigtiff.tif", saved(Image.fromarray(rgb), "TIFF", big_tiff=True, compression="tiff_lzw")
    yield "bigtiff-strips.tif", tiff(width, height, [bytes(grey[:12]), bytes(grey[12:])], big=True, t278=12)

    signed = (grey.astype(np.int32) * 3 - 200).astype
    for order in "<>":
        mark = {"<": "", ">": "-mm"}[order]
        sample = lambda kind: signed(np.dtype(kind).newbyteorder(order)).tobytes()
        yield f"int16{mark}.tif", tiff(width, height, sample("i2"), order=order, t258=16, t339=2)
        yield f"int32{mark}.tif", tiff(width, height, sample("i4"), order=order, t258=32, t339=2)
        yield f"float{mark}.tif", tiff(width, height, sample("f4"), order=order, t258=32, t339=3)
        yield f"float-white-is-zero{mark}.tif", tiff(width, height, sample("f4"), order=order, t258=32, t339=3, t262=0)
    yield "int8.tif", tiff(width, height, grey.tobytes(), t339=2)
    yield "uint32.tif", tiff(width, height, grey.astype("<u4").tobytes(), t258=32)
    twelve = "".join("".join(f"{value * 16 + 5:012b}" for value in line) + "0" * (-12 * width % 8) for line in grey.tolist())
    twelve = int(twelve, 2).to_bytes(len(twelve) // 8, "big")
    yield "uint12.tif", tiff(width, height, twelve, t258=12)
    for bits in (1, 2, 4):
        lines = [[value >> 8 - bits for value in line] + [0] * (-width % (8 // bits)) for line in grey.tolist()]
        packed = bytes(int("".join(f"{v:0{bits}b}" for v in line[i : i + 8 // bits]), 2) for line in lines for i in range(0, len(line), 8 // bits))
        yield f"reversed-{bits}.tif", tiff(width, height, reverse(packed), t258=bits, t266=2)
        yield f"white-is-zero-{bits}.tif", tiff(width, height, packed, t258=bits, t262=0)
    yield "reversed-rgb.tif", tiff(width, height, reverse(rgb.tobytes()), t258=[8] * 3, t262=2, t277=3, t266=2)
    floats = (rgb[..., 0].astype("<f4") * 1.5 - 40).view(np.uint8).reshape(height, width, 4)[..., ::-1]
    floats = floats.transpose(0, 2, 1).reshape(height, -1)
    floats = np.diff(floats, axis=1, prepend=np.zeros_like(floats[:, :1])).astype(np.uint8)
    yield "float-predicted.tif", tiff(width, height, zlib.compress(floats.tobytes()), t258=32, t339=3, t259=8, t317=3)
    yield "old-lzw.tif", tiff(width, height, old_lzw(grey.tobytes()), t259=5)
    yield "old-lzw-long.tif", tiff(128, 96, old_lzw(drawn(128, 96, 1).tobytes()), t259=5)
    yield "no-counts.tif", tiff(width, height, grey.tobytes(), left_out=(279,))
    yield "no-rows.tif", tiff(width, height, grey.tobytes(), left_out=(278, 277))
    yield "circle.tif", tiff(width, height, grey.tobytes(), next_directory=8)
    yield "next-directory-nowhere.tif", tiff(width, height, grey.tobytes(), next_directory=99999999)
    yield "bits-once.tif", tiff(width, height, rgb.tobytes(), t258=8, t262=2, t277=3)
    yield "bits-in-excess.tif", tiff(width, height, rgb.tobytes(), t258=[8] * 4, t262=2, t277=3)
    yield "number-swapped.tif", b"II\0\x2a" + tiff(width, height, grey.tobytes())[4:]
    yield "luma-alone.tif", tiff(width, height, grey.tobytes(), t262=6)

    # Luma and chroma, compressed, so that Pillow leaves them to libtiff; each unit has its luma, then its chroma.
    for across, down in ((1, 1), (2, 1), (2, 2), (4, 2), (4, 4)):
        units = -(-width // across) * -(-height // down)
        body = smooth(units, 1, across * down + 2).tobytes()
        more = dict(t258=[8] * 3, t262=6, t277=3, t259=8, t530=[across, down])
        yield f"ycc-{across}{down}.tif", tiff(width, height, zlib.compress(body), **more)
    more = dict(t258=[8] * 3, t262=6, t277=3, t259=8, t530=[1, 1])
    body = zlib.compress(rgb.tobytes())
    yield "ycc-709.tif", tiff(width, height, body, t529=[0.2126, 0.7152, 0.0722], **more)
    yield "ycc-video.tif", tiff(width, height, body, t532=[16.0, 235.0, 128.0, 240.0, 128.0, 240.0], **more)
    yield "ycc-planes.tif", tiff(width, height, [zlib.compress(rgb[..., i].tobytes()) for i in range(3)], t284=2, **more)

    yield "rgb-jpeg-strips.tif", saved(Image.fromarray(rgb), "TIFF", compression="jpeg", tiffinfo={278: 8})
    # Tiles, each a whole JPEG, or with what they share in tag 347.
    tiles = lambda picture, side: [
        picture.crop((x, y, x + side, y + side)) for y in range(0, height, side) for x in range(0, width, side)
    ]
    for name, picture, photometric, sampling in (
        ("grey", Image.fromarray(grey), 1, None),
        ("444", Image.fromarray(rgb), 6, 0),
        ("422", Image.fromarray(rgb), 6, 1),
        ("420", Image.fromarray(rgb), 6, 2),
    ):
        depth = len(picture.getbands())
        more = dict(t258=[8] * depth, t262=photometric, t277=depth, t259=7)
        options = {}
        if sampling is not None:
            options["subsampling"] = sampling
            more["t530"] = [[1, 1], [2, 1], [2, 2]][sampling]
        streams = [saved(tile, "JPEG", quality=60, **options) for tile in tiles(picture, 16)]
        yield f"tiles-jpeg-{name}.tif", tiff(width, height, streams, tile=(16, 16), **more)
        tables = b"".join(body for marker, body in segments(streams[0]) if marker in (0xDB, 0xC4))
        shared = b"\xff\xd8" + tables + b"\xff\xd9"
        bare = [without(stream, (0xDB, 0xC4, 0xE0)) for stream in streams]
        yield f"tiles-jpeg-tables-{name}.tif", tiff(width, height, bare, tile=(16, 16), t347=shared, **more)

    # JPEG as TIFF 6.0 first had it: a stream, whose data is the strip; or strips of data alone, and the places of its tables.
    for name, sampling in (("444", [(1, 1)] * 3), ("420", [(2, 2), (1, 1), (1, 1)])):
        stream = flat_blocks(width, height, sampling)
        more = dict(t258=[8] * 3, t262=6, t277=3, t259=6, t530=list(sampling[0]))
        start = stream.index(b"\xff\xda") + 14
        more |= dict(t513=lambda at: [at], t514=start)
        yield f"old-jpeg-{name}.tif", tiff(width, height, stream[start:-2], head=stream[:start], **more)
    for name, sampling, rows in (("444", 0, 8), ("422", 1, 16), ("420", 2, 16), ("one-strip", 2, 32)):
        parts = [Image.fromarray(rgb[y : y + rows]) for y in range(0, height, rows)]
        streams = [saved(part, "JPEG", quality=60, subsampling=sampling) for part in parts]
        yield f"old-jpeg-tables-{name}.tif", old_jpeg(width, height, streams, rows, [[1, 1], [2, 1], [2, 2]][sampling])


def segments(stream):
    """Marker and bytes, marker and length among them, of each segment before a JPEG's data."""
    at = 2
    while stream[at + 1] != 0xDA:
        length = struct.unpack(">H", stream[at + 2 : at + 4])[0] + 2
        yield stream[at + 1], stream[at : at + length]
        at += length


def without(stream, markers):
    """A JPEG without the segments of some markers."""
    for marker, body in segments(stream):
        if marker in markers:
            stream = stream.replace(body, b"", 1)
    return stream


def old_jpeg(width, height, streams, rows, sampling):
    """A TIFF of strips with the data of JPEGs that share tables, which stand by themselves."""
    quantisers, huffmans = [], {}
    for marker, body in segments(streams[0]):
        body = body[4:]
        while marker == 0xDB and body:
            quantisers.append(body[1:65])
            body = body[65:]
        while marker == 0xC4 and body:
            length = 17 + sum(body[1:17])
            huffmans[body[0]] = body[1:length]
            body = body[length:]
    tables = [*quantisers, huffmans[0x00], huffmans[0x01], huffmans[0x10], huffmans[0x11]]
    places = [sum(map(len, tables[:i])) for i in range(len(tables))]
    of = lambda first: lambda at: [at + places[first], at + places[first + 1], at + places[first + 1]]
    data = [stream[stream.index(b"\xff\xda") + 14 : -2] for stream in streams]
    more = dict(t258=[8] * 3, t262=6, t277=3, t278=rows, t259=6, t512=1, t530=sampling)
    return tiff(width, height, data, head=b"".join(tables), t519=of(0), t520=of(2), t521=of(4), **more)


# PNG, GIF, BMP ----------------------------------------------------------------------------------


def other_files():
    """A PNG without its end, with wrong checksums and a crooked palette; GIFs without colours; bare bitmaps."""
    rgb, grey = Image.fromarray(smooth(21, 13, 3)), Image.fromarray(smooth(21, 13, 1)[..., 0])
    palette = rgb.quantize(17)
    png = saved(rgb, "PNG")
    yield "no-end.png", png[:-12]
    at = png.index(b"IDAT")
    length = struct.unpack(">I", png[at - 4 : at])[0]
    yield "wrong-checksum.png", png[: at + 4 + length] + b"\0\0\0\0" + png[at + 8 + length :]
    png = saved(palette, "PNG")
    at = png.index(b"PLTE")
    length = struct.unpack(">I", png[at - 4 : at])[0]
    crooked = b"PLTE" + png[at + 4 : at + 4 + length] + b"\x07"
    crooked = struct.pack(">I", length + 1) + crooked + struct.pack(">I", zlib.crc32(crooked))
    yield "palette-of-52-bytes.png", png[: at - 4] + crooked + png[at + 8 + length :]
    gif = bytearray(saved(grey, "GIF"))
    table = 3 << (gif[10] & 7) + 1
    gif[10] &= 0x70
    yield "no-colours.gif", bytes(gif[:13] + gif[13 + table :])
    gif = saved(palette, "GIF")
    table = 3 << (gif[10] & 7) + 1
    yield "unknown-block.gif", gif[: 13 + table] + b"!\x99\x03abc\x02de\0" + gif[13 + table :]
    for name, picture in (("rgb", rgb), ("palette", palette), ("grey", grey)):
        yield f"bare-{name}.dib", saved(picture, "DIB")


# Orientation ------------------------------------------------------------------------------------


def turned_files():
    """Orientation in EXIF and XMP, where each format may have it, alone, together, and of no sense."""
    exif = lambda value: b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 274, 3, 1, value, 0) + b"\0\0\0\0"
    empty = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    attribute = lambda value: b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>' % value
    element = lambda value: b"<x:xmpmeta><tiff:Orientation>%d</tiff:Orientation></x:xmpmeta>" % value
    blocks = {
        "exif": (exif(6), None),
        "attribute": (None, attribute(8)),
        "element": (None, element(5)),
        "both": (exif(3), attribute(6)),
        "exif-says-nothing": (empty, element(7)),
        "exif-says-nonsense": (exif(9), element(7)),
        "xmp-says-nonsense": (None, attribute(0)),
    }
    picture = Image.fromarray(smooth(19, 11, 3))
    for name, (exif_block, xmp) in blocks.items():
        whole = saved(picture, "JPEG", quality=90)
        segment = lambda body: b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
        beside = segment(b"Exif\0\0" + exif_block) if exif_block else b""
        beside += segment(b"http://ns.adobe.com/xap/1.0/\0" + xmp) if xmp else b""
        yield f"turned-{name}.jpg", whole[:2] + beside + whole[2:]

        whole = saved(picture, "PNG")
        chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        head, rest = whole[:33], whole[33:]
        text = b"XML:com.adobe.xmp\0"
        plain = chunk(b"eXIf", exif_block) if exif_block else b""
        plain += chunk(b"iTXt", text + b"\0\0\0\0" + xmp) if xmp else b""
        yield f"turned-{name}.png", head + plain + rest
        packed = b""
        if exif_block:
            profile = b"\nexif\n%8d\n" % (len(exif_block) + 6) + (b"Exif\0\0" + exif_block).hex().encode() + b"\n"
            packed += chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile))
        if xmp:
            packed += chunk(b"iTXt", text + b"\x01\0\0\0" + zlib.compress(xmp))
        yield f"turned-packed-{name}.png", head + packed + rest

        beside = dict(exif=exif_block) if exif_block else {}
        beside |= dict(xmp=xmp) if xmp else {}
        yield f"turned-{name}.webp", saved(picture, "WEBP", lossless=True, **beside)

        tags = {"t700": xmp} if xmp else {}
        tags |= {"t274": exif_block[18:20][-1]} if exif_block and len(exif_block) > 20 else {}
        # Compressed, since Pillow 13.0 turns others twice.
        yield f"turned-{name}.tif", tiff(19, 11, zlib.compress(smooth(19, 11, 1).tobytes()), t259=8, **tags)
    whole = saved(picture, "PNG")
    yield "turned-behind.png", whole[:-12] + chunk(b"eXIf", exif(8)) + whole[-12:]
    whole = saved(picture, "JPEG", quality=90)
    block = exif(6)
    yield "turned-in-two-segments.jpg", whole[:2] + segment(b"Exif\0\0" + block[:12]) + segment(b"Exif\0\0" + block[12:]) + whole[2:]


# Golden files -----------------------------------------------------------------------------------


def golden():
    """Content of every golden file by its name."""
    out, table = {}, ["file\torient\twidth\theight\tsha256"]
    stored = [(name, data, False) for name, data in (*jpeg_files(), *tiff_files(), *other_files())]
    for name, data, orient in stored + [(name, data, True) for name, data in turned_files()]:
        with tempfile.NamedTemporaryFile(suffix=Path(name).suffix) as file:
            file.write(data)
            file.flush()
            _, pixels = reference(file.name, orient)
        if isinstance(pixels, str):
            print(f"{name}: left out, Pillow says {pixels}", file=sys.stderr)
            continue
        assert name not in out, name
        out[name] = data
        table.append(f"{name}\t{str(orient).lower()}\t{pixels.shape[1]}\t{pixels.shape[0]}\t{hashlib.sha256(pixels.tobytes()).hexdigest()}")
    versions = {"pillow": PIL.__version__, "numpy": np.__version__, "made_by": "parity/lenient.py --write-golden"}
    for library in ("libjpeg_turbo", "libtiff", "zlib"):
        versions[library] = PIL.features.version(library)
    out["cases.tsv"] = ("\n".join(table) + "\n").encode()
    out["versions.json"] = (json.dumps(versions, indent=2) + "\n").encode()
    return out


if __name__ == "__main__":
    sys.exit(kept_or_written(GOLDEN, golden, __doc__))
