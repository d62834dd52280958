//! Byte-pair encoding: the table of merges, and the merging of one word.
//!
//! Flow: string → `clean` → `split` → **bpe** → ids.
//! Source: `SimpleTokenizer` in open_clip 3.3.0 `tokenizer.py` (after OpenAI's CLIP);
//! `merges.txt` is OpenAI's list, see `merges.LICENSE`.
//! Invariant: ids are 256 bytes, the same 256 bytes at the end of a word, then the merges in the
//! order of the list; start and end token follow. A merge joins symbols that the list made before
//! it. A vocabulary of CLIP's is a prefix of its list, so all of these share one table and differ
//! only in how many merges they admit; other lists have tables of their own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

/// One merge a line: the left and the right symbol, in the printable byte alphabet.
const MERGES: &str = include_str!("merges.txt");

/// Marks a symbol that ends a word.
pub(super) const END_OF_WORD: &str = "</w>";

/// Ids that stand for single bytes: 256 inside a word and 256 at its end.
pub(super) const N_BYTE_IDS: u32 = 512;

/// The merges list, parsed.
pub(super) struct Merges {
    /// `(left, right)` of merge `i`, whose id is `N_BYTE_IDS + i`.
    parts: Vec<(u32, u32)>,
    /// From `(left, right)` to the id of their merge. A smaller id merges first.
    ids: FxHashMap<(u32, u32), u32>,
}

