//! HTML character references → characters, by the rules of HTML 5 for valid and invalid ones.
//!
//! Source: `html.unescape` of CPython 3.11; the names are HTML 5's (crate `entities`, the same
//! 2,231 as Python's `html.entities.html5`).

use std::borrow::Cow;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::ftfy::charmap;

/// The longest name that is looked at, without its semicolon.
const MAX_NAME: usize = 32;

/// Replaces named and numeric references, with or without a semicolon.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    replace(text, |rest| {
        if rest.starts_with('#') {
            numeric(rest)
        } else {
            named(rest)
        }
    })
}

/// Calls `reference` with what follows each `&`; it returns the replacement and how many bytes
/// after the `&` this stands for, or none to keep the `&`.
pub(super) fn replace<'t, F>(text: &'t str, reference: F) -> Cow<'t, str>
where
    F: Fn(&'t str) -> Option<(Cow<'static, str>, usize)>,
{
    let mut out = String::new();
    let mut rest = text;
    let mut kept = text; // the tail of `text` that isn't in `out` yet
    while let Some(at) = rest.find('&') {
        rest = &rest[at + 1..];
        if let Some((replacement, len)) = reference(rest) {
            out.push_str(&kept[..kept.len() - rest.len() - 1]);
            out.push_str(&replacement);
            rest = &rest[len..];
            kept = rest;
        }
    }
    if kept.len() == text.len() {
        return Cow::Borrowed(text);
    }
    out.push_str(kept);
    Cow::Owned(out)
}

/// The characters that `name` stands for; a semicolon at its end is part of the name.
pub(super) fn entity(name: &str) -> Option<&'static str> {
    static ENTITIES: LazyLock<FxHashMap<&str, &str>> = LazyLock::new(|| {
        entities::ENTITIES
            .iter()
            .map(|entity| (&entity.entity[1..], entity.characters))
            .collect()
    });
    ENTITIES.get(name).copied()
}

/// The longest name at the start of `rest`, which follows a `&`.
pub(super) fn named(rest: &str) -> Option<(Cow<'static, str>, usize)> {
    let is_name = |c: char| !matches!(c, '\t' | '\n' | '\u{C}' | ' ' | '<' | '&' | '#' | ';');
    let name: usize = rest
        .chars()
        .take(MAX_NAME)
        .take_while(|&c| is_name(c))
        .map(char::len_utf8)
        .sum();
    let whole = name + usize::from(name > 0 && rest[name..].starts_with(';'));
    // Names are at least two characters long, except that a whole match may be anything.
    let shorter = rest[..whole]
        .char_indices()
        .rev()
        .map(|(end, _)| end)
        .filter(|&end| end > 1);
    let found = std::iter::once(whole)
        .chain(shorter)
        .find_map(|end| Some((entity(&rest[..end])?, end)));
    found.map(|(characters, end)| (Cow::Borrowed(characters), end))
}

/// `#123;`, `#x7B;` and so on at the start of `rest`, the semicolon optional.
pub(super) fn numeric(rest: &str) -> Option<(Cow<'static, str>, usize)> {
    let number = rest.strip_prefix('#')?;
    let (radix, digits) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (16, digits),
        None => (10, number),
    };
    let n = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    if n == 0 {
        return None;
    }
    let code = digits[..n]
        .chars()
        .filter_map(|digit| digit.to_digit(radix))
        .fold(0u32, |code, digit| {
            code.saturating_mul(radix).saturating_add(digit)
        });
    let end = rest.len() - digits.len() + n;
    let end = end + usize::from(rest[end..].starts_with(';'));
    Some((character(code), end))
}

/// The character of a number, or what HTML 5 puts in its place.
fn character(code: u32) -> Cow<'static, str> {
    let replaced = match code {
        0x0 => char::REPLACEMENT_CHARACTER,
        0x80..=0x9F => charmap::WINDOWS_1252.decode_byte(code as u8),
        0x1..=0x8 | 0xB | 0xE..=0x1F | 0x7F | 0xFDD0..=0xFDEF => return Cow::Borrowed(""),
        _ if code & 0xFFFE == 0xFFFE && code <= 0x10_FFFF => return Cow::Borrowed(""),
        _ => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
    };
    Cow::Owned(replaced.into())
}
