//! Many changes in one call, and many calls.

use std::collections::BTreeMap;

use diptych_index::{Change, Id, Moment};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Place, axis, contents, file, files, film, id, link, picture, unit};

pub(crate) fn changes_follow_each_other_in_one_call(place: &dyn Place) {
    let store = place.fresh();
    let put = |number| Change::Put(picture(number, axis(number.into())));
    let unlink = |path: &str| Change::Unlink(path.into());
    let refuse = |path: &str| Change::Refuse(file(path), "why".into());
    let changes = [
        put(1),
        link("/1", 1),
        unlink("/1"),
        put(2),
        link("/1", 2),
        link("/2", 2),
        put(3),
        link("/2", 3),
        put(3),
        refuse("/1"),
        refuse("/3"),
        link("/3", 3),
        put(1),
        link("/4", 1),
        refuse("/5"),
        unlink("/5"),
    ];
    store.apply(&changes).unwrap();
    let want = [
        ("/1", None),
        ("/2", Some(id(3))),
        ("/3", Some(id(3))),
        ("/4", Some(id(1))),
    ];
    let want = want.map(|(path, id)| (path.to_owned(), id));
    assert_eq!(files(&*store, &[]), BTreeMap::from(want));
    let order: Vec<Id> = contents(&*store).iter().map(|(item, _)| item.id).collect();
    assert_eq!(order, [id(3), id(1)]);
    // A content that goes and comes back has come anew.
    store
        .apply(&[unlink("/2"), unlink("/3"), put(3), link("/2", 3)])
        .unwrap();
    let order: Vec<Id> = contents(&*store).iter().map(|(item, _)| item.id).collect();
    assert_eq!(order, [id(1), id(3)]);
}

pub(crate) fn many_changes_in_one_call(place: &dyn Place) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let store = place.fresh();
    let mut changes = Vec::new();
    let long = film(999, (0..700).map(|_| unit(&mut rng)).collect());
    changes.push(Change::Put(long.clone()));
    changes.push(link("/films/long", 999));
    for number in 0..600 {
        changes.push(Change::Put(picture(number, unit(&mut rng))));
        changes.push(link(&format!("/many/{number}"), number));
        let refused = file(&format!("/refused/{number}"));
        changes.push(Change::Refuse(refused, "why".into()));
    }
    store.apply(&changes).unwrap();
    let status = store.status().unwrap();
    assert_eq!((status.contents, status.files), (601, 601));
    assert_eq!((status.vectors, status.refused), (1300, 600));
    let all = contents(&*store);
    assert_eq!(all[0].0, long);
    let order: Vec<Id> = all[1..].iter().map(|(item, _)| item.id).collect();
    assert_eq!(order, (0..600).map(id).collect::<Vec<_>>());
    assert_eq!(files(&*store, &["/many"]).len(), 600);

    let moves = (0..600).map(|number| link(&format!("/moved/{number}"), number));
    let leaves = (0..600).map(|number| Change::Unlink(format!("/many/{number}")));
    store
        .apply(&moves.chain(leaves).collect::<Vec<_>>())
        .unwrap();
    assert_eq!(files(&*store, &["/many"]).len(), 0);
    assert_eq!(files(&*store, &["/moved"]).len(), 600);
    let leaves = (0..600).flat_map(|number| {
        let paths = [format!("/moved/{number}"), format!("/refused/{number}")];
        paths.map(Change::Unlink)
    });
    store.apply(&leaves.collect::<Vec<_>>()).unwrap();
    let status = store.status().unwrap();
    assert_eq!((status.contents, status.vectors), (1, 700));
    assert_eq!((status.files, status.refused), (1, 0));
}

pub(crate) fn random_changes_make_what_they_make_of_a_list(place: &dyn Place) {
    const PATHS: &[&str] = &[
        "/a/1", "/a/2", "/a/b/1", "/a/b/2", "/ab/1", "/c/1", "/c/d/1", "/1",
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let store = place.fresh();
    let mut items: BTreeMap<Id, Vec<Moment>> = BTreeMap::new();
    let mut paths: BTreeMap<String, Option<Id>> = BTreeMap::new();
    for _ in 0..60 {
        let mut changes = Vec::new();
        for _ in 0..rng.random_range(1..6) {
            let path = *PATHS.choose(&mut rng).unwrap();
            let known: Vec<Id> = items.keys().copied().collect();
            let first = changes.len();
            match rng.random_range(0..6) {
                0 => changes.push(Change::Unlink(path.into())),
                1 => changes.push(Change::Refuse(file(path), "why".into())),
                2 if !known.is_empty() => {
                    let id = *known.choose(&mut rng).unwrap();
                    changes.push(Change::Link(file(path), id));
                }
                _ => {
                    let number = rng.random_range(0..12);
                    let moments = rng.random_range(1..4);
                    let vectors = (0..moments).map(|_| unit(&mut rng)).collect();
                    changes.push(Change::Put(film(number, vectors)));
                    changes.push(link(path, number));
                }
            }
            for change in &changes[first..] {
                match change {
                    Change::Put(item) => {
                        items.insert(item.id, item.moments.clone());
                        continue;
                    }
                    Change::Link(file, id) => paths.insert(file.path.clone(), Some(*id)),
                    Change::Unlink(path) => paths.remove(path),
                    Change::Refuse(file, _) => paths.insert(file.path.clone(), None),
                    other => panic!("{other:?}"),
                };
                items.retain(|id, _| paths.values().any(|of| *of == Some(*id)));
            }
        }
        store.apply(&changes).unwrap();
        assert_eq!(files(&*store, &[]), paths);
        let all = contents(&*store).into_iter();
        let all: BTreeMap<Id, Vec<Moment>> = all.map(|(item, _)| (item.id, item.moments)).collect();
        assert_eq!(all, items);
        let in_a = files(&*store, &["/a"]);
        assert!(in_a.keys().all(|path| path.starts_with("/a/")));
        let status = store.status().unwrap();
        assert_eq!(
            status.files + status.refused,
            paths.len() as u64,
            "{status:?}"
        );
    }
}
