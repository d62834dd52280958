//! Searches: beside a plain comparison with every vector, and beside a local index.

use diptych_index::{Change, Filter, Hit, Id, Item, Local, Method, Query, Store, Taken, TakenFrom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Place, axis, files, film, found, id, link, model, picture, search, unit, within};

/// 500 contents in a few folders, most with a date, some films, some with several files.
pub(crate) fn many(rng: &mut ChaCha8Rng) -> (Vec<Item>, Vec<(String, Id)>) {
    const FOLDERS: &[&str] = &[
        "/p",
        "/p/2023",
        "/p/2024",
        "/p/2024/05",
        "/p2",
        "/q/deep/er",
    ];
    let (mut items, mut paths) = (Vec::new(), Vec::new());
    for number in 0..500 {
        let moments = if rng.random_bool(0.1) { 3 } else { 1 };
        let mut item = match moments {
            1 => picture(number, unit(rng)),
            n => film(number, (0..n).map(|_| unit(rng)).collect()),
        };
        item.taken = rng.random_bool(0.8).then(|| Taken {
            at: rng.random_range(0..1000),
            from: if rng.random_bool(0.6) {
                TakenFrom::Exif
            } else {
                TakenFrom::File
            },
        });
        item.payload.insert("number".into(), number.into());
        for copy in 0..rng.random_range(1..3) {
            let folder = FOLDERS[rng.random_range(0..FOLDERS.len())];
            paths.push((format!("{folder}/{number}-{copy}.jpg"), item.id));
        }
        items.push(item);
    }
    (items, paths)
}

pub(crate) fn changes(items: &[Item], paths: &[(String, Id)]) -> Vec<Change> {
    let puts = items.iter().cloned().map(Change::Put);
    let links = paths
        .iter()
        .map(|(path, id)| Change::Link(super::file(path), *id));
    puts.chain(links).collect()
}

pub(crate) fn filters() -> Vec<Filter> {
    let dates = |after, before| Filter {
        after,
        before,
        ..Filter::default()
    };
    vec![
        Filter::default(),
        within(&["/p"]),
        within(&["/p/2024/"]),
        within(&["/p/2024/05", "/q"]),
        within(&["/"]),
        within(&["/nowhere"]),
        dates(Some(300), None),
        dates(None, Some(20)),
        dates(Some(100), Some(200)),
        dates(Some(200), Some(100)),
        Filter {
            dated: true,
            ..dates(Some(200), None)
        },
        Filter {
            dated: true,
            ..Filter::default()
        },
        Filter {
            within: vec!["/p2".into()],
            ..dates(Some(500), Some(900))
        },
    ]
}

/// The nearest by comparing with all, in double precision.
fn truth(items: &[Item], paths: &[(String, Id)], query: &Query) -> Vec<(Id, Option<f64>, f32)> {
    let mut all = Vec::new();
    for item in items {
        let may_be = |limit: Option<i64>, is: fn(i64, i64) -> bool| {
            limit.is_none_or(|limit| item.taken.is_some_and(|taken| is(taken.at, limit)))
        };
        let is_dated = || item.taken.is_some_and(|t| t.from == TakenFrom::Exif);
        let mut own = paths.iter().filter(|(_, id)| *id == item.id);
        let allowed = may_be(query.filter.after, |a, b| a >= b)
            && may_be(query.filter.before, |a, b| a < b)
            && (!query.filter.dated || is_dated())
            && own.any(|(path, _)| query.filter.holds(path));
        if allowed {
            for moment in &item.moments {
                let products = moment.vector.iter().zip(query.vector);
                let score: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                all.push((item.id, moment.part.span.map(|s| s.start), score as f32));
            }
        }
    }
    all.sort_by(|a, b| b.2.total_cmp(&a.2));
    all.truncate(query.k);
    all
}

