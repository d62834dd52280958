//! A local index beside a plain list of what it should hold.

mod beside;
mod damage;
mod formats;
mod refused;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Cells, Local};
use crate::{
    Change, File, Filter, Hit, Id, Item, Method, Model, Moment, Part, Payload, Query, Store, Taken,
    TakenFrom,
};

const DIM: usize = 24;

fn model() -> Model {
    Model {
        name: "test".into(),
        fingerprint: "0123456789abcdef".into(),
        dim: DIM,
    }
}

fn unit(rng: &mut ChaCha8Rng) -> Vec<f32> {
    let values: Vec<f32> = (0..DIM).map(|_| rng.random_range(-1.0..1.0)).collect();
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.iter().map(|v| v / length).collect()
}

fn item(id: u8, taken: Option<i64>, rng: &mut ChaCha8Rng) -> Item {
    let from = match id % 3 {
        0 => TakenFrom::File,
        _ => TakenFrom::Exif,
    };
    Item {
        id: Id([id; 16]),
        taken: taken.map(|at| Taken { at, from }),
        phash: id.is_multiple_of(2).then(|| vec![id; 5]),
        payload: Payload::new(),
        moments: vec![Moment {
            part: Part::default(),
            vector: unit(rng),
        }],
    }
}

fn file(path: &str) -> File {
    File {
        path: path.into(),
        size: 1,
        modified: 2,
    }
}

/// An index in a folder of its own, and what it should hold.
struct Pair {
    folder: tempfile::TempDir,
    store: Option<Local>,
    items: BTreeMap<Id, Item>,
    files: BTreeMap<String, Id>,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut pair = Self {
            folder,
            store: None,
            items: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        pair.reopen();
        pair
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("index")
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Local::create(self.path(), &model()).unwrap());
    }

    fn store(&mut self) -> &mut Local {
        self.store.as_mut().unwrap()
    }

    /// Makes a change in the list.
    fn change(&mut self, change: &Change) {
        match change {
            Change::Put(item) => {
                self.items.insert(item.id, item.clone());
            }
            Change::Link(file, id) => {
                self.files.insert(file.path.clone(), *id);
            }
            Change::Unlink(path) => {
                self.files.remove(path);
            }
            Change::Refuse(file, _) => {
                self.files.remove(&file.path);
            }
            other => panic!("{other:?}"),
        }
        if !matches!(change, Change::Put(_)) {
            let files = &self.files;
            self.items.retain(|id, _| files.values().any(|of| of == id));
        }
    }

    /// The nearest by comparing with all.
    fn truth(&self, query: &[f32], k: usize, filter: &Filter) -> Vec<(Id, f32)> {
        let is_found = |item: &&Item| {
            let mut files = self.files.iter().filter(|(_, id)| **id == item.id);
            let in_time = filter
                .after
                .is_none_or(|after| item.taken.is_some_and(|t| t.at >= after))
                && filter
                    .before
                    .is_none_or(|before| item.taken.is_some_and(|t| t.at < before))
                && (!filter.dated || item.taken.is_some_and(|t| t.from == TakenFrom::Exif));
            in_time && files.any(|(path, _)| filter.holds(path))
        };
        let score = |item: &Item| {
            let products = item.moments[0].vector.iter().zip(query);
            products
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum::<f64>() as f32
        };
        let found = self.items.values().filter(is_found);
        let mut found: Vec<(Id, f32)> = found.map(|item| (item.id, score(item))).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(k);
        found
    }

    /// Asserts that all ways to search find what is there.
    fn check(&mut self, rng: &mut ChaCha8Rng) {
        let filters = [
            Filter::default(),
            Filter {
                within: vec!["/a".into()],
                ..Filter::default()
            },
            Filter {
                after: Some(3),
                before: Some(7),
                within: vec!["/a/b".into(), "/c".into(), "/ab/1".into()],
                dated: false,
            },
            Filter {
                dated: true,
                ..Filter::default()
            },
            Filter {
                before: Some(6),
                dated: true,
                ..Filter::default()
            },
        ];
        let query = unit(rng);
        for filter in &filters {
            let truth = self.truth(&query, 5, filter);
            let hits = search(self.store(), &query, 5, filter, Method::Scan);
            let found: Vec<(Id, f32)> = hits.iter().map(|hit| (hit.id, hit.score)).collect();
            assert_eq!(found.len(), truth.len());
            for (found, truth) in found.iter().zip(&truth) {
                assert!((found.1 - truth.1).abs() < 1e-5, "{found:?} {truth:?}");
            }
            for hit in &hits {
                let files = self
                    .files
                    .iter()
                    .filter(|(path, id)| **id == hit.id && filter.holds(path));
                let files: Vec<&String> = files.map(|(path, _)| path).collect();
                assert_eq!(hit.files.iter().collect::<Vec<_>>(), files);
            }
        }
        let verified = self.store().verify().unwrap();
        assert_eq!(verified.problems, [""; 0]);
        assert_eq!(verified.contents, self.items.len() as u64);
        assert_eq!(verified.files, self.files.len() as u64);
    }
}

