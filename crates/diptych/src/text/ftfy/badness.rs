//! Does a text look like mojibake, text decoded with the wrong encoding?
//!
//! Source: `badness.py` of ftfy 6.3.1 (Apache-2.0): the character classes, and the neighbourhoods
//! that real text hardly has. Python's `\s` and `\w` are spelled out, as Rust's differ.

use std::sync::LazyLock;

use regex::Regex;

/// Common in any text.
const COMMON: &str = "\u{A0}\u{AD}·´–—―…’";
/// Controls that nobody uses on purpose any more.
const C1: &str = "\u{80}-\u{9F}";
/// Hardly seen but in mojibake.
const BAD: &str = "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\u{FFFD}ªº";
/// Marks of legal texts.
const LAW: &str = "¶§";
/// Money.
const CURRENCY: &str = "¢£¥₧€";
/// Opens something.
const START_PUNCTUATION: &str = "¡«¿©΄΅‘‚“„•‹\u{F8FF}";
/// Closes something.
const END_PUNCTUATION: &str = "®»˝”›™";
/// Stands near numbers.
const NUMERIC: &str = "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№";
/// Letters that draw faces, so strange company proves nothing.
const KAOMOJI: &str = "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°";
/// Capitals with marks, but those that draw faces.
const UPPER_ACCENTED: &str = "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ";
/// Small letters with marks, but those that draw faces.
const LOWER_ACCENTED: &str = "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ";
/// Capitals of scripts that mojibake of its own makes common.
const UPPER_COMMON: &str = "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я";
/// Small letters of those scripts.
const LOWER_COMMON: &str = "α-ωάέήίΰа-џ";
/// Frames and blocks, but the horizontal line, which draws faces.
const BOX: &str = "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓";

/// Whether some neighbourhood of characters in `text` is that of mojibake.
pub(super) fn is_bad(text: &str) -> bool {
    static PATTERN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&unlikely().join("|")).ok());
    PATTERN
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text))
}

/// Patterns of unlikely neighbours. They are constant, so they compile (a test sees to it).
fn unlikely() -> Vec<String> {
    let accented = format!("{LOWER_ACCENTED}{UPPER_ACCENTED}");
    let punctuation = format!("{START_PUNCTUATION}{END_PUNCTUATION}");
    let marked = format!("{accented}{BOX}{punctuation}{CURRENCY}{NUMERIC}{LAW}");
    let arabic = format!("[ØÙ][{COMMON}{CURRENCY}{BAD}{NUMERIC}{START_PUNCTUATION}ŸŠ®°µ»]");
    let space = r"[\s\x1C-\x1F]";
    let word = r"[\p{L}\p{N}_]";
    vec![
        format!("[{C1}]"),
        // Accents, signs and frames next to each other.
        format!("[{BAD}{marked}][{BAD}]"),
        format!("[a-zA-Z][{LOWER_COMMON}{UPPER_COMMON}][{BAD}]"),
        format!("[{BAD}][{marked}]"),
        format!(
            "[{LOWER_ACCENTED}{LOWER_COMMON}{BOX}{END_PUNCTUATION}{CURRENCY}{NUMERIC}][{UPPER_ACCENTED}]"
        ),
        format!("[{BOX}{END_PUNCTUATION}{CURRENCY}{NUMERIC}][{LOWER_ACCENTED}]"),
        format!("[{LOWER_ACCENTED}{BOX}{END_PUNCTUATION}][{CURRENCY}]"),
        format!("{space}[{UPPER_ACCENTED}][{CURRENCY}]"),
        format!("[{UPPER_ACCENTED}{BOX}][{NUMERIC}{LAW}]"),
        format!("[{accented}{BOX}{CURRENCY}{END_PUNCTUATION}][{START_PUNCTUATION}][{NUMERIC}]"),
        format!(
            "[{accented}{CURRENCY}{NUMERIC}{BOX}{LAW}][{END_PUNCTUATION}][{START_PUNCTUATION}]"
        ),
        format!("[{CURRENCY}{NUMERIC}{BOX}][{START_PUNCTUATION}]"),
        format!("[a-z][{UPPER_ACCENTED}][{START_PUNCTUATION}{CURRENCY}]"),
        format!("[{BOX}][{KAOMOJI}]"),
        format!("[{accented}{CURRENCY}{NUMERIC}{punctuation}{LAW}][{BOX}]"),
        format!("[{BOX}][{END_PUNCTUATION}]"),
        format!("[{accented}][{punctuation}]{word}"),
        "[Œœ][^A-Za-z]".to_owned(),
        format!("[{UPPER_ACCENTED}]°"),
        // Read as Windows-1252: Latin letters, superscripts, Arabic, South Asian scripts, à and á.
        format!(r"[ÂÃÎÐ][€œŠš¢£Ÿž\xA0\xAD®©°·»{punctuation}–—´]"),
        "×[²³]".to_owned(),
        format!("{arabic}{arabic}"),
        "à[²µ¹¼½¾]".to_owned(),
        r"Ã[\xA0¡]".to_owned(),
        format!("[a-z]{space}?[ÃÂ] "),
        "^[ÃÂ] ".to_owned(),
        format!("[a-z.,?!{END_PUNCTUATION}]Â[ {punctuation}]"),
        // Read as Macintosh.
        "√[±∂†≠®™´≤≥¥µø]".to_owned(),
        "≈[°¢]".to_owned(),
        "‚Ä[ìîïòôúùû†°¢π]".to_owned(),
        "‚[âó][àä°ê]".to_owned(),
        // Read as Windows-1251: general punctuation, Latin and Cyrillic letters.
        "вЂ".to_owned(),
        format!("[ВГРС][{C1}{BAD}{punctuation}{CURRENCY}°µ][ВГРС]"),
        "ГўВЂВ.[A-Za-z ]".to_owned(),
        // Read as Windows-1253: general punctuation, Latin and Greek letters.
        r"β€[™\xA0Ά\xAD®°]".to_owned(),
        format!("[ΒΓΞΟ][{C1}{BAD}{punctuation}{CURRENCY}°][ΒΓΞΟ]"),
        // Read as Windows-1257: general punctuation.
        "ā€".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_compile() {
        assert!(Regex::new(&unlikely().join("|")).is_ok());
    }

    #[test]
    fn mojibake_is_told_from_text() {
        for text in ["Ã©", "â€™", "sÃ³", "вЂ™", "‚Äì", "\u{91}quoted\u{92}"] {
            assert!(is_bad(text), "{text}");
        }
        for text in [
            "",
            "é",
            "naïve café",
            "¿Qué?",
            "привет",
            "γειά",
            "(ツ)",
            "25 °C",
            "Ωμέγα",
        ] {
            assert!(!is_bad(text), "{text}");
        }
    }
}
