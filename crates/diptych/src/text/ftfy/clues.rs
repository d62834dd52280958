//! Finds the parts of a text that look like UTF-8 read in a single-byte encoding.
//!
//! Source: `UTF8_DETECTOR_RE` of ftfy 6.3.1 `chardata.py` (Apache-2.0); the classes are what the
//! bytes of UTF-8 become in the encodings of `charmap`.

use std::ops::Range;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// Bytes C2 to DF, which start two.
const FIRST_OF_2: &str = "\
    ĂÂÄĀÅÃÆĆČÇĎĐÉĚÊËĖÈĒĘÐĞĢÍÎÏİÌĪĶĹĻŁŃŇŅÑÓÔÖŐÒŌØÕŘŚŠŞŢÞÚÛÜŰÙŪŲŮÝŹŽŻß\
    ×ΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫάέήίВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ";
/// Bytes E0 to EF, which start three.
const FIRST_OF_3: &str = "áăâäàāąåãæćčçďéěêëėèēęęģíîïìīįķĺļŕźΰαβγδεζηθικλμνξοабвгдежзийклмноп";
/// Bytes F0 and F3, which start four.
const FIRST_OF_4: &str = "đðğóšπσру";
/// Bytes 80 to BF, which go on; C1 controls and Latin-1 signs belong here too.
const CONTINUATION: &str = "\
    ĄÆĽŁØŖŚŠŞŤŸŹŽŻŒąæƒľłøŗśšşťźžżœˆˇ˘˛˜˝΄΅ΆΈΉΊΌΎΏЁЂЃЄЅІЇЈЉЊЋЌЎЏёђѓєѕ\
    іїјљњћќўџҐґ†‡‰‹›€№™";
/// The same, but common in any text; a space may have been a byte A0.
const COMMON_CONTINUATION: &str = " –—―‘’‚“”„•…";

/// The bytes of UTF-8 that a character may have been.
#[derive(Clone, Copy, Default)]
struct Clue {
    /// Bit `n`: the first of `n` bytes.
    first_of: u8,
    continues: bool,
    /// Continues, and hardly stands for itself.
    is_strict: bool,
}

fn clue(c: char) -> Clue {
    static CLUES: LazyLock<FxHashMap<char, Clue>> = LazyLock::new(|| {
        let mut clues: FxHashMap<char, Clue> = FxHashMap::default();
        for (n, first) in [(2, FIRST_OF_2), (3, FIRST_OF_3), (4, FIRST_OF_4)] {
            first
                .chars()
                .for_each(|c| clues.entry(c).or_default().first_of |= 1 << n);
        }
        for c in ('\u{80}'..='\u{BF}').chain(CONTINUATION.chars()) {
            let clue = clues.entry(c).or_default();
            (clue.continues, clue.is_strict) = (true, true);
        }
        COMMON_CONTINUATION
            .chars()
            .for_each(|c| clues.entry(c).or_default().continues = true);
        clues
    });
    CLUES.get(&c).copied().unwrap_or_default()
}

/// The byte ranges of the longest runs of UTF-8-like sequences, left to right. No run starts in the
/// middle of a garble, after a character that only continues one.
pub(super) fn like_utf8(text: &str) -> Vec<Range<usize>> {
    let clues: Vec<(usize, Clue)> = text.char_indices().map(|(at, c)| (at, clue(c))).collect();
    let offset = |i: usize| clues.get(i).map_or(text.len(), |&(at, _)| at);
    let mut runs = Vec::new();
    let mut start = 0;
    while start < clues.len() {
        let mut end = start;
        if start == 0 || !clues[start - 1].1.is_strict {
            while let Some(n) = sequence(&clues[end..]) {
                end += n;
            }
        }
        if end > start {
            runs.push(offset(start)..offset(end));
        }
        start = end.max(start + 1);
    }
    runs
}

/// Length of the sequence at the start of `clues`: the shortest that its first character allows.
fn sequence(clues: &[(usize, Clue)]) -> Option<usize> {
    let (_, first) = clues.first()?;
    (2..=4).find(|&n| {
        first.first_of & 1 << n != 0
            && clues
                .get(1..n)
                .is_some_and(|rest| rest.iter().all(|(_, clue)| clue.continues))
    })
}
