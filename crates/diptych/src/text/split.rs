//! Cleaned text → words: special tokens, English contractions, runs of letters, single digits, and
//! runs of anything else but white space.
//!
//! Flow: string → `clean` → **split** → `bpe` → ids.
//! Source: `SimpleTokenizer.pat` in open_clip 3.3.0 `tokenizer.py`. Its IGNORECASE, in the Python
//! module `regex`, makes `'ſ` a contraction, and leaves U+0345, a case variant of iota but no
//! letter itself, in no word at all.

use std::sync::LazyLock;

use regex::Regex;

use super::SpecialTokens;

const CONTRACTIONS: &str = "'s|'t|'re|'ve|'m|'ll|'d";
const WORDS: &str = r"\p{L}+|\p{N}|[^\s\p{L}\p{N}\x{345}]+";

/// The words of `text`, which is already clean, in order.
pub(super) fn words(text: &str, kind: SpecialTokens) -> impl Iterator<Item = &str> {
    static OPEN_CLIP: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(SpecialTokens::OpenClip));
    static OPEN_AI: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(SpecialTokens::OpenAi));
    let pattern = match kind {
        SpecialTokens::OpenClip => &*OPEN_CLIP,
        SpecialTokens::OpenAi => &*OPEN_AI,
    };
    pattern
        .iter()
        .flat_map(|pattern| pattern.find_iter(text))
        .map(|word| word.as_str())
}

/// The pattern of one word. It is constant, so it compiles (a test sees to it).
fn pattern(kind: SpecialTokens) -> Option<Regex> {
    let [start, end] = kind.spelling().map(regex::escape);
    Regex::new(&format!("(?i:{start}|{end}|{CONTRACTIONS})|{WORDS}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_patterns_compile() {
        assert!(pattern(SpecialTokens::OpenClip).is_some());
        assert!(pattern(SpecialTokens::OpenAi).is_some());
    }

    #[test]
    fn text_splits_into_words_as_in_the_reference() {
        let check = |text: &str, want: &[&str]| {
            assert_eq!(
                words(text, SpecialTokens::OpenClip).collect::<Vec<_>>(),
                want
            );
        };
        check(
            "it's 12 a.m.!",
            &["it", "'s", "1", "2", "a", ".", "m", ".!"],
        );
        check("a'ſb", &["a", "'ſ", "b"]);
        check("!\u{345}!", &["!", "!"]);
        check("x<end_of_text>y", &["x", "<end_of_text>", "y"]);
    }
}
