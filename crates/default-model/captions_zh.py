"""Says in Chinese what shards for detection and the drawn faces say in English: composed from their boxes and attributes.

    python captions_zh.py DATA OUT.jsonl.gz

reads `DATA/voc2007-detect-train-*`, `coco-detect-train-*`, `fruit-detect-train-*` and `avatars-*`, and writes a line for each
picture, `{"shard", "key", "zh": [sentence, …]}`, the same bytes each time. Names of things are those of `names.zh.tsv`.
"""

import collections
import gzip
import json
import pathlib
import random
import sys
import tarfile

HERE = pathlib.Path(__file__).parent
NUMBERS = ["", "一", "两", "三", "四", "五", "六"]
# Measure words of things; 个 for all others.
MEASURES = {
    "匹": "horse",
    "只": "bird, cat, dog, sheep, elephant, bear, zebra, giraffe, mouse, cup, teddy bear, baseball glove",
    "头": "cow",
    "辆": "car, bus, bicycle, motorcycle, truck",
    "架": "airplane",
    "艘": "boat",
    "列": "train",
    "把": "chair, bench, umbrella, knife, fork, spoon, scissors, toothbrush, hair drier",
    "张": "sofa, dining table, bed, pizza",
    "台": "television, laptop, microwave, oven, toaster, refrigerator",
    "盆": "potted plant",
    "条": "tie",
    "根": "banana, carrot, hot dog, baseball bat",
    "本": "book",
    "部": "cell phone",
    "块": "cake, skateboard, snowboard, surfboard",
    "副": "skis",
}
MEASURE = {thing: word for word, things in MEASURES.items() for thing in things.split(", ")}