pub(crate) fn check_all(store: &dyn Store, items: &[Item], paths: &[(String, Id)]) {
    let twin_folder = tempfile::tempdir().unwrap();
    let twin = Local::create(twin_folder.path().join("index"), &model()).unwrap();
    twin.apply(&changes(items, paths)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for filter in filters() {
        for method in [Method::Scan, Method::Auto] {
            let vector = unit(&mut rng);
            let query = Query {
                vector: &vector,
                k: 10,
                filter: &filter,
                method,
            };
            let hits = store.search(&query).unwrap();
            let truth = truth(items, paths, &query);
            assert_eq!(hits.len(), truth.len(), "{filter:?}");
            for (hit, (id, start, score)) in hits.iter().zip(&truth) {
                assert_eq!((hit.id, hit.part.span.map(|s| s.start)), (*id, *start));
                assert!((hit.score - score).abs() < 1e-6, "{} {score}", hit.score);
            }
            let rounded = |mut hits: Vec<Hit>| {
                hits.iter_mut().for_each(|hit| hit.score = 0.0);
                hits
            };
            assert_eq!(rounded(hits), rounded(twin.search(&query).unwrap()));
        }
    }
}

pub(crate) fn the_nearest_are_those_of_a_plain_comparison(place: &dyn Place) {
    let (items, paths) = many(&mut ChaCha8Rng::seed_from_u64(4));
    let store = place.fresh();
    store.apply(&changes(&items, &paths)).unwrap();
    store.settle().unwrap();
    check_all(&*store, &items, &paths);
    let all = search(&*store, &axis(0), 100_000, &Filter::default());
    let vectors: usize = items.iter().map(|item| item.moments.len()).sum();
    assert_eq!(all.len(), vectors);
    assert_eq!(search(&*store, &axis(0), 0, &Filter::default()), []);
}

pub(crate) fn folders_are_not_beginnings_of_names(place: &dyn Place) {
    let store = place.fresh();
    let put = |number: u16, path: &str| {
        let item = picture(number, axis(number.into()));
        [Change::Put(item), link(path, number)]
    };
    // The last two are names that are not UTF-8, as they are spelled.
    let paths = [
        "/a/1",
        "/a/b/2",
        "/ab/3",
        "/4",
        "/ä ö/%_'/5",
        "/f\0e9/6\n",
        "/f/7\0ff\0fe.jpg",
    ];
    let changes = (1..)
        .zip(paths)
        .flat_map(|(number, path)| put(number, path));
    store.apply(&changes.collect::<Vec<_>>()).unwrap();
    let check = |folders: &[&str], want: &[u16]| {
        let want: Vec<Id> = want.iter().map(|number| id(*number)).collect();
        assert_eq!(found(&*store, &within(folders)), want, "in {folders:?}");
        let mut listed: Vec<Id> = files(&*store, folders).into_values().flatten().collect();
        listed.sort_unstable();
        assert_eq!(listed, want, "in {folders:?}");
    };
    check(&["/a"], &[1, 2]);
    check(&["/a/"], &[1, 2]);
    check(&["/a/b"], &[2]);
    check(&["/ab"], &[3]);
    check(&["/a", "/ab"], &[1, 2, 3]);
    check(&["/"], &[1, 2, 3, 4, 5, 6, 7]);
    check(&["/ä ö"], &[5]);
    check(&["/ä ö/%_'"], &[5]);
    check(&["/b"], &[]);
    check(&["a"], &[]);
    check(&[], &[1, 2, 3, 4, 5, 6, 7]);
    check(&["/f\0e9"], &[6]);
    check(&["/f"], &[7]);
    let held: Vec<String> = files(&*store, &["/f\0e9", "/f"]).into_keys().collect();
    assert_eq!(held, ["/f\0e9/6\n", "/f/7\0ff\0fe.jpg"]);
    // A file may be named itself.
    assert_eq!(files(&*store, &["/a/1"]).len(), 1);
}

pub(crate) fn a_span_of_time_leaves_out_what_has_no_date(place: &dyn Place) {
    let store = place.fresh();
    let mut changes = Vec::new();
    for (number, at, from) in [
        (1, Some(-10), TakenFrom::Exif),
        (2, Some(0), TakenFrom::File),
        (3, Some(1_700_000_000), TakenFrom::Exif),
        (4, None, TakenFrom::Exif),
    ] {
        let item = Item {
            taken: at.map(|at| Taken { at, from }),
            ..picture(number, axis(number.into()))
        };
        changes.push(Change::Put(item));
        changes.push(link(&format!("/{number}"), number));
    }
    store.apply(&changes).unwrap();
    let ask = |filter: Filter, want: &[u16]| {
        let want: Vec<Id> = want.iter().map(|number| id(*number)).collect();
        assert_eq!(found(&*store, &filter), want, "{filter:?}");
    };
    let check = |after, before, want: &[u16]| {
        let filter = Filter {
            after,
            before,
            ..Filter::default()
        };
        ask(filter, want);
    };
    check(None, None, &[1, 2, 3, 4]);
    check(Some(-10), None, &[1, 2, 3]);
    check(Some(-9), None, &[2, 3]);
    check(None, Some(0), &[1]);
    check(Some(1_700_000_000), Some(1_700_000_001), &[3]);
    check(Some(1_700_000_001), None, &[]);
    // What only its file's time tells of can be left out.
    let dated = Filter {
        dated: true,
        ..Filter::default()
    };
    ask(dated.clone(), &[1, 3]);
    let before = Some(100);
    ask(Filter { before, ..dated }, &[1]);
}

pub(crate) fn equal_files_are_one_hit(place: &dyn Place) {
    let store = place.fresh();
    let changes = [
        Change::Put(picture(1, axis(0))),
        link("/b/2", 1),
        link("/a/1", 1),
        link("/b/1", 1),
        link("/b/0/9", 1),
    ];
    store.apply(&changes).unwrap();
    let hits = search(&*store, &axis(0), 10, &Filter::default());
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].files, ["/a/1", "/b/0/9", "/b/1", "/b/2"]);
    let hits = search(&*store, &axis(0), 10, &within(&["/b", "/c"]));
    assert_eq!(hits[0].files, ["/b/0/9", "/b/1", "/b/2"]);
}

pub(crate) fn moments_are_found_one_by_one(place: &dyn Place) {
    let store = place.fresh();
    let film = film(1, vec![axis(0), axis(1), axis(2)]);
    store
        .apply(&[Change::Put(film.clone()), link("/f", 1)])
        .unwrap();
    for (at, moment) in film.moments.iter().enumerate() {
        let hits = search(&*store, &axis(at), 2, &Filter::default());
        assert_eq!(hits.len(), 2);
        assert_eq!(hits[0].part, moment.part);
        assert_eq!(hits[0].score, 1.0);
    }
}

pub(crate) fn of_equally_near_ones_the_older_come_first(place: &dyn Place) {
    let store = place.fresh();
    // Higher ids come first, and there are more than a server is asked for at once.
    for number in (1..=40).rev() {
        let path = format!("/{number}");
        let put = [Change::Put(picture(number, axis(0))), link(&path, number)];
        store.apply(&put).unwrap();
    }
    let hits = search(&*store, &axis(0), 5, &Filter::default());
    let ids: Vec<Id> = hits.iter().map(|hit| hit.id).collect();
    assert_eq!(ids, [id(40), id(39), id(38), id(37), id(36)]);
}
