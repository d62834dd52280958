"""SentencePiece parity: Diptych's ids of SigLIP's texts against those of transformers' `SiglipTokenizer`.

SigLIP's own files are not in this repository, so a small unigram model is learned, with the normalisation of SigLIP's
(`nmt_nfkc`, whose map of characters is in the file) and many texts that can be split in ways of the same score. Then it
encodes texts of every kind (those of `tokens.py`, marks, digits, widths and ligatures) and counts those whose ids differ:

    python parity/pieces.py                        # 30,000 texts; exit code 1 if any differs
    python parity/pieces.py --model spiece.model   # the same with another model: SigLIP's own, if it is at hand
    python parity/pieces.py --write-golden         # the model and some texts, for the test without Python

Needs Python 3.11 with sentencepiece, transformers and protobuf.
"""

import argparse
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import unicodedata
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import tokens

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "crates/diptych/tests/golden/pieces"

# Tokens of a text, its padding included.
CONTEXT = 64

# Kinds of `tokens.py`, and those below.
KINDS = {
    "english": 10, "other": 10, "cjk": 5, "arabic": 5, "emoji": 5, "marked": 10, "any_unicode": 5, "any_small": 10, "latin": 5,
    "controls": 3, "punctuated": 3, "spaces": 3, "long_word": 1, "upper_lower": 5, "digits": 10, "decomposed": 10, "repeated": 5,
}


class Texts(tokens.Texts):
    """Random texts, one method a kind."""

    def digits(self) -> str:
        alphabet = self.random.choice(["0", "01", "0123456789", "0 ", "00,.", "１２0", "a0", "²³½0"])
        return self.pick(alphabet, 1, 24)

    def decomposed(self) -> str:
        """Letters taken apart, whole or with marks that no letter goes with, more of them or in another order."""
        letters = [c for c in tokens.small_blocks()[:4000] if unicodedata.decomposition(c)] + list("aeiouAncsyz가각かハ")
        parts = []
        for _ in range(self.random.randint(1, 6)):
            form = self.random.choice(["NFD", "NFC", "NFKD"])
            parts.append(unicodedata.normalize(form, self.random.choice(letters)) + self.pick(tokens.MARKS, 0, 3))
        return "".join(parts)

    def repeated(self) -> str:
        part = self.random.choice(["00", "ab", "a", "the", "é", "e\u0301", "猫", "ha", "▁", " ", "ﬁ", "..", "\u0301"])
        return part * self.random.randint(1, 30)


def make_texts(n: int, seed: int, kinds: dict[str, int] = KINDS) -> list[str]:
    texts = Texts(seed)
    made = []
    while len(made) < n:
        text = getattr(texts, texts.random.choices(list(kinds), list(kinds.values()))[0])()
        # The end token, spelled out, is one to the reference, and words to us.
        if "</s>" not in text and all(unicodedata.category(c) not in ("Cn", "Cs") for c in text):
            made.append(text)
    return made


def learn(folder: Path) -> Path:
    """A model of 1,500 pieces."""
    import sentencepiece

    # Of a thousand characters; the others are unknown to it.
    kinds = {"english": 60, "other": 20, "digits": 10, "repeated": 10}
    lines = [text.replace("\n", " ") for text in make_texts(6000, 1, kinds) if len(text) < 200]
    lines += [f"{year} 100 1000 {year}00 00:00" for year in range(1900, 2030)]
    (folder / "texts.txt").write_text("\n".join(lines).lower())
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "texts.txt"), model_prefix=str(folder / "spiece"), vocab_size=1500, model_type="unigram", pad_id=-1,
        eos_id=1, unk_id=2, bos_id=0, bos_piece="<pad>", normalization_rule_name="nmt_nfkc", minloglevel=2, num_threads=1,
        hard_vocab_limit=False, character_coverage=0.98,
    )
    return folder / "spiece.model"


def reference(model: Path, texts: list[str]) -> list[list[int]]:
    from transformers import SiglipTokenizer

    tokenizer = SiglipTokenizer(str(model))
    return [tokenizer(text, padding="max_length", max_length=CONTEXT, truncation=True).input_ids for text in texts]


def compared(binary: str, model: Path, texts: list[str]) -> int:
    """How many texts differ; the first ten are printed."""
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(model, Path(folder) / "spiece.model")
        entries = sentencepiece.SentencePieceProcessor(model_file=str(model)).vocab_size()
        text_config = {"vocab_size": entries, "hidden_size": 32, "intermediate_size": 50, "num_hidden_layers": 1,
                       "num_attention_heads": 4, "max_position_embeddings": CONTEXT, "projection_size": 32}
        vision_config = {"hidden_size": 32, "intermediate_size": 70, "num_hidden_layers": 1, "num_attention_heads": 4,
                         "image_size": 16, "patch_size": 4}
        config = {"model_type": "siglip", "text_config": text_config, "vision_config": vision_config}
        (Path(folder) / "config.json").write_text(json.dumps(config))
        command = [binary, "tokenize", "-", "--json", "--json-input", "--truncate", "--model", folder]
        ours = tokens.diptych_ids(command, texts)
    differing = [(t, a, b) for t, a, b in zip(texts, ours, reference(model, texts)) if a != b]
    for text, ids, wanted in differing[:10]:
        print(json.dumps(text, ensure_ascii=True), ids, wanted, sep="\n  ")
    print(f"{len(differing)} of {len(texts)} texts differ")
    return len(differing)


def write_golden() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(shutil.copy(learn(Path(folder)), GOLDEN / "spiece.model"))
    texts = [text for text in make_texts(4000, 3) if len(text) <= 150][:1200]
    texts += ["000", "0000000", "1000000", "e\u0323\u0301", "\u0301e", "A\u030a\u0327", "ｶﾞ", "ㅎㅏㄴ", "", " ", "▁▁a ▁"]
    rows = ((text, ids[: ids.index(1) + 1]) for text, ids in zip(texts, reference(model, texts)))
    (GOLDEN / "ids.jsonl").write_text("".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows))
    versions = {"python": platform.python_version()} | {name: version(name) for name in ("sentencepiece", "transformers")}
    (GOLDEN / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=str(ROOT / "target/release/diptych"))
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--write-golden", action="store_true")
    args = parser.parse_args()
    if args.write_golden:
        write_golden()
        return
    print(f"seed {args.seed}")
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or learn(Path(folder))
        sys.exit(1 if compared(args.binary, model, make_texts(args.count, args.seed)) else 0)


if __name__ == "__main__":
    main()