COLOURS = dict(
    zip(
        "white,dark blue,pink,blue,black,light blue,green,light gray,magenta,red,yellow,gray,teal,purple,orange".split(","),
        "白色,深蓝色,粉色,蓝色,黑色,浅蓝色,绿色,浅灰色,洋红色,红色,黄色,灰色,蓝绿色,紫色,橙色".split(","),
    )
)
HAIR_COLOURS = dict(
    zip(
        "black,blonde,golden blonde,brown,dark brown,pink,gray,auburn,platinum,red,dark purple,light orange,orange,white".split(","),
        "黑色,金色,金黄色,棕色,深棕色,粉色,灰色,赤褐色,白金色,红色,深紫色,浅橙色,橙色,白色".split(","),
    )
)
SKIN = {"dark brown": "深棕色", "brown": "棕色", "pale": "苍白", "tan": "小麦色", "light": "浅色"}
FACIAL_HAIR = {
    "a big long beard": "又大又长的胡子",
    "a beard": "胡子",
    "a light beard": "浅胡子",
    "a thick moustache": "浓密的八字胡",
    "a fancy moustache": "翘起的八字胡",
    "a moustache": "八字胡",
    "a goatee": "山羊胡",
    "a full beard": "络腮胡",
    "a chin beard": "下巴胡",
    "a walrus moustache": "海象胡",
    "stubble": "胡茬",
    "a soul patch": "一小撮下唇胡",
    "a beard and moustache": "胡子和八字胡",
}
HEADWEAR = {"winter hat with ear flaps": "护耳冬帽", "winter hat": "冬帽", "turban": "头巾", "hat": "帽子", "hijab": "希贾布头巾"}
GLASSES = {
    "round glasses": "圆框眼镜",
    "sunglasses": "太阳镜",
    "an eyepatch": "眼罩",
    "glasses": "眼镜",
    "dark sunglasses": "深色墨镜",
    "thin glasses": "细框眼镜",
    "white sunglasses": "白色太阳镜",
}
EYES = {
    "closed eyes": "闭着眼睛",
    "squinting eyes": "眯着眼睛",
    "surprised wide eyes": "惊讶地睁大眼睛",
    "happy eyes": "眼睛笑弯了",
    "a winking eye": "眨着一只眼",
    "a wink": "眨着一只眼",
    "heart eyes": "爱心眼",
    "crying eyes": "流着眼泪",
    "dizzy eyes": "晕眩的眼睛",
    "eyes looking to the side": "眼睛看向一边",
    "rolling eyes": "翻着白眼",
    "closed sleeping eyes": "闭眼睡觉",
}
MOUTH = {
    "smiling": "微笑着",
    "screaming": "尖叫着",
    "looking sad": "看起来很伤心",
    "with an open mouth": "张着嘴",
    "in disbelief": "一脸难以置信",
    "eating": "正在吃东西",
    "smiling gently": "温和地微笑",
    "serious": "表情严肃",
    "looking concerned": "看起来很担心",
    "sticking out the tongue": "吐着舌头",
    "showing the teeth": "露出牙齿",
    "a frown": "撇着嘴",
    "full lips": "嘴唇丰满",
    "a smile": "微笑着",
    "a surprised mouth": "惊讶地张着嘴",
    "a big smile": "开怀大笑",
    "a pacifier": "含着奶嘴",
    "a smirk": "坏笑着",
}
EYEBROWS = {"raised": "扬着眉毛", "angry": "皱着愤怒的眉毛", "unibrow": "一字眉", "sad": "忧伤的眉毛", "one raised": "挑着一边眉毛", "frown": "皱着眉头"}
CLOTHES = {
    "a graphic t-shirt": "图案T恤",
    "a v-neck shirt": "V领衫",
    "a hoodie": "连帽衫",
    "overalls": "背带裤",
    "a scoop-neck shirt": "圆领衫",
    "a t-shirt": "T恤",
    "a blazer": "西装外套",
    "a sweater with a collar": "带领毛衣",
    "a blazer over a sweater": "毛衣外面套西装",
}
HAIR = {
    "a bob haircut with bangs": "带刘海的波波头",
    "a bald top with hair on the sides": "地中海发型",
    "short wavy hair": "短卷发",
    "long wavy hair": "长波浪发",
    "long hair with shaved sides": "两侧剃短的长发",
    "very short hair with a side part": "偏分的超短发",
    "short curly hair": "短卷发",
    "long curly hair": "长卷发",
    "long straight hair": "长直发",
    "long dreadlocks": "长脏辫",
    "big long hair": "蓬松的长发",
    "short flat hair": "平头短发",
    "a hair bun": "发髻",
    "short dreadlocks": "短脏辫",
    "short round hair": "圆短发",
    "short frizzy hair": "蓬乱的短发",
    "shaggy hair": "乱蓬蓬的头发",
    "bald": "光头",
    "a bald head": "光头",
    "a shaved head": "剃光的头",
    "an afro": "爆炸头",
    "a long afro": "长爆炸头",
    "very short hair": "超短发",
    "a bob haircut": "波波头",
    "a bob cut": "波波头",
    "a bob with bangs": "带刘海的波波头",
    "shoulder-length hair": "及肩发",
    "an afro with a headband": "戴发带的爆炸头",
    "hair up with flowers": "插着花的盘发",
    "a shaggy mullet": "乱蓬蓬的鲻鱼头",
    "long straight hair with a strand": "垂着一缕的长直发",
    "a curly high top": "高耸的卷发",
    "curly hair": "卷发",
    "side-shaved hair": "一侧剃短的头发",
    "a straight bun": "直发发髻",
    "a buzz cut": "寸头",
    "a short comb-over": "短偏分头",
    "a balding head": "半秃的头",
    "a fade haircut": "渐变短发",
    "very long hair": "很长的头发",
    "a mohawk": "莫霍克头",
    "long hair": "长发",
    "long hair with bangs": "带刘海的长发",
    "a curly bun": "卷发发髻",
    "a cap": "鸭舌帽",
    "a bun with an undercut": "两侧剃短的发髻",
    "a beanie": "毛线帽",
    "pigtails": "双马尾",
    "a turban": "头巾",
    "short hair": "短发",
    "bantu knots": "班图结发型",
    "two hair buns": "两个丸子头",
    "twists": "拧辫",
    "short gray hair": "灰色短发",
    "a bear hat": "熊帽子",
    "a hat": "帽子",
    "straight hair": "直发",
    "medium-length hair": "中长发",
    "medium-length hair with bangs": "带刘海的中长发",
    "gray medium-length hair": "灰色中长发",
    "a gray bun": "灰色发髻",
    "a hijab": "希贾布头巾",
    "cornrows": "玉米辫",
    "dreadlocks": "脏辫",
    "a flat top haircut": "平顶头",
    "hair with bangs": "带刘海的头发",
    "a pompadour": "飞机头",
}
FACES = {
    "a happy eating face": "开心地吃着东西",
    "a contemptuous face": "一脸轻蔑",
    "a concerned face": "一脸担心",
    "one eye like a cyclops": "像独眼巨人一样只有一只眼睛",
    "a serious face": "表情严肃",
    "a cheeky face": "一脸调皮",
    "a calm face": "表情平静",
    "a fearful face": "一脸害怕",
    "a monster face": "怪物的脸",
    "a laughing face": "哈哈大笑",
    "an amazed face": "一脸惊奇",
    "an angry face": "一脸生气",
    "a solemn face": "神情庄重",
    "a smile with a tooth gap": "微笑时露出牙缝",
    "an old wrinkled face": "满是皱纹的老人脸",
    "a suspicious face": "一脸怀疑",
    "a cute face": "可爱的脸",
    "a raging face": "暴怒的脸",
    "a very angry face": "非常生气",
    "a tired face": "一脸疲惫",
    "a loving grin": "深情地咧嘴笑",
}
MANNER = EYES | MOUTH | FACES
STYLES = ["一个人的卡通头像", "一张卡通人脸", "一幅人物插画", "一个卡通人物"]


