//! BMP: 1, 4, 8, 16, 24 and 32 bits a pixel, with bit masks, run lengths, top-down or bottom-up.
//!
//! Source: Microsoft's `BITMAPINFOHEADER` family; what is grey, palette or alpha follows
//! `BmpImagePlugin.py` of Pillow 13. Other readers give palettes away as RGB, hence this one.
//! Run lengths are Microsoft's, too, where Pillow passes over empty lines and lets literal pixels
//! run on into the next.

use super::{Format, Limit, unpack};
use crate::image::error::ImageError;
use crate::image::picture::{Mode, Picture};

const RLE8: u32 = 1;
const RLE4: u32 = 2;
const BITFIELDS: u32 = 3;

/// The header of the file and of the bitmap.
struct Header {
    width: usize,
    height: usize,
    top_down: bool,
    bits: usize,
    compression: u32,
    /// Red, green, blue and alpha of a pixel of 16 bits or more.
    masks: [u32; 4],
    /// Colours, blue first, of a pixel of 8 bits or fewer.
    palette: Vec<[u8; 3]>,
    /// First byte of the pixels.
    offset: usize,
}

/// The header of a file, which a bitmap from a clipboard or a resource lacks, saying nothing of
/// where the pixels are.
const FILE_HEADER: &[u8; 14] = b"BM\0\0\0\0\0\0\0\0\0\0\0\0";

/// Lengths of the headers that there are.
const LENGTHS: [u32; 7] = [12, 40, 52, 56, 64, 108, 124];

/// Whether a bitmap begins with its own header, not with that of a file.
pub(super) fn is_bare(bytes: &[u8]) -> bool {
    let mut lengths = LENGTHS.iter();
    let begins = lengths.any(|length| bytes.starts_with(&length.to_le_bytes()));
    // There is one plane, always.
    let planes = if bytes.first() == Some(&12) { 8 } else { 12 };
    begins
        && bytes
            .get(planes..)
            .is_some_and(|rest| rest.starts_with(&[1, 0]))
}

pub(super) fn decode(bytes: &[u8], limit: &Limit) -> Result<Picture, ImageError> {
    let whole;
    let bytes = if is_bare(bytes) {
        whole = [FILE_HEADER, bytes].concat();
        &whole
    } else {
        bytes
    };
    let header = Header::read(bytes, limit)?;
    let data = bytes
        .get(header.offset..)
        .ok_or_else(|| ends_early("before its pixels"))?;
    if header.bits <= 8 {
        indexed(&header, data)
    } else {
        coloured(&header, data)
    }
}

