"""How many planted copies `diptych duplicates --json` found, and what else it called one picture.

    diptych index OUT/pictures --index OUT/index
    diptych duplicates --index OUT/index --json > OUT/found.jsonl
    python score.py OUT [--page others.html]

A pair that was not planted may still be one picture: the page shows all of them, to be looked at.
"""

import argparse
import collections
import html
import itertools
import json
import os
import pathlib


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--page")
    args = parser.parse_args()
    with open(os.path.join(args.out, "truth.json")) as file:
        planted = {frozenset(pair[:2]): pair[2] for pair in json.load(file)}
    with open(os.path.join(args.out, "found.jsonl")) as file:
        groups = [json.loads(line) for line in file]
    together, with_keeper = set(), []
    for group in groups:
        names = [os.path.basename(path) for path in group["paths"]]
        together |= {frozenset(pair) for pair in itertools.combinations(names, 2)}
        with_keeper += [(group, frozenset([names[0], name])) for name in names[1:]]
    wanted, found = collections.Counter(planted.values()), collections.Counter()
    for pair, kind in planted.items():
        found[kind] += pair in together
    for kind, n in wanted.items():
        print(f"{kind:25} {found[kind]:5} of {n}  recall {found[kind] / n:.4f}")
    # Two that are near to a keeper because each is a copy of it, or of its copy, are no other pictures.
    origin = {copy: name for name, copy, _ in json.load(open(os.path.join(args.out, "truth.json")))}
    same = lambda pair: len({origin.get(name, name) for name in pair}) == 1
    others = [(group, pair) for group, pair in with_keeper if not same(pair)]
    print(f"{len(groups)} groups, {len(with_keeper)} copies of keepers, {len(others)} of them not planted")
    if args.page:
        folder = pathlib.Path(args.out, "pictures").resolve()
        tiles = "\n".join(
            f"<p>{group['kind']} {group['cosine']:.3f} "
            + " ".join(f'<img width=160 src="{(folder / html.escape(name)).as_uri()}">' for name in sorted(pair))
            for group, pair in others
        )
        pathlib.Path(args.page).write_text(f"<!doctype html><meta charset=utf-8>\n{tiles}\n")


main()
