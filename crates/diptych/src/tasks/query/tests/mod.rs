//! Queries, as they are written and as they are answered.

mod duplicates;

use std::ops::ControlFlow;

use diptych_index::{
    Change, File, Filter, Id, Item, Local, Method, Model, Moment, Payload, Query, Store,
};

use super::{Calibration, Expression, What, calibrate};
use crate::image::{DecodeOptions, Encoding, Picture};
use crate::{Clip, Embeddings};

/// Weights and words of an expression.
fn terms(query: &str) -> Vec<(f32, String)> {
    let expression = Expression::parse(query).unwrap();
    let words = |what: &What| match what {
        What::Text(text) => text.clone(),
        What::Picture(path) => format!("file {}", path.display()),
    };
    expression
        .terms
        .iter()
        .map(|term| (term.weight, words(&term.what)))
        .collect()
}

#[test]
fn terms_have_signs_and_weights() {
    let text = |weight: f32, words: &str| (weight, words.to_owned());
    assert_eq!(terms("a dog on a beach"), [text(1.0, "a dog on a beach")]);
    assert_eq!(
        terms("beach +0.5:red sunset -people"),
        [
            text(1.0, "beach"),
            text(0.5, "red sunset"),
            text(-1.0, "people")
        ]
    );
    assert_eq!(
        terms("horse + stripes"),
        [text(1.0, "horse"), text(1.0, "stripes")]
    );
    assert_eq!(terms("-2:snow"), [text(-2.0, "snow")]);
    assert_eq!(terms("2:1 odds"), [text(2.0, "1 odds")]);
    // Within a word they are letters like others.
    assert_eq!(
        terms("a t-shirt at 9:30, a+b"),
        [text(1.0, "a t-shirt at 9:30, a+b")]
    );
}

#[test]
fn a_term_that_names_a_file_is_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("me at home.jpg");
    fs_err::write(&path, "").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(
        terms(&format!("beach +0.25:{path}")),
        [(1.0, "beach".to_owned()), (0.25, format!("file {path}"))]
    );
    let refused = Expression::parse("beach +./nobody.jpg")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("./nobody.jpg is no file"), "{refused}");
}

#[test]
fn what_is_no_query_is_told() {
    for query in ["", "  ", "beach +", "- +x", "+0.5:"] {
        assert!(Expression::parse(query).is_err(), "{query}");
    }
}

#[test]
fn a_text_that_only_its_template_makes_too_long_is_still_read() {
    let clip = Clip::open("default").unwrap();
    let vector = |text: &str, templates: &[&str]| {
        let expression = Expression::parse(text).unwrap();
        expression.vector(&clip, templates, &DecodeOptions::default())
    };
    let text = vec!["cat"; clip.config().text_cfg.context_length - 3].join(" ");
    let plain = vector(&text, &["{}"]).unwrap();
    assert_eq!(vector(&text, super::TEMPLATES).unwrap(), plain);
    let long = format!("{text} {text}");
    let refused = vector(&long, super::TEMPLATES).unwrap_err().to_string();
    assert!(refused.contains("tokens"), "{refused}");
}

#[test]
fn a_sum_lies_between_its_terms() {
    let clip = Clip::open("default").unwrap();
    let options = DecodeOptions::default();
    let vector = |query: &str| {
        let expression = Expression::parse(query).unwrap();
        expression.vector(&clip, &["{}"], &options).unwrap()
    };
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (dog, snow, both, without) = (
        vector("dog"),
        vector("snow"),
        vector("dog +snow"),
        vector("dog -snow"),
    );
    assert!((cosine(&both, &both) - 1.0).abs() < 1e-5);
    assert!(cosine(&both, &dog) > cosine(&snow, &dog));
    assert!(cosine(&without, &snow) < cosine(&dog, &snow));
    assert_eq!(vector("dog +0:snow"), dog);
    assert_eq!(dog, clip.encode_texts(&["dog"]).unwrap().as_slice());
    let nothing = Expression::parse("dog -dog")
        .unwrap()
        .vector(&clip, &["{}"], &options);
    assert!(nothing.unwrap_err().to_string().contains("cancel"));
    // A picture's term is its embedding.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grey.png");
    let picture = Picture::from_rgb(8, 8, vec![128; 192]).unwrap();
    fs_err::write(&path, Encoding::Png.encode(&picture).unwrap()).unwrap();
    let pixels = clip.preprocess().apply(&picture);
    let embedding = clip.encode_images(&pixels).unwrap();
    assert_eq!(vector(path.to_str().unwrap()), embedding.as_slice());
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
    let (_folder, mut store) = index_of(&rows, clip.fingerprint().unwrap());
    assert_eq!(Calibration::of(&store).unwrap(), None);
    let calibration = calibrate(&clip, &mut store).unwrap().unwrap();
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
