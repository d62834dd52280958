//! SigLIP's and SigLIP 2's tokenizers, which come with their checkpoints.
//!
//! Flow: string → cleaned → the checkpoint's vocabulary → end token → padding, to the whole context.
//! Sources: `SiglipTokenizer` and `Siglip2Tokenizer` of transformers 5.23. What they do in Python is done
//! here; what their files say is done by `tokenizers`, which is theirs as well.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, Replace, Sequence};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{
    AddedToken, ModelWrapper, NormalizerWrapper, PaddingDirection, PostProcessor,
    PreTokenizerWrapper, TruncationDirection,
};

use super::sentencepiece::{self, SPACE};
use super::{Overflow, TextError, clean};

/// What is done to a text before it meets the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaning {
    /// Lower case, no ASCII punctuation, single spaces: SigLIP's.
    Canonical,
    /// Lower case: SigLIP 2's.
    Lower,
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
    inner: Arc<tokenizers::Tokenizer>,
    entries: usize,
    cleaning: Cleaning,
    pad: u32,
    side: Side,
}

/// Texts are padded to the context, so it has to be one that fits into memory.
const MAX_CONTEXT: usize = 1 << 20;

/// What bears on ids in `tokenizer_config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigFile {
    padding_side: Option<String>,
    add_bos_token: Option<bool>,
    add_eos_token: Option<bool>,
}

/// What `tokenizer.json` says of the steps after its model; the decoder to see that it is JSON.
#[derive(Deserialize)]
struct Steps {
    #[serde(rename = "decoder")]
    _decoder: Option<Value>,
    post_processor: Option<Value>,
}

