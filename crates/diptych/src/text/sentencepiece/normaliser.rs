//! Texts as a model's pieces have them: the map of characters, and spaces.
//!
//! At each place the longest run of characters that the map has is what becomes other characters:
//! `e` and a mark one letter, also where more marks follow. (`tokenizers` looks for whole
//! graphemes.) Source: `Normalizer` in sentencepiece's `normalizer.cc`, 0.2; darts-clone's units.

use super::SPACE;
use super::file::{File, Kind};

/// The most bytes that one character may become.
const MAX_REPLACEMENT: usize = 64;

/// How texts are normalised.
#[derive(Debug)]
pub(super) struct Normaliser {
    /// A trie of what is replaced, in a double array of units; perhaps empty.
    units: Vec<u32>,
    /// The texts that replace it; each ends with a zero.
    texts: String,
    removes_spaces: bool,
    /// Whether a space is put before a text.
    adds_space: bool,
    /// Pieces that stay as they are wherever they occur.
    kept: Vec<String>,
}

impl Normaliser {
    /// # Errors
    /// In words, for a map that leads out of itself.
    pub(super) fn new(file: &File<'_>) -> Result<Self, String> {
        let (units, texts) = read_map(file.map)?;
        let kept = file
            .pieces
            .iter()
            .filter(|piece| piece.kind == Kind::UserDefined);
        Ok(Self {
            units,
            texts,
            removes_spaces: file.removes_spaces,
            adds_space: file.adds_space,
            kept: kept.map(|piece| piece.text.clone()).collect(),
        })
    }

    /// A text as pieces have it.
    pub(super) fn normalise(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + SPACE.len());
        if self.adds_space {
            out += SPACE;
        }
        let mut rest = text;
        let mut after_space = self.removes_spaces;
        while let Some((mut piece, len)) = self.prefix(rest) {
            if after_space {
                piece = piece.trim_start_matches(' ');
            }
            if !piece.is_empty() {
                out.extend(piece.split(' ').flat_map(|part| [SPACE, part]).skip(1));
                after_space = self.removes_spaces && piece.ends_with(' ');
            }
            rest = &rest[len..];
        }
        if self.removes_spaces {
            let len = out.trim_end_matches(SPACE).len();
            out.truncate(len);
        }
        out
    }

    /// Normalises the beginning of a text: returns the new characters, and the number of bytes that
    /// they replace; none at its end.
    fn prefix<'a>(&'a self, text: &'a str) -> Option<(&'a str, usize)> {
        let first = text.chars().next()?;
        let kept = self.kept.iter().filter(|kept| text.starts_with(*kept));
        if let Some(kept) = kept.max_by_key(|kept| kept.len()) {
            return Some((&text[..kept.len()], kept.len()));
        }
        Some(self.replaced(text).unwrap_or_else(|| {
            let len = first.len_utf8();
            (&text[..len], len)
        }))
    }

    /// The replacement of the longest beginning of a text that the map has, and the bytes of that
    /// beginning.
    fn replaced(&self, text: &str) -> Option<(&str, usize)> {
        let unit = |at: usize| self.units.get(at).copied();
        let mut at = offset(unit(0)?);
        let mut found = None;
        for (i, byte) in text.bytes().enumerate() {
            at ^= usize::from(byte);
            let Some(node) = unit(at).filter(|&node| label(node) == u32::from(byte)) else {
                break;
            };
            at ^= offset(node);
            if has_value(node) {
                found = Some((value(unit(at)?), i + 1));
            }
        }
        // A map may replace part of a character, which no text of ours begins with.
        let (value, len) = found.filter(|&(_, len)| text.is_char_boundary(len))?;
        Some((self.texts.get(value..)?.split('\0').next()?, len))
    }
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

fn label(unit: u32) -> u32 {
    unit & (1 << 31 | 0xFF)
}

fn has_value(unit: u32) -> bool {
    unit >> 8 & 1 == 1
}

fn value(unit: u32) -> usize {
    (unit & 0x7FFF_FFFF) as usize
}

/// The trie and the texts of a map: the trie's length in bytes, the trie, the texts. It is checked
/// that it leads nowhere outside of itself.
fn read_map(map: &[u8]) -> Result<(Vec<u32>, String), String> {
    let damaged = || "its map of characters is damaged".to_owned();
    if map.is_empty() {
        return Ok((Vec::new(), String::new()));
    }
    let (size, rest) = map.split_first_chunk().ok_or_else(damaged)?;
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
    let units: Vec<u32> = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
    let unit = |at: usize| units.get(at).copied().ok_or_else(damaged);
    let mut seen = vec![false; units.len()];
    let mut next = vec![0];
    while let Some(at) = next.pop() {
        let node = unit(at)?;
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        let first = at ^ offset(node);
        if has_value(node) && !texts.is_char_boundary(value(unit(first)?)) {
            return Err(damaged());
        }
        for byte in 1..=255 {
            let child = first ^ byte as usize;
            if label(unit(child)?) == byte {
                next.push(child);
            }
        }
    }
    Ok((units, texts.to_owned()))
}
