"""Token parity: Diptych's ids against those of open_clip's `SimpleTokenizer`.

Makes texts of every kind that breaks tokenizers (always the same ones for a seed), encodes them with
open_clip, sends them through `BINARY tokenize - --json --json-input --model ViT-B-32` and counts the
texts whose ids differ:

    python parity/tokens.py                  # 100,000 texts; exit code 1 if any differs
    python parity/tokens.py --write-golden   # the hardest texts, for the test without Python
    python parity/tokens.py --own DIR        # a checkpoint's own vocabulary, beside Python's tokenizers

With `--json-input` each line on stdin is one JSON string, so a text may hold line breaks; each line on
stdout is `{"text": ..., "ids": [...]}`. Code points, before and after repair and unescaping, are those
assigned in Unicode 14, the version of Python 3.11 (the module `regex` knows a later one, so that the
two disagree on the others); surrogates are left out, as UTF-8 has none.

A vocabulary of one's own is read by open_clip through `tokenizers`, which splits words by another
engine of regular expressions. The two are known to differ on U+0345, a mark that counts as a letter
there, on U+017F, which is an `s` in another case to one of them, and on texts that spell the special
tokens; texts with these or with `<` are left out of `--own`.

Needs Python 3.11 with open_clip_torch, ftfy 6.3 and regex.
"""

import argparse
import functools
import html.entities
import importlib.metadata
import json
import os
import platform
import random
import re
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "crates/diptych/tests/golden/tokens"

# Encodings in which UTF-8 is read by mistake, those that ftfy knows and some that it doesn't.
WRONG = """
latin-1 sloppy-windows-1252 sloppy-windows-1251 sloppy-windows-1250 sloppy-windows-1253 sloppy-windows-1254
sloppy-windows-1257 iso-8859-2 macroman cp437 cp1252 cp1251 cp850 iso-8859-15 koi8-r cp1256
""".split()

ENGLISH = """
a photo of a cat. the quick brown fox jumps over the lazy dog, isn't it? I'd say we're done; they'll
have eaten 3 apples and 1,024 pears at 7:30 p.m. "Hello," she said - don't worry! A diagram... of
CO2-neutral houses (built 1998-2024) costs $5,000.00 & more: 50% off #1 @home e-mail me@example.com
https://example.com/a?b=c&d=e_f~g it's John's o'clock rock'n'roll y'all've should've I'M YOU'RE HE'S
naïve café résumé façade Ångström jalapeño smörgåsbord coöperate über Straße Łódź Đà Nẵng İstanbul
""".split()

OTHER = """
日本語 東京都の写真 猫がソファで寝ています 我爱北京天安门 这是一张狗的照片 한국어 고양이 사진 가나다라
صورة قطة على الأريكة مرحبا بالعالم שלום עולם привет мир фотография собаки Ёжик γειά σου κόσμε Ὀδυσσεύς
ΣΊΣΥΦΟΣ ΟΔΟΣ ΑΣ. नमस्ते दुनिया ภาษาไทย สวัสดี বাংলা தமிழ் ქართული հայերեն ትግርኛ ខ្មែរ မြန်မာ བོད་ཡིག ᏣᎳᎩ ߒߞߏ
𝒜𝓁𝒾𝒸ℯ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 Ⅻ ½ ² ③ ٣ ५ 𝟘 〇 ㎏ № ™ ℃ Å Ω ﷺ ﬁn ﬂow oﬃce eﬄux ﬆ ﬅ ǅ Ǆ ŉ Ĳ ĳ ＦＵＬＬ ｗｉｄｔｈ ﾊﾝｶｸ ｶﾞ ﾊﾟ ￦ ￥
ẞ ß ſ 'ſ K Å İ ı ﾞ ͅ ᾳ Ǉ ǈ Ꙁ ꙁ Ⓐ ⓐ Ⅷ ⅷ Ა ა Ꭰ ꭰ Σ ς σ ΑΣ ΑΣΑ Σ. ŐŌ (╯°□°)╯︵┻━┻ ¯\\_(ツ)_/¯ ಠ_ಠ ʕ•ᴥ•ʔ
""".split()

