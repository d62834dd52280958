//! The tokenizer as Hugging Face's files, written and recognised.
//!
//! Source: what `CLIPTokenizer` of transformers 5 builds, as tokenizers 0.23 writes it. Two things
//! differ. Padding is a token of its own with id 0, an alias of `!`: ids after the end are zero as
//! in open_clip, and the end token stays the only one with the highest id, by which open_clip finds
//! the end of a text. And special tokens are spelled as the tokenizer's kind has it.
//! Invariant: only a file that means the same ids as [`ClipTokenizer`] is accepted. (Hugging Face's
//! own code still gives other ids for a capital sigma at a word's end, and for U+0345.)

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::bpe::{END_OF_WORD, Merges, N_BYTE_IDS};
use super::{ClipTokenizer, SpecialTokens, TextError};

/// The token after the end of a text, id 0.
const PAD: &str = "<|pad|>";

/// How words are split, after the special tokens. The split drops what is between the matches.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// The end of [`WORDS`], which every spelling of it shares.
const LETTERS_ON: &str = r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

impl ClipTokenizer {
    /// The file `tokenizer.json`: Python's `transformers` and open_clip's `HFTokenizer` get the
    /// same ids from it, after their own repair of Unicode and HTML.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let [start, end] = self.special_tokens().spelling();
        let symbols = (0..self.start_id()).map(|id| (self.merges.symbol(id), id));
        let special = [(start, self.start_id()), (end, self.end_id()), (PAD, 0)]
            .map(|(t, id)| (t.to_owned(), id));
        let vocab: Map<String, Value> = symbols
            .chain(special)
            .map(|(token, id)| (token, id.into()))
            .collect();
        let merges: Vec<_> = (0..self.n_merges())
            .filter_map(|i| self.merges.pair(i))
            .collect();
        let added =
            [(PAD, 0), (start, self.start_id()), (end, self.end_id())].map(|(content, id)| {
                json!({
                    "id": id, "content": content, "special": true,
                    "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                })
            });
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": format!("{}|{}|{WORDS}", regex::escape(start), regex::escape(end))},
                    "behavior": "Removed",
                    "invert": true,
                },
                {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            ]},
            "post_processor": {
                "type": "RobertaProcessing",
                "sep": [end, self.end_id()],
                "cls": [start, self.start_id()],
                "trim_offsets": false,
                "add_prefix_space": false,
            },
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": end,
                "continuing_subword_prefix": "",
                "end_of_word_suffix": END_OF_WORD,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": false,
                "vocab": vocab,
                "merges": merges,
            },
        })
    }

    /// The file `tokenizer_config.json` that goes with [`to_json`](Self::to_json).
    #[must_use]
    pub fn tokenizer_config(&self, context_length: usize) -> Value {
        let mut config = self.special_tokens_map();
        // This class takes `tokenizer.json` as it is; `CLIPTokenizer` would build another.
        config["tokenizer_class"] = "PreTrainedTokenizerFast".into();
        config["model_max_length"] = context_length.into();
        config["clean_up_tokenization_spaces"] = false.into();
        config
    }

    /// The file `special_tokens_map.json` that goes with [`to_json`](Self::to_json).
    #[must_use]
    pub fn special_tokens_map(&self) -> Value {
        let [start, end] = self.special_tokens().spelling();
        json!({"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": PAD})
    }

    /// Recognises a `tokenizer.json` of CLIP's kind, as [`to_json`](Self::to_json) and OpenAI's
    /// repositories have it: CLIP's cleaning, words and ids, with CLIP's merges, the first of them,
    /// or others.
    ///
    /// # Errors
    /// [`TextError::Json`] if `bytes` aren't JSON; [`TextError::NotClip`] names the first field
    /// that means other ids than ours.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TextError> {
        let file: Value = serde_json::from_slice(bytes)?;
        if file.pointer("/model/type").is_some() {
            expect(&file, "/model/type", &json!("BPE"))?;
        }
        expect(&file, "/model/end_of_word_suffix", &json!(END_OF_WORD))?;
        if let Some(prefix) = file
            .pointer("/model/continuing_subword_prefix")
            .filter(|prefix| !prefix.is_null())
        {
            require(
                prefix == "",
                "/model/continuing_subword_prefix",
                prefix,
                "none",
            )?;
        }
        check_splitting(&file)?;
        let pairs = merges(&file)?;
        let kind = special_tokens(&file)?;
        let tokenizer = if Merges::are_standard(&pairs) {
            Self::with_vocab_size(N_BYTE_IDS as usize + pairs.len() + 2, kind)?
        } else {
            let own = Merges::of_pairs(pairs.iter().copied());
            let own = own.map_err(|i| {
                let found = json!(pairs[i]);
                let wanted = "new pairs of symbols that earlier merges made";
                not_clip(&format!("{MERGES}/{i}"), &found, wanted)
            })?;
            Self::of_merges(Arc::new(own), kind)
        };
        check_vocab(&file, &tokenizer)?;
        Ok(tokenizer)
    }

    fn n_merges(&self) -> usize {
        (self.start_id() - N_BYTE_IDS) as usize
    }
}