impl Merges {
    /// The standard list of 48,894 merges, parsed at the first call.
    pub(super) fn standard() -> &'static Arc<Self> {
        static TABLE: OnceLock<Arc<Merges>> = OnceLock::new();
        TABLE.get_or_init(|| Arc::new(Self::parse(MERGES)))
    }

    /// Whether these are the first merges of the standard list.
    pub(super) fn are_standard(pairs: &[(&str, &str)]) -> bool {
        let mut lines = MERGES.lines();
        let mut pairs = pairs.iter();
        pairs.all(|pair| lines.next().and_then(|line| line.split_once(' ')) == Some(*pair))
    }

    /// A list of merges of its own, each the left and the right symbol.
    ///
    /// # Errors
    /// The index of the first merge of symbols that none before it made, or that makes one again.
    pub(super) fn of_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, usize> {
        let mut id_of: FxHashMap<String, u32> =
            (0..N_BYTE_IDS).map(|id| (byte_symbol(id), id)).collect();
        let mut parts = Vec::new();
        for (i, (left, right)) in pairs.into_iter().enumerate() {
            let (Some(&a), Some(&b)) = (id_of.get(left), id_of.get(right)) else {
                return Err(i);
            };
            let id = N_BYTE_IDS + i as u32;
            if ends_word(&parts, a) || id_of.insert(format!("{left}{right}"), id).is_some() {
                return Err(i);
            }
            parts.push((a, b));
        }
        Ok(Self::of_ids(parts))
    }

    /// A list of merges of ids.
    pub(super) fn of_ids(parts: Vec<(u32, u32)>) -> Self {
        let ids = parts.iter().copied().zip(N_BYTE_IDS..).collect();
        Self { parts, ids }
    }

    /// Reads lines of `left right`; a line whose symbols no earlier line made is left out.
    fn parse(lines: &str) -> Self {
        let joined = lines.replace(' ', ""); // line i is the symbol that merge i makes
        let bytes: Vec<String> = (0..N_BYTE_IDS).map(byte_symbol).collect();
        let names: Vec<&str> = bytes
            .iter()
            .map(String::as_str)
            .chain(joined.lines())
            .collect();
        let id_of: FxHashMap<&str, u32> = names.into_iter().zip(0..).collect();

        let parts: Vec<_> = lines
            .lines()
            .filter_map(|line| {
                let (left, right) = line.split_once(' ')?;
                Some((*id_of.get(left)?, *id_of.get(right)?))
            })
            .collect();
        Self::of_ids(parts)
    }

    /// Number of merges.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The symbol of `id` as vocabularies spell it: printable byte alphabet, `</w>` at a word's
    /// end.
    pub(super) fn symbol(&self, id: u32) -> String {
        let mut symbol: String = self.bytes(id).into_iter().map(byte_char).collect();
        if self.ends_word(id) {
            symbol.push_str(END_OF_WORD);
        }
        symbol
    }

    /// The two symbols that merge `index` joins, as vocabularies spell them.
    pub(super) fn pair(&self, index: usize) -> Option<(String, String)> {
        let &(left, right) = self.parts.get(index)?;
        Some((self.symbol(left), self.symbol(right)))
    }

    /// The bytes that `id` stands for; none if it isn't in the table.
    pub(super) fn bytes(&self, id: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            if id < N_BYTE_IDS {
                bytes.push(id_byte(id));
            } else if let Some(&(left, right)) = self.parts.get((id - N_BYTE_IDS) as usize) {
                pending.extend([right, left]);
            }
        }
        bytes
    }

    /// Whether `id` ends a word.
    pub(super) fn ends_word(&self, id: u32) -> bool {
        ends_word(&self.parts, id)
    }

    /// Whether the first `n` merges are those of `other`.
    pub(super) fn begins_as(&self, other: &Self, n: usize) -> bool {
        self.parts
            .get(..n)
            .is_some_and(|first| Some(first) == other.parts.get(..n))
    }

    /// Appends the ids of `word`, using only merges whose id is below `end`.
    ///
    /// The reference joins, again and again, every occurrence of the pair that comes first in the
    /// list, from left to right. A heap ordered by (merge, position) visits the same pairs in the
    /// same order, because a merge can only create pairs that come later in the list than itself:
    /// O(n log n) for a word of n bytes, where the naive way is O(n²).
    pub(super) fn encode(&self, word: &str, end: u32, out: &mut Vec<u32>) {
        let n = word.len();
        let symbols = (0..n).zip(spelled(word)).map(|(i, id)| Symbol {
            id,
            prev: i.wrapping_sub(1),
            next: i + 1,
        });
        let mut symbols: Vec<Symbol> = symbols.collect();

        let candidate =
            |left: u32, right: u32| self.ids.get(&(left, right)).copied().filter(|&id| id < end);
        let mut queue: BinaryHeap<Reverse<(u32, usize)>> = symbols
            .windows(2)
            .enumerate()
            .filter_map(|(at, pair)| Some(Reverse((candidate(pair[0].id, pair[1].id)?, at))))
            .collect();

        while let Some(Reverse((merged, at))) = queue.pop() {
            let Symbol {
                id: left,
                prev,
                next,
            } = symbols[at];
            let Some(&Symbol {
                id: right,
                next: after,
                ..
            }) = symbols.get(next)
            else {
                continue;
            };
            if left == GONE || candidate(left, right) != Some(merged) {
                continue; // a neighbour was merged since this pair was queued
            }
            symbols[at] = Symbol {
                id: merged,
                prev,
                next: after,
            };
            symbols[next].id = GONE;
            if let Some(symbol) = symbols.get_mut(after) {
                symbol.prev = at;
                let right = symbol.id;
                queue.extend(candidate(merged, right).map(|id| Reverse((id, at))));
            }
            if let Some(symbol) = symbols.get(prev) {
                queue.extend(candidate(symbol.id, merged).map(|id| Reverse((id, prev))));
            }
        }
        out.extend(
            symbols
                .iter()
                .map(|symbol| symbol.id)
                .filter(|&id| id != GONE),
        );
    }
}

fn ends_word(parts: &[(u32, u32)], mut id: u32) -> bool {
    while id >= N_BYTE_IDS {
        match parts.get((id - N_BYTE_IDS) as usize) {
            Some(&(_, right)) => id = right,
            None => return false,
        }
    }
    id >= 256
}

impl fmt::Debug for Merges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merges")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A link in the list of a word's symbols. `prev` and `next` are out of range at the ends.
#[derive(Clone, Copy)]
struct Symbol {
    id: u32,
    prev: usize,
    next: usize,
}

/// The id of a symbol that was merged into its left neighbour.
const GONE: u32 = u32::MAX;

