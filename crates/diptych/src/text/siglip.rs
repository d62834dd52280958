//! SigLIP's and SigLIP 2's tokenizers, which come with their checkpoints.
//!
//! Flow: string → cleaned → the checkpoint's vocabulary → end token → padding, to the whole
//! context. Sources: `SiglipTokenizer` and `Siglip2Tokenizer` of transformers 5.23. What they do in
//! Python is done here; what SigLIP's file says by `sentencepiece`, and what SigLIP 2's says by
//! `tokenizers`, which is theirs as well.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, Replace, Sequence};
use tokenizers::{
    ModelWrapper, NormalizerWrapper, PaddingDirection, PostProcessorWrapper, PreTokenizerWrapper,
};

use super::sentencepiece::{END, SPACE, SentencePiece};
use super::{Overflow, TextError, clean};
use crate::guarded;

/// The part of a tokenizer that turns a text into ids.
#[derive(Debug)]
enum Vocabulary {
    /// SigLIP's, of texts in lower case, without ASCII punctuation.
    Pieces(SentencePiece),
    /// SigLIP 2's, which lowers texts itself, after their special tokens have been found.
    Merges(Box<tokenizers::Tokenizer>),
}

impl Vocabulary {
    /// The id of a special token.
    fn id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Pieces(pieces) => pieces.id(token),
            Self::Merges(merges) => merges.token_to_id(token),
        }
    }

    /// The highest id, and one.
    fn entries(&self) -> usize {
        match self {
            Self::Pieces(pieces) => pieces.len(),
            Self::Merges(merges) => {
                let highest = merges.get_vocab(true).into_values().max();
                highest.map_or(0, |id| id as usize + 1)
            }
        }
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        match self {
            Self::Pieces(pieces) => Ok(pieces.encode(&canonical(text))),
            Self::Merges(merges) => {
                let encoding = guard(|| merges.encode_fast(text, false))?;
                Ok(encoding.get_ids().to_vec())
            }
        }
    }

    fn decode(&self, ids: &[u32]) -> String {
        match self {
            Self::Pieces(pieces) => pieces.decode(ids),
            Self::Merges(merges) => guard(|| merges.decode(ids, true)).unwrap_or_default(),
        }
    }
}

/// Where padding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// A tokenizer of a SigLIP checkpoint. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SiglipTokenizer {
    vocabulary: Arc<Vocabulary>,
    entries: usize,
    /// Special tokens before a text and after it.
    around: [Vec<u32>; 2],
    pad: u32,
    side: Side,
}

/// Texts are padded to the context, so it has to be one that fits into memory.
const MAX_CONTEXT: usize = 1 << 20;

/// The fields of `tokenizer_config.json` that bear on ids.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigFile {
    padding_side: Option<String>,
    add_bos_token: Option<bool>,
    add_eos_token: Option<bool>,
}

/// The parts of `tokenizer.json` that are checked here: its model's affixes, and the step after it.
/// The decoder is read only to see that it is JSON.
#[derive(Deserialize)]
struct Steps {
    #[serde(default)]
    model: Affixes,
    #[serde(rename = "decoder")]
    _decoder: Option<Value>,
    post_processor: Option<Value>,
}

/// Marks of a word's inside and of its end, which SigLIP 2 has not; `tokenizers` panics at merges
/// that lack them.
#[derive(Default, Deserialize)]
struct Affixes {
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
}

impl Affixes {
    fn check(&self) -> Result<(), TextError> {
        for (name, affix) in [
            ("continuing_subword_prefix", &self.continuing_subword_prefix),
            ("end_of_word_suffix", &self.end_of_word_suffix),
        ] {
            if let Some(affix) = affix.as_deref().filter(|affix| !affix.is_empty()) {
                return Err(refusal(format!("its `{name}` is {affix:?}, wanted none")));
            }
        }
        Ok(())
    }
}

