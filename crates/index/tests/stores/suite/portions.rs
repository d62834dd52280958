//! Parts of contents, contents whose moments come in portions, and threads that share a store.

use std::sync::atomic::{AtomicBool, Ordering};

use diptych_index::{
    Change, Error, Filter, Id, Item, Moment, Part, Region, Span, Store, put_moments,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Place, axis, contents, file, files, film, found, id, link, picture, search, unit};

fn region(left: f64, top: f64, right: f64, bottom: f64) -> Region {
    Region {
        left,
        top,
        right,
        bottom,
    }
}

/// A picture with tiles, or a film with boxes.
fn of_parts(number: u16, parts: &[Part]) -> Item {
    let moments = parts.iter().enumerate();
    let moments = moments.map(|(at, part)| Moment {
        part: *part,
        vector: axis(at),
    });
    Item {
        moments: moments.collect(),
        ..picture(number, Vec::new())
    }
}

pub(crate) fn parts_come_back(place: &dyn Place) {
    let tile = region(0.0, 0.1, 1.0 / 3.0, 0.7);
    let span = Some(Span {
        start: 1.0,
        end: 2.5,
    });
    let of = |span, region| Part { span, region };
    let parts = [
        of(None, None),
        of(None, Some(tile)),
        of(span, None),
        of(span, Some(region(0.5, 0.0, 1.0, 1.0))),
    ];
    let store = place.fresh();
    let item = of_parts(1, &parts);
    store
        .apply(&[Change::Put(item.clone()), link("/1", 1)])
        .unwrap();
    assert_eq!(store.item(id(1)).unwrap().as_ref(), Some(&item));
    assert_eq!(contents(&*store)[0].0, item);
    for (at, part) in parts.iter().enumerate() {
        let hits = search(&*store, &axis(at), 1, &Filter::default());
        assert_eq!(hits[0].part, *part);
        assert_eq!(store.vector(id(1), part).unwrap(), Some(axis(at)));
        assert_eq!(store.vector(id(2), part).unwrap(), None);
    }
    let other = of(None, Some(region(0.0, 0.1, 0.25, 0.7)));
    assert_eq!(store.vector(id(1), &other).unwrap(), None);
    // Others in their place.
    let fewer = of_parts(1, &parts[2..]);
    store.apply(&[Change::Put(fewer.clone())]).unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(fewer));
    store.apply(&[Change::Unlink("/1".into())]).unwrap();
    assert_eq!(store.status().unwrap().vectors, 0);
}

pub(crate) fn parts_that_cant_be_are_refused(place: &dyn Place) {
    let store = place.fresh();
    let of_region = |region| Part {
        region: Some(region),
        ..Part::default()
    };
    for part in [
        of_region(region(-0.1, 0.0, 1.0, 1.0)),
        of_region(region(0.0, 0.0, 1.0, 1.1)),
        of_region(region(0.5, 0.0, 0.5, 1.0)),
        of_region(region(0.0, f64::NAN, 1.0, 1.0)),
        Part::during(2.0, 1.0),
        Part::during(f64::NAN, 1.0),
        Part::during(0.0, f64::INFINITY),
    ] {
        let item = of_parts(1, &[Part::default(), part]);
        let moments = item.moments.clone();
        for change in [Change::Put(item.clone()), Change::Begin(item)] {
            let error = store.apply(&[change]).unwrap_err();
            assert!(matches!(error, Error::Change { .. }), "{error}");
            assert!(error.to_string().contains(&id(1).to_string()), "{error}");
        }
        store.apply(&[Change::Begin(picture_without(1))]).unwrap();
        assert!(store.apply(&[Change::Extend(id(1), moments)]).is_err());
    }
    assert_eq!(store.has(&[id(1)]).unwrap(), [false]);
}

fn picture_without(number: u16) -> Item {
    Item {
        moments: Vec::new(),
        ..picture(number, Vec::new())
    }
}

/// The changes that bring a content in portions of so many moments, but for its end.
fn portions(item: &Item, n: usize) -> Vec<Change> {
    let begin = Item {
        moments: Vec::new(),
        ..item.clone()
    };
    let more = item.moments.chunks(n);
    let more = more.map(|moments| Change::Extend(item.id, moments.to_vec()));
    [Change::Begin(begin)].into_iter().chain(more).collect()
}