impl Header {
    fn read(bytes: &[u8], limit: &Limit) -> Result<Self, ImageError> {
        let cut = || ends_early("in its header");
        let short = |at: usize| {
            Some(u16::from_le_bytes(
                bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
            ))
        };
        let long = |at: usize| {
            Some(u32::from_le_bytes(
                bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
            ))
        };
        let length = long(14).ok_or_else(cut)? as usize;
        let old = length == 12;
        if !LENGTHS.contains(&(length as u32)) {
            return Err(ImageError::unsupported(
                Format::Bmp,
                format!("a header of {length} bytes"),
            ));
        }
        if bytes.len() < 14 + length {
            return Err(cut());
        }
        let field = |at| {
            if old {
                short(at).map(u32::from)
            } else {
                long(at)
            }
            .ok_or_else(cut)
        };
        let (width, height) = if old {
            (field(18)?, field(20)?)
        } else {
            (field(18)?, field(22)?)
        };
        let top_down = !old && height > i32::MAX as u32;
        let (width, height) = limit.check(
            width,
            if top_down {
                height.wrapping_neg()
            } else {
                height
            },
        )?;
        let bits = usize::from(short(if old { 24 } else { 28 }).ok_or_else(cut)?);
        let compression = if old { 0 } else { field(30)? };
        let supported = match compression {
            0 => matches!(bits, 1 | 4 | 8 | 16 | 24 | 32),
            RLE8 => bits == 8,
            RLE4 => bits == 4,
            BITFIELDS => matches!(bits, 16 | 24 | 32),
            _ => false,
        };
        if !supported {
            let found = format!("compression {compression} at {bits} bits a pixel");
            return Err(ImageError::unsupported(Format::Bmp, found));
        }

        let mut after = 14 + length; // where the palette would begin
        let masks = match (compression, bits) {
            (BITFIELDS, _) => {
                // Masks follow a header of 40 bytes, and are part of a longer one.
                let mask = |i: usize| long(54 + 4 * i).ok_or_else(cut);
                if length == 40 {
                    after += 12;
                }
                [
                    mask(0)?,
                    mask(1)?,
                    mask(2)?,
                    if length >= 56 { mask(3)? } else { 0 },
                ]
            }
            (_, 16) => [0x7c00, 0x3e0, 0x1f, 0],
            _ => [0xff_0000, 0xff00, 0xff, 0],
        };

        let mut offset = long(10).ok_or_else(cut)? as usize;
        let mut palette = Vec::new();
        if bits <= 8 {
            let announced = if old { 0 } else { field(46)? as usize };
            let colours = if announced == 0 { 1 << bits } else { announced };
            if colours > 256 {
                return Err(ImageError::damaged(
                    Format::Bmp,
                    format!("a palette of {colours} colours"),
                ));
            }
            let size = if old { 3 } else { 4 };
            let begin = after;
            after += size * colours;
            let entries = bytes.get(begin..after).ok_or_else(cut)?;
            palette = entries
                .chunks_exact(size)
                .map(|c| [c[2], c[1], c[0]])
                .collect();
            // Some writers forget the palette when they say where the pixels begin.
            if offset == 14 + length {
                offset += size * colours;
            }
        }
        if offset == 0 {
            offset = after;
        }
        Ok(Self {
            width,
            height,
            top_down,
            bits,
            compression,
            masks,
            palette,
            offset,
        })
    }

    /// The lines of an uncompressed bitmap, top line first, each with its padding.
    fn lines<'a>(&self, data: &'a [u8]) -> Result<Vec<&'a [u8]>, ImageError> {
        let stride = (self.width * self.bits).div_ceil(32) * 4;
        // The last line may lack its padding.
        let used = (self.width * self.bits).div_ceil(8);
        if data.len() < stride * (self.height - 1) + used {
            return Err(ends_early("in its pixels"));
        }
        let mut lines: Vec<&[u8]> = data
            .chunks(stride)
            .take(self.height)
            .map(|line| &line[..used])
            .collect();
        if !self.top_down {
            lines.reverse();
        }
        Ok(lines)
    }
}

fn ends_early(place: &str) -> ImageError {
    ImageError::damaged(Format::Bmp, format!("it ends {place}"))
}

/// A bitmap of at most 8 bits a pixel.
fn indexed(header: &Header, data: &[u8]) -> Result<Picture, ImageError> {
    let Header {
        width,
        height,
        bits,
        ..
    } = *header;
    let indices = match header.compression {
        RLE8 | RLE4 => {
            let mut indices = expand_runs(data, width, height, header.compression == RLE4)?;
            if !header.top_down {
                indices = indices
                    .chunks_exact(width)
                    .rev()
                    .flatten()
                    .copied()
                    .collect();
            }
            indices
        }
        _ => unpack(&header.lines(data)?.concat(), width, bits, |v| v),
    };
    let grey = |(colour, value): (&[u8; 3], u8)| *colour == [value; 3];
    if header.palette == [[0; 3], [255; 3]] {
        let data = indices
            .iter()
            .map(|&i| if i == 0 { 0 } else { 255 })
            .collect();
        return Picture::new(width, height, Mode::Bilevel, data);
    }
    if header.palette.len() > 2 && header.palette.iter().zip(0..=255).all(grey) {
        return Picture::new(width, height, Mode::Grey, indices);
    }
    Picture::with_palette(width, height, indices, header.palette.clone())
}