/// The special tokens that a post-processor puts before a text and after it. Its own table of them
/// is not needed.
fn template(post_processor: Option<&Value>) -> Result<[Vec<&str>; 2], TextError> {
    let refused = || refusal("its post-processor is not a `TemplateProcessing` of one text".into());
    let mut around = [Vec::new(), Vec::new()];
    let Some(post_processor) = post_processor else {
        return Ok(around);
    };
    let pieces = match post_processor["type"].as_str() {
        Some("TemplateProcessing") => post_processor["single"].as_array().ok_or_else(refused)?,
        _ => return Err(refused()),
    };
    let mut texts = 0;
    for piece in pieces {
        match piece.pointer("/SpecialToken/id").and_then(Value::as_str) {
            Some(token) => around[texts.min(1)].push(token),
            None if piece.pointer("/Sequence/id").is_some_and(|id| id == "A") => texts += 1,
            None => return Err(refused()),
        }
    }
    match texts {
        1 => Ok(around),
        _ => Err(refused()),
    }
}

impl ConfigFile {
    fn parse(json: Option<&[u8]>) -> Result<Self, TextError> {
        let Some(json) = json else {
            return Ok(Self::default());
        };
        serde_json::from_slice(json).map_err(|e| refusal(format!("tokenizer_config.json: {e}")))
    }

    /// Where padding goes, if it is said here; else `default`.
    fn side(&self, default: Side) -> Result<Side, TextError> {
        match self.padding_side.as_deref() {
            None => Ok(default),
            Some("left") => Ok(Side::Left),
            Some("right") => Ok(Side::Right),
            Some(other) => Err(refusal(format!(
                "`padding_side` is `{other}`, wanted left or right"
            ))),
        }
    }
}

fn refusal(reason: String) -> TextError {
    TextError::Siglip { reason }
}

impl SiglipTokenizer {
    /// Reads SigLIP 2's `tokenizer.json`, and the `tokenizer_config.json` beside it, if there is
    /// one.
    ///
    /// Of the first its vocabulary, added tokens and special tokens around a text are taken. The
    /// steps before are the class's own, whatever the file says, as in transformers.
    ///
    /// # Errors
    /// [`TextError::Siglip`] for files that are not a tokenizer's, or not of SigLIP 2's kind.
    pub fn from_json(tokenizer: &[u8], config: Option<&[u8]>) -> Result<Self, TextError> {
        let config = ConfigFile::parse(config)?;
        // `tokenizers` panics at JSON that is damaged within its decoder.
        let steps: Steps = serde_json::from_slice(tokenizer)?;
        steps.model.check()?;
        let mut inner = guard(|| tokenizers::Tokenizer::from_bytes(tokenizer))?;
        if !matches!(inner.get_model(), ModelWrapper::BPE(_)) {
            return Err(refusal(
                "its model is not BPE, as SigLIP 2's is; SigLIP's own is read from spiece.model"
                    .into(),
            ));
        }
        let file = match inner.get_padding().map(|padding| padding.direction) {
            Some(PaddingDirection::Right) => Side::Right,
            Some(PaddingDirection::Left) | None => Side::Left, // the class's default
        };
        let side = config.side(file)?;
        guard(|| {
            let steps: Vec<NormalizerWrapper> = vec![
                Lowercase.into(),
                Replace::new(ReplacePattern::String(" ".into()), SPACE)?.into(),
            ];
            inner.with_normalizer(Some(Sequence::new(steps)))?;
            Ok(())
        })?;
        inner.with_pre_tokenizer(None::<PreTokenizerWrapper>);
        inner.with_post_processor(None::<PostProcessorWrapper>);
        let around = match (config.add_bos_token, config.add_eos_token) {
            (None, None) => template(steps.post_processor.as_ref())?,
            (start, end) => {
                let if_so = |is_so, token| {
                    if is_so == Some(true) {
                        vec![token]
                    } else {
                        Vec::new()
                    }
                };
                [if_so(start, "<bos>"), if_so(end, "<eos>")]
            }
        };
        // Both are done here, where the context's length is known.
        inner.with_padding(None);
        guard(|| inner.with_truncation(None).map(drop))?;
        Self::new(Vocabulary::Merges(inner.into()), around, "<pad>", side)
    }

