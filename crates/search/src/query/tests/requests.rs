//! The door of a search: filters, scores, and files that the index has itself.

use std::path::PathBuf;

use diptych::image::{Encoding, Picture};
use diptych::{Clip, Embeddings, Expression};
use diptych_index::{Change, File, Id, Item, Local, Moment, Part, Payload, Store};

use super::super::{Found, MinScore, Nothing, Request};
use super::index_of;
use crate::index::{canonical, state};
use crate::{Error, source};

/// An index of vectors in the plane, at these degrees, of files that are on no disk.
fn plane(degrees: &[f32]) -> (tempfile::TempDir, Local) {
    let mut rows = Embeddings::empty(2);
    for degrees in degrees {
        let radians = degrees.to_radians();
        rows.push(&[radians.cos(), radians.sin()]).unwrap();
    }
    index_of(&rows, "plane")
}

/// The first file of each content.
fn paths(found: &[Found]) -> Vec<&str> {
    found.iter().map(|found| &*found.first().path).collect()
}

/// A model where none may be needed.
fn none() -> Result<Clip, Error> {
    panic!("a model was opened")
}

#[test]
fn the_nearest_files_are_told_as_far_as_they_are_near_enough() {
    let (_folder, store) = plane(&[0.0, 20.0, 40.0, 90.0]);
    let request = Request {
        top: 3,
        ..Request::default()
    };
    let nearest = |request: &Request| request.nearest(&store, &[1.0, 0.0]).map(Result::unwrap);
    assert_eq!(paths(&nearest(&request).unwrap()), ["/0", "/1", "/2"]);
    let near = Request {
        min_score: Some(MinScore::Cosine(0.9)),
        ..request.clone()
    };
    assert_eq!(paths(&nearest(&near).unwrap()), ["/0", "/1"]);
    let within = Request {
        within: vec![PathBuf::from("/2"), PathBuf::from("/3")],
        ..request.clone()
    };
    assert_eq!(paths(&nearest(&within).unwrap()), ["/2", "/3"]);
    let calibrated = Request {
        min_score: Some(MinScore::Auto),
        ..request.clone()
    };
    assert!(matches!(nearest(&calibrated), Err(Error::NoThreshold)));
    let wide = request.nearest(&store, &[1.0, 0.0, 0.0]);
    let Err(Error::Index(diptych_index::Error::Vector { got: 3, wanted: 2 })) = wide else {
        panic!("{wide:?}");
    };
}

#[test]
fn what_is_told_of_a_file_has_fixed_names() {
    let (_folder, store) = plane(&[0.0]);
    let answer = Request::default().nearest(&store, &[1.0, 0.0]).unwrap();
    let found = answer.unwrap();
    let lines: Vec<_> = found[0].each().collect();
    assert_eq!(
        serde_json::to_string(&lines).unwrap(),
        r#"[{"path":"/0","score":1.0,"start":null,"end":null,"taken":null,"taken_from":null,"copies":0,"gone":true}]"#
    );
}

/// A store with thirty equal files, of which one is there, and one other file.
fn thirty() -> (tempfile::TempDir, Local, PathBuf) {
    let (folder, store) = plane(&[0.0, 20.0]);
    let top = canonical(folder.path()).unwrap();
    let path = top.join("mine.png");
    fs_err::write(&path, "here").unwrap();
    let file = |path: String| File {
        path,
        size: 1,
        modified: 1,
    };
    let gone = (0..28).map(|i| file(format!("/gone/{i:02}.png")));
    let here = state(path.to_str().unwrap()).unwrap();
    let links = gone
        .chain([here])
        .map(|file| Change::Link(file, Id([0; 16])));
    store.apply(&links.collect::<Vec<_>>()).unwrap();
    (folder, store, path)
}

