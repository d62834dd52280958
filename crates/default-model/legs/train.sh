#!/bin/sh
# Trains the default model from its data, eight hours on two cores: crates/default-model/legs/train.sh
#
# The data are the shards in ../shared/data, beside the repository; what else is needed is made in runs/default-data. Needs
# `diptych` in the path, npm, and Python with resvg_py 0.5.0 and Pillow 13.0.
set -eu
cd "$(dirname "$0")/../../.."
made=runs/default-data
mkdir -p "$made"
icons="openmoji@1.2.29 twemoji@1.2.5 fxemoji@1.2.2 emojione@1.2.3 emojione-v1@1.2.3 noto-v1@1.2.5 fluent-emoji-flat@1.2.6
fluent-emoji-high-contrast@1.2.6 streamline-emojis@1.2.4 flat-color-icons@1.2.3 game-icons@1.2.4"
# shellcheck disable=SC2046
npm install --prefix "$made" emojibase-data@17.0.0 $(for set in $icons; do echo "@iconify-json/$set"; done)
python crates/default-model/drawings.py "$made/node_modules" "$made"
python crates/default-model/captions_zh.py ../shared/data "$made/composed-zh.jsonl.gz"

export MIMALLOC_PURGE_DELAY=-1
legs=crates/default-model/legs
# A run in which a sample was passed over ends with 2.
finished() { "$@" || [ $? -eq 2 ]; }
[ -e "$legs/tokenizer.json" ] || finished diptych train "$legs/run-1.toml" --learn-tokenizer
for leg in 1 2 3; do
    finished diptych train "$legs/run-$leg.toml" --threads 2
done
