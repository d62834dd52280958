"""Makes a shard of drawings with names in English and Chinese, out of sets of emoji and icons that npm has.

    npm install emojibase-data $(for s in openmoji twemoji fxemoji emojione emojione-v1 noto-v1 fluent-emoji-flat \\
        fluent-emoji-high-contrast streamline-emojis flat-color-icons game-icons; do echo @iconify-json/$s; done)
    pip install resvg_py pillow
    python drawings.py node_modules OUT

writes OUT/drawings-000.tar.gz (`KEY.webp`, 96 × 96 pixels, and `KEY.txt`, a text a line) and OUT/drawings-zh.jsonl.gz (the same
in Chinese, `{"shard", "key", "zh"}`), the same bytes each time from the same packages. Drawings stand on white, on one colour,
or on two as sky and ground are, in a place and a size drawn from the name. Left out are flags, letters, signs and skin tones,
and the things of Imagenette's ten classes, which the model is measured on as things that it was never shown.

Names and keywords: emojibase (MIT), from Unicode's CLDR. Drawings: OpenMoji (CC BY-SA 4.0), Twemoji (CC BY 4.0), FxEmoji
(Apache 2.0), EmojiOne 2 (CC BY 4.0) and 1 (CC BY-SA 4.0), Noto's first edition (Apache 2.0), Fluent, flat and of high contrast
(MIT), Streamline (CC BY 4.0), Flat Color Icons (MIT), Game Icons (CC BY 3.0).
"""

import argparse
import colorsys
import gzip
import io
import json
import pathlib
import random
import re
import tarfile

import resvg_py
from PIL import Image

SIDE = 96
# Sets of emoji, which are told by their code points or by their names in CLDR; and of icons, whose names are their own.
EMOJI = [
    "openmoji",
    "twemoji",
    "fxemoji",
    "emojione",
    "emojione-v1",
    "noto-v1",
    "fluent-emoji-flat",
    "fluent-emoji-high-contrast",
    "streamline-emojis",
]
ICONS = ["flat-color-icons", "game-icons"]
# How often an emoji is drawn, by its group: smileys, people, parts of skin and hair, animals and nature, food, travel and
# places, activities, objects, symbols, flags. There are more smileys and people than things.
TIMES = [1, 1, 0, 3, 3, 3, 3, 3, 0, 0]

LEFT_OUT = re.compile(
    r"skin|flag|keycap|button|arrow|o-clock|oclock|thirty|-sign$|letter|symbol|mark$|square|circle$|zodiac|regional|copyright"
    r"|registered|japanese-.*-button|input|information|selector|family-|couple-with|kiss-"
)
# Imagenette's things, by other names, too.
IMAGENETTE = re.compile(
    r"tench|springer|cassette|tape|chain-?saw|church|french-horn|postal-horn|garbage|dump-truck|rubbish|fuel|gas-?pump|petrol|golf"
    r"|parachut|hunting-horn|postalhorn"
)
STYLES = ["a drawing of {}", "an emoji of {}", "an icon of {}", "a cartoon of {}", "a clip art of {}", "a picture of {}", "an illustration of {}"]
STYLES_ZH = ["{}的图画", "一张{}的图片。", "{}的表情符号", "{}的卡通画", "一幅{}的插图。"]


# Where CLDR's Chinese label is of another thing than the English one.
CHINESE = {
    "llama": "大羊驼",
    "plunger": "马桶搋子",
    "safety vest": "反光背心",
    "sauropod": "蜥脚类恐龙",
    "hair pick": "发梳",
    "dashing away": "飞奔",
    "custard": "焦糖布丁",
    "derelict house": "废弃房屋",
}


def article(name):
    plural = name.endswith("s") and not name.endswith(("ss", "us"))
    return name if plural else ("an " if name[0] in "aeiou" else "a ") + name


def plain(label):
    """`cat face` is a cat."""
    return re.sub(r"^(black|white|heavy|large|small|medium) | (face|emoji|symbol)$", "", label)


def hexes(rng, lightness, saturation=(0.2, 0.8)):
    h, s, l = rng.random(), rng.uniform(*saturation), rng.uniform(*lightness)
    return "#" + "".join(f"{round(255 * c):02x}" for c in colorsys.hls_to_rgb(h, l, s))


def background(rng, dark):
    """SVG of what stands behind a drawing."""
    kind = rng.random()
    lightness = (0.05, 0.35) if dark else (0.6, 0.97)
    if kind < 0.3:
        return f'<rect width="{SIDE}" height="{SIDE}" fill="{"#202020" if dark else "#ffffff"}"/>'
    if kind < 0.55:
        return f'<rect width="{SIDE}" height="{SIDE}" fill="{hexes(rng, lightness)}"/>'
    top, low = (0.4, 0.9), (0.3, 0.75)
    if dark:
        top = low = (0.05, 0.35)
    upper = [hexes(rng, top), hexes(rng, top)]
    if kind < 0.8:  # most skies are blue, most ground is green or brown
        upper = rng.choice([["#6aaee8", "#d6ecfa"], ["#8cc4f0", "#eef6fc"], ["#f3ead8", "#e2d2b4"], upper])
    lower = rng.choice(["#7cb950", "#5f9e45", "#b08050", "#e3cf98", "#3f7fae", hexes(rng, low)])
    horizon = rng.randint(45, 85)
    return (
        f'<defs><linearGradient id="behind-it" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{upper[0]}"/>'
        f'<stop offset="1" stop-color="{upper[1]}"/></linearGradient></defs>'
        f'<rect width="{SIDE}" height="{SIDE}" fill="url(#behind-it)"/>'
        + (f'<rect y="{horizon}" width="{SIDE}" height="{SIDE - horizon}" fill="{lower}"/>' if rng.random() < 0.7 else "")
    )


