//! Searches beside each other and beside writers: each is of one generation, and of none that is
//! older than its call.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::{Cells, Local, sibling, upkeep};
use super::{DIM, file, item, many, model, search, unit};
use crate::{Change, Filter, Id, Item, Method, Moment, Query, Store};

/// Contents that are all replaced by each commit, and vectors of each.
const CONTENTS: u8 = 20;
const MOMENTS: usize = 3;

/// A vector that only one generation has.
fn of_generation(generation: u64, content: u8, moment: usize) -> Vec<f32> {
    let seed = generation * 1000 + u64::from(content) * 10 + moment as u64;
    unit(&mut ChaCha8Rng::seed_from_u64(seed))
}

/// Replaces all contents, and moves their files.
fn commit(generation: u64) -> Vec<Change> {
    let change = |content: u8| {
        let moments = (0..MOMENTS).map(|moment| Moment {
            vector: of_generation(generation, content, moment),
            ..item(0, None, &mut ChaCha8Rng::seed_from_u64(0))
                .moments
                .remove(0)
        });
        let mut new = Item {
            moments: moments.collect(),
            ..item(content, None, &mut ChaCha8Rng::seed_from_u64(0))
        };
        new.payload.insert("generation".into(), generation.into());
        let id = new.id;
        let old = generation.wrapping_sub(1) % 3;
        [
            Change::Put(new),
            Change::Link(file(&format!("/{}/{content}", generation % 3)), id),
            Change::Unlink(format!("/{old}/{content}")),
        ]
    };
    (0..CONTENTS).flat_map(change).collect()
}

/// Asserts that a search is of one generation, which is returned.
fn check(store: &Local, query: &[f32], method: Method) -> u64 {
    let hits = search(store, query, 1000, &Filter::default(), method);
    assert_eq!(hits.len(), usize::from(CONTENTS) * MOMENTS);
    let generation = hits[0].payload["generation"].as_u64().unwrap();
    let mut wanted: Vec<f32> = Vec::new();
    for content in 0..CONTENTS {
        for moment in 0..MOMENTS {
            let vector = of_generation(generation, content, moment);
            let mut score = [0f32];
            let vectors = diptych_kernels::Vectors::F32(&vector);
            diptych_kernels::dots(query, vectors, &mut score);
            wanted.extend(score);
        }
    }
    wanted.sort_by(|a, b| b.total_cmp(a));
    let scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
    assert_eq!(scores, wanted);
    for hit in &hits {
        assert_eq!(hit.payload["generation"], generation);
        assert_eq!(hit.files, [format!("/{}/{}", generation % 3, hit.id.0[0])]);
    }
    generation
}

/// Asserts that all else that is read is of one generation.
fn check_reads(store: &Local, at_least: u64) {
    let of = |item: &Item| item.payload["generation"].as_u64().unwrap();
    let one = store.item(Id([3; 16])).unwrap().unwrap();
    assert!(of(&one) >= at_least);
    for (moment, read) in one.moments.iter().enumerate() {
        assert_eq!(read.vector, of_generation(of(&one), 3, moment));
    }
    let mut generations = Vec::new();
    let each = |item: Item, files: Vec<crate::File>| {
        assert_eq!(files.len(), 1);
        generations.push(of(&item));
        ControlFlow::Continue(())
    };
    store.each(&mut { each }).unwrap();
    assert_eq!(generations.len(), usize::from(CONTENTS));
    generations.dedup();
    assert_eq!(generations.len(), 1);
    let mut paths = Vec::new();
    store
        .files(&[], &mut |file, _| paths.push(file.path))
        .unwrap();
    let folder = paths[0].split_at(2).0.to_owned();
    assert!(
        paths.iter().all(|path| path.starts_with(&folder)),
        "{paths:?}"
    );
    assert_eq!(paths.len(), usize::from(CONTENTS));
    let status = store.status().unwrap();
    assert_eq!((status.contents, status.files), (20, 20));
    assert_eq!(status.vectors, 60);
    assert_eq!(
        store.has(&[Id([3; 16]), Id([99; 16])]).unwrap(),
        [true, false]
    );
}

