//! Undoes mojibake: finds the encoding with which UTF-8 was wrongly read, and reads it again.
//!
//! Source: `fix_encoding` in ftfy 6.3.1, with `fixes.py` and the patterns of `chardata.py`
//! (Apache-2.0).

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::badness::is_bad;
use super::charmap::{CHARMAPS, Charmap, LATIN_1, WINDOWS_1252};
use super::{MAX_PASSES, clues, utf8};

/// Repairs until nothing changes.
pub(super) fn fix_encoding(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MAX_PASSES {
        match fix_once(&text) {
            Some(fixed) if fixed != text => text = Cow::Owned(fixed),
            _ => break,
        }
    }
    text
}

/// One repair, the most convincing one; none if the text looks fine or can't be repaired.
fn fix_once(text: &str) -> Option<String> {
    if text.is_ascii() || !is_bad(text) {
        return None;
    }
    if let Some(fixed) = CHARMAPS.iter().find_map(|charmap| reread(text, charmap)) {
        return Some(fixed);
    }
    let fixed = reread_parts(text);
    if fixed != text {
        return Some(fixed);
    }
    // Controls of Latin-1 are what Windows-1252 has at their places.
    if let Some(fixed) = latin_1_as_windows_1252(text) {
        return Some(fixed);
    }
    Some(text.chars().map(fix_c1).collect())
}

/// The Windows-1252 character at the place of a C1 control; other characters as they are.
pub(super) fn fix_c1(c: char) -> char {
    match c {
        '\u{80}'..='\u{9F}' => WINDOWS_1252.decode_byte(c as u8),
        _ => c,
    }
}

/// `text` encoded with `charmap` and read as UTF-8, if both work.
fn reread(text: &str, charmap: &Charmap) -> Option<String> {
    let mut bytes = charmap.encode(text)?;
    if charmap.may_restore_a0 {
        bytes = restore_a0(bytes);
    }
    if charmap.is_lossy {
        bytes = mark_lost(bytes);
    }
    utf8::decode(bytes)
}

/// `text` as if its bytes were Windows-1252 instead of Latin-1; none if that changes nothing, or if
/// Windows-1252 has no such bytes.
fn latin_1_as_windows_1252(text: &str) -> Option<String> {
    let bytes = LATIN_1.encode(text)?;
    if bytes
        .iter()
        .any(|byte| matches!(byte, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D))
    {
        return None;
    }
    let fixed: String = text.chars().map(fix_c1).collect();
    (fixed != text).then_some(fixed)
}

/// Repairs those parts that look like UTF-8, where the whole has no single encoding.
fn reread_parts(text: &str) -> String {
    let mut fixed = String::with_capacity(text.len());
    let mut done = 0;
    for part in clues::like_utf8(text) {
        let mojibake = &text[part.clone()];
        // A part as long as the text would come back here for ever.
        if mojibake.len() < text.len() && is_bad(mojibake) {
            fixed.push_str(&text[done..part.start]);
            fixed.push_str(&fix_encoding(mojibake));
            done = part.end;
        }
    }
    fixed.push_str(&text[done..]);
    fixed
}

/// Turns spaces back into bytes A0 where only these are missing in a likely UTF-8 sequence.
fn restore_a0(bytes: Vec<u8>) -> Vec<u8> {
    static ALTERED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&altered()).ok());
    let Some(altered) = &*ALTERED else {
        return bytes;
    };
    if !altered.is_match(&bytes) {
        return bytes;
    }
    let bytes = separate_a_grave(&bytes);
    let restored = altered.replace_all(&bytes, |found: &regex::bytes::Captures<'_>| {
        found[0]
            .iter()
            .map(|&byte| if byte == b' ' { 0xA0 } else { byte })
            .collect::<Vec<u8>>()
    });
    restored.into_owned()
}

/// Keeps the space after a word `à`, whose second byte became one with it; not where a Portuguese
/// word goes on (às, àquele, àquela, àquilo) and not before another space.
fn separate_a_grave(bytes: &[u8]) -> Vec<u8> {
    const WORD_GOES_ON: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];
    let mut out = Vec::with_capacity(bytes.len());
    for (i, &byte) in bytes.iter().enumerate() {
        let after_c3 = i > 0 && bytes[i - 1] == 0xC3;
        if byte == b' '
            && after_c3
            && !WORD_GOES_ON
                .iter()
                .any(|rest| bytes[i + 1..].starts_with(rest))
        {
            out.push(0xA0);
        }
        out.push(byte);
    }
    out
}

/// Puts U+FFFD where a UTF-8 sequence has lost some of its bytes.
fn mark_lost(bytes: Vec<u8>) -> Vec<u8> {
    static LOSSY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&lossy()).ok());
    match &*LOSSY {
        Some(lossy) => lossy
            .replace_all(&bytes, "\u{FFFD}".as_bytes())
            .into_owned(),
        None => bytes,
    }
}

/// UTF-8 in which a space stands for a byte A0, where the character is a likely one. (Constant, so
/// it compiles; a test sees to it.)
fn altered() -> String {
    let cont = r"[\x80-\x84\x86-\x9F\xA1-\xBF]";
    let any = r"[\x80-\xBF]";
    [
        r"(?-u)[\xC2\xC3\xC5\xCE\xD0\xD9] ".to_owned(),
        format!(r"[\xE2\xE3] {cont}"),
        format!(r"[\xE0-\xE3]{cont} "),
        format!(r"\xF0(?: {any}{any}|{any} {any}|{any}{any} )"),
    ]
    .join("|")
}

/// UTF-8 and CESU-8 in which byte 1A, or one question mark, stands for a lost byte. (Constant,
/// too.)
fn lossy() -> String {
    let some = r"[\x1A\x80-\xBF]";
    let lost = r"[\x1A?]";
    [
        r"(?-u)[\xC2-\xDF]\x1A".to_owned(),
        r"[\xC2\xC3]\?".to_owned(),
        format!(r"\xED[\xA0-\xAF]{lost}\xED[\xB0-\xBF][\x1A?\x80-\xBF]"),
        format!(r"\xED[\xA0-\xAF][\x1A?\x80-\xBF]\xED[\xB0-\xBF]{lost}"),
        format!(r"[\xE0-\xEF]{lost}{some}"),
        format!(r"[\xE0-\xEF]{some}{lost}"),
        format!(r"[\xF0-\xF4]{lost}{some}{some}"),
        format!(r"[\xF0-\xF4]{some}{lost}{some}"),
        format!(r"[\xF0-\xF4]{some}{some}{lost}"),
        r"\x1A".to_owned(),
    ]
    .join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_compile() {
        assert!(Regex::new(&altered()).is_ok());
        assert!(Regex::new(&lossy()).is_ok());
    }

    /// Expected values: `ftfy.fix_encoding` of ftfy 6.3.1.
    #[test]
    fn mojibake_is_undone() {
        let check = |broken: &str, want: &str| assert_eq!(fix_encoding(broken), want);
        check("sÃ³", "só");
        check("âœ” No problems", "✔ No problems");
        check("voilÃ le travail", "voilà le travail");
        check("â€œ like this â€\u{FFFD}", "“ like this \u{FFFD}");
        check("&ATILDE;&SUP3;", "&ATILDE;&SUP3;");
        check("Ã\u{83}Â©", "é");
    }
}
