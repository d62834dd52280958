//! SentencePiece's unigram model: a text → the pieces that are likeliest together.
//!
//! Scores are summed in 32 bits, as the reference does it: where two ways to split a text are as
//! likely as each other, the rounding of their sums decides which is taken. For the same sums it
//! also reads [`LEAD`], which transformers puts before each text to keep the space that it begins
//! with.
//! Sources: `unigram_model.cc` (`EncodeOptimized`), `model_interface.cc` and
//! `sentencepiece_processor.cc` of google/sentencepiece 0.2, whose 0.2.3 this is compared with.

mod file;
mod normaliser;

use self::file::{File, Kind, Piece};
use self::normaliser::Normaliser;

/// The token after a text.
pub(super) const END: &str = "</s>";

/// The character that stands for a space in a piece.
pub(super) const SPACE: &str = "▁";

/// The text that transformers puts before each text; its pieces are left out again.
///
/// Source: `SiglipTokenizer._tokenize` in `tokenization_siglip.py`.
const LEAD: &str = "<unk>";

/// The score of a character that no piece has is this much below that of the rarest normal piece.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A tokenizer of SentencePiece's.
#[derive(Debug)]
pub(super) struct SentencePiece {
    normaliser: Normaliser,
    pieces: Vec<Piece>,
    /// Ids of the pieces that texts are made of, in the order of their bytes.
    sorted: Vec<u32>,
    unknown: u32,
    /// The ids of the 256 bytes, if they stand for characters that no piece has.
    bytes: Option<Vec<u32>>,
    /// Ids of [`LEAD`].
    n_lead: usize,
    /// Of normal pieces.
    lowest: f32,
    highest: f32,
}

/// The best way to split the text up to some place.
#[derive(Clone, Copy)]
struct Best {
    /// Its last piece, and where that begins; none if there is no way yet.
    last: Option<(u32, usize)>,
    score: f32,
}

