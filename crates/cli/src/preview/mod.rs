//! Pictures in the terminal: RGB → bytes that a terminal draws.
//!
//! Flow: [`Protocol::detect`] → [`size`] → the caller scales the picture → [`encode`] → stdout.
//! Invariant: nothing is asked of the terminal and nothing is printed here; the bytes are the same
//! wherever they are made.

mod blocks;
mod detect;
mod iterm2;
mod kitty;
mod palette;
mod sixel;

use clap::ValueEnum;

/// How pictures reach the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Kitty's graphics protocol: kitty, Ghostty, Konsole
    Kitty,
    /// iTerm2's inline images: iTerm2, WezTerm, mintty
    #[value(name = "iterm2")]
    ITerm2,
    /// Sixel graphics of 256 colours: foot, mlterm, xterm
    Sixel,
    /// Coloured half blocks: any terminal with 24-bit colours
    Blocks,
}

/// Pixels of a cell, which is twice as high as wide. A terminal would have to be asked for its own;
/// most are near this, and those that are told a width in cells scale the picture to it.
const CELL: (usize, usize) = (10, 20);

/// Pixels of a cell that holds a half block: one above the other.
const HALF_BLOCKS: (usize, usize) = (1, 2);

/// The pixels that a picture of `width` × `height` should be scaled to, both at least 1.
///
/// With its aspect kept it fills a square of `columns`, which is half as many rows: a screen shows
/// some hits at once, and nobody has to scroll past a panorama on end. Where the terminal draws
/// pixels it is not enlarged.
pub(crate) fn size(
    protocol: Protocol,
    (width, height): (usize, usize),
    columns: usize,
) -> (usize, usize) {
    let (cell, most) = match protocol {
        Protocol::Blocks => (HALF_BLOCKS, f64::INFINITY),
        _ => (CELL, 1.0),
    };
    let (width, height) = (width.max(1) as f64, height.max(1) as f64);
    let side = (columns.max(1) * cell.0) as f64;
    let scale = (side / width.max(height)).min(most);
    let scaled = |side: f64| ((side * scale).round() as usize).max(1);
    (scaled(width), scaled(height))
}

/// The bytes that draw a picture of `width` × `height` pixels, a newline at the end.
///
/// `rgb` is `[height, width, 3]`, scaled to [`size`]. `png` makes a PNG file of it and is called
/// only by the protocols that need one.
///
/// # Errors
/// That of `png`.
///
/// # Panics
/// If `rgb` is of another length than the sides say.
pub(crate) fn encode<E>(
    protocol: Protocol,
    rgb: &[u8],
    width: usize,
    height: usize,
    columns: usize,
    png: impl FnOnce() -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    assert_eq!(rgb.len(), width * height * 3, "preview: not as many pixels");
    if rgb.is_empty() {
        return Ok(b"\n".to_vec());
    }
    let (pixels, _) = rgb.as_chunks();
    let picture = Picture {
        pixels,
        width,
        height,
    };
    Ok(match protocol {
        Protocol::Kitty => kitty::encode(&png()?, picture.cells(columns)),
        Protocol::ITerm2 => iterm2::encode(&png()?, picture.cells(columns)),
        Protocol::Sixel => sixel::encode(picture),
        Protocol::Blocks => blocks::encode(picture),
    })
}

/// Pixels in RGB, row after row; at least one.
#[derive(Clone, Copy)]
struct Picture<'a> {
    pixels: &'a [[u8; 3]],
    width: usize,
    height: usize,
}

impl Picture<'_> {
    /// Columns to fill: a terminal stretches a picture to what it is told, and a narrow one would
    /// become high.
    fn cells(self, columns: usize) -> usize {
        columns.min(self.width.div_ceil(CELL.0)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const ALL: [Protocol; 4] = [
        Protocol::Kitty,
        Protocol::ITerm2,
        Protocol::Sixel,
        Protocol::Blocks,
    ];

    #[test]
    fn protocols_have_the_names_people_know() {
        for (protocol, name) in ALL.iter().zip(["kitty", "iterm2", "sixel", "blocks"]) {
            assert_eq!(Protocol::from_str(name, false).as_ref(), Ok(protocol));
        }
    }

    #[test]
    fn pictures_fill_a_square_and_keep_their_aspect() {
        assert_eq!(size(Protocol::Blocks, (400, 300), 40), (40, 30));
        assert_eq!(size(Protocol::Blocks, (3, 4), 40), (30, 40));
        assert_eq!(size(Protocol::Blocks, (100, 1000), 40), (4, 40));
        for protocol in [Protocol::Kitty, Protocol::ITerm2, Protocol::Sixel] {
            assert_eq!(size(protocol, (4000, 3000), 40), (400, 300));
            assert_eq!(size(protocol, (3000, 4000), 40), (300, 400));
            // An icon stays one.
            assert_eq!(size(protocol, (32, 16), 40), (32, 16));
        }
    }

    #[test]
    fn sizes_are_never_zero() {
        for protocol in ALL {
            for picture in [(0, 0), (1, 1), (1, 100_000), (100_000, 1)] {
                for columns in [0, 1, 80] {
                    let (width, height) = size(protocol, picture, columns);
                    assert!(width >= 1 && height >= 1, "{protocol:?} {picture:?}");
                }
            }
        }
    }

    #[test]
    fn small_pictures_are_drawn_too() {
        let sides = [(1, 1), (1, 9), (9, 1), (1, 2), (2, 1), (7, 13), (0, 0)];
        for protocol in ALL {
            for (width, height) in sides {
                for columns in [0, 1, 80] {
                    let rgb = vec![200; width * height * 3];
                    let png = || Ok::<_, Infallible>(vec![0]);
                    let bytes = encode(protocol, &rgb, width, height, columns, png).unwrap();
                    assert_eq!(bytes.last(), Some(&b'\n'));
                }
            }
        }
    }

    #[test]
    fn an_error_of_the_png_encoder_is_passed_on() {
        let png = || Err("too wide");
        let bytes = encode(Protocol::ITerm2, &[0; 3], 1, 1, 1, png);
        assert_eq!(bytes, Err("too wide"));
    }

    #[test]
    fn a_narrow_picture_is_not_stretched_to_all_columns() {
        let png = || Ok::<_, Infallible>(vec![0]);
        let bytes = encode(Protocol::ITerm2, &[0; 25 * 3], 25, 1, 40, png).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("width=3;"), "{text:?}");
    }
}