/// Whether the alphabet prints `byte` as itself: Latin-1 without controls, spaces and soft hyphen.
const fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// `ALPHABET[id]` is the byte of `id`: printable bytes first, then the others, each in order.
const ALPHABET: [u8; 256] = {
    let mut alphabet = [0; 256];
    let (mut printable, mut other) = (0, 188);
    let mut byte = 0;
    while byte < 256 {
        if is_printable(byte as u8) {
            alphabet[printable] = byte as u8;
            printable += 1;
        } else {
            alphabet[other] = byte as u8;
            other += 1;
        }
        byte += 1;
    }
    alphabet
};

/// The inverse of [`ALPHABET`].
const BYTE_IDS: [u8; 256] = {
    let mut ids = [0; 256];
    let mut id = 0;
    while id < 256 {
        ids[ALPHABET[id] as usize] = id as u8;
        id += 1;
    }
    ids
};

/// The id of `byte` inside a word.
fn byte_id(byte: u8) -> u32 {
    u32::from(BYTE_IDS[usize::from(byte)])
}

/// The single-byte ids of a word, the last one that of a word's end.
pub(super) fn spelled(word: &str) -> impl Iterator<Item = u32> {
    let last = word.len().wrapping_sub(1);
    let ids = word.bytes().enumerate();
    ids.map(move |(i, byte)| byte_id(byte) + if i == last { 256 } else { 0 })
}

/// The byte of a single-byte id.
pub(super) fn id_byte(id: u32) -> u8 {
    ALPHABET[(id % 256) as usize]
}

/// How the alphabet prints `byte`: as itself, or as a letter from U+0100 on.
fn byte_char(byte: u8) -> char {
    if is_printable(byte) {
        char::from(byte)
    } else {
        char::from_u32(0x100 + byte_id(byte) - 188).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

/// The symbol of a single-byte id.
fn byte_symbol(id: u32) -> String {
    let end = if id < 256 { "" } else { END_OF_WORD };
    format!("{}{end}", byte_char(id_byte(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reference, word for word: join the first-listed pair everywhere, until none is listed.
    fn naive(table: &Merges, word: &str, end: u32) -> Vec<u32> {
        let mut ids: Vec<u32> = word.bytes().map(byte_id).collect();
        if let Some(last) = ids.last_mut() {
            *last += 256;
        }
        loop {
            let merges = ids
                .windows(2)
                .filter_map(|pair| table.ids.get(&(pair[0], pair[1])));
            let Some(best) = merges.copied().filter(|&id| id < end).min() else {
                return ids;
            };
            let (left, right) = table.parts[(best - N_BYTE_IDS) as usize];
            let mut joined = Vec::new();
            let mut rest = ids.as_slice();
            while let [first, tail @ ..] = rest {
                if *first == left && tail.first() == Some(&right) {
                    joined.push(best);
                    rest = &tail[1..];
                } else {
                    joined.push(*first);
                    rest = tail;
                }
            }
            ids = joined;
        }
    }

    #[test]
    fn every_line_of_the_list_is_a_merge() {
        let table = Merges::standard();
        assert_eq!(table.len(), 48_894);
        for (i, line) in MERGES.lines().enumerate() {
            let (left, right) = table.pair(i).unwrap();
            assert_eq!(line, format!("{left} {right}"));
        }
    }

    /// Checks the property that makes the heap's order the reference's order.
    #[test]
    fn merges_only_use_earlier_merges() {
        let table = Merges::standard();
        for (&(left, right), id) in table.parts.iter().zip(N_BYTE_IDS..) {
            assert!(left < id && right < id);
        }
    }

    proptest! {
        #[test]
        fn the_heap_merges_as_the_naive_loop(word in "[a-e]{0,40}|[a-z]{1,24}|\\PC{0,16}|[!?.]{1,40}", end in 512u32..49_406) {
            let mut ids = Vec::new();
            Merges::standard().encode(&word, end, &mut ids);
            prop_assert_eq!(ids, naive(Merges::standard(), &word, end));
        }
    }
}