pub(crate) fn a_content_in_portions_is_there_once_it_is_whole(place: &dyn Place) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let store = place.fresh();
    let other = [Change::Put(picture(2, axis(0))), link("/2", 2)];
    store.apply(&other).unwrap();
    let long = film(1, (0..700).map(|_| unit(&mut rng)).collect());
    for change in portions(&long, 300) {
        store.apply(&[change]).unwrap();
        assert_eq!(store.has(&[id(1), id(2)]).unwrap(), [false, true]);
        assert_eq!(store.item(id(1)).unwrap(), None);
        assert_eq!(found(&*store, &Filter::default()), [id(2)]);
        assert_eq!(contents(&*store).len(), 1);
        let status = store.status().unwrap();
        assert_eq!((status.contents, status.vectors), (1, 1));
        // No file can have it.
        assert!(store.apply(&[link("/1", 1)]).is_err());
    }
    store.settle().unwrap();
    assert_eq!(store.has(&[id(1)]).unwrap(), [false]);
    store
        .apply(&[Change::Finish(id(1)), link("/1", 1)])
        .unwrap();
    assert_eq!(store.item(id(1)).unwrap().as_ref(), Some(&long));
    assert_eq!(store.has(&[id(1)]).unwrap(), [true]);
    for moment in long.moments.iter().step_by(150) {
        let hits = search(&*store, &moment.vector, 1, &Filter::default());
        assert_eq!((hits[0].id, hits[0].part), (id(1), moment.part));
        assert_eq!(hits[0].files, ["/1"]);
    }
    let last = &long.moments[699];
    let vector = store.vector(id(1), &last.part).unwrap();
    assert_eq!(vector.as_ref(), Some(&last.vector));
    let status = store.status().unwrap();
    assert_eq!((status.contents, status.vectors, status.files), (2, 701, 2));
    // It is no longer one that was begun.
    for change in [
        Change::Finish(id(1)),
        Change::Extend(id(1), long.moments[..1].to_vec()),
    ] {
        let error = store.apply(&[change]).unwrap_err();
        assert!(matches!(error, Error::Change { .. }), "{error}");
        assert!(error.to_string().contains("not begun"), "{error}");
    }
    store.apply(&[Change::Unlink("/1".into())]).unwrap();
    assert_eq!(store.status().unwrap().vectors, 1);
}

pub(crate) fn what_is_replaced_in_portions_is_found_until_the_new_is_whole(place: &dyn Place) {
    let store = place.fresh();
    let before = film(1, vec![axis(0), axis(1), axis(2)]);
    let put = [
        Change::Put(before.clone()),
        link("/f", 1),
        Change::Put(picture(2, axis(5))),
        link("/p", 2),
    ];
    store.apply(&put).unwrap();
    for n in [2, 5] {
        let mut after = film(1, (10..10 + n).map(axis).collect());
        after.payload.insert("n".into(), n.into());
        let before = store.item(id(1)).unwrap();
        for change in portions(&after, 1) {
            store.apply(&[change]).unwrap();
            assert_eq!(store.item(id(1)).unwrap(), before);
            assert_eq!(store.status().unwrap().contents, 2);
        }
        store.apply(&[Change::Finish(id(1))]).unwrap();
        assert_eq!(store.item(id(1)).unwrap().as_ref(), Some(&after));
        let all = contents(&*store);
        assert_eq!(all[0].0.id, id(1), "it keeps its place");
        assert_eq!(all[0].1, [file("/f")], "and its files");
        assert_eq!(store.status().unwrap().vectors, n as u64 + 1);
        let hits = search(&*store, &axis(11), 1, &Filter::default());
        assert_eq!((hits[0].id, hits[0].score), (id(1), 1.0));
        assert_eq!(hits[0].payload["n"], n);
        // What it had is not found any longer.
        let hits = search(&*store, &axis(0), 10, &Filter::default());
        assert!(hits.iter().all(|hit| hit.score.abs() < 1e-6));
    }
}

pub(crate) fn what_is_begun_anew_or_abandoned_is_forgotten(place: &dyn Place) {
    let store = place.fresh();
    let first = film(1, (0..5).map(axis).collect());
    let second = film(1, (5..7).map(axis).collect());
    store.apply(&portions(&first, 2)).unwrap();
    store.apply(&portions(&second, 2)).unwrap();
    store
        .apply(&[Change::Finish(id(1)), link("/1", 1)])
        .unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(second.clone()));
    store.apply(&portions(&first, 2)).unwrap();
    store.apply(&[Change::Abandon(id(1))]).unwrap();
    assert!(store.apply(&[Change::Finish(id(1))]).is_err());
    assert_eq!(store.item(id(1)).unwrap(), Some(second));
    // Nobody began it; nothing happens.
    store.apply(&[Change::Abandon(id(9))]).unwrap();
    // One without a moment can't be whole.
    store.apply(&[Change::Begin(picture_without(3))]).unwrap();
    let error = store.apply(&[Change::Finish(id(3))]).unwrap_err();
    assert!(error.to_string().contains("no vector"), "{error}");
    let status = store.status().unwrap();
    assert_eq!((status.contents, status.vectors), (1, 2));
}