EMOJI = """
😀 👍🏽 👩‍👩‍👧‍👦 👩🏿‍🚀 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪🇫🇷 ❤️‍🔥 ☕️ 1️⃣ #️⃣ 🤦🏼‍♂️ 🫠 ✔ ✔️ 🧑‍💻 🐻‍❄️ ☺︎ 🎅🏾 ©️ ™️ 🀄 🈁
""".split()

MARKS = "\u0300\u0301\u0308\u030a\u0327\u0328\u0345\u0323\u0307\u0331\u0360\u20dd\u20e3\u0653\u05b0\u093c\u0e31\u3099\u309a\u1161\u11a8\ufe0f\u200d\u200c\u0483"
SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\u2060\ufeff"
CONTROLS = "\ufeff\xad\u034f\u061c\U000e0001\U000e0020" + "".join(
    map(chr, [*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x202A, 0x202F)])
)
CONTROLS += "".join(
    map(chr, [*range(0x2060, 0x2065), *range(0x2066, 0x2070), *range(0xFFF9, 0xFFFE)])
)
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿×÷‐‑–—―‘’‚‛“”„‟†‡•…‰′″‹›⁄€№™←→∂∆∏∑√∞∩∫≈≠≡≤≥⌐◊─│┌█░〈〉、。・「」"
SPECIAL = """
<start_of_text> <end_of_text> <|startoftext|> <|endoftext|> <START_OF_TEXT> <End_Of_Text> <ſtart_of_text>
<start_of_text <|endoftext| start_of_text > </w> a</w> <end_of_text>x <<end_of_text>> &lt;end_of_text&gt;
""".split()

# Variants of UTF-8, whole and broken, and spaces that were a byte A0.
VARIANTS = [b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\xbd\xed\xb8\n", b"\xed\xa0\xbd", b"\xed\n"]
VARIANTS += [b"\xc0\x80", b"\xc0\n", b"\xc3 la", b"\xc3 quele", b"\xc3 s \xc3 "]

# Numbers of characters that HTML treats on their own.
NUMBERS = [0, 13, 35, 38, 38, 59, 60, 128, 133, 150, 159, 0xD800, 0xFDD0, 0xFFFE, 0x1FFFF, 0x10FFFF]
NUMBERS += [0x110000, 10**12]

# Oddities of the source, one by one: each was once a difference, or would be without care.
QUIRKS = [
    "&#59; &#x3b; &semi; &EACUTE&#59;",
    "a&#xFDD0;b&#11;c&#x1FFFFz",
    "&#0;&#13;&#x80;&#x81;&#xD800;&#x110000;",
    "&EACUTE;&SZLIG;&ETH &nTILDE;",
    "this&not that &notit; &notin &ampamp;",
    "&lt;a&gt; &eacute;\n<b> &EACUTE;\n&EACUTE;",
    "&#12abc; &#xzz; &#; &;",
    "ΑΣʕ ʕΣ ΑΣ\U0001171eΑ ΑΣ'Α ΑΣ.",
    "a\u0345b !\u0345!",
    "a'ſ <ſtart_of_text> <END_OF_TEXT>",
    "Ã©À\n",
    "Ã©í\xa0½í¸\n",
    "Ã©í\xa0½í¸\x80",
    "voilÃ le Ã quele Ã s Ã  la",
    "â€œ like this â€\ufffd",
    "\x1b[31mred\x1b[0m \x1b[٣m \x1b[3",
    "ŉ ǆ ﬃ ﬆ",
    "a\x1cb\x1fc\x85d\u2028e\u180ef\u200bg",
    "&amp;amp;amp;lt;",
    "\ufffd\x1a",
    "Ø§Ù„Ø¹",
    "√© ‚Äì",
    "×² à²",
]


@functools.cache
def assigned() -> list[str]:
    """All characters of Unicode 14, without surrogates and private use."""
    return [
        chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) not in ("Cn", "Cs", "Co")
    ]


@functools.cache
def small_blocks() -> list[str]:
    """Characters of alphabets and signs: everything but the large CJK and Hangul blocks."""
    large = [(0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0x17000, 0x18CFF), (0x20000, 0x3FFFF)]
    return [c for c in assigned() if not any(low <= ord(c) <= high for low, high in large)]


