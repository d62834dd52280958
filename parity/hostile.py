#!/usr/bin/env python3
"""Hostile checkpoints: the binary says in a sentence what is wrong, and takes no more memory than the file is worth.

Fourteen attacks made by hand, and `--mutations` damaged copies (1,000 by default) of every container: safetensors, zip
with a pickle, JSON of each kind, SentencePiece. A run is right if it ends with exit code 0 or 2 (never by a panic or
a signal), an error names a file of the checkpoint, and the peak of its resident memory is at most that of opening the
undamaged one, the size of its files and 64 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import struct
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYOUTS = ROOT / "crates" / "diptych" / "tests" / "golden" / "layouts"
ROOM = 64 << 20
# Of an attack that is to do no harm, whether it opens or not.
MAY_OPEN = " (may open)"


@dataclass
class Ran:
    code: int
    said: str
    peak: int


def run(binary: Path, checkpoint: Path) -> Ran:
    """Has the binary embed texts with the checkpoint."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.txt"
        texts.write_text("a photo of a cat\n日本語, don't\n")
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            os.execv(binary, [binary, "embed", "--texts", texts, "--truncate", "--out", f"{folder}/out.npy", "--model", checkpoint])
        _, status, usage = os.wait4(pid, 0)
        out.seek(0)
        said = out.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    return Ran(code, said, usage.ru_maxrss << 10)


def size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.stat().st_size for p in files)


def wrong(ran: Ran, checkpoint: Path, plain: int, must_fail: bool) -> str | None:
    if ran.code not in (0, 2) or "panicked" in ran.said:
        return f"ended with {ran.code}: {ran.said[:300]}"
    opened = ran.code == 0
    if opened and must_fail:
        return "opened"
    names = [checkpoint.name, *(p.name for p in checkpoint.glob("*"))] if checkpoint.is_dir() else [checkpoint.name]
    if not opened and not any(name in ran.said for name in names):
        return f"names no file: {ran.said[:300]}"
    if ran.peak > plain + size(checkpoint) + ROOM:
        return f"took {ran.peak >> 20} MiB, undamaged {plain >> 20} MiB"
    return None


