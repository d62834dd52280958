//! HEIC and AVIF: known by their brands; read where the feature `heif` is on, else refused by name.

use crate::image::Format;

/// A first box of the given brands, the file's own first.
fn brands(own: &[u8; 4], others: &[&[u8; 4]]) -> Vec<u8> {
    let size = (16 + 4 * others.len() as u32).to_be_bytes();
    let others: Vec<u8> = others.iter().flat_map(|b| **b).collect();
    [&size[..], b"ftyp", own, &[0; 4], &others].concat()
}

#[test]
fn brands_tell_heic_from_avif_and_both_from_films() {
    for (own, others, format) in [
        (b"heic", &[b"mif1", b"heic"][..], Some(Format::Heif)),
        (b"mif1", &[b"mif1", b"heic", b"hevc"], Some(Format::Heif)),
        (b"mif1", &[b"mif1", b"avif", b"miaf"], Some(Format::Avif)),
        (b"heix", &[], Some(Format::Heif)),
        (b"msf1", &[], Some(Format::Heif)),
        (b"avif", &[b"mif1", b"miaf"], Some(Format::Avif)),
        (b"avis", &[b"msf1", b"avif"], Some(Format::Avif)),
        (b"crx ", &[b"isom"], Some(Format::Raw)),
        (b"isom", &[b"mp41", b"avc1"], None),
        (b"qt  ", &[], None),
    ] {
        let bytes = brands(own, others);
        let own = own.escape_ascii();
        assert_eq!(Format::of(&bytes), format, "{own}");
        // What follows the box is not read.
        let longer = [&bytes[..], b"avifheic"].concat();
        assert_eq!(Format::of(&longer), format, "{own}");
    }
    for end in 0..12 {
        assert_eq!(Format::of(&brands(b"heic", &[])[..end]), None);
    }
}

#[cfg(not(feature = "heif"))]
#[test]
fn a_build_without_the_feature_names_it() {
    use crate::image::{DecodeOptions, Picture};
    for (own, name) in [(b"heic", "HEIC"), (b"avif", "AVIF")] {
        let error = Picture::decode(&brands(own, &[]), &DecodeOptions::default());
        assert_eq!(
            error.unwrap_err().to_string(),
            format!(
                "{name} is not read by this build; `cargo build --release --features heif` makes one that does"
            )
        );
    }
}

#[cfg(feature = "heif")]
mod built {
    //! The files that `parity/heif.py` had `heif-enc` and `avifenc` write.

    use std::path::PathBuf;

    use crate::image::orient::Orientation;
    use crate::image::tests::Random;
    use crate::image::{DecodeOptions, Format, ImageError, Mode, Picture};

    const WIDTH: usize = 41;
    const HEIGHT: usize = 24;

    /// Name, channels, the orientation that the format's own rotation amounts to.
    const FILES: &[(&str, usize, u32)] = &[
        ("rgb.heic", 3, 1),
        ("444.heic", 3, 1),
        ("alpha.heic", 4, 1),
        ("exif.heic", 3, 1),
        ("rgb.avif", 3, 1),
        ("alpha.avif", 4, 1),
        ("premultiplied.avif", 4, 1),
        ("ten-bits.avif", 3, 1),
        ("grey.avif", 3, 1),
        ("exif.avif", 3, 6),
        ("turned.avif", 3, 8),
        ("mirrored.avif", 3, 2),
    ];

