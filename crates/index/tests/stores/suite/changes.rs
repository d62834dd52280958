//! Changes, and what is there after them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use diptych_index::{Change, Error, Filter, Id, Item, Store, Taken, TakenFrom};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{
    DIM, Place, axis, contents, file, files, film, found, id, link, picture, search, unit, within,
};

pub(crate) fn contents_come_back_whole(place: &dyn Place) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let payload = json!({
        "width": 640, "ratio": 1.5, "camera": "Ä\u{1f600}", "gps": [47.5, -8.25], "none": null,
        "exif": {"flash": true, "iso": -1}, "empty": {},
    });
    let picture = Item {
        taken: Some(Taken {
            at: -86_400,
            from: TakenFrom::File,
        }),
        phash: Some(vec![1, 0, 255]),
        payload: payload.as_object().unwrap().clone(),
        ..picture(1, unit(&mut rng))
    };
    let film = film(2, (0..3).map(|_| unit(&mut rng)).collect());
    let store = place.fresh();
    let changes = [
        Change::Put(picture.clone()),
        Change::Put(film.clone()),
        link("/p.jpg", 1),
        link("/f.mp4", 2),
        link("/f/copy.mp4", 2),
    ];
    store.apply(&changes).unwrap();

    assert_eq!(store.item(id(1)).unwrap(), Some(picture.clone()));
    assert_eq!(store.item(id(2)).unwrap(), Some(film.clone()));
    assert_eq!(store.item(id(3)).unwrap(), None);
    let ids = [id(3), id(2), id(1), id(2)];
    assert_eq!(store.has(&ids).unwrap(), [false, true, true, true]);
    assert_eq!(store.has(&[]).unwrap(), [false; 0]);
    let mut all = contents(&*store);
    all[1].1.sort_by(|a, b| a.path.cmp(&b.path));
    let copies = vec![file("/f.mp4"), file("/f/copy.mp4")];
    assert_eq!(
        all,
        [(picture.clone(), vec![file("/p.jpg")]), (film, copies)]
    );
    let mut seen = Vec::new();
    let mut first = |item: Item, _| {
        seen.push(item);
        ControlFlow::Break(())
    };
    store.each(&mut first).unwrap();
    assert_eq!(seen, [picture]);
}

pub(crate) fn a_content_is_found_once_a_file_has_it(place: &dyn Place) {
    let store = place.fresh();
    store.apply(&[]).unwrap();
    store.apply(&[Change::Put(picture(1, axis(0)))]).unwrap();
    assert_eq!(found(&*store, &Filter::default()), []);
    assert_eq!(store.has(&[id(1)]).unwrap(), [true]);
    assert_eq!(contents(&*store).len(), 1);
    assert_eq!(files(&*store, &[]).len(), 0);
    store.apply(&[link("/a/1", 1)]).unwrap();
    assert_eq!(found(&*store, &Filter::default()), [id(1)]);
    assert_eq!(files(&*store, &["/a"])["/a/1"], Some(id(1)));
}

pub(crate) fn a_content_goes_with_its_last_file(place: &dyn Place) {
    let store = place.fresh();
    let film = film(1, vec![axis(0), axis(1)]);
    let put = [Change::Put(film), link("/a/1", 1), link("/b/1", 1)];
    store.apply(&put).unwrap();
    store.apply(&[Change::Unlink("/a/1".into())]).unwrap();
    assert_eq!(found(&*store, &Filter::default()), [id(1), id(1)]);
    assert_eq!(found(&*store, &within(&["/a"])), []);
    assert_eq!(
        files(&*store, &[]),
        BTreeMap::from([("/b/1".into(), Some(id(1)))])
    );
    // Nobody knows it; nothing happens.
    store.apply(&[Change::Unlink("/c".into())]).unwrap();
    store.apply(&[Change::Unlink("/b/1".into())]).unwrap();
    assert_eq!(found(&*store, &Filter::default()), []);
    assert_eq!(store.item(id(1)).unwrap(), None);
    let status = store.status().unwrap();
    assert_eq!((status.contents, status.vectors, status.files), (0, 0, 0));
}

pub(crate) fn a_file_has_one_content(place: &dyn Place) {
    let store = place.fresh();
    let put = |number| Change::Put(picture(number, axis(number.into())));
    store
        .apply(&[put(1), link("/1", 1), link("/2", 1), put(2), link("/3", 2)])
        .unwrap();
    store.apply(&[link("/1", 2)]).unwrap();
    let all: Vec<Id> = files(&*store, &[]).into_values().flatten().collect();
    assert_eq!(all, [id(2), id(1), id(2)]);
    store.apply(&[link("/2", 2)]).unwrap();
    assert_eq!(store.has(&[id(1), id(2)]).unwrap(), [false, true]);
    // The file it has already, with another size.
    let mut longer = file("/1");
    longer.size += 1;
    store.apply(&[Change::Link(longer.clone(), id(2))]).unwrap();
    let mut all = contents(&*store);
    assert_eq!(all.len(), 1);
    all[0].1.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(all[0].1, [longer, file("/2"), file("/3")]);
}

