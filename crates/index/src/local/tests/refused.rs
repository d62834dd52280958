//! Openings and changes that are refused: other writers, other models, other files, and damaged
//! ones.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::{Cells, Local, schema, sibling};
use super::{DIM, Pair, file, item, many, model, search};
use crate::{Change, Error, Filter, Method, Model, Query, Store};

#[test]
fn one_process_writes_at_a_time() {
    let pair = Pair::new();
    let refused = Local::create(pair.path(), &model()).err().unwrap();
    assert!(matches!(refused, Error::Locked { pid: Some(pid), .. } if pid == std::process::id()));
    let words = refused.to_string();
    assert!(
        words.contains("another process") && words.contains("index"),
        "{words}"
    );
}

#[test]
fn another_models_vectors_are_refused_and_both_are_named() {
    let mut pair = Pair::new();
    pair.store = None;
    let other = Model {
        name: "other".into(),
        fingerprint: "fedcba9876543210".into(),
        dim: DIM,
    };
    let words = Local::create(pair.path(), &other)
        .err()
        .unwrap()
        .to_string();
    for word in ["`test`", "`other`", "0123456789ab", "fedcba987654"] {
        assert!(words.contains(word), "{words}");
    }
    // The same model under another name is the same.
    let renamed = Model {
        name: "other".into(),
        ..model()
    };
    assert!(Local::create(pair.path(), &renamed).is_ok());
}

#[test]
fn a_model_without_values_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    for dim in [0, usize::MAX] {
        let model = Model { dim, ..model() };
        let refused = Local::create(&path, &model).err().unwrap();
        assert!(matches!(refused, Error::Change { .. }), "{refused}");
        assert!(refused.to_string().contains("`test`"), "{refused}");
        assert!(!path.exists());
    }
}

#[test]
fn what_is_no_index_is_told_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let missing = Local::open(&path).err().unwrap();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    fs_err::write(
        &path,
        "not a database at all, but a text of some length".repeat(9),
    )
    .unwrap();
    for refused in [
        Local::open(&path).err(),
        Local::create(&path, &model()).err(),
    ] {
        let words = refused.unwrap().to_string();
        assert!(words.contains("is no index"), "{words}");
    }
    fs_err::remove_file(&path).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(db);
    for refused in [
        Local::open(&path).err(),
        Local::create(&path, &model()).err(),
    ] {
        let words = refused.unwrap().to_string();
        assert!(words.contains("another program"), "{words}");
    }
}

#[test]
fn what_can_be_no_index_is_named_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs_err::write(&empty, "").unwrap();
    let opened = Local::open(&empty).err().unwrap().to_string();
    assert!(opened.ends_with("no index, but an empty file"), "{opened}");
    let within = folder.path().join("folder");
    fs_err::create_dir(&within).unwrap();
    for refused in [
        Local::open(&within).err(),
        Local::create(&within, &model()).err(),
        Local::change(&within).err(),
    ] {
        let words = refused.unwrap().to_string();
        assert!(words.ends_with("no index, but a folder"), "{words}");
    }
    // No lock, either.
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
    let below = Local::create(empty.join("index"), &model()).err().unwrap();
    assert!(matches!(below, Error::Io(_)), "{below}");
    // An empty file becomes one.
    assert!(Local::create(&empty, &model()).is_ok());
}

/// Numbers of errors and the forms that names have for a database mean nothing to who named a file.
#[test]
fn errors_of_the_database_are_in_words() {
    use rusqlite::ffi;
    let path = std::path::Path::new("photos.diptych");
    for code in [
        ffi::SQLITE_IOERR_READ,
        ffi::SQLITE_CANTOPEN,
        ffi::SQLITE_CANTOPEN_ISDIR,
        ffi::SQLITE_READONLY,
        ffi::SQLITE_FULL,
        ffi::SQLITE_NOTADB,
    ] {
        let error = rusqlite::Error::SqliteFailure(
            ffi::Error::new(code),
            Some("unable to open database file: file:photos.diptych?immutable=1".into()),
        );
        let words = Error::database(path, error).to_string();
        assert!(words.starts_with("photos.diptych: "), "{words}");
        for foreign in ["immutable", "rror code", "database"] {
            assert!(!words.contains(foreign), "{words}");
        }
    }
}

#[test]
fn an_index_of_another_format_says_what_to_do() {
    let mut pair = Pair::new();
    pair.store = None;
    for (version, advice) in [(schema::FORMAT + 1, "newer version"), (0, "again")] {
        let db = rusqlite::Connection::open(pair.path()).unwrap();
        db.pragma_update(None, "user_version", version).unwrap();
        drop(db);
        let words = Local::open(pair.path()).err().unwrap().to_string();
        assert!(
            words.contains(advice) && words.contains(&format!("format {version}")),
            "{words}"
        );
    }
}

#[test]
fn a_truncated_index_is_told_and_not_made_worse() {
    let (folder, store, queries) = many(2000, Cells::Never);
    drop(store);
    let path = folder.path().join("index");
    let whole = fs_err::read(&path).unwrap();
    for share in [1, 3, 7, 9] {
        let cut = &whole[..whole.len() * share / 10];
        fs_err::write(&path, cut).unwrap();
        // Some of it may still be read; all of it can't.
        let told = match Local::open(&path) {
            Err(error) => Some(error.to_string()),
            Ok(store) => match store.verify() {
                Err(error) => Some(error.to_string()),
                Ok(verified) => verified.problems.first().cloned(),
            },
        };
        assert!(told.is_some(), "a file of {share} tenths");
        if let Ok(store) = Local::open(&path) {
            let query = Query {
                vector: &queries[0],
                k: 5,
                filter: &Filter::default(),
                method: Method::Auto,
            };
            // Hits or a sentence.
            let _ = store.search(&query);
        }
        assert_eq!(fs_err::read(&path).unwrap(), cut);
    }
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let (folder, store, queries) = many(500, Cells::Always);
    let path = folder.path().join("index");
    let scan = sibling(&path, "scan");
    let before = search(&store, &queries[0], 5, &Filter::default(), Method::Scan);
    drop(store);
    let whole = fs_err::read(&scan).unwrap();
    let cut = whole[..whole.len() - 1].to_vec();
    let mut other = whole.clone();
    other[8] ^= 1; // the identity
    for bytes in [Vec::new(), cut, other, b"dptscan1".to_vec()] {
        fs_err::write(&scan, bytes).unwrap();
        let store = Local::open(&path).unwrap();
        assert_eq!(
            search(&store, &queries[0], 5, &Filter::default(), Method::Auto),
            before
        );
        drop(store);
        let store = Local::change(&path).unwrap();
        store.settle().unwrap();
        assert_eq!(fs_err::read(&scan).unwrap().len(), whole.len());
    }
}

#[test]
fn vectors_that_can_not_be_the_models_are_refused_with_all_of_their_batch() {
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let mut pair = Pair::new();
    let good = item(1, None, rng);
    for vector in [vec![0.1; DIM - 1], vec![f32::NAN; DIM]] {
        let mut bad = item(2, None, rng);
        bad.moments[0].vector = vector;
        let batch = [
            Change::Put(good.clone()),
            Change::Link(file("/1"), good.id),
            Change::Put(bad),
        ];
        let refused = pair.store().apply(&batch).err().unwrap();
        assert!(matches!(refused, Error::Vector { .. }), "{refused}");
        assert_eq!(pair.store().status().unwrap().contents, 0);
    }
    let refused = pair.store().apply(&[Change::Link(file("/1"), good.id)]);
    assert!(refused.err().unwrap().to_string().contains("/1"));
}