/// A bitmap of 16, 24 or 32 bits a pixel.
fn coloured(header: &Header, data: &[u8]) -> Result<Picture, ImageError> {
    let masks = match (header.masks, header.bits) {
        // As Pillow reads a lack of masks.
        ([0, 0, 0, 0], 32) => [0xff_0000, 0xff00, 0xff, 0xff00_0000],
        // Only 32 bits have alpha: in 16 many writers leave the bit that is named as such at 0.
        ([red, green, blue, _], 16 | 24) => [red, green, blue, 0],
        (masks, _) => masks,
    };
    let [red, green, blue, alpha] = masks.map(|mask| Channel::new(mask, header.bits));
    let (channels, mode) = match (red, green, blue, alpha) {
        (Some(red), Some(green), Some(blue), None) if masks[3] == 0 => {
            (vec![red, green, blue], Mode::Rgb)
        }
        (Some(red), Some(green), Some(blue), Some(alpha)) => {
            (vec![red, green, blue, alpha], Mode::Rgba)
        }
        _ => {
            return Err(ImageError::unsupported(
                Format::Bmp,
                format!("the bit masks {masks:x?} of {} bits", header.bits),
            ));
        }
    };
    let mut out = Vec::with_capacity(header.width * header.height * channels.len());
    for line in header.lines(data)? {
        for pixel in line.chunks_exact(header.bits / 8) {
            let word = pixel
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u32::from(byte));
            out.extend(channels.iter().map(|channel| channel.of(word)));
        }
    }
    Picture::new(header.width, header.height, mode, out)
}

/// Bits of a pixel that are one colour.
struct Channel {
    mask: u32,
    shift: u32,
    max: u64,
}

impl Channel {
    /// None for a mask that is empty, has a gap, or leaves a pixel of so many bits.
    fn new(mask: u32, bits: usize) -> Option<Self> {
        let shift = mask.trailing_zeros();
        let max = u64::from(mask.checked_shr(shift)?);
        let fits = u64::from(mask) < 1 << bits && (max + 1).is_power_of_two();
        fits.then_some(Self { mask, shift, max })
    }

    /// The colour scaled to 0..=255, truncated.
    fn of(&self, word: u32) -> u8 {
        (u64::from((word & self.mask) >> self.shift) * 255 / self.max) as u8
    }
}

/// Run-length encoded indices, first line of the file first; pixels that are not drawn are 0.
fn expand_runs(
    data: &[u8],
    width: usize,
    height: usize,
    nibbles: bool,
) -> Result<Vec<u8>, ImageError> {
    let mut out = vec![0; width * height];
    // The next pixel. Lines end where it is said: what is drawn beyond their width is padding that
    // some writers encode.
    let (mut x, mut y) = (0, 0);
    let mut bytes = data.iter().copied();
    let cut = || ends_early("in its pixels");
    let value = |i: usize, byte: u8| match (nibbles, i % 2) {
        (false, _) => byte,
        (true, 0) => byte >> 4,
        (true, _) => byte & 15,
    };
    let mut draw = |x: &mut usize, y: usize, pixels: &mut dyn Iterator<Item = u8>| {
        let line = out.chunks_exact_mut(width).nth(y).unwrap_or_default();
        for pixel in pixels {
            if let Some(place) = line.get_mut(*x) {
                *place = pixel;
            }
            *x += 1;
        }
    };
    // A last line that is whole needs no end.
    while y < height && (y + 1 < height || x < width) {
        let (count, code) = (bytes.next().ok_or_else(cut)?, bytes.next().ok_or_else(cut)?);
        match (count, code) {
            (0, 0) => (x, y) = (0, y + 1), // end of line
            (0, 1) => break,               // end of bitmap
            (0, 2) => {
                let (right, up) = (bytes.next().ok_or_else(cut)?, bytes.next().ok_or_else(cut)?);
                (x, y) = (x + usize::from(right), y + usize::from(up));
            }
            (0, literal) => {
                let literal = usize::from(literal);
                let per_byte = if nibbles { 2 } else { 1 };
                let stored = literal.div_ceil(per_byte);
                let run: Vec<u8> = bytes.by_ref().take(stored).collect();
                if run.len() < stored {
                    return Err(cut());
                }
                draw(
                    &mut x,
                    y,
                    &mut (0..literal).map(|i| value(i, run[i / per_byte])),
                );
                if stored % 2 == 1 {
                    bytes.next(); // runs are padded to 16 bits
                }
            }
            (count, byte) => draw(
                &mut x,
                y,
                &mut (0..usize::from(count)).map(|i| value(i, byte)),
            ),
        }
    }
    Ok(out)
}
