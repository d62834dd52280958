//! Metadata beside the pixels: the blocks of EXIF and XMP in a JPEG, PNG, TIFF or WebP.
//!
//! Source: EXIF 2.32 (CIPA DC-008), XMP part 3, PNG 3, RIFF container of WebP; where a block
//! counts, and which of two, follows Pillow 13 (`Image.getexif`, `JpegImagePlugin.py`,
//! `PngImagePlugin.py`). Invariant: nothing is refused; what is damaged is not there. Memory is
//! taken only for what the file has, and for texts that are packed up to [`MAX_TEXT`].

use std::borrow::Cow;
use std::io::Read;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::Format;
use super::ifd::Block;
use super::orient::{ORIENTATION, Orientation, find_number};
use super::segments::segments;

/// The marker of a segment of EXIF or XMP.
const APP1: u8 = 0xe1;

/// The tag of XMP in a TIFF.
const XMP: u16 = 700;

/// Most bytes of an unpacked text.
const MAX_TEXT: u64 = 1 << 20;

/// Two blocks of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata<'a> {
    /// A TIFF in itself.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    /// XML.
    pub(super) xmp: Option<Cow<'a, [u8]>>,
}

impl<'a> Metadata<'a> {
    /// The blocks in a file's bytes.
    pub(super) fn of(bytes: &'a [u8], format: Format) -> Self {
        let mut found = Self::default();
        match format {
            Format::Jpeg => found.read_jpeg(bytes),
            Format::Png => found.read_png(bytes),
            Format::WebP => found.read_webp(bytes),
            Format::Tiff | Format::Raw => {
                if let Some(block) = Block::new(bytes) {
                    let xmp = block.first_entries().find(|entry| entry.tag == XMP);
                    found.xmp = xmp.and_then(|entry| block.values(entry)).map(Cow::Borrowed);
                    found.exif = Some(Cow::Borrowed(bytes));
                }
            }
            _ => {}
        }
        found
    }

    /// How the picture is to be turned: as EXIF says, or XMP where that says nothing.
    pub(super) fn orientation(&self) -> Orientation {
        static IN_XMP: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r#"tiff:Orientation(?:="|>)([0-9])"#).ok());
        let exif = self.exif.as_deref();
        let tag = exif.and_then(|exif| find_number(exif, ORIENTATION));
        let in_xmp = || {
            let found = IN_XMP.as_ref()?.captures(self.xmp.as_deref()?)?;
            Some(u32::from(found.get(1)?.as_bytes()[0] - b'0'))
        };
        tag.or_else(in_xmp)
            .map_or_else(Orientation::default, Orientation::from_tag)
    }

    /// Segments up to the first scan. An EXIF block that needs several goes on in the next.
    fn read_jpeg(&mut self, bytes: &'a [u8]) {
        for (_, segment) in segments(bytes).filter(|(marker, _)| *marker == APP1) {
            if let Some(block) = segment.strip_prefix(b"Exif\0\0") {
                match &mut self.exif {
                    Some(begun) => begun.to_mut().extend_from_slice(block),
                    none => *none = Some(Cow::Borrowed(block)),
                }
            } else if let Some(xmp) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                self.xmp = Some(Cow::Borrowed(xmp));
            }
        }
    }

    /// Chunks, also behind the pixels.
    fn read_png(&mut self, bytes: &'a [u8]) {
        let mut raw_profile = None;
        let mut rest = bytes.get(8..).unwrap_or_default();
        while let Some((length, after)) = rest.split_first_chunk::<4>()
            && let Some((name, after)) = after.split_first_chunk::<4>()
            && let Some((data, after)) =
                after.split_at_checked(u32::from_be_bytes(*length) as usize)
        {
            // Past the checksum.
            rest = after.get(4..).unwrap_or_default();
            match name {
                b"eXIf" => {
                    let block = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
                    self.exif = Some(Cow::Borrowed(block));
                }
                b"tEXt" | b"zTXt" | b"iTXt" => {
                    // Of other texts nothing is unpacked.
                    let keyword = data.split(|&byte| byte == 0).next();
                    match keyword.unwrap_or_default() {
                        b"Raw profile type exif" => {
                            let text = text_of(name, data);
                            raw_profile = text.and_then(|text| from_hexadecimal(&text));
                        }
                        b"XML:com.adobe.xmp" => self.xmp = text_of(name, data),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        self.exif = self.exif.take().or(raw_profile.map(Cow::Owned));
    }

    fn read_webp(&mut self, bytes: &'a [u8]) {
        let mut rest = bytes.get(12..).unwrap_or_default();
        while let Some((name, after)) = rest.split_first_chunk::<4>()
            && let Some((length, after)) = after.split_first_chunk::<4>()
            && let Some((data, after)) =
                after.split_at_checked(u32::from_le_bytes(*length) as usize)
        {
            rest = after.get(data.len() % 2..).unwrap_or_default();
            match name {
                b"EXIF" => {
                    let block = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
                    self.exif = Some(Cow::Borrowed(block));
                }
                b"XMP " => self.xmp = Some(Cow::Borrowed(data)),
                _ => {}
            }
        }
    }
}

/// The text of a PNG's chunk, behind its keyword.
fn text_of<'a>(name: &[u8], data: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let rest = data.splitn(2, |&byte| byte == 0).nth(1)?;
    let (is_packed, text) = match name {
        b"tEXt" => (false, rest),
        b"zTXt" => (true, rest.get(1..)?),
        // Two flags, a language and a translated keyword come first.
        _ => {
            let text = rest.get(2..)?.splitn(3, |&byte| byte == 0).nth(2)?;
            (rest[0] == 1, text)
        }
    };
    if !is_packed {
        return Some(Cow::Borrowed(text));
    }
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::ZlibDecoder::new(text).take(MAX_TEXT);
    decoder.read_to_end(&mut unpacked).ok()?;
    Some(Cow::Owned(unpacked))
}

/// The bytes of an EXIF block as ImageMagick writes it into a text: three lines, then hexadecimal
/// digits.
fn from_hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.splitn(4, |&byte| byte == b'\n').nth(3)?;
    let digits = digits.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits: Option<Vec<u8>> = digits
        .map(|&digit| char::from(digit).to_digit(16).map(|digit| digit as u8))
        .collect();
    let bytes: Vec<u8> = digits?
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[high, low]| high << 4 | low)
        .collect();
    match bytes.strip_prefix(b"Exif\0\0") {
        Some(block) => Some(block.to_vec()),
        None => Some(bytes),
    }
}
