"""Pairs a second in training: `diptych train` beside PyTorch, in turn, the median of three rounds.

Both train open_clip's architecture with AdamW on batches of the same size and the same texts. Diptych
reads a shard, decodes and crops; PyTorch gets finished pixels and tokens from memory, which favours it.
PyTorch runs texts at the model's context length, as open_clip does; Diptych computes nothing after a
batch part's longest text.

    python benchmarks/training.py [--rounds 3] [--steps 6] [--threads 2] [--only ViT] [--diptych target/release/diptych]
"""

import argparse
import io
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

import numpy as np
import open_clip
import torch
from PIL import Image

SIDE = 64
SAMPLES = 2048

MODELS = {
    "ViT 8×256, patch 8, 64 px; text 4×256": {
        "batch": 64,
        "config": {
            "embed_dim": 256,
            "vision_cfg": {"image_size": SIDE, "layers": 8, "width": 256, "patch_size": 8, "head_width": 64},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 4},
        },
    },
    "ModifiedResNet 2-2-2-2, width 32, 64 px; text 4×256": {
        "batch": 128,
        "config": {
            "embed_dim": 256,
            "vision_cfg": {"image_size": SIDE, "layers": [2, 2, 2, 2], "width": 32, "head_width": 64},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 4},
        },
    },
}

WORDS = "a dog runs on the beach with red ball while two people watch from old wooden boat near green hill".split()


def sentences(rng, words):
    """Captions of about `words` words; Flickr8k's have 12 on average."""
    lengths = np.clip(rng.normal(words, words / 4, SAMPLES).round().astype(int), 3, 70)
    return [" ".join(rng.choice(WORDS, n)) for n in lengths]


def write_shard(path, texts, rng):
    with tarfile.open(path, "w") as tar:
        for i, text in enumerate(texts):
            noise = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            picture = io.BytesIO()
            Image.fromarray(noise).resize((SIDE, SIDE), Image.BICUBIC).save(picture, "JPEG", quality=90)
            for name, data in [(f"{i:06}.jpg", picture.getvalue()), (f"{i:06}.txt", text.encode())]:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def diptych(binary, folder, model, compute, steps, threads):
    """Pairs a second over all steps but the first two."""
    batch = model["batch"]
    (folder / "arch.json").write_text(json.dumps(model["config"]))
    out = folder / f"out-{time.monotonic_ns()}"
    (folder / "run.toml").write_text(
        f"""
        out = "{out}"
        architecture = "arch.json"
        compute = "{compute}"
        checkpoint_every = 1000000
        [optimizer]
        steps = {steps + 2}
        batch_size = {batch}
        learning_rate = 1e-4
        warmup_steps = 2
        [[data]]
        shards = ["pairs.tar"]
        texts = "captions"
        """
    )
    command = [binary, "train", folder / "run.toml", "--threads", str(threads)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "MIMALLOC_PURGE_DELAY": "-1"})
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    took = {line["step"]: line["step"] * batch / line["pairs_per_s"] for line in lines if "loss" in line}
    return steps * batch / (took[steps + 2] - took[2])


def pytorch(model, texts, compute, steps, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    batch, config = model["batch"], model["config"]
    vision, text = dict(config["vision_cfg"]), dict(config["text_cfg"])
    clip = open_clip.CLIP(embed_dim=config["embed_dim"], vision_cfg=vision, text_cfg=text)
    clip.train()
    optimizer = torch.optim.AdamW(clip.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2)
    tokenizer = open_clip.SimpleTokenizer(context_length=text["context_length"])
    tokens = tokenizer(texts[:batch])
    pixels = torch.randn(batch, 3, SIDE, SIDE)
    labels = torch.arange(batch)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=compute == "bf16"):
            images, words, scale = clip(pixels, tokens)
            logits = scale * images @ words.T
            loss = (
                torch.nn.functional.cross_entropy(logits, labels)
                + torch.nn.functional.cross_entropy(logits.T, labels)
            ) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(2):
        step()
    began = time.monotonic()
    for _ in range(steps):
        step()
    return steps * batch / (time.monotonic() - began)


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="models whose name begins so")
    parser.add_argument("--diptych", default="target/release/diptych")
    args = parser.parse_args()
    print(f"{cpu_name()}, {args.threads} threads; PyTorch {torch.__version__}, open_clip {open_clip.__version__}")
    print(f"pairs/s, median of {args.rounds} rounds in turn\n")
    print("| model | texts | format | Diptych | PyTorch | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, model in MODELS.items():
        if not name.startswith(args.only):
            continue
        for words, formats in ((12, ("f32", "bf16")), (70, ("f32",))):
            rng = np.random.default_rng(0)
            texts = sentences(rng, words)
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                write_shard(folder / "pairs.tar", texts, rng)
                for compute in formats:
                    ours, theirs = [], []
                    for _ in range(args.rounds):
                        ours.append(diptych(args.diptych, folder, model, compute, args.steps, args.threads))
                        theirs.append(pytorch(model, texts, compute, args.steps, args.threads))
                    ours, theirs = statistics.median(ours), statistics.median(theirs)
                    print(
                        f"| {name} | about {words} words | {compute} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f} |"
                    )
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
