//! Files that could not be indexed: told once, counted after, tried again when there is a reason.

use super::*;

#[test]
fn bad_pictures_are_told_once_and_skipped_until_they_change() {
    let album = Album::new();
    album.draw("good.png", 1);
    album.write(
        "bad.jpg",
        b"\xff\xd8\xff and then nothing that a decoder knows",
    );
    album.write(
        "bad copy.jpg",
        b"\xff\xd8\xff and then nothing that a decoder knows",
    );
    album.write("empty.png", b"");
    let store = album.store("index");
    let report = album.run(&store);
    let mut failed: Vec<&str> = report
        .failed
        .iter()
        .map(|f| f.path.rsplit('/').next().unwrap())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["bad copy.jpg", "bad.jpg", "empty.png"]);
    let same = |f: &Failed| f.reason == report.failed[0].reason || f.path.ends_with("empty.png");
    assert!(report.failed.iter().all(same), "{:?}", report.failed);
    let again = album.run(&store);
    assert_eq!((counts(&again), again.failed.len()), ([0, 0, 0, 1], 0));
    assert_eq!(again.refused, 3);
    assert_eq!(store.refused().unwrap().len(), 3);
    album.draw("empty.png", 9);
    assert_eq!(counts(&album.run(&store)), [1, 0, 0, 1]);
    assert_eq!(store.refused().unwrap().len(), 2);
}

#[test]
fn what_could_not_be_indexed_is_tried_again_when_asked_to() {
    let album = Album::new();
    album.write("bad.png", b"no picture");
    let store = album.store("index");
    assert_eq!(album.run(&store).failed.len(), 1);
    let again = album.run(&store);
    assert_eq!((again.failed.len(), again.refused), (0, 1));
    let retry = Options {
        retry: true,
        ..Options::default()
    };
    assert_eq!(album.run_with(&store, &retry).failed.len(), 1);
}

#[test]
fn what_was_too_large_is_tried_again_once_more_is_allowed() {
    let album = Album::new();
    let white = Picture::from_rgb(1500, 1500, vec![255; 3 * 1500 * 1500]).unwrap();
    album.write("large.png", &Encoding::Png.encode(&white).unwrap());
    album.write("bad.png", b"no picture");
    let store = album.store("index");
    let run = |max_megapixels: u32| {
        let decode = DecodeOptions {
            max_megapixels,
            ..DecodeOptions::default()
        };
        let (pictures, roots) = (Pictures { decode }, [album.pictures()]);
        let go_on = &mut |_| ControlFlow::Continue(());
        let report = index(
            &album.clip,
            &store,
            &[&pictures],
            &roots,
            &Options::default(),
            go_on,
        );
        let report = report.unwrap();
        (report.encoded, report.failed.len(), report.refused)
    };
    assert_eq!(run(1), (0, 2, 0));
    assert_eq!(run(1), (0, 0, 2));
    assert_eq!(run(2), (0, 1, 1));
    // It is kept with the limit that it was tried at last.
    assert_eq!(run(2), (0, 0, 2));
    assert_eq!(run(3), (1, 0, 1));
}