fn search(store: &Local, vector: &[f32], k: usize, filter: &Filter, method: Method) -> Vec<Hit> {
    let query = Query {
        vector,
        k,
        filter,
        method,
    };
    store.search(&query).unwrap()
}

/// Changes as they come: contents with files at once, files that get other contents, files that go.
fn random_changes(pair: &Pair, rng: &mut ChaCha8Rng) -> Vec<Change> {
    const PATHS: &[&str] = &[
        "/a/1", "/a/2", "/a/3", "/a/b/1", "/a/b/2", "/ab/1", "/c/1", "/c/d/1", "/c/d/2", "/1",
    ];
    let path = PATHS.choose(rng).unwrap();
    let known: Vec<Id> = pair.items.keys().copied().collect();
    match rng.random_range(0..6) {
        0 => vec![Change::Unlink((*path).into())],
        1 => vec![Change::Refuse(file(path), "broken".into())],
        2 if !known.is_empty() => vec![Change::Link(file(path), *known.choose(rng).unwrap())],
        _ => {
            let taken = rng.random_bool(0.7).then(|| rng.random_range(0..10));
            let item = item(rng.random_range(0..30), taken, rng);
            let link = Change::Link(file(path), item.id);
            vec![Change::Put(item), link]
        }
    }
}

#[test]
fn whatever_changes_the_nearest_are_found() {
    for seed in 0..12 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut pair = Pair::new();
        for _ in 0..60 {
            let changes = random_changes(&pair, rng);
            pair.store().apply(&changes).unwrap();
            changes.iter().for_each(|change| pair.change(change));
            match rng.random_range(0..8) {
                0 => pair.store().settle().unwrap(),
                1 => pair.store().compact().unwrap(),
                2 => pair.reopen(),
                3 => fs_err::remove_file(super::sibling(&pair.path(), "scan")).unwrap_or_default(),
                4 => pair.store().set_cells(Cells::Always).unwrap(),
                5 => pair.store().set_cells(Cells::Auto).unwrap(),
                _ => {}
            }
            pair.check(rng);
        }
    }
}

/// An index of so many vectors around a tenth as many centres, and a query near one.
fn many(n: usize, cells: Cells) -> (tempfile::TempDir, Local, Vec<Vec<f32>>) {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let folder = tempfile::tempdir().unwrap();
    let store = Local::create(folder.path().join("index"), &model()).unwrap();
    let centres: Vec<Vec<f32>> = (0..n / 10).map(|_| unit(rng)).collect();
    let near = |rng: &mut ChaCha8Rng| {
        let centre = centres.choose(rng).unwrap();
        let noise = unit(rng);
        let values: Vec<f32> = centre.iter().zip(noise).map(|(c, n)| c + 0.5 * n).collect();
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        values.iter().map(|v| v / length).collect::<Vec<f32>>()
    };
    let mut changes = Vec::new();
    for i in 0..n as u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&i.to_be_bytes());
        changes.push(Change::Put(Item {
            id: Id(id),
            moments: vec![Moment {
                part: Part::default(),
                vector: near(rng),
            }],
            ..item(0, Some(i64::from(i)), rng)
        }));
        changes.push(Change::Link(file(&format!("/{}/{i}", i % 10)), Id(id)));
    }
    store.set_cells(cells).unwrap();
    store.apply(&changes).unwrap();
    store.settle().unwrap();
    let queries = (0..20).map(|_| near(rng)).collect();
    (folder, store, queries)
}