impl SentencePiece {
    /// Makes a tokenizer of a model's file.
    ///
    /// # Errors
    /// In words, for a file that is no unigram model.
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        let file = File::read(file)?;
        let normaliser = Normaliser::new(&file)?;
        let File {
            pieces, has_bytes, ..
        } = file;
        if let Some(i) = pieces.iter().position(|piece| piece.text.is_empty()) {
            return Err(format!("piece {i} is empty"));
        }
        let ids = || pieces.iter().zip(0u32..);
        let in_texts =
            |piece: &Piece| matches!(piece.kind, Kind::Normal | Kind::UserDefined | Kind::Unused);
        let text = |id: &u32| pieces[*id as usize].text.as_str();
        let mut sorted: Vec<u32> = ids()
            .filter(|(piece, _)| in_texts(piece))
            .map(|(_, id)| id)
            .collect();
        sorted.sort_unstable_by_key(text);
        if let Some([first, _]) = sorted.array_windows().find(|[a, b]| text(a) == text(b)) {
            return Err(format!("it has two pieces `{}`", text(first)));
        }
        let mut unknown = ids().filter(|(piece, _)| piece.kind == Kind::Unknown);
        let (Some((_, unknown)), None) = (unknown.next(), unknown.next()) else {
            return Err("it has not one piece for what is unknown".into());
        };
        let byte = |byte: u8| {
            let name = format!("<0x{byte:02X}>");
            let mut found = ids().filter(|(piece, _)| piece.kind == Kind::Byte);
            let found = found.find(|(piece, _)| piece.text == name);
            found
                .map(|(_, id)| id)
                .ok_or_else(|| format!("it has no piece `{name}`"))
        };
        let bytes = has_bytes
            .then(|| (0..=255).map(byte).collect())
            .transpose()?;
        let scores = || {
            let normal = pieces.iter().filter(|piece| piece.kind == Kind::Normal);
            normal.map(|piece| piece.score)
        };
        let mut read = Self {
            n_lead: 0,
            lowest: scores().fold(f32::MAX, f32::min),
            highest: scores().fold(f32::MIN, f32::max),
            normaliser,
            sorted,
            unknown,
            bytes,
            pieces,
        };
        read.n_lead = read.ids(LEAD).len();
        match read.id(END) {
            Some(_) => Ok(read),
            None => Err(format!("it has no piece `{END}`")),
        }
    }

    /// Number of pieces.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The id of a piece.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        let mut pieces = self.pieces.iter().zip(0..);
        let found = pieces.find(|(piece, _)| piece.text == text);
        found.map(|(_, id)| id)
    }

    /// The ids of a text, which is to begin with [`SPACE`].
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = self.ids(&format!("{LEAD}{text}"));
        if ids.len() >= self.n_lead {
            ids.drain(..self.n_lead);
        }
        ids
    }

    /// The ids of a text by itself.
    fn ids(&self, text: &str) -> Vec<u32> {
        let text = self.normaliser.normalise(text);
        let mut ids = Vec::new();
        for (id, piece) in self.split(&text) {
            match &self.bytes {
                Some(bytes) if id == self.unknown => {
                    ids.extend(piece.bytes().map(|byte| bytes[usize::from(byte)]));
                }
                // Unknown characters beside each other are one.
                None if id == self.unknown && ids.last() == Some(&id) => {}
                _ => ids.push(id),
            }
        }
        ids
    }

    /// The pieces that are likeliest together, and their texts.
    fn split<'a>(&self, text: &'a str) -> Vec<(u32, &'a str)> {
        let unknown = self.lowest - UNKNOWN_PENALTY;
        let mut best = vec![
            Best {
                last: None,
                score: 0.0
            };
            text.len() + 1
        ];
        for (start, c) in text.char_indices() {
            let here = best[start].score;
            let mut reach = |end: usize, id: u32, score: f32| {
                let (best, last) = (&mut best[end], Some((id, start)));
                let score = here + score;
                if best.last.is_none() || score > best.score {
                    *best = Best { last, score };
                }
            };
            let mut is_known = false;
            for (id, len) in self.prefixes(&text[start..]) {
                let piece = &self.pieces[id as usize];
                let score = match piece.kind {
                    Kind::Unused => continue,
                    // More than any others that it could be made of.
                    Kind::UserDefined => len as f32 * self.highest - 0.1,
                    _ => piece.score,
                };
                reach(start + len, id, score);
                is_known |= len == c.len_utf8();
            }
            if !is_known {
                reach(start + c.len_utf8(), self.unknown, unknown);
            }
        }
        let mut pieces = Vec::new();
        let mut end = text.len();
        while let Some((id, start)) = best[end].last {
            pieces.push((id, &text[start..end]));
            end = start;
        }
        pieces.reverse();
        pieces
    }

    /// The pieces that a text begins with, and their lengths, the shortest first.
    fn prefixes(&self, text: &str) -> impl Iterator<Item = (u32, usize)> {
        let mut range = &self.sorted[..];
        let byte = |id: u32, at: usize| self.pieces[id as usize].text.as_bytes().get(at).copied();
        text.bytes()
            .enumerate()
            .map_while(move |(at, wanted)| {
                // All of the range begin like the text before `at`; what ends there comes first.
                let from = range.partition_point(|&id| byte(id, at) < Some(wanted));
                range = &range[from..];
                let until = range.partition_point(|&id| byte(id, at) == Some(wanted));
                range = &range[..until];
                let first = *range.first()?;
                Some(byte(first, at + 1).is_none().then_some((first, at + 1)))
            })
            .flatten()
    }

    /// The words of `ids`, without what is not in texts.
    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for piece in ids.iter().filter_map(|&id| self.pieces.get(id as usize)) {
            match piece.kind {
                Kind::Control => {}
                Kind::Byte => bytes.extend(u8::from_str_radix(
                    piece.text.get(3..5).unwrap_or_default(),
                    16,
                )),
                _ => bytes.extend(piece.text.replace(SPACE, " ").into_bytes()),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
