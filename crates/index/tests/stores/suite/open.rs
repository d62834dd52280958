//! Making, opening and opening again.

use diptych_index::{Change, Error, Method, Model, Query};

use super::{Place, axis, contents, file, files, found, link, model, picture};

pub(crate) fn a_place_without_an_index_is_named(place: &dyn Place) {
    for opened in [place.open(), place.change()] {
        let error = opened.err().unwrap();
        assert!(matches!(error, Error::Missing { .. }), "{error}");
        assert!(error.to_string().contains("index"), "{error}");
    }
}

pub(crate) fn another_model_is_refused_and_both_are_named(place: &dyn Place) {
    drop(place.fresh());
    let same = Model {
        name: "the same under another name".into(),
        ..model()
    };
    assert_eq!(place.create(&same).unwrap().model(), &model());
    let other = Model {
        name: "ViT-other".into(),
        fingerprint: "fedcba9876543210".into(),
        ..model()
    };
    let wider = Model {
        dim: super::DIM * 2,
        ..model()
    };
    for wanted in [&other, &wider] {
        let error = place.create(wanted).err().unwrap();
        assert!(matches!(error, Error::Model { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.contains("ViT-test") && said.contains(&wanted.name),
            "{said}"
        );
    }
    // Who opens what is there takes the model that it has.
    assert_eq!(place.change().unwrap().model(), &model());
    assert_eq!(place.open().unwrap().model(), &model());
}

pub(crate) fn what_was_written_is_there_when_opened_again(place: &dyn Place) {
    let first = [
        Change::Put(picture(1, axis(0))),
        link("/a/1", 1),
        Change::Refuse(file("/a/0"), "no picture".into()),
    ];
    let second = [Change::Put(picture(2, axis(1))), link("/a/2", 2)];
    let store = place.fresh();
    store.apply(&first).unwrap();
    store.settle().unwrap();
    drop(store);
    let store = place.fresh();
    store.apply(&second).unwrap();
    let before = contents(&*store);
    drop(store);

    let store = place.open().unwrap();
    assert_eq!(contents(&*store), before);
    assert_eq!(before.len(), 2);
    assert_eq!(before[0].0.id, super::id(1), "in the order they came");
    assert_eq!(files(&*store, &[]).len(), 3);
    let status = store.status().unwrap();
    assert_eq!(status.model, model());
    assert_eq!((status.files, status.contents), (2, 2));
    assert_eq!((status.vectors, status.refused), (2, 1));
    assert!(!status.reason.is_empty() && !status.place.is_empty());
}

pub(crate) fn one_that_reads_does_not_write(place: &dyn Place) {
    let writer = place.fresh();
    let reader = place.open().unwrap();
    let put = [Change::Put(picture(1, axis(0))), link("/a/1", 1)];
    assert!(matches!(reader.apply(&put), Err(Error::Change { .. })));
    assert!(reader.set_note("a", b"b").is_err());
    assert!(reader.settle().is_err());
    // What another writes is seen.
    assert_eq!(found(&*reader, &Default::default()).len(), 0);
    writer.apply(&put).unwrap();
    assert_eq!(found(&*reader, &Default::default()).len(), 1);
}

pub(crate) fn notes_are_kept(place: &dyn Place) {
    let store = place.fresh();
    assert_eq!(store.note("a").unwrap(), None);
    let all: Vec<u8> = (0..=255).collect();
    store.set_note("a", &all).unwrap();
    store.set_note("b", b"first").unwrap();
    store.set_note("b", b"").unwrap();
    drop(store);
    let store = place.open().unwrap();
    assert_eq!(store.note("a").unwrap(), Some(all));
    assert_eq!(store.note("b").unwrap(), Some(Vec::new()));
    assert_eq!(store.status().unwrap().refused, 0);
    let query = Query {
        vector: &axis(0),
        k: 10,
        filter: &Default::default(),
        method: Method::Auto,
    };
    assert_eq!(store.search(&query).unwrap(), []);
}
