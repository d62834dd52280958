//! `--max-megapixels`, in every command that decodes pictures.

use diptych::image::{Encoding, Picture};

use crate::support::*;

/// A picture of 1.4 megapixels, as PNG and as JPEG.
fn large() -> tempfile::TempDir {
    let picture = Picture::from_rgb(1400, 1000, [30, 90, 200].repeat(1400 * 1000)).unwrap();
    let bytes = [Encoding::Png, Encoding::Jpeg].map(|encoding| encoding.encode(&picture).unwrap());
    let files = folder(&[("a.png", &bytes[0]), ("a.jpg", &bytes[1])]);
    fs_err::create_dir(files.path().join("pictures")).unwrap();
    fs_err::write(files.path().join("pictures/a.jpg"), &bytes[1]).unwrap();
    fs_err::write(
        files.path().join("pairs.csv"),
        "image,caption\na.png,blue\n",
    )
    .unwrap();
    files
}

#[test]
fn what_has_more_pixels_than_allowed_is_refused() {
    let files = large();
    let path = |name: &str| within(&files, name);
    let (png, out, index) = (path("a.png"), path("x.npy"), path("index"));
    let (table, shards) = (path("pairs.csv"), path("shards"));
    for command in [
        &["classify", &png, "--labels", "a, b"][..],
        &["embed", "--images", &png, "--out", &out],
        &["similarity", &png, "--texts", "a"],
        &["preprocess", &png, "--out", &out],
        &["index", &png, "--index", &index],
        &["pack", &table, "--out", &shards],
    ] {
        let refused = diptych(&[command, &["--max-megapixels", "1"]].concat());
        refused.fails(&[
            "a.png",
            "PNG of 1400×1000 has more than the 1 megapixels allowed",
        ]);
        let taken = diptych(&[command, &["--max-megapixels", "2"]].concat());
        assert_eq!(taken.code, Some(0), "{taken:?}");
    }
    let hinted = diptych(&["preprocess", &png, "--out", &out, "--max-megapixels", "1"]);
    hinted.fails(&["hint: `--max-megapixels N` allows more"]);
    let new = path("new index");
    diptych(&["index", &png, "--index", &new, "--max-megapixels", "1"])
        .fails(&["hint: `--max-megapixels N` allows more"]);
    // Pictures in queries, which the index does not have.
    let jpeg = path("a.jpg");
    for command in [&["search", &jpeg][..], &["similar", &jpeg], &["duplicates"]] {
        let limited = [command, &["--index", &index, "--max-megapixels", "1"]].concat();
        let ran = diptych(&limited);
        // An index decodes fast, so that this one's pixels are within the limit.
        assert_ne!(ran.code, Some(2), "{ran:?}");
    }
    diptych(&[
        "embed",
        "--images",
        &png,
        "--out",
        &out,
        "--max-megapixels",
        "0",
    ])
    .fails(&["0"]);
}

#[test]
fn a_jpeg_that_is_decoded_smaller_counts_as_that() {
    let files = large();
    let (pictures, index) = (within(&files, "pictures"), within(&files, "index"));
    let run = |decode: &str| {
        diptych(&[
            "index",
            &pictures,
            "--index",
            &index,
            "--decode",
            decode,
            "--max-megapixels",
            "1",
            "--retry",
        ])
    };
    run("exact").fails(&["JPEG of 1400×1000 has more than the 1 megapixels allowed"]);
    assert!(run("fast").stdout.starts_with("1 encoded"));
}