/// Searches by these stores while `writer` commits, settles and makes all anew.
fn race(writer: &Local, readers: &[&Local]) {
    const COMMITS: u64 = 150;
    let done = AtomicBool::new(false);
    let committed = AtomicU64::new(1);
    writer.apply(&commit(1)).unwrap();
    std::thread::scope(|scope| {
        for (n, reader) in readers.iter().cycle().take(6).enumerate() {
            let (done, committed) = (&done, &committed);
            scope.spawn(move || {
                let mut last = 0;
                let mut rounds = 0;
                while !done.load(Ordering::SeqCst) || rounds == 0 {
                    let at_least = committed.load(Ordering::SeqCst);
                    let query = unit(&mut ChaCha8Rng::seed_from_u64(rounds + n as u64));
                    let generation = check(reader, &query, Method::Auto);
                    assert!(generation >= at_least.max(last), "{generation} {at_least}");
                    last = generation;
                    if n % 3 == 0 {
                        check_reads(reader, at_least);
                    }
                    rounds += 1;
                }
            });
        }
        for generation in 2..COMMITS {
            writer.apply(&commit(generation)).unwrap();
            committed.store(generation, Ordering::SeqCst);
            match generation % 16 {
                3 => writer.settle().unwrap(),
                7 => writer.set_cells(Cells::Always).unwrap(),
                11 => writer.compact().unwrap(),
                15 => writer.set_cells(Cells::Auto).unwrap(),
                _ => {}
            }
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(writer.verify().unwrap().problems, [""; 0]);
}

#[test]
fn searches_beside_a_writer_are_each_of_one_generation() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Local::create(folder.path().join("index"), &model()).unwrap();
    race(&writer, &[&writer]);
}

#[test]
fn searches_beside_a_writer_of_another_process_are_each_of_one_generation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let writer = Local::create(&path, &model()).unwrap();
    let (first, second) = (Local::open(&path).unwrap(), Local::open(&path).unwrap());
    race(&writer, &[&first, &second, &writer]);
}

#[test]
fn threads_that_write_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let store = Local::create(folder.path().join("index"), &model()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let store = &store;
            scope.spawn(move || {
                let rng = &mut ChaCha8Rng::seed_from_u64(thread.into());
                for n in 0..20 {
                    let new = item(thread * 20 + n, None, rng);
                    let link = Change::Link(file(&format!("/{thread}/{n}")), new.id);
                    store.apply(&[Change::Put(new), link]).unwrap();
                    store.set_note(&thread.to_string(), &[n]).unwrap();
                    if n % 8 == 0 {
                        store.settle().unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(store.status().unwrap().files, 80);
    assert_eq!(store.note("3").unwrap(), Some(vec![19]));
    assert_eq!(store.verify().unwrap().problems, [""; 0]);
}

/// Settles, and drops the list of changes however short it is.
fn settle_and_forget(store: &Local) {
    store.settle().unwrap();
    let generation = store.searched.held().generation;
    let mut writer = store.writer().unwrap();
    let db = writer.unseal(store.path()).unwrap();
    upkeep::forget_changes(db, generation).unwrap();
}

/// New contents, from this number on.
fn add(store: &Local, numbers: std::ops::Range<u32>) {
    let rng = &mut ChaCha8Rng::seed_from_u64(numbers.start.into());
    let change = |number: u32| {
        let mut new = item(0, None, rng);
        new.id.0[8..12].copy_from_slice(&(number + 1).to_be_bytes());
        let link = Change::Link(file(&format!("/added/{number}")), new.id);
        [Change::Put(new), link]
    };
    let changes: Vec<Change> = numbers.flat_map(change).collect();
    store.apply(&changes).unwrap();
}

#[test]
fn one_that_reads_takes_over_cells_and_room_that_the_writer_made() {
    let (folder, writer, queries) = many(3000, Cells::Always);
    let reader = Local::open(folder.path().join("index")).unwrap();
    let ask = |store: &Local| search(store, &queries[0], 20, &Filter::default(), Method::Scan);
    let mut last = 3000;
    for round in 0..6 {
        // It sees them before they are in cells.
        add(&writer, last..last + 400);
        last += 400;
        assert_eq!(ask(&reader), ask(&writer));
        writer.settle().unwrap();
        add(&writer, last..last + 1);
        last += 1;
        assert_eq!(ask(&reader), ask(&writer));
        assert_eq!(reader.searched.held().outside(), 1, "{round}");
    }
    let gone = (3000..4600).map(|n| Change::Unlink(format!("/added/{n}")));
    writer.apply(&gone.collect::<Vec<_>>()).unwrap();
    assert_eq!(ask(&reader), ask(&writer));
    assert!(reader.searched.held().is_sparse());
    writer.settle().unwrap();
    add(&writer, last..last + 1);
    assert_eq!(ask(&reader), ask(&writer));
    assert!(!reader.searched.held().is_sparse());
}

#[test]
fn one_that_reads_follows_a_few_changes_without_the_file() {
    let (folder, writer, queries) = many(3000, Cells::Always);
    let reader = Local::open(folder.path().join("index")).unwrap();
    let made = reader.searched.held().made;
    let ask = |store: &Local| search(store, &queries[0], 20, &Filter::default(), Method::Scan);
    for n in 0..20 {
        add(&writer, 2 * n..2 * n + 1);
        writer.settle().unwrap();
        add(&writer, 2 * n + 1..2 * n + 2);
        writer.settle().unwrap();
        assert_eq!(ask(&reader), ask(&writer));
        assert_eq!(reader.searched.held().made, made);
    }
    // A long list is dropped.
    add(&writer, 100..600);
    writer.settle().unwrap();
    let listed = super::super::read::count(writer.writer().unwrap().db(), "changes");
    assert_eq!(listed, Ok(0));
    assert_eq!(ask(&reader), ask(&writer));
}

#[test]
fn threads_of_a_pool_may_write_and_settle_at_a_time() {
    let (done, is_done) = std::sync::mpsc::channel();
    // On a thread of its own, so that one that waits for itself fails, and does not hang.
    std::thread::spawn(move || {
        let (_folder, store, _) = many(10_000, Cells::Never);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let pool = pool.unwrap();
        let settled = AtomicBool::new(false);
        let added = std::thread::scope(|scope| {
            let adding = scope.spawn(|| {
                let mut n = 0;
                while !settled.load(Ordering::SeqCst) {
                    std::thread::sleep(std::time::Duration::from_millis(u64::from(n % 7)));
                    pool.install(|| add(&store, n..n + 1));
                    n += 1;
                }
                n
            });
            for cells in [Cells::Always, Cells::Never].into_iter().cycle().take(24) {
                store.set_cells(cells).unwrap();
                pool.install(|| store.settle().unwrap());
            }
            settled.store(true, Ordering::SeqCst);
            adding.join().unwrap()
        });
        let vectors = store.status().unwrap().vectors;
        done.send((vectors, u64::from(added))).unwrap();
    });
    let wait = std::time::Duration::from_secs(60);
    let (vectors, added) = is_done.recv_timeout(wait).unwrap();
    assert_eq!(vectors, 10_000 + added);
}

#[test]
fn what_is_searched_follows_others_whatever_they_threw_away() {
    let (folder, writer, queries) = many(3000, Cells::Always);
    let path = folder.path().join("index");
    let reader = Local::open(&path).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let nearest =
        |store: &Local, method| search(store, &queries[0], 20, &Filter::default(), method);
    for round in 0..12u8 {
        let gone = Change::Unlink(format!("/{}/{}", round % 10, u32::from(round) * 11));
        let new = item(100 + round, None, rng);
        let link = Change::Link(file(&format!("/new/{round}")), new.id);
        writer.apply(&[gone, Change::Put(new), link]).unwrap();
        match round % 4 {
            // The list of changes is gone, and what is searched is in the file.
            0 | 1 => settle_and_forget(&writer),
            2 => {
                settle_and_forget(&writer);
                fs_err::remove_file(sibling(&path, "scan")).unwrap();
            }
            _ => {}
        }
        assert_eq!(
            nearest(&reader, Method::Scan),
            nearest(&writer, Method::Scan)
        );
        assert_eq!(
            reader.status().unwrap().vectors,
            writer.status().unwrap().vectors
        );
    }
    let one = Local::open(&path).unwrap();
    assert_eq!(nearest(&one, Method::Scan), nearest(&writer, Method::Scan));
}

#[test]
fn another_index_in_the_place_of_one_that_is_read_is_told() {
    let (folder, store, queries) = many(300, Cells::Never);
    let path = folder.path().join("index");
    drop(store);
    let reader = Local::open(&path).unwrap();
    let (other_folder, other, _) = many(200, Cells::Never);
    drop(other);
    fs_err::rename(other_folder.path().join("index"), &path).unwrap();
    let ask = || {
        let query = Query {
            vector: &queries[0],
            k: 1000,
            filter: &Filter::default(),
            method: Method::Scan,
        };
        reader.search(&query)
    };
    // Connections that are open stay with what they have, and no other comes between.
    let (mut found, mut told) = (0, 0);
    let mut each = |_, _| {
        match ask() {
            Ok(hits) => {
                assert_eq!(hits.len(), 300);
                found += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("another index"), "{error}");
                told += 1;
            }
        }
        ControlFlow::Continue(())
    };
    reader.each(&mut each).unwrap();
    assert_eq!((found, told), (0, 300));
    assert_eq!(ask().unwrap().len(), 300);
}

#[test]
fn a_content_that_is_not_whole_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let new = item(1, None, rng);
    let id = new.id;
    {
        let store = Local::create(&path, &model()).unwrap();
        let begin = [Change::Begin(new.clone()), Change::Extend(id, new.moments)];
        store.apply(&begin).unwrap();
        store.compact().unwrap();
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
        assert_eq!(store.verify().unwrap().contents, 0);
    }
    assert_eq!(
        Local::open(&path).unwrap().verify().unwrap().problems,
        [""; 0]
    );
    let store = Local::change(&path).unwrap();
    assert!(store.begun(id).unwrap().is_some());
    store.sweep().unwrap();
    assert!(store.apply(&[Change::Finish(id)]).is_err());
    assert_eq!(store.verify().unwrap().problems, [""; 0]);
    let rows = |table: &str| super::super::read::count(&rusqlite::Connection::open(&path)?, table);
    assert_eq!((rows("items"), rows("vectors")), (Ok(0), Ok(0)));
}

#[test]
fn a_database_that_was_put_back_is_searched_as_it_is() {
    let (folder, store, queries) = many(300, Cells::Never);
    let all = search(&store, &queries[0], 1000, &Filter::default(), Method::Auto);
    let reader = Local::open(folder.path().join("index")).unwrap();
    store.apply(&[Change::Unlink("/0/0".into())]).unwrap();
    let less = || search(&reader, &queries[0], 1000, &Filter::default(), Method::Auto).len();
    assert_eq!(less(), all.len() - 1);
    let db = rusqlite::Connection::open(store.path()).unwrap();
    // As a restored one would have it: fewer changes than were searched.
    let sql = "UPDATE meta SET value = value - 1 WHERE name = 'generation'";
    db.execute_batch(sql).unwrap();
    assert_eq!(less(), all.len() - 1);
}

#[test]
fn a_search_within_a_pool_of_threads_does_not_wait_for_itself() {
    use rayon::prelude::*;
    let (_folder, store, queries) = many(40_000, Cells::Never);
    let ask = |vector: &Vec<f32>| search(&store, vector, 5, &Filter::default(), Method::Scan).len();
    let found: Vec<usize> = (0..8)
        .into_par_iter()
        .flat_map(|_| queries.par_iter().map(ask))
        .collect();
    assert_eq!(found, [5; 160]);
}

#[test]
fn any_number_of_hits_may_be_asked_for() {
    let (_folder, store, queries) = many(100, Cells::Always);
    for method in [Method::Auto, Method::Scan, Method::Cells] {
        for k in [usize::MAX, usize::MAX / 16, 101] {
            let hits = search(&store, &queries[0], k, &Filter::default(), method);
            assert_eq!(hits.len(), 100);
        }
        let query = Query {
            vector: &[0.1; DIM + 1],
            k: usize::MAX,
            filter: &Filter::default(),
            method,
        };
        assert!(store.search(&query).is_err());
    }
}