    /// Reads SigLIP's SentencePiece model, `spiece.model`, and the `tokenizer_config.json` beside
    /// it, if there is one.
    ///
    /// # Errors
    /// [`TextError::Siglip`] for files that are not a tokenizer's, or not of SigLIP's kind.
    pub fn from_sentencepiece(model: &[u8], config: Option<&[u8]>) -> Result<Self, TextError> {
        let side = ConfigFile::parse(config)?.side(Side::Right)?;
        let pieces = SentencePiece::read(model).map_err(refusal)?;
        let around = [Vec::new(), vec![END]];
        Self::new(Vocabulary::Pieces(pieces), around, END, side)
    }

    fn new(
        vocabulary: Vocabulary,
        around: [Vec<&str>; 2],
        pad: &str,
        side: Side,
    ) -> Result<Self, TextError> {
        let id = |token: &str| {
            let id = vocabulary.id(token);
            id.ok_or_else(|| refusal(format!("there is no `{token}`, which goes with every text")))
        };
        let ids = |tokens: &[&str]| {
            tokens
                .iter()
                .map(|token| id(token))
                .collect::<Result<_, _>>()
        };
        let (pad, around) = (id(pad)?, [ids(&around[0])?, ids(&around[1])?]);
        Ok(Self {
            entries: vocabulary.entries(),
            vocabulary: vocabulary.into(),
            around,
            pad,
            side,
        })
    }

    /// Number of entries: the highest id, and one.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.entries
    }

    /// Id of the padding.
    #[must_use]
    pub fn pad_id(&self) -> u32 {
        self.pad
    }

    /// Encodes one text into `context_length` ids, padding included.
    pub(super) fn encode(
        &self,
        text: &str,
        context_length: usize,
        overflow: Overflow,
    ) -> Result<Vec<u32>, TextError> {
        if context_length < 2 {
            return Err(TextError::ContextTooShort { context_length });
        }
        if context_length > MAX_CONTEXT {
            return Err(refusal(format!(
                "context length is {context_length}, wanted at most {MAX_CONTEXT}"
            )));
        }
        let ids = self.vocabulary.encode(text)?;
        let mut ids = &ids[..];
        let [before, after] = &self.around;
        let room = context_length.saturating_sub(before.len() + after.len());
        if overflow == Overflow::Truncate {
            ids = &ids[..ids.len().min(room)];
        }
        let ids = [before, ids, after].concat();
        let Some(missing) = context_length.checked_sub(ids.len()) else {
            return Err(TextError::TooLong {
                tokens: ids.len(),
                context_length,
            });
        };
        let padding = vec![self.pad; missing];
        Ok(match self.side {
            Side::Left => [padding, ids].concat(),
            Side::Right => [ids, padding].concat(),
        })
    }

    /// The words of `ids`, without special tokens.
    pub(super) fn decode(&self, ids: &[u32]) -> String {
        self.vocabulary.decode(ids).trim().to_owned()
    }
}

/// Runs what reads a stranger's file: `tokenizers` trusts that its tables fit together.
fn guard<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TextError> {
    let result = guarded(run);
    let result = result.unwrap_or_else(|_| Err("its tables do not fit together".into()));
    result.map_err(|error| refusal(error.to_string()))
}

/// SigLIP's text, in lower case, without ASCII punctuation, its white space single spaces.
///
/// Source: `tokenize` and `canonicalize_text` in transformers' `tokenization_siglip.py`. What
/// stands for a space comes first there, too, so white space that a text begins with is kept.
/// Special tokens that a text spells out are read there as such; here they lose their punctuation,
/// and are words.
fn canonical(text: &str) -> String {
    let text = format!("{SPACE}{}", text.replace(SPACE, " "));
    let lower = clean::lower(&text);
    // Python takes these for white space, Rust does not.
    let spaced = lower.replace(['\u{1c}', '\u{1d}', '\u{1e}', '\u{1f}'], " ");
    let kept: String = spaced
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    match clean::single_spaces(&kept) {
        nothing if nothing == SPACE => String::new(),
        text => text,
    }
}
