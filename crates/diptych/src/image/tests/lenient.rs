//! Files that break the rules of their format, or use rare parts of it: what Pillow reads of them,
//! we read, to the bit.

use sha2::{Digest, Sha256};

use super::{golden_folder, lenient_file as file};
use crate::image::{DecodeOptions, Facts, Picture};

/// The files that `parity/lenient.py` wrote, as they are listed: name, whether to turn them,
/// columns, rows, digest.
fn cases() -> Vec<(String, bool, usize, usize, String)> {
    let folder = golden_folder().with_file_name("pixels-lenient");
    let table = fs_err::read_to_string(folder.join("cases.tsv")).unwrap();
    let lines = table.lines().skip(1).map(|line| {
        let [name, orient, width, height, digest] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let side = |text: &str| text.parse().unwrap();
        (
            name.to_owned(),
            orient == "true",
            side(width),
            side(height),
            digest.to_owned(),
        )
    });
    lines.collect()
}

/// Where damage takes coefficients out of their range, processors of other kinds round them in
/// other ways.
const IS_REFERENCE: bool = cfg!(target_arch = "x86_64");

#[test]
fn what_pillow_reads_of_damaged_and_rare_files_is_read() {
    let cases = cases();
    assert!(cases.len() > 150, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for (name, orient, width, height, digest) in cases {
        let options = DecodeOptions {
            orient,
            ..DecodeOptions::default()
        };
        match Picture::decode(&file(&name), &options) {
            Ok(picture) => {
                let rgb = picture.to_rgb();
                let found = Sha256::digest(rgb.as_bytes());
                let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
                let is_damaged = ["flip", "lost", "marker"]
                    .iter()
                    .any(|kind| name.contains(kind));
                if (rgb.width(), rgb.height()) != (width, height)
                    || found != digest && (IS_REFERENCE || !is_damaged)
                {
                    wrong.push(format!("{name}: other pixels"));
                }
            }
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_cut_off_stays_an_error() {
    for name in [
        "fill-bytes.jpg",
        "first-scans-6.jpg",
        "restart-marker-0.jpg",
        "cmyk-subsampled.jpg",
    ] {
        let whole = file(name);
        for part in [3, 5, 7, 9] {
            let cut = &whole[..whole.len() * part / 10];
            let error = Picture::decode(cut, &DecodeOptions::default()).unwrap_err();
            assert!(
                error.to_string().contains("too early"),
                "{name} {part}: {error}"
            );
        }
    }
}

#[test]
fn lab_is_what_its_definition_says() {
    // L*, a*, b* of the D50 white, a mid grey, sRGB's red, green and blue, after Bruce Lindbloom's
    // calculator.
    let pixels: [([u8; 3], [u8; 3]); 5] = [
        ([255, 0, 0], [255, 255, 255]),
        ([137, 0, 0], [128, 128, 128]),
        ([138, 81, 70], [254, 0, 0]),
        ([224, 177, 81], [0, 254, 0]),
        ([75, 68, 144], [0, 0, 255]),
    ];
    let samples: Vec<u8> = pixels.iter().flat_map(|(lab, _)| *lab).collect();
    let mut file = b"II*\0\x08\0\0\0\x08\0".to_vec();
    for (tag, kind, value) in [
        (256u16, 3u16, 5u32),
        (257, 3, 1),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 8),
        (273, 4, 8 + 2 + 8 * 12 + 4),
        (277, 3, 3),
        (278, 3, 1),
    ] {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(samples);
    let picture = Picture::decode(&file, &DecodeOptions::default()).unwrap();
    for (found, (lab, want)) in picture.as_bytes().chunks(3).zip(pixels) {
        let apart = found
            .iter()
            .zip(want)
            .map(|(a, b)| a.abs_diff(b))
            .max()
            .unwrap();
        assert!(apart <= 10, "{lab:?} is {found:?}, not {want:?}");
    }
}

#[test]
fn times_in_xmp_count_where_exif_has_none() {
    // date -u -d 2024-05-01T08:00 +%s
    let morning = Some(1_714_550_400);
    let plain = file("fill-bytes.jpg");
    let with = |xmp: &str| {
        let body = [b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat();
        let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [&plain[..2], &[0xff, 0xe1], &length, &body, &plain[2..]].concat()
    };
    for xmp in [
        r#"<rdf:Description exif:DateTimeOriginal="2024-05-01T08:00:00+02:00"/>"#,
        "<exif:DateTimeOriginal>2024-05-01T08:00:00</exif:DateTimeOriginal>",
        r#"<rdf:Description xmp:CreateDate='2024-05-01T08:00'/>"#,
        r#"<rdf:Description xmp:CreateDate="2025-01-01" exif:DateTimeOriginal="2024-05-01T08:00"/>"#,
        "<photoshop:DateCreated>2024-05-01T08:00:00</photoshop:DateCreated>",
    ] {
        assert_eq!(Facts::of(&with(xmp)).taken, morning, "{xmp}");
    }
    assert_eq!(
        Facts::of(&with("<xmp:CreateDate>soon</xmp:CreateDate>")).taken,
        None
    );
}
