//! UTF-8 with two variants that are met in the wild: CESU-8 (each half of a UTF-16 surrogate pair
//! encoded for itself) and Java's two-byte NUL.
//!
//! Source: `bad_codecs/utf8_variants.py` of ftfy 6.3.1 (Apache-2.0). There `$` also matches before
//! a final line feed, so a variant whose last byte is missing takes that line feed in its place.

/// Decodes `bytes`; none if they aren't UTF-8 in one of its variants.
pub(super) fn decode(bytes: Vec<u8>) -> Option<String> {
    if !bytes.iter().any(|byte| matches!(byte, 0xC0 | 0xED)) {
        return String::from_utf8(bytes).ok();
    }
    let mut text = String::with_capacity(bytes.len());
    let mut plain = 0; // where the plain UTF-8 that isn't decoded yet starts
    let mut at = 0;
    while at < bytes.len() {
        if let Some((c, len)) = variant(&bytes[at..]) {
            text.push_str(std::str::from_utf8(&bytes[plain..at]).ok()?);
            text.push(c);
            at += len;
            plain = at;
        } else {
            at += 1;
        }
    }
    text.push_str(std::str::from_utf8(&bytes[plain..]).ok()?);
    Some(text)
}

/// The character and the length of a variant sequence at the start of `bytes`.
fn variant(bytes: &[u8]) -> Option<(char, usize)> {
    match *bytes {
        [0xC0, 0x80, ..] | [0xC0, b'\n'] => Some(('\0', 2)),
        [
            0xED,
            a @ 0xA0..=0xAF,
            b @ 0x80..=0xBF,
            0xED,
            c @ 0xB0..=0xBF,
            d @ 0x80..=0xBF,
            ..,
        ]
        | [
            0xED,
            a @ 0xA0..=0xAF,
            b @ 0x80..=0xBF,
            0xED,
            c @ 0xB0..=0xBF,
            d @ b'\n',
        ] => {
            let bits = |byte: u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
            let code = bits(a, 0x0F, 16) + bits(b, 0x3F, 10) + bits(c, 0x0F, 6) + bits(d, 0x3F, 0);
            Some((char::from_u32(0x1_0000 + code)?, 6))
        }
        _ => None,
    }
}
