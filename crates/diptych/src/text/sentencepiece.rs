//! SentencePiece's model file, as far as SigLIP's has it → a tokenizer.
//!
//! Source: `sentencepiece_model.proto` of google/sentencepiece 0.2; protocol buffers' wire format.

use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Precompiled, Replace, Sequence, Strip};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{NormalizerWrapper, Tokenizer};

/// The token after a text.
pub(super) const END: &str = "</s>";

/// What stands for a space in a piece.
pub(super) const SPACE: &str = "▁";

/// `TrainerSpec.ModelType`'s number for a unigram model.
const UNIGRAM: u64 = 1;

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Float(f32),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, in their order, by number.
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next field; an error, if it is cut.
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut field = || {
            let tag = self.varint()?;
            let field = match tag & 7 {
                0 => Field::Number(self.varint()?),
                1 => self.take(8).map(|_| Field::Other)?,
                2 => {
                    let len = usize::try_from(self.varint()?).ok()?;
                    Field::Bytes(self.take(len)?)
                }
                5 => Field::Float(f32::from_le_bytes(self.take(4)?.try_into().ok()?)),
                _ => return None,
            };
            Some((tag >> 3, field))
        };
        field()
            .map(Some)
            .ok_or_else(|| "it is cut or damaged".to_owned())
    }
}

/// Makes a tokenizer of a model's file. What it reads is to begin with [`SPACE`].
///
/// # Errors
/// In words, for a file that is no unigram model.
pub(super) fn read(file: &[u8]) -> Result<Tokenizer, String> {
    let mut pieces: Vec<(String, f64)> = Vec::new();
    let (mut kind, mut unknown, mut bytes_for, mut map) = (UNIGRAM, 0, false, &[][..]);
    let mut message = Message(file);
    while let Some((number, field)) = message.next()? {
        let Field::Bytes(bytes) = field else { continue };
        let mut part = Message(bytes);
        match number {
            1 => {
                let mut piece = (String::new(), 0.0);
                while let Some(field) = part.next()? {
                    match field {
                        (1, Field::Bytes(text)) => {
                            let text = std::str::from_utf8(text);
                            piece.0 = text
                                .map_err(|e| format!("a piece is not UTF-8: {e}"))?
                                .into();
                        }
                        (2, Field::Float(score)) => piece.1 = f64::from(score),
                        _ => {}
                    }
                }
                pieces.push(piece);
            }
            2 => {
                while let Some(field) = part.next()? {
                    match field {
                        (3, Field::Number(number)) => kind = number,
                        (35, Field::Number(is_so)) => bytes_for = is_so != 0,
                        (40, Field::Number(id)) => unknown = id,
                        _ => {}
                    }
                }
            }
            3 => {
                while let Some(field) = part.next()? {
                    if let (2, Field::Bytes(bytes)) = field {
                        map = bytes;
                    }
                }
            }
            _ => {}
        }
    }
    if kind != UNIGRAM {
        return Err(format!(
            "it is a model of type {kind}, wanted {UNIGRAM}, unigram"
        ));
    }
    if !pieces.iter().any(|(piece, _)| piece == END) {
        return Err(format!("it has no piece `{END}`"));
    }
    check_map(map)?;
    build(pieces, unknown as usize, bytes_for, map).map_err(|e| e.to_string())
}

/// The most bytes that one character may become.
const MAX_REPLACEMENT: usize = 64;

/// Checks that a map of characters leads nowhere outside of itself: a double array of so many bytes, then texts
/// that end with 0. `spm_precompiled`, which reads it, does not check.
///
/// Source: `Normalizer::DecodePrecompiledCharsMap` in sentencepiece's `normalizer.cc`; darts-clone's units.
fn check_map(map: &[u8]) -> Result<(), String> {
    let damaged = || "its map of characters is damaged".to_owned();
    let Some((size, rest)) = map.split_first_chunk() else {
        return if map.is_empty() {
            Ok(())
        } else {
            Err(damaged())
        };
    };
    let size = u32::from_le_bytes(*size) as usize;
    let (array, texts) = rest.split_at_checked(size).ok_or_else(damaged)?;
    let texts = std::str::from_utf8(texts).map_err(|_| damaged())?;
    if texts.split('\0').any(|text| text.len() > MAX_REPLACEMENT) {
        return Err(format!(
            "its map makes more than {MAX_REPLACEMENT} bytes of a character"
        ));
    }
    let (units, []) = array.as_chunks::<4>() else {
        return Err(damaged());
    };
    let unit = |at: usize| units.get(at).map(|unit| u32::from_le_bytes(*unit) as usize);
    let offset = |unit: usize| (unit >> 10) << ((unit & (1 << 9)) >> 6);
    let mut seen = vec![false; units.len()];
    let mut next = vec![0];
    while let Some(at) = next.pop() {
        let node = unit(at).ok_or_else(damaged)?;
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        let first = at ^ offset(node);
        if node >> 8 & 1 == 1 {
            let value = unit(first).ok_or_else(damaged)? & 0x7FFF_FFFF;
            if !texts.is_char_boundary(value) {
                return Err(damaged());
            }
        }
        for byte in 1..=255 {
            let child = unit(first ^ byte).ok_or_else(damaged)?;
            if child & (1 << 31 | 0xFF) == byte {
                next.push(first ^ byte);
            }
        }
    }
    Ok(())
}

fn build(
    pieces: Vec<(String, f64)>,
    unknown: usize,
    bytes_for: bool,
    map: &[u8],
) -> tokenizers::Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(Unigram::from(pieces, Some(unknown), bytes_for)?);
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if !map.is_empty() {
        steps.push(Precompiled::from(map)?.into());
    }
    // The map makes spaces of other characters.
    steps.push(Strip::new(false, true).into());
    steps.push(Replace::new(ReplacePattern::Regex(" {2,}".into()), " ")?.into());
    tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
    let spaces = Metaspace::new('▁', PrependScheme::Never, true);
    tokenizer.with_pre_tokenizer(Some(spaces.clone()));
    tokenizer.with_decoder(Some(spaces));
    Ok(tokenizer)
}
