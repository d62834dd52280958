//! iTerm2's inline images: a file in Base64.
//!
//! Source: <https://iterm2.com/documentation-images.html>.

use base64::prelude::{BASE64_STANDARD, Engine};

/// `cells` is the width on the screen in columns; the height follows.
pub(super) fn encode(png: &[u8], cells: usize) -> Vec<u8> {
    let (size, data) = (png.len(), BASE64_STANDARD.encode(png));
    // `size` is only for a progress bar in iTerm2, but some of the others insist on it.
    format!("\x1b]1337;File=inline=1;size={size};width={cells};preserveAspectRatio=1:{data}\x07\n")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_sent_whole() {
        assert_eq!(
            encode(b"foob", 40),
            b"\x1b]1337;File=inline=1;size=4;width=40;preserveAspectRatio=1:Zm9vYg==\x07\n"
        );
    }
}