#[test]
fn equal_files_are_one_content_and_the_first_is_one_that_is_there() {
    let (_folder, store, path) = thirty();
    let two = Request {
        top: 2,
        ..Request::default()
    };
    let found = two.nearest(&store, &[1.0, 0.0]).unwrap().unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(paths(&found), [path, "/1"]);
    assert_eq!((found[0].copies(), found[1].copies()), (29, 0));
    let lines: Vec<_> = found[0].each().collect();
    let gone: Vec<bool> = lines.iter().map(|line| line.gone).collect();
    assert_eq!(gone, [vec![false], vec![true; 29]].concat());
    assert!(
        lines
            .iter()
            .all(|line| line.copies == 29 && line.score == 1.0)
    );
    assert_eq!((lines[1].path, lines[29].path), ("/0", "/gone/27.png"));
    // The others are like it, but it is not like itself.
    let like = two.similar(&store, path.as_ref(), none).unwrap().unwrap();
    assert_eq!((paths(&like), like[0].copies()), (vec!["/0", "/1"], 28));
}

#[test]
fn a_search_that_finds_nothing_says_why() {
    let (_folder, store) = plane(&[60.0, 70.0]);
    let said = |request: &Request| {
        let answer = request.nearest(&store, &[1.0, 0.0]).unwrap();
        answer.unwrap_err().to_string()
    };
    let all = Request::default();
    let (_empty, empty) = plane(&[]);
    let nothing = all.nearest(&empty, &[1.0, 0.0]).unwrap();
    assert_eq!(nothing, Err(Nothing::Empty));
    let elsewhere = Request {
        within: vec![PathBuf::from("/"), PathBuf::from("/nowhere")],
        ..all.clone()
    };
    assert!(elsewhere.nearest(&store, &[1.0, 0.0]).unwrap().is_ok());
    let elsewhere = Request {
        within: vec![std::env::temp_dir(), PathBuf::from("/nowhere")],
        ..all.clone()
    };
    assert_eq!(
        said(&elsewhere),
        format!(
            "no picture of the index lies in {} or /nowhere (which is not there)",
            std::env::temp_dir().display()
        )
    );
    for (after, before, dated, words) in [
        (
            Some(7),
            Some(7),
            false,
            "no time is after the one date and before the other",
        ),
        (Some(7), None, false, "no picture is of that time"),
        (
            None,
            Some(7),
            true,
            "no picture of that time says itself when it was taken",
        ),
        (None, None, true, "no picture says itself when it was taken"),
    ] {
        let request = Request {
            after,
            before,
            dated,
            ..all.clone()
        };
        assert_eq!(said(&request), words);
    }
    let near = Request {
        min_score: Some(MinScore::Cosine(0.75)),
        ..all.clone()
    };
    assert_eq!(said(&near), "the best score is 0.5000, and 0.75 is wanted");
    // The nearer picture has half of its score for any text.
    let note = br#"{"centre":[0.5,0.0],"gate":0.333,"cut":0.1,"contents":2}"#;
    store.set_note("threshold", note).unwrap();
    let auto = Request {
        min_score: Some(MinScore::Auto),
        ..all
    };
    assert_eq!(
        said(&auto),
        "the best score is 0.500, but no picture is more than 0.250 nearer to this than to any text, and 0.333 is wanted"
    );
}

#[test]
fn a_picture_that_is_alone_has_none_like_it() {
    let (folder, store) = plane(&[0.0]);
    let path = canonical(folder.path()).unwrap().join("mine.png");
    fs_err::write(&path, "here").unwrap();
    let here = state(path.to_str().unwrap()).unwrap();
    let unlink = Change::Unlink("/0".into());
    store
        .apply(&[Change::Link(here, Id([0; 16])), unlink])
        .unwrap();
    let like = Request::default().similar(&store, &path, none).unwrap();
    assert_eq!(like, Err(Nothing::OnlyItself));
}

#[test]
fn another_models_index_is_refused() {
    let clip = Clip::open("default").unwrap();
    let (_folder, store) = plane(&[0.0]);
    let expression = Expression::<()>::parse("a dog", |_| Ok(None)).unwrap();
    let refused = Request::default().search(&store, &clip, &expression, |()| unreachable!());
    assert!(matches!(
        refused,
        Err(Error::Index(diptych_index::Error::Model { .. }))
    ));
}

