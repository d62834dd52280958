//! Hashes of pictures that are drawn here, and changed as people change them.

use super::*;
use crate::image::{DecodeOptions, Encoding, Interpolation};

/// A picture with things in it: discs of many sizes and colours on a slope.
fn drawn(seed: u32, width: usize, height: usize) -> Picture {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let discs: Vec<[usize; 6]> = (0..40)
        .map(|_| {
            [
                next(1000),
                next(1000),
                20 + next(120),
                next(256),
                next(256),
                next(256),
            ]
        })
        .collect();
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let (across, down) = (1000 * x / width, 1000 * y / height);
            let within = discs.iter().rev().find(|[cx, cy, radius, ..]| {
                across.abs_diff(*cx).pow(2) + down.abs_diff(*cy).pow(2) < radius * radius
            });
            match within {
                Some([.., r, g, b]) => rgb.extend([*r as u8, *g as u8, *b as u8]),
                None => rgb.extend([(across / 6) as u8, (down / 6) as u8, 90]),
            }
        }
    }
    Picture::from_rgb(width, height, rgb).unwrap()
}

fn looks(picture: &Picture) -> Looks {
    Looks::from(&PerceptualHash::of(picture))
}

fn changed(picture: &Picture, value: impl Fn(u8) -> u8) -> Picture {
    let rgb = picture.as_bytes().iter().map(|&v| value(v)).collect();
    Picture::from_rgb(picture.width(), picture.height(), rgb).unwrap()
}

#[test]
fn a_picture_is_known_again_after_what_people_do_to_it() {
    for seed in 0..20 {
        let picture = drawn(seed, 301, 200);
        let own = looks(&picture);
        let jpeg = Encoding::Jpeg.encode(&picture).unwrap();
        let (across, down) = (301 * 97 / 100, 200 * 97 / 100);
        for (what, copy) in [
            ("itself", picture.clone()),
            ("smaller", picture.resize(97, 64, Interpolation::Bicubic)),
            ("larger", picture.resize(900, 600, Interpolation::Bilinear)),
            (
                "encoded",
                Picture::decode(&jpeg, &DecodeOptions::default()).unwrap(),
            ),
            ("cropped", picture.crop(5, 1, across, down).unwrap()),
            (
                "cropped on each side",
                picture.crop(7, 5, 287, 190).unwrap(),
            ),
            (
                "brightened",
                changed(&picture, |v| (u32::from(v) * 5 / 4).min(255) as u8),
            ),
            ("darkened", changed(&picture, |v| v / 4 * 3)),
        ] {
            let copy = looks(&copy);
            let likeness = own.likeness(&copy);
            assert!(own.is_near(&copy), "{seed} {what}: {likeness}");
            assert!(copy.is_near(&own), "{seed} {what}, the other way");
        }
    }
}

#[test]
fn other_pictures_are_others_in_the_same_frame_and_colours_too() {
    let framed = |seed: u32| {
        let inner = drawn(seed, 200, 120);
        let mut rgb = vec![0; 300 * 200 * 3];
        for (y, line) in inner.as_bytes().chunks_exact(600).enumerate() {
            rgb[((y + 40) * 300 + 50) * 3..][..600].copy_from_slice(line);
        }
        Picture::from_rgb(300, 200, rgb).unwrap()
    };
    let all: Vec<Looks> = (0..30).map(|seed| looks(&framed(seed))).collect();
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate().skip(i + 1) {
            assert!(!a.is_near(b), "{i} and {j}: {}", a.likeness(b));
        }
    }
}

#[test]
fn another_colour_is_another_picture() {
    let red = drawn(3, 200, 200);
    let swapped = red
        .as_bytes()
        .chunks_exact(3)
        .flat_map(|p| [p[2], p[1], p[0]]);
    let blue = Picture::from_rgb(200, 200, swapped.collect()).unwrap();
    assert!(!looks(&red).is_near(&looks(&blue)));
    // Without any detail brightness and colour are all there is.
    let plain = |rgb: [u8; 3]| looks(&Picture::from_rgb(9, 9, rgb.repeat(81)).unwrap());
    assert!(plain([200, 30, 30]).is_near(&plain([202, 31, 29])));
    assert!(!plain([200, 30, 30]).is_near(&plain([30, 30, 200])));
    assert!(!plain([10, 10, 10]).is_near(&plain([200, 200, 200])));
    assert!(!plain([200, 30, 30]).is_near(&looks(&red)));
}

#[test]
fn a_hash_is_kept_as_bytes_and_other_versions_are_not_taken_for_it() {
    let hash = PerceptualHash::of(&drawn(1, 64, 48));
    let bytes = hash.to_bytes();
    assert_eq!(bytes.len(), PerceptualHash::LEN);
    assert_eq!(PerceptualHash::from_bytes(&bytes), Some(hash));
    assert_eq!(PerceptualHash::from_bytes(&bytes[1..]), None);
    assert_eq!(
        PerceptualHash::from_bytes(&[&bytes[..], &[0]].concat()),
        None
    );
    assert_eq!(
        PerceptualHash::from_bytes(&[&[9], &bytes[1..]].concat()),
        None
    );
    // As it was when version 1 was made, since indexes hold it; another `cos` may round otherwise.
    let wanted: [i8; 8] = [0, -14, -19, -37, 49, -22, -55, -52];
    for (&found, wanted) in bytes[2..].iter().zip(wanted) {
        assert!((found as i8).abs_diff(wanted) <= 1, "{:?}", &bytes[2..10]);
    }
}

#[test]
fn pictures_of_any_size_and_mode_have_one() {
    for (width, height) in [(1, 1), (1, 500), (31, 33), (2000, 3)] {
        let picture = drawn(1, width, height);
        assert_eq!(
            PerceptualHash::of(&picture).to_bytes().len(),
            PerceptualHash::LEN
        );
    }
    let grey = Picture::new(
        40,
        40,
        Mode::Grey,
        (0..1600).map(|i| (i * 7 % 251) as u8).collect(),
    );
    let grey = grey.unwrap();
    assert!(looks(&grey).is_near(&looks(&grey.to_rgb())));
}

#[test]
fn sums_are_of_the_square_around_with_its_edges_mirrored() {
    let values: Vec<f32> = (0..GRID * GRID).map(|i| (i * 7919 % 256) as f32).collect();
    let reach = AROUND as isize;
    let inside = |i: isize| {
        let last = GRID as isize - 1;
        (if i.abs() > last {
            2 * last - i
        } else {
            i.abs()
        }) as usize
    };
    for (at, sum) in sums_around(&values).into_iter().enumerate() {
        let (y, x) = ((at / GRID) as isize, (at % GRID) as isize);
        let rows = (y - reach..=y + reach).map(inside);
        let wanted: f32 = rows
            .flat_map(|row| (x - reach..=x + reach).map(move |column| row * GRID + inside(column)))
            .map(|at| values[at])
            .sum();
        assert_eq!(sum, wanted, "{x}, {y}");
    }
}