def safetensors(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def attacks(folder: Path) -> dict[str, Path]:
    """Checkpoints that nobody means well with."""
    made = {}

    def directory(name: str, layout: str = "hf/safetensors") -> Path:
        made[name] = folder / name.replace(" ", "-")
        shutil.copytree(LAYOUTS / layout, made[name])
        return made[name]

    def archive(name: str, pickle: bytes, method: int = zipfile.ZIP_STORED, extra: bytes = b"") -> None:
        made[name] = folder / (name.replace(" ", "-") + ".pt")
        with zipfile.ZipFile(made[name], "w", method) as file:
            file.writestr("archive/data.pkl", pickle)
            file.writestr("archive/data/0", extra)

    archive("zip bomb", b"\x80\x02}.", zipfile.ZIP_DEFLATED, bytes(1 << 28))
    archive("pickle that calls os.system", b"\x80\x02cposix\nsystem\nX\x09\x00\x00\x00touch pwn\x85R.")
    nested = b"\x80\x02" + b"]" * 500_000 + b"a" * 499_999 + b"."
    archive("pickle of lists in lists", nested)
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQK\0"
    huge = b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86J\0\0\0\0J\0\0\0\0\x86\x89}tR"
    archive("tensor larger than its storage", b"\x80\x02}X\x01\0\0\0w" + rebuild + huge + b"s.", extra=bytes(16))

    place = directory("header longer than the file")
    (place / "model.safetensors").write_bytes(safetensors(b"{}", length=1 << 60))
    entry = lambda start, end: {"dtype": "F32", "shape": [(end - start) // 4], "data_offsets": [start, end]}
    place = directory("overlapping offsets")
    header = json.dumps({"a": entry(0, 64), "b": entry(32, 96)}).encode()
    (place / "model.safetensors").write_bytes(safetensors(header, bytes(96)))
    place = directory("offsets out of range")
    header = json.dumps({"a": entry(0, 1 << 50)}).encode()
    (place / "model.safetensors").write_bytes(safetensors(header, bytes(96)))
    place = directory("index that names itself", "hf/sharded")
    name = "model.safetensors.index.json"
    (place / name).write_text(json.dumps({"weight_map": {"logit_scale": name}}))
    place = directory("shard out of the directory", "hf/sharded")
    index = json.loads((place / name).read_text())
    index["weight_map"] = {key: "../../../../etc/passwd" for key in index["weight_map"]}
    (place / name).write_text(json.dumps(index))
    place = directory("weights that are a device")
    (place / "model.safetensors").unlink()
    (place / "model.safetensors").symlink_to("/dev/zero")
    place = directory("configuration of a trillion parameters")
    config = json.loads((place / "config.json").read_text())
    config["text_config"] |= {"vocab_size": 1 << 40, "hidden_size": 1 << 40}
    (place / "config.json").write_text(json.dumps(config))
    place = directory("JSON a million brackets deep", "siglip2/safetensors")
    (place / "tokenizer.json").write_text("[" * 1_000_000)
    place = directory("pickle and header at once")
    (place / "model.safetensors").write_bytes(b"PK\x03\x04" + bytes(64))
    place = directory(f"tokenizer that doubles every letter forty times{MAY_OPEN}", "siglip2/safetensors")
    tokenizer = json.loads((place / "tokenizer.json").read_text())
    double = [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": double}
    (place / "tokenizer.json").write_text(json.dumps(tokenizer))
    return made


# A checkpoint, the file of it that is damaged, and where in the file damage is done.
CONTAINERS = {
    "safetensors": ("hf/safetensors", "model.safetensors", 12_000),
    "zip and pickle": ("openai-vit/state_dict.pt", None, 30_000),
    "TorchScript": ("openai-vit/script.pt", None, 60_000),
    "index": ("hf/sharded", "model.safetensors.index.json", None),
    "config.json": ("siglip/safetensors", "config.json", None),
    "preprocessor_config.json": ("siglip/safetensors", "preprocessor_config.json", None),
    "open_clip_config.json": ("open-clip/bin", "open_clip_config.json", None),
    "tokenizer.json (CLIP)": ("open-clip/bin", "tokenizer.json", None),
    "tokenizer.json (SigLIP 2)": ("siglip2/safetensors", "tokenizer.json", None),
    "spiece.model": ("siglip/safetensors", "spiece.model", None),
}


def damaged(bytes_: bytes, end: int | None, rng: random.Random) -> bytes:
    """Cut, or some of its bits or bytes changed, or a stretch of it doubled or taken out."""
    new = bytearray(bytes_)
    end = min(end or len(new), len(new))
    what = rng.randrange(5)
    place = rng.randrange(end)
    if what == 0:
        return bytes(new[:place])
    if what == 1:
        for _ in range(rng.randrange(1, 5)):
            new[rng.randrange(end)] ^= 1 << rng.randrange(8)
    elif what == 2:
        new[place] = rng.randrange(256)
    elif what == 3:
        new[place:place] = new[place : place + rng.randrange(1, 64)]
    else:
        del new[place : place + rng.randrange(1, 64)]
    return bytes(new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "diptych")
    parser.add_argument("--mutations", type=int, default=1000)
    arguments = parser.parse_args()
    failures = 0

    def report(name: str, problems: list[str], n: int, peak: int) -> None:
        nonlocal failures
        failures += len(problems)
        print(f"{'ok' if not problems else 'WRONG':6} {name:42} {n:5} runs, at most {peak >> 20} MiB", *problems[:3], sep="\n       ")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = run(arguments.binary, LAYOUTS / "hf" / "safetensors").peak
        for name, checkpoint in attacks(folder).items():
            ran = run(arguments.binary, checkpoint)
            problem = wrong(ran, checkpoint, plain, must_fail=MAY_OPEN not in name)
            report(name, [problem] if problem else [], 1, ran.peak)
        assert not Path("pwn").exists()
        rng = random.Random(1)
        for name, (layout, file, end) in CONTAINERS.items():
            checkpoint = folder / "damaged" if file else folder / "damaged.pt"
            if file:
                shutil.rmtree(checkpoint, ignore_errors=True)
                shutil.copytree(LAYOUTS / layout, checkpoint)
            place = checkpoint / file if file else checkpoint
            whole = ((LAYOUTS / layout / file) if file else (LAYOUTS / layout)).read_bytes()
            place.write_bytes(whole)
            plain = run(arguments.binary, checkpoint).peak
            problems, peak = [], 0
            for _ in range(arguments.mutations):
                place.write_bytes(damaged(whole, end, rng))
                ran = run(arguments.binary, checkpoint)
                peak = max(peak, ran.peak)
                problem = wrong(ran, checkpoint, plain, must_fail=False)
                if problem:
                    problems.append(problem)
            report(name, problems, arguments.mutations, peak)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
