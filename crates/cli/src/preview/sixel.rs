//! Sixel: bands of six rows, drawn once for each of their colours.
//!
//! Source: DEC, "VT330/VT340 Programmer Reference Manual", volume 2, chapter 14.

use super::Picture;
use super::palette::{Reduced, reduce};

/// Rows of a band; a character has a bit for each.
const BAND: usize = 6;

pub(super) fn encode(picture: Picture) -> Vec<u8> {
    let Reduced { colours, indices } = reduce(picture.pixels);
    // Square pixels, told in the raster attributes with the sides.
    let (width, height) = (picture.width, picture.height);
    let mut text = format!("\x1bP0;1q\"1;1;{width};{height}");
    for (i, colour) in colours.iter().enumerate() {
        let [r, g, b] = colour.map(percent);
        text.push_str(&format!("#{i};2;{r};{g};{b}"));
    }
    for (i, rows) in indices.chunks(BAND * width).enumerate() {
        // Between bands only: after the last it would add empty rows.
        if i > 0 {
            text.push('-');
        }
        band(&mut text, rows, width);
    }
    text.push_str("\x1b\\\n");
    text.into_bytes()
}

/// Sixel colours are percentages.
fn percent(byte: u8) -> u32 {
    (u32::from(byte) * 100 + 127) / 255
}

/// Up to six rows of palette indices.
fn band(text: &mut String, rows: &[u8], width: usize) {
    let n_colours = rows.iter().max().map_or(0, |&most| usize::from(most) + 1);
    let mut sixels = vec![0u8; n_colours * width]; // [n_colours, width]
    for (i, &colour) in rows.iter().enumerate() {
        sixels[usize::from(colour) * width + i % width] |= 1 << (i / width);
    }
    let mut back = "";
    for (colour, sixels) in sixels.chunks(width).enumerate() {
        let Some(last) = sixels.iter().rposition(|&sixel| sixel != 0) else {
            continue;
        };
        text.push_str(&format!("{back}#{colour}"));
        runs(text, &sixels[..=last]);
        // To the beginning of the band, for the next colour.
        back = "$";
    }
}

/// Characters, equal ones counted where that is shorter.
fn runs(text: &mut String, sixels: &[u8]) {
    for run in sixels.chunk_by(PartialEq::eq) {
        let character = char::from(b'?' + run[0]);
        match run.len() {
            n @ ..=3 => text.extend(std::iter::repeat_n(character, n)),
            n => text.push_str(&format!("!{n}{character}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];

    fn encoded(pixels: &[[u8; 3]], width: usize) -> String {
        let height = pixels.len() / width;
        let picture = Picture {
            pixels,
            width,
            height,
        };
        String::from_utf8(encode(picture)).unwrap()
    }

    /// Reads what [`encode`] writes, in the order of the manual and with none of its defaults.
    fn decode(text: &str) -> (Vec<Option<[u8; 3]>>, usize) {
        let body = text.strip_prefix("\x1bP0;1q\"").unwrap();
        let body = body.strip_suffix("\x1b\\\n").unwrap();
        let mut rest = body;
        let sides = numbers(&mut rest);
        let (width, height) = (sides[2], sides[3]);
        let mut pixels = vec![None; width * height];
        let (mut palette, mut colour) = (vec![[0; 3]; 256], 0);
        let (mut x, mut top, mut repeat) = (0, 0, 1);
        while let Some(command) = rest.chars().next() {
            rest = &rest[1..];
            match command {
                '#' => {
                    let values = numbers(&mut rest);
                    colour = values[0];
                    if let [_, 2, rgb @ ..] = &values[..] {
                        palette[colour] = [0, 1, 2].map(|c| ((rgb[c] * 255 + 50) / 100) as u8);
                    }
                }
                '!' => repeat = numbers(&mut rest)[0],
                '$' => x = 0,
                '-' => (x, top) = (0, top + BAND),
                '?'..='~' => {
                    let sixel = command as u8 - b'?';
                    for bit in (0..BAND).filter(|bit| sixel >> bit & 1 == 1) {
                        for x in x..x + repeat {
                            assert!(x < width && top + bit < height, "beside the picture");
                            let pixel = &mut pixels[(top + bit) * width + x];
                            assert_eq!(*pixel, None, "drawn twice");
                            *pixel = Some(palette[colour]);
                        }
                    }
                    (x, repeat) = (x + repeat, 1);
                }
                other => panic!("{other:?} is no sixel"),
            }
        }
        (pixels, width)
    }

    /// Numbers with semicolons between them, taken off the front.
    fn numbers(rest: &mut &str) -> Vec<usize> {
        let is_end = |c: char| !c.is_ascii_digit() && c != ';';
        let (taken, left) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
        *rest = left;
        taken.split(';').map(|n| n.parse().unwrap()).collect()
    }

    #[test]
    fn colours_are_drawn_over_each_other() {
        assert_eq!(
            encoded(&[RED, BLUE, BLUE, BLUE], 2),
            "\x1bP0;1q\"1;1;2;2#0;2;0;0;100#1;2;100;0;0#0AB$#1@\x1b\\\n"
        );
    }

    #[test]
    fn long_runs_are_counted_and_bands_are_separated() {
        assert_eq!(
            encoded(&[RED; 28], 4),
            "\x1bP0;1q\"1;1;4;7#0;2;100;0;0#0!4~-#0!4@\x1b\\\n"
        );
        assert_eq!(
            encoded(&[RED; 18], 3),
            "\x1bP0;1q\"1;1;3;6#0;2;100;0;0#0~~~\x1b\\\n"
        );
    }

    #[test]
    fn what_is_drawn_is_the_picture() {
        for (width, height) in [(1, 1), (1, 13), (13, 1), (6, 6), (37, 23), (90, 71)] {
            let pixel = |i: usize| {
                let (x, y) = (i % width, i / width);
                [x * 255 / width, y * 255 / height, (x * y) % 256].map(|v| v as u8)
            };
            let pixels: Vec<[u8; 3]> = (0..width * height).map(pixel).collect();
            let reduced = reduce(&pixels);
            let (drawn, drawn_width) = decode(&encoded(&pixels, width));
            assert_eq!((drawn.len(), drawn_width), (pixels.len(), width));
            for (drawn, index) in drawn.iter().zip(&reduced.indices) {
                let want = reduced.colours[usize::from(*index)];
                let drawn = drawn.expect("each pixel is drawn");
                // Half a percent, and half a level for rounding back.
                let worst = (0..3).map(|c| want[c].abs_diff(drawn[c])).max();
                assert!(worst <= Some(1), "{drawn:?} for {want:?}");
            }
        }
    }
}
