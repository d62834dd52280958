//! Kitty's graphics protocol: a PNG file in Base64, in chunks. Of five photographs it had 56 % of
//! the bytes that their pixels have.
//!
//! Source: <https://sw.kovidgoyal.net/kitty/graphics-protocol/>, "Control data reference".

use base64::prelude::{BASE64_STANDARD, Engine};

/// Most characters of a chunk. A multiple of 4, as each chunk is decoded by itself.
const CHUNK: usize = 4096;

/// `cells` is the width on the screen in columns; the height follows.
pub(super) fn encode(png: &[u8], cells: usize) -> Vec<u8> {
    let data = BASE64_STANDARD.encode(png);
    // `q=2`: no answer, which would be read as typed. `f=100`: PNG.
    let mut keys = format!("a=T,q=2,f=100,c={cells}");
    let mut bytes = Vec::with_capacity(data.len() + data.len() / 256 + 128);
    let mut chunks = data.as_bytes().chunks(CHUNK).peekable();
    while let Some(chunk) = chunks.next() {
        let more = u8::from(chunks.peek().is_some());
        bytes.extend_from_slice(format!("\x1b_G{keys},m={more};").as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\x1b\\");
        // What follows the first chunk needs only this and `m`.
        "q=2".clone_into(&mut keys);
    }
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(bytes: usize) -> String {
        let png: Vec<u8> = [1, 2, 3].into_iter().cycle().take(bytes).collect();
        String::from_utf8(encode(&png, 7)).unwrap()
    }

    #[test]
    fn a_small_picture_is_one_chunk() {
        assert_eq!(encoded(6), "\x1b_Ga=T,q=2,f=100,c=7,m=0;AQIDAQID\x1b\\\n");
    }

    #[test]
    fn chunks_end_at_4096_characters() {
        // Three bytes are four characters.
        for (triples, sizes) in [
            (1024, &[4096][..]),
            (1025, &[4096, 4]),
            (2500, &[4096, 4096, 1808]),
        ] {
            let text = encoded(3 * triples);
            let chunks: Vec<&str> = text.trim_end().split_terminator("\x1b\\").collect();
            assert_eq!(chunks.len(), sizes.len());
            for (i, (chunk, size)) in chunks.iter().zip(sizes).enumerate() {
                let (keys, data) = chunk.split_once(';').unwrap();
                assert_eq!(data.len(), *size);
                let more = u8::from(i + 1 < sizes.len());
                assert!(keys.starts_with("\x1b_G"), "{keys:?}");
                assert!(keys.ends_with(&format!(",m={more}")), "{keys:?}");
                assert_eq!(keys.contains("a=T"), i == 0);
            }
        }
    }
}
