//! Segments of a JPEG: what stands before its pixels.
//!
//! Source: B.1.1 of ITU-T T.81; what is between two segments is passed over, as
//! `JpegImagePlugin.py` of Pillow does.

/// The marker of the head of a scan.
pub(super) const SCAN: u8 = 0xda;

/// Markers, and what follows their lengths. The last is [`SCAN`], with all that is left; none, if
/// there is no scan.
pub(super) fn segments(jpeg: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let at = rest.iter().position(|&byte| byte == 0xff)?;
            let (&marker, after) = rest.get(at + 1..)?.split_first()?;
            match marker {
                // Fill bytes, and markers that stand alone.
                0xff => rest = &rest[at + 1..],
                0 | 1 | 0xd0..=0xd9 => rest = after,
                SCAN => {
                    rest = &[];
                    return Some((SCAN, after));
                }
                _ => {
                    let (length, after) = after.split_first_chunk()?;
                    // A length below its own two bytes counts as an empty segment.
                    let length = usize::from(u16::from_be_bytes(*length)).saturating_sub(2);
                    let (body, after) = after.split_at_checked(length)?;
                    rest = after;
                    return Some((marker, body));
                }
            }
        }
    })
}
