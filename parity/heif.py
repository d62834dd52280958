"""Makes the golden HEIC and AVIF files, and compares a build with the feature `heif` with libheif's own tool.

Draws one small picture (a formula that the tests repeat), and has `heif-enc` and `avifenc` write it in
every way that the decoder tells apart. Comparing, it has `heif-convert` make a PNG of each file and looks
whether `diptych preprocess` reads the same from both, to the last bit. A file of several pictures, of which
`heif-convert` makes several PNGs, is passed over, and so is premultiplied alpha, which it leaves as it is.

    python parity/heif.py --write-golden crates/diptych/tests/golden/pixels-heif
    python parity/heif.py                                   # target/release/diptych, built with the feature
    python parity/heif.py --binary path/to/diptych --also a.heic b.avif

Needs: Debian 12's packages libheif-examples and libavif-bin; nothing of Python's but itself.
Exit code 0 if all pictures compared are the same to the last bit, 1 otherwise.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

WIDTH, HEIGHT = 41, 24


def pixel(x, y):
    """Red grows to the right, green downwards, blue towards the first pixel; alpha sinks to the right."""
    red = x * 255 // (WIDTH - 1)
    green = y * 255 // (HEIGHT - 1)
    blue = 255 - (x + y) * 255 // (WIDTH + HEIGHT - 2)
    return red, green, blue, 255 - x * 200 // (WIDTH - 1)


# An EXIF block that says "turn by a quarter", which no reader of HEIF may believe.
EXIF = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def png(channels, exif):
    """The picture as a PNG of RGB or RGBA, with or without [`EXIF`]."""
    lines = b"".join(
        b"\0" + bytes(v for x in range(WIDTH) for v in pixel(x, y)[:channels]) for y in range(HEIGHT)
    )

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), *([(b"eXIf", EXIF)] if exif else []), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks)

HEIC = ["heif-enc", "-q", "90"]
AVIF = ["avifenc", "--speed", "6", "--jobs", "1", "--min", "0", "--max", "15", "--minalpha", "0", "--maxalpha", "15"]

# Name, channels, whether the PNG has EXIF, command; the file to be read and the one to be written follow it.
FILES = [
    ("rgb.heic", 3, False, HEIC),
    ("444.heic", 3, False, [*HEIC, "-p", "chroma=444"]),
    ("alpha.heic", 4, False, HEIC),
    # EXIF alone, which `heif-enc` copies.
    ("exif.heic", 3, True, HEIC),
    ("rgb.avif", 3, False, [*AVIF, "--yuv", "420"]),
    ("alpha.avif", 4, False, AVIF),
    ("premultiplied.avif", 4, False, [*AVIF, "--premultiply"]),
    ("ten-bits.avif", 3, False, [*AVIF, "--depth", "10"]),
    ("grey.avif", 3, False, [*AVIF, "--yuv", "400"]),
    # EXIF and the format's own rotation, which `avifenc` derives from it.
    ("exif.avif", 3, True, AVIF),
    # EXIF and another rotation.
    ("turned.avif", 3, True, [*AVIF, "--irot", "1"]),
    ("mirrored.avif", 3, False, [*AVIF, "--imir", "1"]),
]


def run(command):
    """Runs a tool, whose output is shown if it fails."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{command}: {result.stdout}{result.stderr}")


def write(folder):
    """Writes all files."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for name, channels, exif, command in FILES:
            source = scratch / "source.png"
            source.write_bytes(png(channels, exif))
            out = ["-o", folder / name] if command[0] == "heif-enc" else [folder / name]
            run([*command, source, *out])


def versions():
    """The packages that had a say."""
    names = ["libheif1", "libheif-examples", "libx265-199", "libavif-bin", "libavif15", "libaom3"]
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n", *names]
    lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split(" ") for line in lines)


def compare(binary, files):
    """Whether the binary reads the same from each file as from the PNG that heif-convert makes of it."""
    same = True
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        for file in files:
            reference = scratch / "reference.png"
            reference.unlink(missing_ok=True)
            run(["heif-convert", file, reference])
            if not reference.exists() or Path(file).name == "premultiplied.avif":
                print(f"{Path(file).name:24} passed over")
                continue
            outs = []
            # `heif-convert` copies EXIF into its PNG, which is upright already.
            for source in (file, reference):
                out = scratch / "pixels.npy"
                run([binary, "preprocess", source, "--out", out, "--size", "224", "--no-orient"])
                outs.append(out.read_bytes())
            equal = outs[0] == outs[1]
            same &= equal
            print(f"{Path(file).name:24} {'same' if equal else 'DIFFERENT'}")
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/release/diptych"))
    parser.add_argument("--write-golden", type=Path, metavar="FOLDER")
    parser.add_argument("--also", type=Path, nargs="*", default=[], metavar="FILE", help="more files to compare")
    args = parser.parse_args()
    if args.write_golden:
        write(args.write_golden)
        said = {**versions(), "made_by": "parity/heif.py --write-golden"}
        (args.write_golden / "versions.json").write_text(json.dumps(said, indent=2) + "\n")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write(folder)
        return 0 if compare(args.binary, [folder / name for name, *_ in FILES] + args.also) else 1


if __name__ == "__main__":
    sys.exit(main())