#[test]
fn a_scan_in_eight_bits_is_exact() {
    let (_folder, store, queries) = many(3000, Cells::Never);
    let all: Vec<(Id, Vec<f32>)> = {
        let mut all = Vec::new();
        store
            .each(&mut |item, _| {
                all.push((item.id, item.moments[0].vector.clone()));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        all
    };
    for query in &queries {
        let dot = |vector: &[f32]| {
            let mut dot = [0f32];
            diptych_kernels::dots(query, diptych_kernels::Vectors::F32(vector), &mut dot);
            dot[0]
        };
        let mut truth: Vec<(Id, f32)> = all.iter().map(|(id, vector)| (*id, dot(vector))).collect();
        truth.sort_by(|a, b| b.1.total_cmp(&a.1));
        let hits = search(&store, query, 50, &Filter::default(), Method::Scan);
        let found: Vec<(Id, f32)> = hits.iter().map(|hit| (hit.id, hit.score)).collect();
        assert_eq!(found, truth[..50]);
    }
}

#[test]
fn cells_find_what_a_scan_finds_and_follow_changes() {
    let (_folder, store, queries) = many(40_000, Cells::Always);
    assert!(store.searched.held().n_cells() > 100);
    let filter = Filter {
        within: vec!["/3".into(), "/4".into(), "/5".into()],
        ..Filter::default()
    };
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    // Half of the queries lie near no centre, as texts do among pictures.
    let far: Vec<Vec<f32>> = (0..20).map(|_| unit(rng)).collect();
    let mut agree = 0;
    for query in queries.iter().chain(&far) {
        for filter in [&Filter::default(), &filter] {
            let ids = |method| -> Vec<Id> {
                let hits = search(&store, query, 10, filter, method);
                hits.iter().map(|hit| hit.id).collect()
            };
            let (scan, cells) = (ids(Method::Scan), ids(Method::Cells));
            assert_eq!(cells.len(), 10);
            agree += cells.iter().filter(|id| scan.contains(id)).count();
        }
    }
    assert!(agree >= 784, "{agree} of 800");
    // Few that a filter lets through are all found, wherever they lie.
    let seven = Filter {
        after: Some(1000),
        before: Some(1007),
        ..Filter::default()
    };
    let hits = search(&store, &queries[0], 10, &seven, Method::Cells);
    assert_eq!(hits.len(), 7);
    // Cells that deletions emptied say nothing of the others.
    let near = search(&store, &queries[0], 3000, &Filter::default(), Method::Scan);
    let gone = near.iter().flat_map(|hit| &hit.files);
    let gone: Vec<Change> = gone.map(|path| Change::Unlink(path.clone())).collect();
    store.apply(&gone).unwrap();
    let ids = |method| -> Vec<Id> {
        let hits = search(&store, &queries[0], 10, &Filter::default(), method);
        hits.iter().map(|hit| hit.id).collect()
    };
    let (scan, cells) = (ids(Method::Scan), ids(Method::Cells));
    let agree = cells.iter().filter(|id| scan.contains(id)).count();
    assert!(agree >= 9, "{agree} of 10");
    // What came last, and what has gone.
    let new = item(255, None, rng);
    let vector = new.moments[0].vector.clone();
    let id = new.id;
    store
        .apply(&[Change::Put(new), Change::Link(file("/new"), id)])
        .unwrap();
    let first = |store: &Local| search(store, &vector, 1, &Filter::default(), Method::Cells)[0].id;
    assert_eq!(first(&store), id);
    store.settle().unwrap();
    assert_eq!(first(&store), id);
    store.apply(&[Change::Unlink("/new".into())]).unwrap();
    assert_ne!(first(&store), id);
    assert_eq!(store.verify().unwrap().problems, [""; 0]);
}

#[test]
fn another_process_reads_while_one_writes() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let mut pair = Pair::new();
    let reader = Local::open(pair.path()).unwrap();
    let query = unit(rng);
    for n in 1..20u8 {
        let new = item(n, None, rng);
        let link = Change::Link(file(&format!("/{n}")), new.id);
        pair.store().apply(&[Change::Put(new), link]).unwrap();
        let hits = search(&reader, &query, 100, &Filter::default(), Method::Auto);
        assert_eq!(hits.len(), usize::from(n));
        if n == 10 {
            pair.store().settle().unwrap();
        }
    }
}

#[test]
fn a_database_that_was_put_back_is_not_searched_by_what_came_later() {
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let mut pair = Pair::new();
    let (path, copy) = (pair.path(), pair.folder.path().join("copy"));
    let add = |store: &mut Local, id: u8, rng: &mut ChaCha8Rng| {
        let new = item(id, None, rng);
        let link = Change::Link(file(&format!("/{id}")), new.id);
        store.apply(&[Change::Put(new), link]).unwrap();
        store.settle().unwrap();
    };
    add(pair.store(), 1, rng);
    pair.store = None;
    fs_err::copy(&path, &copy).unwrap();
    pair.reopen();
    add(pair.store(), 2, rng);
    pair.store().apply(&[Change::Unlink("/1".into())]).unwrap();
    pair.store().settle().unwrap();
    pair.store = None;
    // Changed again, and killed before it was settled.
    fs_err::copy(&copy, &path).unwrap();
    pair.reopen();
    for id in 3..9 {
        let new = item(id, None, rng);
        let link = Change::Link(file(&format!("/{id}")), new.id);
        pair.store().apply(&[Change::Put(new), link]).unwrap();
    }
    pair.store = None;
    let all = search(
        &Local::open(&path).unwrap(),
        &unit(rng),
        10,
        &Filter::default(),
        Method::Auto,
    );
    assert_eq!(all.len(), 7);
    assert_eq!(
        Local::open(&path).unwrap().verify().unwrap().problems,
        [""; 0]
    );
    fs_err::copy(&copy, &path).unwrap();

    let query = unit(rng);
    let ids = |store: &Local| -> Vec<Id> {
        let hits = search(store, &query, 10, &Filter::default(), Method::Auto);
        hits.iter().map(|hit| hit.id).collect()
    };
    assert_eq!(ids(&Local::open(&path).unwrap()), [Id([1; 16])]);
    pair.reopen();
    pair.store().settle().unwrap();
    assert_eq!(ids(pair.store()), [Id([1; 16])]);
    pair.store = None;
    let again = Local::open(&path).unwrap();
    assert_eq!(ids(&again), [Id([1; 16])]);
    assert_eq!(again.verify().unwrap().problems, [""; 0]);
}

#[test]
fn settling_what_is_settled_writes_nothing() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let mut pair = Pair::new();
    let new = item(1, None, rng);
    let link = Change::Link(file("/1"), new.id);
    pair.store().apply(&[Change::Put(new), link]).unwrap();
    pair.store().settle().unwrap();
    let state = |pair: &Pair| {
        let files = fs_err::read_dir(pair.folder.path()).unwrap();
        let mut all: Vec<_> = files
            .map(|entry| {
                let entry = entry.unwrap();
                let meta = entry.metadata().unwrap();
                (entry.path(), meta.modified().unwrap(), meta.len())
            })
            .filter(|(path, ..)| !path.to_string_lossy().ends_with("-shm"))
            .collect();
        all.sort();
        all
    };
    let before = state(&pair);
    std::thread::sleep(std::time::Duration::from_millis(20));
    pair.store().settle().unwrap();
    assert_eq!(state(&pair), before);
}

#[test]
fn folders_are_told_once_however_they_are_named() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let mut pair = Pair::new();
    let new = item(1, None, rng);
    let id = new.id;
    let links = ["/a/b/1", "/a/2", "/c/3"].map(|path| Change::Link(file(path), id));
    pair.store().apply(&[Change::Put(new)]).unwrap();
    pair.store().apply(&links).unwrap();
    for (within, n) in [
        (vec!["/a"], 2),
        (vec!["/a", "/a/", "/a/b"], 2),
        (vec!["/a/b/", "/c"], 2),
        (vec!["/"], 3),
        (vec!["/", "/a"], 3),
        (vec!["/a/2"], 1),
    ] {
        let within: Vec<String> = within.into_iter().map(str::to_owned).collect();
        let mut told = 0;
        pair.store().files(&within, &mut |_, _| told += 1).unwrap();
        assert_eq!(told, n, "{within:?}");
    }
}
