#!/usr/bin/env python3
"""Parity of Diptych with its reference, Python's open_clip: makes the references, compares, prints a table.

    python parity/run.py                      # everything, against target/release/diptych
    python parity/run.py --quick              # fewer texts, no full-size towers: about a minute
    python parity/run.py --parts tokens pixels
    python parity/run.py --write-golden       # remakes crates/diptych/tests/golden instead

Each part is a script of its own in this folder, and can be run alone (`--help`):

| part     | compares                                                                                |
| tokens   | ids of 100,000 texts with `SimpleTokenizer`'s                                            |
| pixels   | `diptych preprocess` with Pillow + torchvision, every format, mode and odd size          |
| towers   | embeddings and logits: tiny golden and five at full size, seeded random weights |
| exits    | features before a tower's end, gradients to pixels, views; full size by the example `towers` |
| layers   | layers of PyTorch, with gradients, with the record that the Rust tests compare with       |
| training | ten steps of PyTorch with the record that the Rust tests compare the trainer with         |
| checkpoints | tiny checkpoints of every layout, opened and converted by the binary                    |

`--local-dir DIR` adds a checkpoint that Diptych wrote, opened by open_clip.
Exit code 0 if every row holds.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PARTS = ("tokens", "pieces", "pixels", "towers", "exits", "layers", "training", "checkpoints")
PACKAGES = ("torch", "torchvision", "open_clip_torch", "pillow", "ftfy", "regex", "transformers", "tokenizers", "sentencepiece", "safetensors", "numpy")


@dataclass
class Line:
    """One line of the table."""

    part: str
    check: str
    result: str
    ok: bool


def command(part: str, args: argparse.Namespace) -> list[str]:
    """The command line of one part."""
    script = [sys.executable, str(HERE / f"{part}.py")]
    binary = ["--binary", str(args.binary)]
    if args.write_golden:
        # pixels.py wants to know the folder.
        folder = [str(ROOT / "crates/diptych/tests/golden/pixels")] if part == "pixels" else []
        return [*script, "--write-golden", *folder]
    if part in ("tokens", "pieces"):
        return [*script, *binary, *(["--count", "5000"] if args.quick else [])]
    if part == "pixels":
        return [*script, *binary]
    if part == "towers":
        sizes = ["--check-golden", "--tiny"] + ([] if args.quick else ["--full"])
        folders = [word for folder in args.local_dir for word in ("--local-dir", str(folder))]
        return [*script, *binary, "--json", *sizes, *folders]
    if part == "exits":
        return [*script, "--json", *([] if args.quick else ["--full"])]
    if part == "checkpoints":
        return [*script, *binary, "--json", "--opened", "--converted", *([] if args.quick else ["--full"])]
    return [*script, "--json"]


def lines_of(part: str, stdout: str, stderr: str, code: int) -> list[Line]:
    """What a part printed, as lines of the table.

    towers.py, exits.py, layers.py, training.py and checkpoints.py print rows as JSON. The others print their own report, whose last line sums up.
    """
    rows = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    lines = [Line(r["part"], r["check"], f"{r['value']:.1e} (limit {r['limit']:.1g})", r["ok"]) for r in rows]
    if not lines or (code != 0 and all(line.ok for line in lines)):
        last = [line for line in (stdout if code == 0 else stderr or stdout).splitlines() if line.strip()]
        lines.append(Line(part, last[-1][:110] if last else "printed nothing", f"exit {code}", code == 0))
    return lines


def print_table(lines: list[Line]) -> None:
    widths = [max(len(getattr(line, field)) for line in lines) for field in ("part", "check", "result")]
    for line in lines:
        cells = (line.part, line.check, line.result)
        print("ok   " if line.ok else "FAIL ", *(cell.ljust(width + 1) for cell, width in zip(cells, widths)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "diptych")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer texts, no full-size towers")
    parser.add_argument("--local-dir", type=Path, action="append", default=[], metavar="DIR", help="checkpoint written by Diptych")
    parser.add_argument("--write-golden", action="store_true", help="remake the golden folders and stop")
    args = parser.parse_args()
    args.binary = args.binary.resolve()
    if not args.write_golden and not args.binary.is_file():
        parser.error(f"{args.binary} is missing; run `cargo build --release` first")

    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}:", ", ".join(f"{p} {metadata.version(p)}" for p in PACKAGES))
    if not args.write_golden:
        version = subprocess.run([str(args.binary), "--version"], capture_output=True, text=True)
        print(f"Binary: {args.binary}: {version.stdout.strip() or 'no --version'}")

    lines: list[Line] = []
    for part in args.parts:
        print(f"\n== {part}", flush=True)
        start = time.monotonic()
        done = subprocess.run(command(part, args), capture_output=True, text=True, encoding="utf-8", cwd=ROOT)
        report = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("{"))
        print(report + done.stderr, end="")
        lines += lines_of(part, done.stdout, done.stderr, done.returncode)
        print(f"{time.monotonic() - start:.0f} s", flush=True)
    print()
    print_table(lines)
    return 0 if all(line.ok for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
