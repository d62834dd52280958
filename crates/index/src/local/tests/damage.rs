//! Bytes that a disk has lost: all of them are told of.

use std::ops::ControlFlow;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::{Local, sibling};
use super::{File, file, item, model, unit};
use crate::{Change, Id, Item, Moment, Part, Region, Store};

/// An index with something in every table, and its file.
fn index(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let path = folder.path().join("index");
    let store = Local::create(&path, &model()).unwrap();
    for n in 0..120u8 {
        let mut new = item(n, Some(i64::from(n) * 1_000_000), rng);
        new.payload.insert("camera".into(), format!("C{n}").into());
        let id = new.id;
        let link = |path: String| Change::Link(file(&path), id);
        let links = [
            link(format!("/p/{}/{n}.jpg", n % 7)),
            link(format!("/q/{n}")),
        ];
        let refused = Change::Refuse(file(&format!("/r/{n}")), "it is no picture".into());
        let [first, second] = links;
        store
            .apply(&[Change::Put(new), first, second, refused])
            .unwrap();
    }
    let film = Item {
        moments: (0..9)
            .map(|second| Moment {
                part: Part {
                    region: (second % 2 == 0).then_some(Region {
                        left: 0.25,
                        top: 0.0,
                        right: 1.0,
                        bottom: f64::from(second + 1) / 9.0,
                    }),
                    ..Part::during(f64::from(second), f64::from(second) + 0.5)
                },
                vector: unit(rng),
            })
            .collect(),
        ..item(200, None, rng)
    };
    let link = Change::Link(file("/film"), film.id);
    store.apply(&[Change::Put(film), link]).unwrap();
    // What is deleted leaves room in the pages.
    let gone: Vec<Change> = (0..40).map(|n| Change::Unlink(format!("/q/{n}"))).collect();
    store.apply(&gone).unwrap();
    store.set_note("threshold", &[7; 300]).unwrap();
    store.settle().unwrap();
    path
}

/// Problems of an index, whether opening or verifying it tells them.
fn told(path: &std::path::Path) -> Vec<String> {
    match Local::open(path).and_then(|store| store.verify()) {
        Ok(verified) => verified.problems,
        Err(error) => vec![error.to_string()],
    }
}

type Held = (
    Vec<(Item, Vec<File>)>,
    Vec<(File, Option<Id>)>,
    Vec<(File, String)>,
    Option<Vec<u8>>,
);

/// All that an index holds.
fn held(path: &std::path::Path) -> Option<Held> {
    let store = Local::open(path).ok()?;
    let (mut items, mut files) = (Vec::new(), Vec::new());
    let each = store.each(&mut |item, files| {
        items.push((item, files));
        ControlFlow::Continue(())
    });
    each.ok()?;
    store
        .files(&[], &mut |file, id| files.push((file, id)))
        .ok()?;
    Some((
        items,
        files,
        store.refused().ok()?,
        store.note("threshold").ok()?,
    ))
}

#[test]
fn a_byte_that_changes_is_noticed_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = index(&folder);
    assert_eq!(told(&path), [""; 0]);
    let whole = fs_err::read(&path).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(8);
    for _ in 0..250 {
        let at = rng.random_range(0..whole.len());
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << rng.random_range(0..8);
        fs_err::write(&path, &bytes).unwrap();
        assert_ne!(told(&path), [""; 0], "byte {at}");
    }
    fs_err::write(&path, &whole).unwrap();
    assert_eq!(told(&path), [""; 0]);
}

#[test]
fn what_an_index_holds_is_not_another_unnoticed_even_without_a_seal() {
    let folder = tempfile::tempdir().unwrap();
    let path = index(&folder);
    fs_err::remove_file(sibling(&path, "seal")).unwrap();
    let (whole, before) = (fs_err::read(&path).unwrap(), held(&path));
    let rng = &mut ChaCha8Rng::seed_from_u64(9);
    let mut changed = 0;
    for _ in 0..250 {
        let at = rng.random_range(0..whole.len());
        let mut bytes = whole.clone();
        bytes[at] ^= rng.random_range(1..=255u8);
        fs_err::write(&path, &bytes).unwrap();
        if held(&path) != before {
            changed += 1;
            assert_ne!(told(&path), [""; 0], "byte {at}");
        }
    }
    // Most of so small a file is room for more.
    assert!(changed > 12, "{changed} of 250 changed what is held");
}

#[test]
fn a_damaged_row_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = index(&folder);
    let wrong = |sql: &str| {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch(sql).unwrap();
    };
    wrong("UPDATE vectors SET embedding = zeroblob(96) WHERE vector = 5");
    let problems = told(&path);
    let names = |words: &[&str]| {
        let has_all = |sentence: &&String| words.iter().all(|word| sentence.contains(word));
        problems.iter().any(|sentence| has_all(&sentence))
    };
    assert!(
        names(&["vector 5", "/p/4/4.jpg", "checksum"]),
        "{problems:?}"
    );
    wrong(
        "UPDATE items SET taken = taken + 1 WHERE item = 3; UPDATE files SET size = 9 WHERE name = '7.jpg'",
    );
    let problems = told(&path);
    let names = |word: &str| problems.iter().any(|sentence| sentence.contains(word));
    assert!(names("content 3 (of /p/2/2.jpg)"), "{problems:?}");
    assert!(names("file 7.jpg"), "{problems:?}");
}

#[test]
fn what_is_searched_is_checked_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = index(&folder);
    let scan = sibling(&path, "scan");
    let whole = fs_err::read(&scan).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs_err::write(&scan, &bytes).unwrap();
        assert_ne!(told(&path), [""; 0], "byte {at}");
    }
}

#[test]
fn an_index_that_was_not_closed_is_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = index(&folder);
    let copy = folder.path().join("copy");
    let rng = &mut ChaCha8Rng::seed_from_u64(10);
    let store = Local::create(&path, &model()).unwrap();
    let new = item(250, None, rng);
    let link = Change::Link(file("/new"), new.id);
    store.apply(&[Change::Put(new), link]).unwrap();
    // As a kill leaves it, or a backup finds it.
    for name in ["", "-wal"] {
        let of = |path: &std::path::Path| format!("{}{name}", path.display());
        fs_err::copy(of(&path), of(&copy)).unwrap();
    }
    assert!(!sibling(&path, "seal").exists());
    assert_eq!(told(&copy), [""; 0]);
    let again = Local::create(&copy, &model()).unwrap();
    again.apply(&[Change::Unlink("/new".into())]).unwrap();
    drop(again);
    assert!(sibling(&copy, "seal").exists());
    assert_eq!(told(&copy), [""; 0]);
    // Another history of the same index beside the seal of this one.
    drop(store);
    assert_eq!(told(&path), [""; 0]);
    fs_err::copy(sibling(&copy, "seal"), sibling(&path, "seal")).unwrap();
    assert_eq!(told(&path), [""; 0]);
}