pub(crate) fn what_a_killed_writer_left_is_gone_on_with(place: &dyn Place) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let store = place.fresh();
    assert_eq!(store.begun(id(1)).unwrap(), None);
    let mut long = film(1, (0..300).map(|_| unit(&mut rng)).collect());
    long.payload.insert("frames".into(), 300.into());
    let tile = region(0.5, 0.0, 1.0, 1.0);
    long.moments[149].part.region = Some(tile);
    let changes = portions(&long, 50);
    store.apply(&changes[..1]).unwrap();
    let begun = store.begun(id(1)).unwrap().unwrap();
    assert_eq!((begun.moments, begun.last), (0, None));
    store.apply(&changes[1..4]).unwrap();
    drop(store);
    let store = place.change().unwrap();
    let begun = store.begun(id(1)).unwrap().unwrap();
    let bare = Item {
        moments: Vec::new(),
        ..long.clone()
    };
    assert_eq!((&begun.item, begun.moments), (&bare, 150));
    assert_eq!(begun.last, Some(long.moments[149].part));
    store.apply(&changes[4..]).unwrap();
    store
        .apply(&[Change::Finish(id(1)), link("/1", 1)])
        .unwrap();
    assert_eq!(store.item(id(1)).unwrap().as_ref(), Some(&long));
    assert_eq!(store.begun(id(1)).unwrap(), None);
}

pub(crate) fn what_a_killed_writer_left_is_swept(place: &dyn Place) {
    let store = place.fresh();
    let before = film(1, vec![axis(0)]);
    store
        .apply(&[Change::Put(before.clone()), link("/1", 1)])
        .unwrap();
    let long = film(1, (0..300).map(|i| axis(i % 60)).collect());
    store.apply(&portions(&long, 100)).unwrap();
    store
        .apply(&portions(&film(2, vec![axis(3)]), 100))
        .unwrap();
    drop(store);
    // One who reads sees nothing of it, and takes nothing away.
    assert_eq!(contents(&*place.open().unwrap()).len(), 1);
    let store = place.change().unwrap();
    store.sweep().unwrap();
    for number in [1, 2] {
        assert_eq!(store.begun(id(number)).unwrap(), None);
        assert!(store.apply(&[Change::Finish(id(number))]).is_err());
    }
    assert_eq!(store.item(id(1)).unwrap(), Some(before));
    assert_eq!(found(&*store, &Filter::default()), [id(1)]);
    store.apply(&portions(&long, 100)).unwrap();
    store.apply(&[Change::Finish(id(1))]).unwrap();
    assert_eq!(store.item(id(1)).unwrap(), Some(long));
}

pub(crate) fn a_content_is_made_of_an_iterator(place: &dyn Place) {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let store = place.fresh();
    let long = film(1, (0..600).map(|_| unit(&mut rng)).collect());
    let bare = Item {
        moments: long.moments[..1].to_vec(),
        ..long.clone()
    };
    let moments = long.moments[1..].iter().cloned();
    put_moments(&*store, bare.clone(), moments.clone().map(Ok::<_, Error>)).unwrap();
    store.apply(&[link("/1", 1)]).unwrap();
    assert_eq!(store.item(id(1)).unwrap().as_ref(), Some(&long));
    // A film that can't be read to its end leaves nothing behind, and what there was.
    let broken = || {
        let what = "frame 400 can't be decoded".into();
        Err(Error::Change { what })
    };
    for number in [1, 2] {
        let bare = Item {
            id: id(number),
            ..bare.clone()
        };
        let moments = moments.clone().take(400).map(Ok).chain([broken()]);
        let error = put_moments(&*store, bare, moments).unwrap_err();
        assert!(error.to_string().contains("frame 400"), "{error}");
    }
    let all: Vec<Id> = contents(&*store).iter().map(|(item, _)| item.id).collect();
    assert_eq!(all, [id(1)]);
    assert_eq!(store.item(id(1)).unwrap().unwrap().moments.len(), 600);
    assert!(store.apply(&[Change::Finish(id(2))]).is_err());
}

pub(crate) fn threads_read_beside_one_that_writes(place: &dyn Place) {
    let store = place.fresh();
    let store: &dyn Store = &*store;
    let put = |number: u16| {
        let path = format!("/{number}");
        [Change::Put(picture(number, axis(0))), link(&path, number)]
    };
    store.apply(&put(0)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut before = 1;
                while !done.load(Ordering::Relaxed) {
                    let now = found(store, &Filter::default());
                    assert!(now.len() >= before, "what was written is seen");
                    before = now.len();
                    assert_eq!(store.has(&now).unwrap(), vec![true; now.len()]);
                    assert_eq!(store.item(now[0]).unwrap().unwrap().id, now[0]);
                }
            });
        }
        for number in 1..40 {
            store.apply(&put(number)).unwrap();
            let note = number.to_be_bytes();
            store.set_note("number", &note).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(files(store, &[]).len(), 40);
    assert_eq!(store.note("number").unwrap(), Some(vec![0, 39]));
}
