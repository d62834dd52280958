//! Raw text → clean text: Unicode repaired, HTML unescaped twice, white space collapsed, lower
//! case.
//!
//! Flow: string → **clean** → `split` → `bpe` → ids.
//! Source: `_clean_lower` in open_clip 3.3.0 `tokenizer.py`, and CPython 3.11's `str.split` and
//! `str.lower`.

use super::{ftfy, html};

/// Cleans `text` as CLIP was trained on it.
///
/// Python's white space is Rust's and U+001C to U+001F, which neither repair nor unescaping leaves.
pub(super) fn clean(text: &str) -> String {
    let text = ftfy::fix_text(text);
    let text = html::unescape(&text);
    let text = html::unescape(&text);
    lower(&single_spaces(&text))
}

/// The words of `text`, a space between them.
pub(super) fn single_spaces(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(word);
    }
    clean
}

/// Lower case with the character properties of Unicode 14, Python 3.11's version.
///
/// Properties only matter for a capital sigma, which becomes another letter at the end of a word.
/// After Unicode 14, U+0295 ceased to be a cased letter and U+1171E to be a mark; `a` and U+0300,
/// which still are, stand in for them.
pub(super) fn lower(text: &str) -> String {
    let lower = text.to_lowercase();
    if !text.contains('Σ') || !text.contains(['\u{295}', '\u{1171E}']) {
        return lower;
    }
    let probe = text
        .replace('\u{295}', "a")
        .replace('\u{1171E}', "\u{300}")
        .to_lowercase();
    let is_sigma = |c: char| matches!(c, 'σ' | 'ς');
    lower
        .chars()
        .zip(probe.chars())
        .map(|(c, probed)| if is_sigma(c) { probed } else { c })
        .collect()
}