/// The error that says what was found at `field`, shortened.
fn not_clip(field: &str, found: &Value, wanted: &str) -> TextError {
    const SHOWN: usize = 80;
    let found = found.to_string();
    let found = match found.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &found[..end]),
        None => found,
    };
    let field = field.trim_start_matches('/').replace('/', ".");
    TextError::NotClip {
        field,
        found,
        wanted: wanted.to_owned(),
    }
}

/// Fails unless `holds`.
fn require(holds: bool, field: &str, found: &Value, wanted: &str) -> Result<(), TextError> {
    if holds {
        Ok(())
    } else {
        Err(not_clip(field, found, wanted))
    }
}

/// Fails unless the value at `field` is `wanted`.
fn expect(file: &Value, field: &str, wanted: &Value) -> Result<(), TextError> {
    let found = file.pointer(field).unwrap_or(&Value::Null);
    require(found == wanted, field, found, &wanted.to_string())
}

/// Fails unless text is lower-cased and split into CLIP's words.
fn check_splitting(file: &Value) -> Result<(), TextError> {
    let null = &Value::Null;
    let steps = |field: &str, list: &str| -> Vec<&Value> {
        let stage = file.get(field).unwrap_or(null);
        stage
            .get(list)
            .and_then(Value::as_array)
            .map_or_else(|| vec![stage], |steps| steps.iter().collect())
    };
    let is_lower = steps("normalizer", "normalizers")
        .iter()
        .any(|step| step["type"] == "Lowercase");
    let normalizer = file.get("normalizer").unwrap_or(null);
    // Without a normaliser, lower-casing is the caller's, as with open_clip's option `clean`.
    require(
        is_lower || normalizer.is_null(),
        "normalizer",
        normalizer,
        "a step `Lowercase`",
    )?;
    let is_split = steps("pre_tokenizer", "pretokenizers")
        .iter()
        .filter_map(|step| step.pointer("/pattern/Regex")?.as_str())
        .any(|pattern| pattern.ends_with(LETTERS_ON));
    let found = file.get("pre_tokenizer").unwrap_or(null);
    require(
        is_split,
        "pre_tokenizer",
        found,
        &format!("a split at `{WORDS}`"),
    )
}

/// Where the merges are.
const MERGES: &str = "/model/merges";

/// The two symbols of each merge.
fn merges(file: &Value) -> Result<Vec<(&str, &str)>, TextError> {
    let found = file.pointer(MERGES).unwrap_or(&Value::Null);
    let Some(merges) = found.as_array() else {
        return Err(not_clip(MERGES, found, "a list of merges"));
    };
    let pairs = merges.iter().enumerate().map(|(i, merge)| {
        let pair = match merge {
            Value::String(line) => line.split_once(' '),
            _ => merge
                .get(0)
                .and_then(Value::as_str)
                .zip(merge.get(1).and_then(Value::as_str)),
        };
        pair.ok_or_else(|| not_clip(&format!("{MERGES}/{i}"), merge, "two symbols"))
    });
    pairs.collect()
}

/// The spelling of special tokens for which the file has ids.
fn special_tokens(file: &Value) -> Result<SpecialTokens, TextError> {
    let mut kinds = [SpecialTokens::OpenAi, SpecialTokens::OpenClip].into_iter();
    let found = file.get("added_tokens").unwrap_or(&Value::Null);
    kinds
        .find(|kind| {
            kind.spelling()
                .iter()
                .all(|token| id_of(file, token).is_some())
        })
        .ok_or_else(|| {
            not_clip(
                "added_tokens",
                found,
                "`<|startoftext|>` and `<|endoftext|>`",
            )
        })
}

/// The id of `token` in the vocabulary or among the added tokens.
fn id_of(file: &Value, token: &str) -> Option<u64> {
    let added = file
        .get("added_tokens")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let added = added
        .filter(|added| added["content"] == token)
        .find_map(|added| added["id"].as_u64());
    file.pointer("/model/vocab")
        .and_then(|vocab| vocab.get(token)?.as_u64())
        .or(added)
}

/// Fails unless every token of `tokenizer` has its id in the file.
fn check_vocab(file: &Value, tokenizer: &ClipTokenizer) -> Result<(), TextError> {
    let [start, end] = tokenizer.special_tokens().spelling();
    let symbols = (0..tokenizer.start_id()).map(|id| (tokenizer.merges.symbol(id), id));
    let special = [
        (start.to_owned(), tokenizer.start_id()),
        (end.to_owned(), tokenizer.end_id()),
    ];
    for (token, id) in symbols.chain(special) {
        let found = id_of(file, &token);
        let field = format!("/model/vocab/`{token}`");
        require(
            found == Some(u64::from(id)),
            &field,
            &json!(found),
            &id.to_string(),
        )?;
    }
    Ok(())
}