def drawn(rng, icons, name):
    """A drawing as WebP."""
    icon = icons["icons"][name]
    width, height = (icon.get(k, icons.get(k, 16)) for k in ("width", "height"))
    left, top = (icon.get(k, icons.get(k, 0)) for k in ("left", "top"))
    body = icon["body"]
    one_colour = "currentColor" in body
    dark = one_colour and rng.random() < 0.35
    size = rng.uniform(0.65, 1.0) * SIDE / max(width, height)
    x, y = (rng.uniform(0, SIDE - size * side) for side in (width, height))
    ink = hexes(rng, (0.75, 0.98)) if dark else hexes(rng, (0.02, 0.35))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {SIDE} {SIDE}" width="{SIDE}" height="{SIDE}" '
        f'color="{ink}">{background(rng, dark)}<g transform="translate({x:.2f} {y:.2f}) scale({size:.4f}) translate({-left} {-top})">{body}</g></svg>'
    )
    picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "webp", quality=90, method=4)
    return out.getvalue()


def emoji_names(modules):
    """For each emoji, by its code points and by its name with hyphens: its group, and its names and keywords in both languages."""
    names = {}
    for language in ("en", "zh"):
        rows = json.loads((modules / "emojibase-data" / language / "data.json").read_text(encoding="utf-8"))
        for row in rows:
            code = row["hexcode"].replace("-FE0F", "").lower()
            emoji = names.setdefault(code, {"group": row.get("group", 8)})
            emoji[language] = (row["label"], row.get("tags", []))
    slug = lambda label: re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    return {**{slug(emoji["en"][0]): emoji for emoji in names.values()}, **names}


def texts_of(rng, label, tags, label_zh, tags_zh):
    name = plain(label)
    english = [label, rng.choice(STYLES).format(article(name))]
    if name != label:
        english.append(name)
    if tags:
        english.append(", ".join([name] + [tag for tag in tags if tag != name][:5]))
    chinese = []
    if label_zh:
        short = label_zh if re.search(r"(的|捂)脸$", label_zh) else re.sub(r"(?<=.)脸$", "", label_zh)
        chinese = [label_zh, rng.choice(STYLES_ZH).format(short)]
        if tags_zh:
            chinese.append("、".join([short] + [tag for tag in tags_zh if tag != short][:4]))
    return english, chinese


def samples(modules):
    """Pictures, each with its texts in both languages."""
    names = emoji_names(modules)
    for name in EMOJI + ICONS:
        folder = modules / "@iconify-json" / name
        icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        chars = folder / "chars.json"
        codes = {}
        if name in EMOJI and chars.exists():
            for code, icon in json.loads(chars.read_text(encoding="utf-8")).items():
                codes.setdefault(icon, code.replace("-fe0f", "").lower())
        for icon in sorted(icons["icons"]):
            if LEFT_OUT.search(icon) or IMAGENETTE.search(icon):
                continue
            known = names.get(codes.get(icon, icon)) or names.get(icon)
            if name in ICONS:
                known = {"en": (re.sub(r"-?\d+$", "", icon).replace("-", " ").strip(), [])}
            elif known is None:
                continue
            label, tags = known.get("en", ("", []))
            label_zh, tags_zh = known.get("zh", ("", []))
            label_zh = CHINESE.get(label, label_zh)
            if len(label) < 2 or IMAGENETTE.search(label.replace(" ", "-")):
                continue
            tags = [tag for tag in tags if not IMAGENETTE.search(tag.replace(" ", "-"))]
            for turn in range(1 if name in ICONS else TIMES[known["group"]]):
                rng = random.Random(f"{name}/{icon}/{turn}")
                yield drawn(rng, icons, icon), *texts_of(rng, label.lower(), tags, label_zh, tags_zh)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shard = args.out / "drawings-000.tar.gz"
    lines = []
    # Without the time, so that the bytes are the same.
    with open(shard, "wb") as file, gzip.GzipFile("", "wb", 6, file, 0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for number, (picture, english, chinese) in enumerate(samples(args.modules)):
            key = f"{number:06}"
            for extension, data in (("webp", picture), ("txt", "\n".join(english).encode() + b"\n")):
                info = tarfile.TarInfo(f"{key}.{extension}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
            if chinese:
                lines.append(json.dumps({"shard": "drawings-000", "key": key, "zh": chinese}, ensure_ascii=False))
    with open(args.out / "drawings-zh.jsonl.gz", "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
        packed.write(("\n".join(lines) + "\n").encode())
    print(f"{shard}: {number + 1} drawings, {len(lines)} with Chinese texts")


if __name__ == "__main__":
    main()