class Texts:
    """Random texts, one method a kind."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def words(self, source: list[str], most: int = 8) -> str:
        return " ".join(self.random.choices(source, k=self.random.randint(1, most)))

    def pick(self, source, least: int, most: int) -> str:
        return "".join(self.random.choices(source, k=self.random.randint(least, most)))

    def english(self) -> str:
        text = self.words(ENGLISH, 16)
        return self.random.choice([text, text.upper(), text.title(), text.swapcase()])

    def other(self) -> str:
        return self.words(OTHER)

    def cjk(self) -> str:
        ranges = [(0x4E00, 0x9FFC), (0x3041, 0x3096), (0x30A1, 0x30FA), (0xAC00, 0xD7A3)]
        low, high = self.random.choice(ranges)
        return "".join(
            chr(self.random.randint(low, high)) for _ in range(self.random.randint(1, 20))
        )

    def arabic(self) -> str:
        letters = [c for c in map(chr, range(0x600, 0x700)) if unicodedata.category(c) != "Cn"]
        return " ".join(self.pick(letters, 1, 8) for _ in range(self.random.randint(1, 6)))

    def emoji(self) -> str:
        return self.pick(EMOJI + ENGLISH + [" ", "\u200d", "🏽", "\ufe0f"], 1, 10)

    def marked(self) -> str:
        letters = "aeiounAEÅzкЁабωקاกคかハ하ᄒ<>=&'"
        return "".join(
            self.random.choice(letters) + self.pick(MARKS, 0, 3)
            for _ in range(self.random.randint(1, 12))
        )

    def any_unicode(self) -> str:
        return self.pick(assigned(), 1, 12)

    def any_small(self) -> str:
        return self.pick(small_blocks(), 1, 12)

    def latin(self) -> str:
        return self.pick([chr(i) for i in [*range(0x20, 0x7F), *range(0xA0, 0x180)]], 1, 16)

    def plain(self) -> str:
        """What mojibake is made of: any text that isn't broken yet."""
        kinds = [
            self.english,
            self.other,
            self.cjk,
            self.arabic,
            self.emoji,
            self.latin,
            self.punctuated,
            self.any_small,
        ]
        return self.random.choice(kinds)()[: self.random.randint(2, 40)]

    def garble(self, text: str) -> str:
        """`text` in UTF-8, read in a wrong encoding."""
        lost = self.random.choice(["strict", "replace", "ignore"])
        data = text.encode(self.random.choice(["utf-8"] * 9 + ["utf-16-le"]), errors="replace")
        if self.random.random() < 0.1:  # CESU-8
            units = text.encode("utf-16-le")
            halves = "".join(chr(units[i] | units[i + 1] << 8) for i in range(0, len(units), 2))
            data = halves.encode("utf-8", errors="surrogatepass").replace(b"\0", b"\xc0\x80")
        try:
            return data.decode(self.random.choice(WRONG), errors=lost)
        except UnicodeDecodeError:
            return data.decode("latin-1")

    def mojibake(self) -> str:
        text = self.plain()
        for _ in range(self.random.choice([1, 1, 1, 1, 2, 2, 3])):
            text = self.garble(text)
        spoil = self.random.random()
        if spoil < 0.1:
            text = text.replace("\xa0", " ")
        elif spoil < 0.2:
            text = text.upper() if self.random.random() < 0.5 else text.lower()
        elif spoil < 0.3:
            text = (
                text.replace(self.random.choice(text), self.random.choice("\ufffd? \x1a"), 1)
                if text
                else text
            )
        elif spoil < 0.35:
            text = (
                text[: len(text) // 2]
                + self.random.choice(["\n", "\r\n", " "])
                + text[len(text) // 2 :]
            )
        return text

    def mixed_mojibake(self) -> str:
        """Broken and sound parts in one text: no single encoding undoes it."""
        parts = [
            self.mojibake() if self.random.random() < 0.5 else self.plain()
            for _ in range(self.random.randint(2, 4))
        ]
        return self.random.choice(["", " ", " ", "\n"]).join(parts)

    def suspicious(self) -> str:
        """Characters that the heuristics of ftfy look at, in any order."""
        import ftfy.badness
        import ftfy.chardata

        classes = [c.replace("-", "") for c in ftfy.badness.MOJIBAKE_CATEGORIES.values()]
        classes += ["".join(c.replace("-", "")) for c in ftfy.chardata.UTF8_CLUES.values()]
        classes += [
            "abzAZ .,?!",
            "ÃÂâ€™ à©",
            " \n",
            "ВГРСвЂ",
            "ΒΓΞΟβ€",
            "ØÙ",
            "√≈‚Ä",
            "\ufffd\x1a?",
            "ÀÍí€\x80\xa0",
        ]
        return "".join(
            self.random.choice(self.random.choice(classes))
            for _ in range(self.random.randint(2, 9))
        )

    def bytes_as_text(self) -> str:
        """Characters in UTF-8, some with a byte wrong, read in a single-byte encoding."""
        bad = b"\xc0\xc2\xc3\xe2\xe0\xed\xf0\x80\xa0\xb0 \n?a\x1a"
        out = bytearray()
        for _ in range(self.random.randint(1, 5)):
            data = bytearray(self.random.choice("àé’€中😀ωЖ\xa0٠").encode())
            if self.random.random() < 0.4:
                data[self.random.randrange(len(data))] = self.random.choice(bad)
            out += data
            if self.random.random() < 0.3:
                out.append(self.random.choice([*bad, self.random.randrange(256)]))
        if self.random.random() < 0.3:
            out += self.random.choice(VARIANTS)
        return bytes(out).decode(self.random.choice(WRONG[:10]))

    def entity(self) -> str:
        """A reference to a character, or almost one."""
        name = self.random.choice(list(html.entities.html5)).rstrip(";")
        number = self.random.choice(
            NUMBERS + [self.random.randrange(0x180), self.random.randrange(0x120000)]
        )
        name = self.random.choice(
            [name] * 5
            + [name.upper(), name.lower(), name[:-1], name + "x", "#", "#x", "", "#;"]
            + [
                f"#{number}",
                f"#{number}",
                f"#0{number}",
                f"#x{number:x}",
                f"#X{number:X}",
                f"#x{number:x}g",
            ]
        )
        amp = ["&"] * 6 + [
            "&amp;",
            "&amp;amp;",
            "&amp",
            "&#38;",
            "&AMP;",
            "&amp;amp;amp;",
            "＆",
            "&&",
        ]
        end = [";"] * 5 + ["", "", " ", "=", "；", ";;"]
        return self.random.choice(amp) + name + self.random.choice(end)

    def entities(self) -> str:
        parts = [
            self.entity()
            if self.random.random() < 0.6
            else self.pick(ENGLISH + OTHER + [" ", "<b>", "<", "\n"], 1, 2)
            for _ in range(self.random.randint(1, 6))
        ]
        return "".join(parts)

    def mixed_entities(self) -> str:
        return (
            self.mojibake()
            + self.entities()
            + self.random.choice(["", "\n", "<"])
            + self.mixed_mojibake()
        )

    def controls(self) -> str:
        return "".join(
            self.random.choice(
                [
                    self.pick(CONTROLS, 1, 3),
                    self.pick(SPACES, 1, 2),
                    self.random.choice(ENGLISH + OTHER),
                ]
            )
            for _ in range(self.random.randint(1, 8))
        )

    def terminal(self) -> str:
        codes = [
            "\x1b[31m",
            "\x1b[0m",
            "\x1b[1;32;40m",
            "\x1b[",
            "\x1b[2J",
            "\x1b[;;H",
            "\x1b[٣m",
            "\x1b]0;t\x07",
            "\x1b[3",
            "\x1b\x1b[1m[0m",
            "\x9b1m",
        ]
        return "".join(
            self.random.choice(codes + ENGLISH + [" ", "é"])
            for _ in range(self.random.randint(1, 9))
        )

    def punctuated(self) -> str:
        return "".join(
            self.pick(PUNCTUATION, 0, 4) + self.random.choice(ENGLISH + OTHER + ["", " "])
            for _ in range(self.random.randint(1, 8))
        )

    def special(self) -> str:
        return self.pick(SPECIAL + ENGLISH + [" ", "'", "'s", "'LL", "'ſ", "'Re", "ſ", "'D"], 1, 7)

    def spaces(self) -> str:
        return (
            self.pick(SPACES, 0, 6) + self.random.choice(["", "a", "猫"]) + self.pick(SPACES, 0, 6)
        )

    def long_word(self) -> str:
        alphabet = self.random.choice(
            [
                "a",
                "ab",
                "abcdefghijklmnopqrstuvwxyz",
                "the",
                "0123456789",
                "!?.",
                "字",
                "😀🏽",
                "é\u0301",
                "".join(small_blocks()[:2000]),
            ]
        )
        return self.pick(alphabet, 50, self.random.choice([100, 300, 1500]))

    def upper_lower(self) -> str:
        cased = [
            c
            for c in small_blocks()
            if c.lower() != c or c.upper() != c or c in "ΣσςͅİıſK.'\u0301\xad:·"
        ]
        return "".join(
            self.random.choice(cased + list("ΣσςΑα .'’\xad\u0301İI"))
            for _ in range(self.random.randint(1, 10))
        )


# Kinds and their share, in percent.
KINDS = {
    "english": 8,
    "other": 5,
    "cjk": 4,
    "arabic": 3,
    "emoji": 4,
    "marked": 4,
    "any_unicode": 5,
    "any_small": 5,
    "latin": 4,
    "mojibake": 15,
    "mixed_mojibake": 7,
    "suspicious": 8,
    "bytes_as_text": 6,
    "entities": 7,
    "mixed_entities": 2,
    "controls": 3,
    "terminal": 2,
    "punctuated": 3,
    "special": 2,
    "spaces": 1,
    "long_word": 0.5,
    "upper_lower": 1.5,
}


def is_in_scope(text: str) -> bool:
    """Whether `text`, raw and cleaned, has only characters that Unicode 14 assigns (or keeps private)."""
    from open_clip.tokenizer import basic_clean

    return all(unicodedata.category(c) not in ("Cn", "Cs") for c in text + basic_clean(text))


def make_texts(n: int, seed: int) -> list[tuple[str, str]]:
    """`n` pairs of kind and text; in a full run every character of the small blocks comes up first."""
    texts, out = Texts(seed), [("empty", ""), *(("quirk", text) for text in QUIRKS)]
    if n >= 50_000:
        small = small_blocks()
        out += [("each", "a".join(small[start : start + 4])) for start in range(0, len(small), 4)]
    kinds, shares = list(KINDS), list(KINDS.values())
    while len(out) < n:
        kind = texts.random.choices(kinds, shares)[0]
        text = getattr(texts, kind)()
        if is_in_scope(text):
            out.append((kind, text))
    return out[:n]


def open_clip_ids(texts: list[str]) -> list[list[int]]:
    """Start token, open_clip's ids, end token; not padded, not cut."""
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()
    return [
        [tokenizer.sot_token_id, *tokenizer.encode(text), tokenizer.eot_token_id] for text in texts
    ]


def diptych_ids(command: list[str], texts: list[str]) -> list[list[int]]:
    """The ids that `command` prints."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True)
    rows = [json.loads(line) for line in done.stdout.split(b"\n") if line]
    if [row["text"] for row in rows] != texts:
        sys.exit(
            f"{command[0]} printed {len(rows)} rows, not one for each of {len(texts)} texts in order"
        )
    return [row["ids"] for row in rows]


# What a caption in Chinese is made of, for `--own`: the names come from the default model's table.
CHINESE = "一张{}的照片。 图中有{}和{}。 两只{}在草地上奔跑，旁边是{}！ 这是{}（{}） {}、{}，还有{} 「{}」".split()
NAMES = ROOT / "crates/default-model/names.zh.tsv"


def own_texts(n: int, seed: int) -> list[str]:
    """`n` texts in English, Chinese and everything else that both read alike."""
    from open_clip.tokenizer import basic_clean

    lines = NAMES.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    texts, out = random.Random(seed), []
    english = [part.strip() for row in rows for part in row[0].split(",")]
    chinese = [part for row in rows if row[1] != "-" for part in row[1].split("、")]
    out += english + chinese
    for _ in range(n // 4):
        template = texts.choice(CHINESE)
        out.append(re.sub(r"\{\}", lambda _: texts.choice(chinese), template))
        out.append(f"a photo of {texts.choice(english)} and {texts.choice(english)}, by {texts.randint(1, 999)}")
    special = ("<", "\u0345", "\u017f")

    def alike(text: str) -> bool:
        cleaned = basic_clean(text)
        return not any(mark in cleaned for mark in special)

    others = [text for _, text in make_texts(n, seed) if alike(text)]
    texts.shuffle(out)
    return out[: n // 2] + others[: n - n // 2]


def own_ids(checkpoint: str, texts: list[str]) -> list[list[int]]:
    """open_clip's ids with the checkpoint's tokenizer, not padded, not cut."""
    from open_clip import get_tokenizer

    tokenizer = get_tokenizer(f"local-dir:{checkpoint}")
    return [tokenizer.tokenizer.encode(tokenizer.clean_fn(text)) for text in texts]


def write_golden(texts: list[tuple[str, str]], n: int, max_bytes: int) -> None:
    """Keeps up to `n` short texts as lines of `[text, ids]`; nine of ten are such as cleaning changes."""
    from open_clip.tokenizer import basic_clean

    short = [text for kind, text in texts if len(text) <= 24 and kind != "quirk"]
    hard = [text for text in short if basic_clean(text) != text.strip()]
    easy = [text for text in short if basic_clean(text) == text.strip()]
    chosen = hard[:: max(1, len(hard) * 10 // (n * 9))] + easy[:: max(1, len(easy) * 10 // n)]

    def rows(texts: list[str]) -> list[str]:
        pairs = zip(texts, open_clip_ids(texts))
        return [json.dumps(pair, separators=(",", ":")) + "\n" for pair in pairs]

    lines = rows(QUIRKS) + sorted(rows(chosen), key=len)[:n]
    while sum(map(len, lines)) > max_bytes:
        lines.pop()
    versions = {"python": platform.python_version(), "unicode": unicodedata.unidata_version}
    versions |= {
        name: importlib.metadata.version(name) for name in ("open_clip_torch", "ftfy", "regex")
    }
    versions |= {"made_by": "parity/tokens.py --write-golden"}
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "tokens.jsonl").write_text("".join(lines))
    (GOLDEN / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
    print(f"{GOLDEN}: {len(lines)} texts, {sum(map(len, lines))} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--binary", default=str(ROOT / "target/release/diptych"), help="program to compare"
    )
    parser.add_argument("--count", type=int, default=100_000, help="number of texts")
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--show", type=int, default=10, help="differences to print")
    parser.add_argument(
        "--write-golden", action="store_true", help="write the golden file and stop"
    )
    parser.add_argument(
        "--own", metavar="DIR", help="a checkpoint whose own vocabulary is compared"
    )
    args = parser.parse_args()

    if args.write_golden:
        write_golden(make_texts(100_000, args.seed), 2_500, 300_000)
        return

    if args.own:
        texts = own_texts(args.count, args.seed)
        kinds = ["own"] * len(texts)
    else:
        kinds, texts = zip(*make_texts(args.count, args.seed))
        texts = list(texts)
    start = time.perf_counter()
    want = own_ids(args.own, texts) if args.own else open_clip_ids(texts)
    theirs = time.perf_counter() - start
    start = time.perf_counter()
    got = diptych_ids(
        [args.binary, "tokenize", "-", "--json", "--json-input", "--model", args.own or "ViT-B-32"],
        texts,
    )
    ours = time.perf_counter() - start

    wrong = [i for i in range(len(texts)) if want[i] != got[i]]
    for i in wrong[: args.show]:
        print(
            f"{kinds[i]}: {ascii(texts[i])[:300]}\n  open_clip {want[i][:40]}\n  diptych   {got[i][:40]}"
        )
    print(
        f"tokens: {len(wrong)} of {len(texts)} texts differ "
        f"(open_clip {theirs:.1f} s, diptych {ours:.1f} s with start and JSON)"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