#[test]
fn a_file_that_the_index_has_as_it_is_needs_no_model() {
    let (folder, store) = plane(&[0.0, 20.0, 90.0]);
    let top = canonical(folder.path()).unwrap();
    let path = top.join("mine.png");
    let grey = Picture::from_rgb(8, 8, vec![90; 192]).unwrap();
    fs_err::write(&path, Encoding::Png.encode(&grey).unwrap()).unwrap();
    let link = |file: File, id: u8| Change::Link(file, Id([id; 16]));
    let now = state(path.to_str().unwrap()).unwrap();
    store.apply(&[link(now.clone(), 1)]).unwrap();
    let similar = |name: &str| {
        let file = top.join(name);
        Request::default().similar(&store, &file, none).unwrap()
    };
    // Its content's other name is nearest, then what is 20 degrees away.
    assert_eq!(paths(&similar("mine.png").unwrap()), ["/1", "/0", "/2"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&path, top.join("link.png")).unwrap();
        assert_eq!(paths(&similar("link.png").unwrap()), ["/1", "/0", "/2"]);
    }
    // One that has changed since is read.
    let before = File {
        size: now.size + 1,
        ..now
    };
    store.apply(&[link(before, 1)]).unwrap();
    let asked = Request::default().similar(&store, &path, || Err(Error::NoThreshold));
    assert!(matches!(asked, Err(Error::NoThreshold)));
}

#[test]
fn of_a_content_with_parts_what_stands_for_all_is_taken() {
    let (folder, store) = plane(&[0.0, 90.0]);
    let path = canonical(folder.path()).unwrap().join("film");
    fs_err::write(&path, "film").unwrap();
    let put = |spans: &[Option<f64>]| {
        let moment = |start: &Option<f64>| Moment {
            part: start.map_or_else(Part::default, |start| Part::during(start, start + 1.0)),
            vector: if start.is_none() {
                vec![0.0, 1.0]
            } else {
                vec![1.0, 0.0]
            },
        };
        let item = Item {
            id: Id([9; 16]),
            taken: None,
            phash: None,
            payload: Payload::new(),
            moments: spans.iter().map(moment).collect(),
        };
        let file = state(path.to_str().unwrap()).unwrap();
        let changes = [Change::Put(item), Change::Link(file, Id([9; 16]))];
        store.apply(&changes).unwrap();
    };
    put(&[Some(0.0), None, Some(1.0)]);
    let found = Request::default().similar(&store, &path, none).unwrap();
    assert_eq!(paths(&found.unwrap())[0], "/1");
    // Its own parts may all come before any other file.
    let many: Vec<Option<f64>> = (0..40).map(|i| (i > 0).then_some(f64::from(i))).collect();
    put(&many);
    let two = Request {
        top: 2,
        ..Request::default()
    };
    let found = two.similar(&store, &path, none).unwrap().unwrap();
    assert_eq!(paths(&found), ["/1", "/0"]);
    // Without such the file is read.
    put(&[Some(0.0), Some(1.0)]);
    let asked = Request::default().similar(&store, &path, || Err(Error::NoThreshold));
    assert!(matches!(asked, Err(Error::NoThreshold)));
}

#[test]
fn a_picture_in_a_query_is_decoded_as_the_indexs_are() {
    use diptych::image::{Decode, DecodeOptions};
    let clip = Clip::open("default").unwrap();
    let rows = clip.encode_texts(&["a dog"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.jpg");
    let noise = (0..3 * 900 * 900u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
    let picture = Picture::from_rgb(900, 900, noise.collect()).unwrap();
    fs_err::write(&path, Encoding::Jpeg.encode(&picture).unwrap()).unwrap();
    let decoded = |decode| {
        let options = DecodeOptions {
            decode,
            ..DecodeOptions::default()
        };
        let pixels = clip.preprocess().load(&path, &options).unwrap();
        clip.encode_images(&pixels).unwrap()
    };
    assert_ne!(decoded(Decode::Exact), decoded(Decode::Fast));
    for (noted, wanted) in [
        (None, Decode::Fast),
        (Some(Decode::Exact), Decode::Exact),
        (Some(Decode::Fast), Decode::Fast),
    ] {
        let (_folder, store) = index_of(&rows, clip.fingerprint().unwrap());
        if let Some(decode) = noted {
            let note = crate::index::Decoding {
                decode,
                is_mixed: false,
            };
            note.note(&store).unwrap();
        }
        let found = source::embedding(&store, &clip, &path, &DecodeOptions::default()).unwrap();
        assert_eq!(found, decoded(wanted), "{noted:?}");
    }
}