/// The special tokens that a post-processor puts around a text, `$A`. Its own table of them is not needed.
fn template(post_processor: Option<&Value>) -> Result<String, TextError> {
    let Some(post_processor) = post_processor else {
        return Ok("$A".into());
    };
    let refused = || refusal("its post-processor is not a `TemplateProcessing` of one text".into());
    let pieces = match post_processor["type"].as_str() {
        Some("TemplateProcessing") => post_processor["single"].as_array().ok_or_else(refused)?,
        _ => return Err(refused()),
    };
    let piece = |piece: &Value| match piece.pointer("/SpecialToken/id").and_then(Value::as_str) {
        Some(token) if !token.is_empty() && !token.contains([' ', ':', '$']) => {
            Some(token.to_owned())
        }
        Some(_) => None,
        None => (piece.pointer("/Sequence/id")? == "A").then(|| "$A".to_owned()),
    };
    let pieces: Option<Vec<String>> = pieces.iter().map(piece).collect();
    let pieces = pieces.ok_or_else(refused)?;
    match pieces.iter().filter(|piece| *piece == "$A").count() {
        1 => Ok(pieces.join(" ")),
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
    /// Reads SigLIP 2's `tokenizer.json`, and the `tokenizer_config.json` beside it, if there is one.
    ///
    /// Of the first its vocabulary, added tokens and special tokens around a text are taken. The steps before are
    /// the class's own, whatever the file says, as in transformers.
    ///
    /// # Errors
    /// [`TextError::Siglip`] for files that are not a tokenizer's, or not of SigLIP 2's kind.
    pub fn from_json(tokenizer: &[u8], config: Option<&[u8]>) -> Result<Self, TextError> {
        let config = ConfigFile::parse(config)?;
        // `tokenizers` panics at JSON that is damaged within its decoder.
        let steps: Steps = serde_json::from_slice(tokenizer)?;
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
        let ends = match (config.add_bos_token, config.add_eos_token) {
            (None, None) => template(steps.post_processor.as_ref())?,
            (start, end) => {
                let start = if start == Some(true) { "<bos> " } else { "" };
                let end = if end == Some(true) { " <eos>" } else { "" };
                format!("{start}$A{end}")
            }
        };
        surround(&mut inner, &ends)?;
        Self::new(inner, Cleaning::Lower, "<pad>", side)
    }

    /// Reads SigLIP's SentencePiece model, `spiece.model`, and the `tokenizer_config.json` beside it, if there is
    /// one.
    ///
    /// # Errors
    /// [`TextError::Siglip`] for files that are not a tokenizer's, or not of SigLIP's kind.
    pub fn from_sentencepiece(model: &[u8], config: Option<&[u8]>) -> Result<Self, TextError> {
        let side = ConfigFile::parse(config)?.side(Side::Right)?;
        let mut inner = guard(|| sentencepiece::read(model).map_err(Into::into))?;
        let end = AddedToken::from(sentencepiece::END, true);
        guard(|| inner.add_special_tokens([end]).map(drop))?;
        surround(&mut inner, &format!("$A {}", sentencepiece::END))?;
        Self::new(inner, Cleaning::Canonical, sentencepiece::END, side)
    }

    fn new(
        mut inner: tokenizers::Tokenizer,
        cleaning: Cleaning,
        pad: &str,
        side: Side,
    ) -> Result<Self, TextError> {
        let pad = inner
            .token_to_id(pad)
            .ok_or_else(|| refusal(format!("there is no `{pad}`, which texts are padded with")))?;
        // Both are done here, where the context's length is known.
        inner.with_padding(None);
        guard(|| inner.with_truncation(None).map(drop))?;
        let highest = inner.get_vocab(true).into_values().max();
        Ok(Self {
            entries: highest.map_or(0, |id| id as usize + 1),
            inner: inner.into(),
            cleaning,
            pad,
            side,
        })
    }

    /// Number of entries: the highest id, and one.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.entries
    }

    /// What is done to a text first.
    #[must_use]
    pub fn cleaning(&self) -> Cleaning {
        self.cleaning
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
            return Err(TextError::Siglip {
                reason: format!("context length is {context_length}, wanted at most {MAX_CONTEXT}"),
            });
        }
        let canonical; // lives as long as what is read of it
        let text = match self.cleaning {
            Cleaning::Canonical => {
                canonical = self::canonical(text);
                &canonical
            }
            Cleaning::Lower => text, // after its special tokens have been found
        };
        let ids = guard(|| {
            let mut encoding = self.inner.encode_fast(text, false)?;
            let ends = self.inner.get_post_processor();
            let ends = ends.map_or(0, |processor| processor.added_tokens(false));
            if overflow == Overflow::Truncate {
                let room = context_length.saturating_sub(ends);
                encoding.truncate(room, 0, TruncationDirection::Right);
            }
            let encoding = self.inner.post_process(encoding, None, true)?;
            Ok(encoding.get_ids().to_vec())
        })?;
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
        let text = guard(|| self.inner.decode(ids, true)).unwrap_or_default();
        text.trim().to_owned()
    }
}

/// Puts special tokens around every text: `template` with `$A` for it.
fn surround(inner: &mut tokenizers::Tokenizer, template: &str) -> Result<(), TextError> {
    let mut special = Vec::new();
    for token in template.split(' ').filter(|token| *token != "$A") {
        let id = inner.token_to_id(token);
        let id =
            id.ok_or_else(|| refusal(format!("there is no `{token}`, which goes with a text")))?;
        special.push((token, id));
    }
    let ends = guard(|| {
        let builder = &mut TemplateProcessing::builder();
        let builder = builder.try_single(template)?.special_tokens(special);
        Ok(builder.build()?)
    })?;
    inner.with_post_processor(Some(ends));
    Ok(())
}

/// Runs what reads a stranger's file: `tokenizers` trusts that its tables fit together.
fn guard<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TextError> {
    let result = catch_unwind(AssertUnwindSafe(run));
    let result = result.unwrap_or_else(|_| Err("its tables do not fit together".into()));
    result.map_err(|error| refusal(error.to_string()))
}

/// SigLIP's text, in lower case, without ASCII punctuation, its white space single spaces.
///
/// Source: `tokenize` and `canonicalize_text` in transformers' `tokenization_siglip.py`. What stands for a space
/// comes first there, too, so white space that a text begins with is kept. Special tokens that a text spells out
/// are read there as such; here they lose their punctuation, and are words.
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