    fn file(name: &str) -> Vec<u8> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pixels-heif");
        fs_err::read(folder.join(name)).unwrap()
    }

    fn decode(bytes: &[u8]) -> Result<Picture, ImageError> {
        let options = DecodeOptions {
            max_megapixels: 1,
            ..DecodeOptions::default()
        };
        Picture::decode(bytes, &options)
    }

    /// The picture that the script drew.
    fn drawn(channels: usize) -> Picture {
        let pixel = |i: usize| {
            let (x, y) = (i % WIDTH, i / WIDTH);
            let red = x * 255 / (WIDTH - 1);
            let green = y * 255 / (HEIGHT - 1);
            let blue = 255 - (x + y) * 255 / (WIDTH + HEIGHT - 2);
            let alpha = 255 - x * 200 / (WIDTH - 1);
            [red, green, blue, alpha].into_iter().take(channels)
        };
        let data = (0..WIDTH * HEIGHT).flat_map(pixel).map(|v| v as u8);
        let mode = if channels == 4 { Mode::Rgba } else { Mode::Rgb };
        Picture::new(WIDTH, HEIGHT, mode, data.collect()).unwrap()
    }

    #[test]
    fn pictures_look_as_they_were_drawn_and_are_turned_once() {
        for &(name, channels, orientation) in FILES {
            let format = if name.ends_with("heic") {
                Format::Heif
            } else {
                Format::Avif
            };
            let bytes = file(name);
            assert_eq!(Format::of(&bytes), Some(format), "{name}");
            let picture = decode(&bytes).unwrap();
            let want = Orientation::from_tag(orientation).apply(drawn(channels));
            assert_eq!(
                (picture.width(), picture.height(), picture.mode()),
                (want.width(), want.height(), want.mode()),
                "{name}"
            );
            let pairs = picture.as_bytes().iter().zip(want.as_bytes());
            let off: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            let mean = f64::from(off) / want.as_bytes().len() as f64;
            if name == "grey.avif" {
                let grey = picture.as_bytes().chunks_exact(3);
                assert!(
                    grey.into_iter().all(|p| p[0] == p[1] && p[1] == p[2]),
                    "{name}"
                );
            } else {
                assert!(mean < 5.0, "{name} is off by {mean}");
            }
            // The rotation belongs to the format.
            let as_stored = DecodeOptions {
                orient: false,
                ..DecodeOptions::default()
            };
            assert!(
                Picture::decode(&bytes, &as_stored).unwrap() == picture,
                "{name}"
            );
        }
    }

    #[test]
    fn the_header_is_asked_for_the_size() {
        for (name, format) in [("rgb.heic", "HEIC"), ("turned.avif", "AVIF")] {
            let mut bytes = file(name);
            // A picture may have one size as coded and one as cut.
            let places = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"ispe"));
            for at in places.collect::<Vec<_>>() {
                let size = [0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20];
                bytes[at + 8..at + 16].copy_from_slice(&size);
            }
            assert_eq!(
                Picture::decode(&bytes, &DecodeOptions::default())
                    .unwrap_err()
                    .to_string(),
                format!("{format} of 20000×20000 has more than the 200 megapixels allowed")
            );
        }
    }

    #[test]
    fn truncated_files_give_an_error() {
        for &(name, ..) in FILES {
            let bytes = file(name);
            for end in 0..bytes.len() {
                let Err(error) = decode(&bytes[..end]) else {
                    assert!(end > bytes.len() * 9 / 10, "{name} up to {end}");
                    continue;
                };
                assert!(
                    !error.to_string().trim_end().ends_with(':'),
                    "{name} up to {end}: {error}"
                );
            }
            let half = decode(&bytes[..bytes.len() / 2]).unwrap_err();
            assert!(matches!(half, ImageError::Damaged { .. }), "{name}: {half}");
        }
    }

    #[test]
    fn flipped_bits_never_panic() {
        let mut random = Random(13);
        for &(name, ..) in FILES {
            let bytes = file(name);
            for _ in 0..300 {
                let mut copy = bytes.clone();
                for _ in 0..1 + random.below(4) {
                    copy[random.below(bytes.len())] ^= 1 << random.below(8);
                }
                if let Err(error) = decode(&copy) {
                    assert!(!error.to_string().trim().is_empty(), "{name}");
                }
            }
        }
    }

    #[test]
    fn noise_behind_brands_never_panics() {
        let mut random = Random(14);
        for own in [b"heic", b"avif"] {
            for _ in 0..500 {
                let length = random.below(400);
                let noise = random.bytes(length);
                assert!(decode(&[super::brands(own, &[b"mif1"]), noise].concat()).is_err());
            }
        }
    }
}