def names():
    """The first Chinese name of each English one."""
    lines = (line.split("\t") for line in (HERE / "names.zh.tsv").read_text(encoding="utf-8").splitlines())
    table = {english.split(",")[0]: chinese.split("、")[0] for english, chinese in lines}
    # Here only names of people and of a household's things are meant.
    return table | {"person": "人", "television": "电视机", "mouse": "鼠标", "orange": "橙子", "remote": "遥控器"}


def counted(boxes, table):
    """“图中有两匹马、一个人和一辆汽车。”"""
    counts = collections.Counter(box[4] for box in boxes)
    parts = []
    for thing, count in counts.most_common(4):
        number = NUMBERS[count] + MEASURE.get(thing, "个") if count < len(NUMBERS) else "许多"
        parts.append(number + table[thing])
    all_of_them = parts[0] if len(parts) == 1 else "、".join(parts[:-1]) + "和" + parts[-1]
    bare = "、".join(table[thing] for thing in counts)
    return [f"一张有{all_of_them}的照片。", f"图中有{all_of_them}。", bare]


def features(face):
    """What can be said of a face, in the order of a sentence."""
    hair = HAIR.get(face.get("hair") or face.get("head"), "")
    colour = HAIR_COLOURS.get(face.get("hair_color") or face.get("head_color"), "")
    said = []
    if "帽" in hair or "巾" in hair:
        said.append("戴着" + hair)
    elif "光" in hair or "秃" in hair:
        said.append(hair)
    elif hair:
        said.append("留着" + ("" if "灰" in hair else colour and colour + "的") + hair)
    if face.get("facial_hair"):
        beard = HAIR_COLOURS.get(face.get("facial_hair_color"), "")
        said.append("留着" + (beard and beard + "的") + FACIAL_HAIR[face["facial_hair"]])
    if face.get("headwear"):
        said.append("戴着" + COLOURS.get(face.get("headwear_color"), "") + HEADWEAR[face["headwear"]])
    for worn in (face.get("glasses"), face.get("eyes")):
        if worn in GLASSES:
            said.append("戴着" + GLASSES[worn])
    if face.get("mask"):
        said.append("戴着口罩")
    said += [MANNER[face[key]] for key in ("mouth", "eyes", "face") if face.get(key) in MANNER]
    if face.get("eyebrows") in EYEBROWS:
        said.append(EYEBROWS[face["eyebrows"]])
    if face.get("clothes"):
        said.append("穿着" + COLOURS.get(face.get("clothes_color"), "") + CLOTHES[face["clothes"]])
    if face.get("skin"):
        said.append(SKIN[face["skin"]] + "皮肤")
    return said


def described(face, key):
    """Three sentences of a drawn face: of up to four features, of one, and of two."""
    draw = random.Random(key)
    said = features(face)
    background = [COLOURS[face["background"]] + "背景"] if face.get("background") else []
    sentences = []
    for count, ground in ((4, background), (1, []), (2, [])):
        some = sorted(draw.sample(range(len(said)), min(count, len(said))))
        sentences.append("，".join([draw.choice(STYLES), *(said[i] for i in some), *ground]) + "。")
    return sentences


def main():
    data, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    table = names()
    lines = []
    kinds = ["voc2007-detect-train", "coco-detect-train", "fruit-detect-train", "avatars"]
    for shard in sorted(path for kind in kinds for path in data.glob(f"{kind}-*.tar.gz")):
        with tarfile.open(shard) as tar:
            for member in tar:
                if not member.name.endswith(".json"):
                    continue
                key, told = member.name.removesuffix(".json"), json.load(tar.extractfile(member))
                sentences = counted(told["boxes"], table) if "boxes" in told else described(told, key)
                lines.append(json.dumps({"shard": shard.name.removesuffix(".tar.gz"), "key": key, "zh": sentences}, ensure_ascii=False))
    # No time and no name in the head, so that the bytes depend on the data alone.
    with open(out, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write("".join(line + "\n" for line in lines).encode())
    print(f"{out}: {len(lines)} pictures")


main()
