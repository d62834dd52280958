//! Half blocks: `▀` has one colour above and another below, so a cell shows two pixels.
//!
//! Source: ECMA-48, "SGR"; colours of 24 bits as xterm's `ctlseqs` has them.

use super::Picture;

/// The colours that the terminal shows as if nothing had been set.
const RESET: &str = "\x1b[0m\n";

pub(super) fn encode(picture: Picture) -> Vec<u8> {
    let mut text = String::new();
    for rows in picture.pixels.chunks(2 * picture.width) {
        let (upper, lower) = rows.split_at(picture.width);
        line(&mut text, upper, lower);
    }
    text.into_bytes()
}

/// Two rows of pixels; the lower one is empty below the last of an odd number.
fn line(text: &mut String, upper: &[[u8; 3]], lower: &[[u8; 3]]) {
    let mut last = None;
    for (x, top) in upper.iter().enumerate() {
        let cell = (top, lower.get(x));
        // Colours stay until others are set, and each setting is up to 38 bytes.
        if last != Some(cell) {
            text.push_str(&colours(cell));
            last = Some(cell);
        }
        text.push('▀');
    }
    text.push_str(RESET);
}

fn colours((top, bottom): (&[u8; 3], Option<&[u8; 3]>)) -> String {
    let [r, g, b] = top;
    match bottom {
        Some([red, green, blue]) => {
            format!("\x1b[38;2;{r};{g};{b};48;2;{red};{green};{blue}m")
        }
        None => format!("\x1b[38;2;{r};{g};{b}m"),
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

    #[test]
    fn a_cell_is_two_pixels_high() {
        assert_eq!(
            encoded(&[RED, BLUE, BLUE, RED], 2),
            "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[38;2;0;0;255;48;2;255;0;0m▀\x1b[0m\n"
        );
    }

    #[test]
    fn below_an_odd_row_is_the_background() {
        assert_eq!(
            encoded(&[RED, BLUE, RED], 1),
            "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[0m\n\x1b[38;2;255;0;0m▀\x1b[0m\n"
        );
    }

    #[test]
    fn colours_are_set_where_they_change_and_anew_on_each_line() {
        let line = "\x1b[38;2;255;0;0;48;2;255;0;0m▀▀▀\x1b[0m\n";
        assert_eq!(encoded(&[RED; 12], 3), line.repeat(2));
    }
}
