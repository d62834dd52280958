//! Repair of broken Unicode: mojibake, HTML escapes, ligatures, widths, quotes, controls.
//!
//! Flow: raw text → **ftfy** → `html` → `clean`.
//! Source: `fix_text` of ftfy 6.3.1 with its default configuration (Apache-2.0, Robyn Speer),
//! written anew from its rules; the tables are its data.
//! Invariant: the same result as ftfy, up to texts that are garbled more than [`MAX_PASSES`] times
//! over, where ftfy's time grows with the square of their length.

mod badness;
pub(super) mod charmap;
mod clues;
mod encoding;
mod utf8;

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use rustc_hash::FxHashMap;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::html;

/// Most passes of repair; it starts over as long as the last pass changed something.
const MAX_PASSES: usize = 64;

/// Longest piece of a line, in characters, that is repaired as one.
const MAX_SEGMENT: usize = 1_000_000;

/// Repairs `text`, each line for itself.
pub(super) fn fix_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut unescape = true;
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while !rest.is_empty() {
            let end = rest
                .char_indices()
                .nth(MAX_SEGMENT)
                .map_or(rest.len(), |(end, _)| end);
            let (segment, tail) = rest.split_at(end);
            unescape &= !segment.contains('<'); // then this and all that follows is HTML itself
            out.push_str(&fix_segment(segment, unescape));
            rest = tail;
        }
    }
    out
}

/// Repairs until nothing changes.
fn fix_segment(segment: &str, unescape: bool) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(segment);
    for _ in 0..MAX_PASSES {
        if is_fine(&text, unescape) {
            break;
        }
        let fixed = fix_once(&text, unescape);
        if fixed == text {
            break;
        }
        text = Cow::Owned(fixed);
    }
    text
}

/// Whether `text` is, at a glance, nothing to repair.
fn is_fine(text: &str, unescape: bool) -> bool {
    text.bytes().all(|byte| {
        matches!(byte, b'\t' | b'\n' | b'\x0C' | b' '..=b'~') && !(unescape && byte == b'&')
    })
}

/// All repairs, in order.
fn fix_once(text: &str, unescape: bool) -> String {
    let text = if unescape {
        unescape_html(text)
    } else {
        Cow::Borrowed(text)
    };
    let text = encoding::fix_encoding(&text);
    let text = simplify(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = remove_terminal_escapes(&text);
    let text: String = text.chars().filter(|&c| !is_control(c)).collect();
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text,
        _ => text.nfc().collect(),
    }
}

/// Replaces HTML references that end in a semicolon, also the names of letters in capitals only.
fn unescape_html(text: &str) -> Cow<'_, str> {
    html::replace(text, |rest| {
        let hash = usize::from(rest.starts_with('#'));
        let name = rest[hash..]
            .bytes()
            .take_while(u8::is_ascii_alphanumeric)
            .count();
        let end = hash + name + 1;
        if !(1..=24).contains(&name) || rest.as_bytes().get(end - 1) != Some(&b';') {
            return None;
        }
        let characters = if hash == 1 {
            // All of it must be the number; and a reference to a semicolon stays as it is.
            html::numeric(rest)
                .filter(|(characters, len)| *len == end && characters != ";")?
                .0
        } else {
            let name = &rest[..end];
            html::entity(name)
                .map(Cow::Borrowed)
                .or_else(|| shouted_entity(name))?
        };
        Some((characters, end))
    })
}

/// The capital letter for a name in capitals that HTML has in small letters only, such as
/// `EACUTE;`.
fn shouted_entity(name: &str) -> Option<Cow<'static, str>> {
    if name.bytes().any(|byte| byte.is_ascii_lowercase()) || html::named(name).is_some() {
        return None;
    }
    let characters = html::entity(&name.to_ascii_lowercase())?;
    Some(Cow::Owned(characters.to_uppercase()))
}

/// C1 controls as Windows-1252, ligatures apart, standard widths, straight quotes, line feeds.
fn simplify(text: &str) -> String {
    static SIMPLE: LazyLock<FxHashMap<char, String>> = LazyLock::new(simple_forms);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match SIMPLE.get(&c) {
            Some(simple) => out.push_str(simple),
            None => out.push(c),
        }
    }
    out
}

/// The table of [`simplify`].
fn simple_forms() -> FxHashMap<char, String> {
    const LIGATURES: [(char, &str); 22] = [
        ('Ĳ', "IJ"),
        ('ĳ', "ij"),
        ('ŉ', "'n"),
        ('Ǳ', "DZ"),
        ('ǲ', "Dz"),
        ('ǳ', "dz"),
        ('Ǆ', "DŽ"),
        ('ǅ', "Dž"),
        ('ǆ', "dž"),
        ('Ǉ', "LJ"),
        ('ǈ', "Lj"),
        ('ǉ', "lj"),
        ('Ǌ', "NJ"),
        ('ǋ', "Nj"),
        ('ǌ', "nj"),
        ('ﬀ', "ff"),
        ('ﬁ', "fi"),
        ('ﬂ', "fl"),
        ('ﬃ', "ffi"),
        ('ﬄ', "ffl"),
        ('ﬅ', "ſt"),
        ('ﬆ', "st"),
    ];
    let straight = |c: char| match c {
        '\u{2BC}' | '\u{2018}'..='\u{201B}' => '\'',
        '\u{201C}'..='\u{201F}' => '"',
        '\u{2028}' | '\u{2029}' => '\n',
        _ => c,
    };
    let controls = ('\u{80}'..='\u{9F}').map(|c| (c, straight(encoding::fix_c1(c)).to_string()));
    let quotes = ['\u{2BC}', '\u{2028}', '\u{2029}']
        .into_iter()
        .chain('\u{2018}'..='\u{201F}');
    let quotes = quotes.map(|c| (c, straight(c).to_string()));
    let widths = ('\u{FF01}'..='\u{FFEF}').map(|c| (c, c.nfkc().map(straight).collect()));
    let ligatures = LIGATURES.map(|(c, letters)| (c, letters.to_owned()));
    let space = [('\u{3000}', " ".to_owned())];
    controls
        .chain(quotes)
        .chain(widths)
        .chain(ligatures)
        .chain(space)
        .collect()
}

/// Drops escape sequences that colour or move text in a terminal.
fn remove_terminal_escapes(text: &str) -> Cow<'_, str> {
    static ESCAPE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\x1B\[[\d;]*[a-zA-Z]").ok());
    match &*ESCAPE {
        Some(escape) if text.contains('\u{1B}') => escape.replace_all(text, ""),
        _ => Cow::Borrowed(text),
    }
}

/// Controls without a visible effect; those that space, join or turn text are kept.
fn is_control(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{B}'
            | '\u{E}'..='\u{1F}'
            | '\u{7F}'
            | '\u{206A}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFC}'
    )
}