pub(crate) fn a_content_may_be_replaced(place: &dyn Place) {
    let store = place.fresh();
    let put = [
        Change::Put(film(1, vec![axis(0), axis(1), axis(2)])),
        link("/f", 1),
        Change::Put(picture(2, axis(5))),
        link("/p", 2),
    ];
    store.apply(&put).unwrap();
    let taken = Some(Taken {
        at: 5,
        from: TakenFrom::Exif,
    });
    let shorter = Item {
        taken,
        ..film(1, vec![axis(3), axis(4)])
    };
    store.apply(&[Change::Put(shorter.clone())]).unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(shorter));
    let all = contents(&*store);
    assert_eq!(all[0].0.id, id(1), "it keeps its place");
    assert_eq!(all[0].1, [file("/f")], "and its files");
    assert_eq!(store.status().unwrap().vectors, 3);
    let nearest = search(&*store, &axis(4), 1, &Filter::default());
    assert_eq!(nearest[0].part.span.unwrap().start, 1.0);
    assert_eq!(nearest[0].taken, taken);
    assert_eq!(nearest[0].files, ["/f"]);
    // What it had is not found any longer.
    let before = search(&*store, &axis(0), 10, &Filter::default());
    assert!(before.iter().all(|hit| hit.score.abs() < 1e-6));
    store
        .apply(&[Change::Put(film(1, (0..4).map(axis).collect()))])
        .unwrap();
    assert_eq!(store.item(id(1)).unwrap().unwrap().moments.len(), 4);
    assert_eq!(store.status().unwrap().vectors, 5);
}

pub(crate) fn refused_files_are_listed_until_they_change(place: &dyn Place) {
    let store = place.fresh();
    let refuse = |path: &str, why: &str| Change::Refuse(file(path), why.into());
    let changes = [
        Change::Put(picture(1, axis(0))),
        link("/a/1", 1),
        refuse("/a/2", "cut short"),
        refuse("/b/3", "first"),
        refuse("/b/3", "no picture"),
        refuse("/a/1", "was replaced by something else"),
    ];
    store.apply(&changes).unwrap();
    let refused = |store: &dyn Store| -> Vec<(String, String)> {
        let all = store.refused().unwrap().into_iter();
        all.map(|(file, why)| (file.path, why)).collect()
    };
    let said = |path: &str, why: &str| (path.to_owned(), why.to_owned());
    assert_eq!(
        refused(&*store),
        [
            said("/a/1", "was replaced by something else"),
            said("/a/2", "cut short"),
            said("/b/3", "no picture"),
        ]
    );
    assert_eq!(store.refused().unwrap()[1].0, file("/a/2"));
    assert_eq!(
        files(&*store, &["/a"]),
        BTreeMap::from([("/a/1".into(), None), ("/a/2".into(), None)])
    );
    assert_eq!(store.has(&[id(1)]).unwrap(), [false]);
    let changes = [
        Change::Put(picture(1, axis(0))),
        link("/a/2", 1),
        Change::Unlink("/b/3".into()),
    ];
    store.apply(&changes).unwrap();
    assert_eq!(
        refused(&*store),
        [said("/a/1", "was replaced by something else")]
    );
    assert_eq!(files(&*store, &[])["/a/2"], Some(id(1)));
}

pub(crate) fn what_cant_be_is_refused_and_nothing_of_it_is_made(place: &dyn Place) {
    let store = place.fresh();
    let first = [Change::Put(picture(1, axis(0))), link("/1", 1)];
    store.apply(&first).unwrap();
    let put = |item| [Change::Put(picture(2, axis(1))), Change::Put(item)];
    let mut wrong = picture(3, vec![1.0; DIM + 1]);
    let refused = store.apply(&put(wrong.clone())).unwrap_err();
    let (got, wanted) = (DIM + 1, DIM);
    assert!(
        matches!(refused, Error::Vector { got: g, wanted: w } if (g, w) == (got, wanted)),
        "{refused}"
    );
    wrong.moments[0].vector = axis(0);
    wrong.moments[0].vector[3] = f32::NAN;
    let refused = store.apply(&put(wrong.clone())).unwrap_err();
    assert!(matches!(refused, Error::Vector { .. }), "{refused}");
    wrong.moments.clear();
    let refused = store.apply(&put(wrong)).unwrap_err();
    assert!(matches!(refused, Error::Change { .. }), "{refused}");

    let unknown = [
        Change::Put(picture(2, axis(1))),
        link("/2", 2),
        link("/3", 9),
    ];
    let refused = store.apply(&unknown).unwrap_err();
    assert!(matches!(refused, Error::Change { .. }), "{refused}");
    let said = refused.to_string();
    assert!(
        said.contains("/3") && said.contains(&id(9).to_string()),
        "{said}"
    );
    // Unlinked in the same call, so there is nothing to link to.
    let gone = [Change::Unlink("/1".into()), link("/4", 1)];
    assert!(store.apply(&gone).is_err());

    assert_eq!(contents(&*store).len(), 1);
    assert_eq!(files(&*store, &[]).len(), 1);
    let query = diptych_index::Query {
        vector: &[1.0; 3],
        k: 1,
        filter: &Filter::default(),
        method: Default::default(),
    };
    assert!(matches!(store.search(&query), Err(Error::Vector { .. })));
}
