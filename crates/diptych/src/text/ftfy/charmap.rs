//! Single-byte encodings in which UTF-8 is wrongly read, in the order in which repair tries them.
//!
//! Source: ftfy 6.3.1 `chardata.py` and `bad_codecs/sloppy.py` (Apache-2.0); the tables are the
//! codecs of CPython 3.11. Lossy encodings, in ftfy "sloppy", read unassigned bytes as Latin-1 and
//! take byte 1A for U+FFFD, the mark of a character that was lost.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

/// A single-byte encoding that agrees with ASCII below byte 80.
pub(in crate::text) struct Charmap {
    /// The characters of bytes 80 to FF; empty for Latin-1.
    upper: &'static str,
    /// Whether byte 1A stands for U+FFFD.
    pub(super) is_lossy: bool,
    /// Whether a space may have been a non-breaking space. Not in Macintosh, where the byte before
    /// it would be an en dash.
    pub(super) may_restore_a0: bool,
    tables: OnceLock<Tables>,
}

/// Both directions of a [`Charmap`].
struct Tables {
    upper: Vec<char>,
    bytes: FxHashMap<char, u8>,
}

/// The byte that stands for a lost character.
const LOST: u8 = 0x1A;

impl Charmap {
    const fn new(upper: &'static str) -> Self {
        Self {
            upper,
            is_lossy: false,
            may_restore_a0: true,
            tables: OnceLock::new(),
        }
    }

    const fn lossy(upper: &'static str) -> Self {
        Self {
            upper,
            is_lossy: true,
            may_restore_a0: true,
            tables: OnceLock::new(),
        }
    }

    fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| {
            let upper: Vec<char> = self.upper.chars().collect();
            let mut bytes: FxHashMap<char, u8> = upper.iter().copied().zip(0x80..=0xFF).collect();
            if self.is_lossy {
                bytes.insert(char::REPLACEMENT_CHARACTER, LOST);
            }
            Tables { upper, bytes }
        })
    }

    /// The bytes that read as `text` in this encoding, if there are such bytes.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let tables = self.tables();
        text.chars().map(|c| self.encode_char(tables, c)).collect()
    }

    fn encode_char(&self, tables: &Tables, c: char) -> Option<u8> {
        match u8::try_from(c) {
            Ok(LOST) if self.is_lossy => None,
            Ok(byte) if byte < 0x80 || self.upper.is_empty() => Some(byte),
            _ => tables.bytes.get(&c).copied(),
        }
    }

    /// The character of `byte`.
    pub(in crate::text) fn decode_byte(&self, byte: u8) -> char {
        match byte {
            LOST if self.is_lossy => char::REPLACEMENT_CHARACTER,
            0..0x80 => char::from(byte),
            _ => self
                .tables()
                .upper
                .get(usize::from(byte) - 0x80)
                .map_or(char::from(byte), |&c| c),
        }
    }
}

/// Tried first to last; the first that gives valid UTF-8 wins.
pub(super) static CHARMAPS: [&Charmap; 10] = [
    &LATIN_1,
    &WINDOWS_1252,
    &WINDOWS_1251,
    &WINDOWS_1250,
    &WINDOWS_1253,
    &WINDOWS_1254,
    &WINDOWS_1257,
    &ISO_8859_2,
    &MACINTOSH,
    &CP437,
];

/// Every byte is the character of the same number.
pub(super) static LATIN_1: Charmap = Charmap::new("");

/// Western Europe.
pub(in crate::text) static WINDOWS_1252: Charmap = Charmap::lossy(
    "\
    €\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ\
    \u{A0}¡¢£¤¥¦§¨©ª«¬\u{AD}®¯°±²³´µ¶·¸¹º»¼½¾¿\
    ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
    àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ\
    ",
);

static WINDOWS_1251: Charmap = Charmap::lossy(
    "\
    ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\
    \u{A0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{AD}®Ї°±Ііґµ¶·ё№є»јЅѕї\
    АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ\
    абвгдежзийклмнопрстуфхцчшщъыьэюя\
    ",
);

static WINDOWS_1250: Charmap = Charmap::lossy(
    "\
    €\u{81}‚\u{83}„…†‡\u{88}‰Š‹ŚŤŽŹ\u{90}‘’“”•–—\u{98}™š›śťžź\
    \u{A0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{AD}®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż\
    ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß\
    ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙\
    ",
);

static WINDOWS_1253: Charmap = Charmap::lossy(
    "\
    €\u{81}‚ƒ„…†‡\u{88}‰\u{8A}‹\u{8C}\u{8D}\u{8E}\u{8F}\
    \u{90}‘’“”•–—\u{98}™\u{9A}›\u{9C}\u{9D}\u{9E}\u{9F}\
    \u{A0}΅Ά£¤¥¦§¨©ª«¬\u{AD}®―°±²³΄µ¶·ΈΉΊ»Ό½ΎΏ\
    ΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫάέήί\
    ΰαβγδεζηθικλμνξοπρςστυφχψωϊϋόύώÿ\
    ",
);

static WINDOWS_1254: Charmap = Charmap::lossy(
    "\
    €\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}\u{8E}\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}\u{9E}Ÿ\
    \u{A0}¡¢£¤¥¦§¨©ª«¬\u{AD}®¯°±²³´µ¶·¸¹º»¼½¾¿\
    ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞß\
    àáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ\
    ",
);

static WINDOWS_1257: Charmap = Charmap::lossy(
    "\
    €\u{81}‚\u{83}„…†‡\u{88}‰\u{8A}‹\u{8C}¨ˇ¸\u{90}‘’“”•–—\u{98}™\u{9A}›\u{9C}¯˛\u{9F}\
    \u{A0}¡¢£¤¥¦§Ø©Ŗ«¬\u{AD}®Æ°±²³´µ¶·ø¹ŗ»¼½¾æ\
    ĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽß\
    ąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž˙\
    ",
);

static ISO_8859_2: Charmap = Charmap::new(
    "\
    \u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8A}\u{8B}\u{8C}\u{8D}\u{8E}\u{8F}\
    \u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9A}\u{9B}\u{9C}\u{9D}\u{9E}\u{9F}\
    \u{A0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{AD}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žż\
    ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß\
    ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙\
    ",
);

static MACINTOSH: Charmap = Charmap {
    upper: "\
    ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü\
    †°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø\
    ¿¡¬√ƒ≈∆«»…\u{A0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ\
    ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{F8FF}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ\
    ",
    is_lossy: false,
    may_restore_a0: false,
    tables: OnceLock::new(),
};

static CP437: Charmap = Charmap::new(
    "\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
    áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}\
    ",
);
