//! Counts of a run, and names that are not text.

use super::*;
use crate::index::{known_roots, places};
use diptych::image::{DecodeOptions, ImageError};

#[test]
fn what_was_refused_is_told_again_until_it_changes() {
    let album = Album::new();
    let store = album.store("index");
    album.draw("a.png", 1);
    for name in ["bad.jpg", "worse.jpg"] {
        album.write(name, name.as_bytes());
    }
    let first = album.run(&store);
    assert_eq!((first.failed.len(), first.refused), (2, 0));
    let again = album.run(&store);
    assert_eq!((again.failed.len(), again.refused), (0, 2));
    assert_eq!(counts(&again), [0, 0, 0, 1]);
    album.draw("bad.jpg", 2);
    let mended = album.run(&store);
    assert_eq!((mended.encoded, mended.refused), (1, 1));
    let retry = Options {
        retry: true,
        ..Options::default()
    };
    let retried = album.run_with(&store, &retry);
    assert_eq!((retried.failed.len(), retried.refused), (1, 0));
}

#[test]
fn a_picture_that_another_build_reads_says_which() {
    const HEIC: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    let album = Album::new();
    album.write("a.heic", HEIC);
    let failed = &album.run(&album.store("index")).failed[0];
    let decoded = Picture::decode(HEIC, &DecodeOptions::default());
    if let ImageError::NotBuilt { feature, .. } = decoded.unwrap_err() {
        assert_eq!(failed.needs, Some(feature));
        let command = "`cargo build --release --features heif`";
        assert!(failed.reason.contains(command), "{failed:?}");
    } else {
        assert_eq!(failed.needs, None);
    }
}

#[test]
fn films_are_counted_unless_a_source_knows_them() {
    let album = Album::new();
    album.draw("a.png", 1);
    for name in ["a.mp4", "b/B.MOV", "notes.txt", ".hidden.mkv"] {
        album.write(name, b"x");
    }
    let report = album.run(&album.store("index"));
    assert_eq!(report.skipped, [("films", 2)].into());
    assert_eq!((report.encoded, report.failed.len()), (1, 0));
}

#[test]
fn an_index_knows_what_was_named_to_it() {
    let album = Album::new();
    let store = album.store("index");
    assert_eq!(known_roots(&store).unwrap(), [""; 0].map(PathBuf::from));
    album.draw("a.png", 1);
    album.run(&store);
    assert_eq!(
        known_roots(&store).unwrap(),
        [canonical(&album.pictures()).unwrap()]
    );
}

/// Names as Linux allows them, on their way into an index, out of it and through a copy of it.
#[cfg(target_os = "linux")]
#[test]
fn names_keep_their_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let album = Album::new();
    let names: [&[u8]; 4] = [
        b"caf\xe9.png",
        b"two\nlines.png",
        b"\xff/\xfe.png",
        b"b.png",
    ];
    let path = |name: &[u8]| album.pictures().join(std::ffi::OsStr::from_bytes(name));
    for (name, shade) in names.into_iter().zip(1..) {
        album.draw("b.png", shade);
        fs_err::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs_err::rename(album.path("b.png"), path(name)).unwrap();
    }
    fs_err::os::unix::fs::symlink(path(b"\xff"), path(b"li\xf0nk")).unwrap();
    let store = album.store("index");
    assert_eq!(counts(&album.run(&store)), [4, 0, 0, 0]);
    assert_eq!(counts(&album.run(&store)), [0, 0, 0, 4]);
    let copy = album.store("copy");
    merge(&store, &copy, &mut |_| ControlFlow::Continue(())).unwrap();
    for store in [&store, &copy] {
        let mut held = Vec::new();
        let each = &mut |file: diptych_index::File, _| {
            held.push(diptych_files::unspell(&file.path).into_owned());
        };
        store.files(&[], each).unwrap();
        held.sort();
        let mut wanted = names.map(|name| canonical(&path(name)).unwrap());
        wanted.sort();
        assert_eq!(held, wanted);
        // What is asked of a folder by its bytes is answered.
        let within = places(store, &path(b"\xff")).unwrap();
        let mut n = 0;
        store.files(&within, &mut |_, _| n += 1).unwrap();
        assert_eq!(n, 1);
    }
    crate::export(&store, &album.path("out")).unwrap();
    let lines = fs_err::read_to_string(album.path("out/metadata.jsonl")).unwrap();
    assert!(lines.contains(r"caf\u0000e9.png") && lines.contains(r"two\nlines.png"));
    fs_err::remove_file(path(names[0])).unwrap();
    assert_eq!(counts(&album.run(&store)), [0, 0, 1, 3]);
}
