//! Queries, as they are written and as they are answered.

mod duplicates;
mod requests;

use std::ops::ControlFlow;

use diptych_index::{
    Change, File, Filter, Id, Item, Local, Method, Model, Moment, Payload, Query, Store,
};

use super::{Calibration, calibrate, picture_file};

use diptych::{Clip, Embeddings};

#[test]
fn words_that_name_a_file_are_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("me at home.jpg");
    fs_err::write(&path, "").unwrap();
    assert_eq!(picture_file(path.to_str().unwrap()), Ok(Some(path)));
    assert_eq!(picture_file("a dog.jpg"), Ok(None));
    let refused = picture_file("./nobody.jpg").unwrap_err();
    assert_eq!(
        refused,
        "./nobody.jpg is no file; a text that begins like a path is quoted"
    );
}

/// An index of vectors, one file each.
fn index_of(rows: &Embeddings, fingerprint: &str) -> (tempfile::TempDir, Local) {
    let folder = tempfile::tempdir().unwrap();
    let model = Model {
        name: "test".into(),
        fingerprint: fingerprint.into(),
        dim: rows.dim(),
    };
    let store = Local::create(folder.path().join("index"), &model).unwrap();
    for (i, row) in rows.rows().enumerate() {
        let id = Id([i as u8; 16]);
        let item = Item {
            id,
            taken: None,
            phash: None,
            payload: Payload::new(),
            moments: vec![Moment {
                part: Default::default(),
                vector: row.to_vec(),
            }],
        };
        let file = |name: String| File {
            path: format!("/{name}"),
            size: 1,
            modified: 1,
        };
        let changes = [Change::Put(item), Change::Link(file(i.to_string()), id)];
        store.apply(&changes).unwrap();
    }
    (folder, store)
}

#[test]
fn a_threshold_lets_through_what_is_near_and_nothing_else() {
    let clip = Clip::open("default").unwrap();
    // "Pictures" that are texts: a query for one is as near as can be.
    let texts = [
        "two dogs run through deep snow",
        "a red car in a street",
        "a bowl of fruit",
    ];
    let rows = clip.encode_texts(&texts).unwrap();
    let (_folder, store) = index_of(&rows, clip.fingerprint().unwrap());
    assert_eq!(Calibration::of(&store).unwrap(), None);
    let calibration = calibrate(&clip, &store).unwrap().unwrap();
    assert_eq!(Calibration::of(&store).unwrap().unwrap(), calibration);
    assert!(calibration.cut <= calibration.gate);
    let hits = |text: &str| {
        let query = clip.encode_texts(&[text]).unwrap();
        let hits = store.search(&Query {
            vector: query.as_slice(),
            k: 3,
            filter: &Filter::default(),
            method: Method::Auto,
        });
        calibration.keep(&store, hits.unwrap()).unwrap()
    };
    for (i, text) in texts.iter().enumerate() {
        assert_eq!(hits(text)[0].id, Id([i as u8; 16]));
    }
    // By its making, the share of the background that finds nothing.
    let background: Vec<&str> = include_str!("../background.txt").lines().collect();
    let n_kept = background
        .iter()
        .filter(|text| !hits(text).is_empty())
        .count();
    let share = n_kept as f64 / background.len() as f64;
    assert!((0.08..=0.12).contains(&share), "{share}");
    let mut n = 0;
    store
        .each(&mut |_, _| {
            n += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(n, 3);
}
