//! Indexes that older versions made.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rusqlite::{Connection, params};

use super::super::{Cells, Local, schema};
use super::{DIM, file, item, many, model, search, unit};
use crate::{Change, Error, Filter, Id, Method, Region, Store, Taken, TakenFrom};

/// The tables of format 1, as it made them.
const FORMAT_1: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE items (
        item INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, taken INTEGER,
        payload TEXT NOT NULL
    );
    CREATE TABLE vectors (
        vector INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL REFERENCES items,
        span_start REAL, span_end REAL, embedding BLOB NOT NULL
    );
    CREATE INDEX vectors_of ON vectors (item);
    CREATE TABLE folders (folder INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
    CREATE TABLE files (
        folder INTEGER NOT NULL REFERENCES folders, name TEXT NOT NULL,
        item INTEGER NOT NULL REFERENCES items, size INTEGER NOT NULL, modified INTEGER NOT NULL,
        PRIMARY KEY (folder, name)
    ) WITHOUT ROWID;
    CREATE INDEX files_of ON files (item);
    CREATE TABLE refused (
        path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, reason TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE changes (vector INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
    CREATE INDEX changes_by ON changes (generation);
    PRAGMA application_id = 1684631668;
    PRAGMA user_version = 1;
    PRAGMA journal_mode = wal;
    INSERT INTO meta VALUES ('identity', 42), ('generation', 3), ('kept_from', 0);
    INSERT INTO folders VALUES (1, '/a'), (2, '/b');
    INSERT INTO refused VALUES ('/a/bad', 4, 5, 'it is no picture');
    INSERT INTO notes VALUES ('threshold', x'0102');
";

/// An index of format 1 with two pictures, whose third was deleted.
fn old(path: &std::path::Path, vectors: &[Vec<f32>; 2]) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(FORMAT_1).unwrap();
    let model = serde_json::to_string(&model()).unwrap();
    let sql = "INSERT INTO meta VALUES ('model', ?)";
    db.execute(sql, [model]).unwrap();
    for (n, vector) in (1..).zip(vectors.iter().chain([&vectors[0]])) {
        let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
        let sql = "INSERT INTO items VALUES (?1, ?2, ?3, '{\"camera\":\"C\"}')";
        db.execute(sql, params![n, [n as u8; 16], 1000 * n])
            .unwrap();
        let sql = "INSERT INTO vectors VALUES (?1, ?1, NULL, NULL, ?2)";
        db.execute(sql, params![n, bytes]).unwrap();
        let sql = "INSERT INTO files VALUES (?1, ?2, ?1, 1, 2)";
        if n < 3 {
            db.execute(sql, params![n, format!("{n}.jpg")]).unwrap();
        }
        db.execute("INSERT INTO changes VALUES (?, 3)", [n])
            .unwrap();
    }
    db.execute_batch("DELETE FROM vectors WHERE vector = 3; DELETE FROM items WHERE item = 3")
        .unwrap();
}

/// Makes an index one of format 2, which had the same tables but for those that came later.
fn to_format_2(path: &std::path::Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch("DROP TABLE pending; DROP TABLE regions; PRAGMA user_version = 2")
        .unwrap();
    // It is of what was there before.
    fs_err::remove_file(super::super::sibling(path, "seal")).unwrap();
}

#[test]
fn an_index_of_format_2_opens_with_all_that_it_held() {
    // By one who reads and by one who writes.
    for writes in [false, true] {
        let (folder, store, queries) = many(300, Cells::Auto);
        let path = folder.path().join("index");
        let ask = |store: &Local| search(store, &queries[0], 9, &Filter::default(), Method::Auto);
        let before = ask(&store);
        drop(store);
        to_format_2(&path);
        let store = if writes {
            Local::create(&path, &model()).unwrap()
        } else {
            Local::open(&path).unwrap()
        };
        assert_eq!(ask(&store), before);
        assert_eq!(store.status().unwrap().format, schema::FORMAT);
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
        drop(store);
        let rng = &mut ChaCha8Rng::seed_from_u64(13);
        let store = Local::change(&path).unwrap();
        let new = item(9, Some(5), rng);
        let link = Change::Link(file("/a/9.jpg"), new.id);
        store.apply(&[Change::Put(new), link]).unwrap();
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
    }
}

#[test]
fn an_index_of_format_2_is_read_where_it_cant_be_written() {
    let (folder, store, queries) = many(300, Cells::Auto);
    let path = folder.path().join("index");
    let ask = |store: &Local| search(store, &queries[0], 9, &Filter::default(), Method::Auto);
    let before = ask(&store);
    drop(store);
    to_format_2(&path);
    let whole = fs_err::read(&path).unwrap();
    // Nothing can be written beside what is no folder's.
    fs_err::remove_file(super::super::sibling(&path, "lock")).unwrap();
    fs_err::create_dir(super::super::sibling(&path, "lock")).unwrap();
    let store = Local::open(&path).unwrap();
    assert_eq!(ask(&store), before);
    let status = store.status().unwrap();
    assert_eq!((status.format, status.contents), (2, 300));
    assert_eq!(store.item(before[0].id).unwrap().unwrap().moments.len(), 1);
    assert_eq!(store.verify().unwrap().problems, [""; 0]);
    drop(store);
    assert_eq!(fs_err::read(&path).unwrap(), whole);
}

#[test]
fn an_index_of_format_2_is_read_while_another_process_has_it() {
    let (folder, store, queries) = many(300, Cells::Auto);
    let path = folder.path().join("index");
    let ask = |store: &Local| search(store, &queries[0], 9, &Filter::default(), Method::Auto);
    let before = ask(&store);
    drop(store);
    to_format_2(&path);
    let lock = super::super::lock::Lock::take(&path).unwrap();
    let reader = Local::open(&path).unwrap();
    assert_eq!(reader.status().unwrap().format, 2);
    assert_eq!(ask(&reader), before);
    drop(lock);
    // What is brought up to date meanwhile is seen, and so are the tables that the reader did
    // without.
    let writer = Local::change(&path).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(14);
    let mut new = item(9, None, rng);
    new.moments[0].part.region = Some(Region {
        left: 0.0,
        top: 0.25,
        right: 0.5,
        bottom: 1.0,
    });
    let (id, moment) = (new.id, new.moments[0].clone());
    writer.apply(&[Change::Begin(new.clone())]).unwrap();
    assert_eq!(reader.status().unwrap().contents, 300);
    let link = Change::Link(file("/a/9.jpg"), id);
    writer.apply(&[Change::Put(new), link]).unwrap();
    assert_eq!(reader.status().unwrap().format, schema::FORMAT);
    let hits = search(&reader, &moment.vector, 1, &Filter::default(), Method::Auto);
    assert_eq!((hits[0].id, hits[0].part), (id, moment.part));
    assert_eq!(reader.item(id).unwrap().unwrap().moments, [moment]);
}

#[test]
fn an_index_of_format_1_that_another_process_has_says_so() {
    let rng = &mut ChaCha8Rng::seed_from_u64(12);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    old(&path, &[unit(rng), unit(rng)]);
    let lock = super::super::lock::Lock::take(&path).unwrap();
    let refused = Local::open(&path).err().unwrap();
    assert!(matches!(refused, Error::Locked { .. }), "{refused}");
    drop(lock);
    // Nothing can be written beside what is no folder's.
    fs_err::remove_file(super::super::sibling(&path, "lock")).unwrap();
    fs_err::create_dir(super::super::sibling(&path, "lock")).unwrap();
    let refused = Local::open(&path).err().unwrap().to_string();
    assert!(
        refused.contains("format 1") && refused.contains("copy it"),
        "{refused}"
    );
}

#[test]
fn an_index_of_format_1_opens_with_all_that_it_held() {
    let rng = &mut ChaCha8Rng::seed_from_u64(11);
    let vectors = [unit(rng), unit(rng)];
    // By one who reads and by one who writes.
    for writes in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        old(&path, &vectors);
        let store = if writes {
            Local::create(&path, &model()).unwrap()
        } else {
            Local::open(&path).unwrap()
        };
        let hits = search(&store, &vectors[1], 5, &Filter::default(), Method::Auto);
        assert_eq!(hits[0].files, ["/b/2.jpg"]);
        assert_eq!(hits[0].payload["camera"], "C");
        let taken = Taken {
            at: 2000,
            from: TakenFrom::Unknown,
        };
        assert_eq!(hits[0].taken, Some(taken));
        assert_eq!(hits[0].id, Id([2; 16]));
        assert_eq!(hits[1].files, ["/a/1.jpg"]);
        let dated = Filter {
            dated: true,
            ..Filter::default()
        };
        assert_eq!(search(&store, &vectors[1], 5, &dated, Method::Auto), []);
        assert_eq!(store.refused().unwrap()[0].0.path, "/a/bad");
        assert_eq!(store.note("threshold").unwrap(), Some(vec![1, 2]));
        assert_eq!(store.status().unwrap().format, schema::FORMAT);
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
        drop(store);
        // It takes changes, and gives no number twice.
        let store = Local::change(&path).unwrap();
        let new = item(9, Some(5), rng);
        assert_eq!(new.moments[0].vector.len(), DIM);
        let link = Change::Link(file("/a/9.jpg"), new.id);
        store.apply(&[Change::Put(new), link]).unwrap();
        store.settle().unwrap();
        let sql = "SELECT max(vector) FROM vectors";
        let newest = store.read(|db| db.query_row(sql, [], |row| row.get::<_, i64>(0)));
        let newest = newest.unwrap();
        assert_eq!(newest, 4);
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
    }
}
