//! Indexing, on folders that the tests make.

#[cfg(unix)]
mod links;
mod refused;
mod sources;
mod told;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use diptych_index::{Change, Filter, Local, Method, Model, Query, Store, Taken, TakenFrom};

use super::{
    Embedding, Failed, IGNORE_FILE, Options, Progress, Report, Shard, adopt, canonical, index,
    merge,
};
use crate::Error;
use crate::source::Pictures;
use diptych::Clip;
use diptych::image::{DecodeOptions, Encoding, Picture};

/// A folder of pictures and an index of it.
struct Album {
    folder: tempfile::TempDir,
    clip: Clip,
}

impl Album {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clip: Clip::open("default").unwrap(),
        }
    }

    fn pictures(&self) -> PathBuf {
        self.folder.path().join("pictures")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.pictures().join(name)
    }

    /// A PNG of one colour.
    fn draw(&self, name: &str, colour: u8) {
        let rgb = [colour, colour.wrapping_mul(7), 255 - colour].repeat(64);
        let bytes = Encoding::Png
            .encode(&Picture::from_rgb(8, 8, rgb).unwrap())
            .unwrap();
        self.write(name, &bytes);
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    fn model(&self) -> Model {
        Model {
            name: "default".into(),
            fingerprint: self.clip.fingerprint().unwrap().into(),
            dim: self.clip.config().embed_dim,
        }
    }

    fn store(&self, name: &str) -> Local {
        Local::create(self.folder.path().join(name), &self.model()).unwrap()
    }

    fn run_with(&self, store: &Local, options: &Options) -> Report {
        let roots = [self.pictures()];
        let report = index(
            &self.clip,
            store,
            &[&Pictures::default()],
            &roots,
            options,
            &mut |_| ControlFlow::Continue(()),
        );
        let report = report.unwrap();
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
        report
    }

    fn run(&self, store: &Local) -> Report {
        self.run_with(store, &Options::default())
    }

    /// The names of all files of an index, in order.
    fn files(&self, store: &dyn Store) -> Vec<String> {
        let mut names = Vec::new();
        let all = store.files(&[], &mut |file, id| {
            if id.is_some() {
                let path = Path::new(&file.path).strip_prefix(self.pictures()).unwrap();
                names.push(path.to_str().unwrap().to_owned());
            }
        });
        all.unwrap();
        names.sort();
        names
    }
}

/// Encoded, linked, removed and unchanged.
fn counts(report: &Report) -> [usize; 4] {
    [
        report.encoded,
        report.linked,
        report.removed,
        report.unchanged,
    ]
}

#[test]
fn what_is_new_changed_moved_or_gone_is_all_that_is_touched() {
    let album = Album::new();
    for (i, name) in ["a.png", "b.png", "sub/c.png", "sub/d.PNG"]
        .iter()
        .enumerate()
    {
        album.draw(name, i as u8);
    }
    album.draw("sub/copy of a.png", 0);
    album.write("notes.txt", b"no picture by its name");
    let store = album.store("index");
    assert_eq!(counts(&album.run(&store)), [4, 1, 0, 0]);
    assert_eq!(counts(&album.run(&store)), [0, 0, 0, 5]);

    fs_err::rename(album.path("b.png"), album.path("sub/b2.png")).unwrap();
    fs_err::remove_file(album.path("sub/d.PNG")).unwrap();
    album.write("sub/c.png", b"");
    album.draw("sub/c.png", 77);
    album.draw("new.png", 99);
    let report = album.run(&store);
    assert_eq!(counts(&report), [2, 1, 2, 2]);
    let files = [
        "a.png",
        "new.png",
        "sub/b2.png",
        "sub/c.png",
        "sub/copy of a.png",
    ];
    assert_eq!(album.files(&store), files);
    assert_eq!(store.status().unwrap().contents, 4);

    // A copy goes, the content stays; the last file takes it along.
    fs_err::remove_file(album.path("a.png")).unwrap();
    album.run(&store);
    assert_eq!(store.status().unwrap().contents, 4);
    fs_err::remove_file(album.path("sub/copy of a.png")).unwrap();
    album.run(&store);
    assert_eq!(store.status().unwrap().contents, 3);
}

#[test]
fn an_original_that_is_kept_under_another_name_keeps_its_content() {
    let album = Album::new();
    album.draw("photo.png", 1);
    album.draw("other.png", 2);
    let store = album.store("index");
    album.run(&store);
    // Edited, and the original kept beside it; its old name comes first.
    fs_err::rename(album.path("photo.png"), album.path("photo_original.png")).unwrap();
    album.draw("photo.png", 3);
    assert_eq!(counts(&album.run(&store)), [1, 1, 0, 1]);
    assert_eq!(store.status().unwrap().contents, 3);
    // Two exchange their names.
    let (photo, other) = (album.path("photo.png"), album.path("other.png"));
    let aside = album.folder.path().join("aside");
    fs_err::rename(&photo, &aside).unwrap();
    fs_err::rename(&other, &photo).unwrap();
    fs_err::rename(&aside, &other).unwrap();
    // As a tool would that gives new files new times.
    for path in [&photo, &other] {
        let file = fs_err::OpenOptions::new().append(true).open(path).unwrap();
        file.file()
            .set_modified(std::time::SystemTime::now())
            .unwrap();
    }
    // The one that is read second has lost its content to the first, and is encoded again.
    assert_eq!(counts(&album.run(&store)), [1, 1, 0, 1]);
    assert_eq!(store.status().unwrap().contents, 3);
    assert_eq!(counts(&album.run(&store)), [0, 0, 0, 3]);
}

#[test]
fn where_nothing_has_changed_nothing_is_written() {
    let album = Album::new();
    album.draw("a.png", 1);
    let store = album.store("index");
    album.run(&store);
    let written = || {
        let scan = diptych_files::metadata(album.folder.path().join("index.scan"));
        scan.unwrap().modified().unwrap()
    };
    let before = written();
    album.run(&store);
    assert_eq!(written(), before);
}

#[test]
fn a_picture_is_found_by_its_own_embedding_under_all_its_paths() {
    let album = Album::new();
    (0..20).for_each(|i| album.draw(&format!("{i}.png"), 12 * i));
    album.draw("again.png", 12 * 3);
    let store = album.store("index");
    album.run(&store);
    let pixels = album
        .clip
        .preprocess()
        .load(album.path("3.png"), &Default::default())
        .unwrap();
    let embedding = album.clip.encode_images(&pixels).unwrap();
    let query = Query {
        vector: embedding.as_slice(),
        k: 1,
        filter: &Filter::default(),
        method: Method::Auto,
    };
    let hits = store.search(&query).unwrap();
    assert!(hits[0].score > 0.999, "{hits:?}");
    let files: Vec<PathBuf> = hits[0].files.iter().map(PathBuf::from).collect();
    assert_eq!(files, [album.path("3.png"), album.path("again.png")]);
    assert!(
        hits[0].taken.is_some(),
        "the file's time, where the picture has none"
    );
}

#[test]
fn hidden_and_excluded_files_are_left_out() {
    let album = Album::new();
    for name in [
        "a.png",
        ".hidden.png",
        ".folder/b.png",
        "cache/c.png",
        "deep/cache/d.png",
        "e.tmp.png",
        "mine/f.png",
    ] {
        album.draw(name, 5);
    }
    album.write(&format!("mine/{IGNORE_FILE}"), b"f.png\n");
    let options = Options {
        exclude: vec!["cache/".into(), "*.tmp.png".into()],
        ..Options::default()
    };
    let store = album.store("index");
    album.run_with(&store, &options);
    assert_eq!(album.files(&store), ["a.png"]);
    let all = Options {
        hidden: true,
        ..Options::default()
    };
    album.run_with(&store, &all);
    let files = [
        ".folder/b.png",
        ".hidden.png",
        "a.png",
        "cache/c.png",
        "deep/cache/d.png",
        "e.tmp.png",
    ];
    assert_eq!(album.files(&store), files);
    // What is excluded now is no longer found.
    album.run_with(&store, &options);
    assert_eq!(album.files(&store), ["a.png"]);
}

#[test]
fn a_folder_that_is_empty_may_not_be_mounted() {
    let album = Album::new();
    album.draw("a.png", 1);
    let store = album.store("index");
    album.run(&store);
    fs_err::remove_file(album.path("a.png")).unwrap();
    let report = album.run(&store);
    assert_eq!((report.removed, report.emptied.len()), (0, 1));
    // One that is not there at all is an error, and nothing is lost either.
    fs_err::remove_dir(album.pictures()).unwrap();
    let report = album.run(&store);
    assert_eq!((report.removed, report.failed.len()), (0, 1));
    assert_eq!(album.files(&store), ["a.png"]);
    fs_err::create_dir(album.pictures()).unwrap();
    let options = Options {
        forget_emptied: true,
        ..Options::default()
    };
    assert_eq!(album.run_with(&store, &options).removed, 1);
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was() {
    let album = Album::new();
    (0..60).for_each(|i| album.draw(&format!("{i:02}.png"), 4 * i));
    let store = album.store("index");
    let roots = [album.pictures()];
    let stop = &mut |progress: Progress| match progress.done {
        20 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let report = index(
        &album.clip,
        &store,
        &[&Pictures::default()],
        &roots,
        &Options::default(),
        stop,
    )
    .unwrap();
    assert!(report.interrupted);
    assert_eq!(store.status().unwrap().files, 20);
    assert_eq!(counts(&album.run(&store)), [40, 0, 0, 20]);
}

#[test]
fn parts_that_were_indexed_apart_make_the_whole() {
    let album = Album::new();
    (0..30).for_each(|i| album.draw(&format!("{i}.png"), 8 * i));
    album.write("bad.png", b"bad");
    let whole = album.store("whole");
    album.run(&whole);
    let merged = album.store("merged");
    for part in 0..3 {
        let options = Options {
            shard: Shard::new(part, 3),
            ..Options::default()
        };
        let store = album.store(&format!("part {part}"));
        let report = album.run_with(&store, &options);
        assert!(report.encoded < 30, "{report:?}");
        merge(&store, &merged, &mut |_| ControlFlow::Continue(())).unwrap();
    }
    assert_eq!(album.files(&merged), album.files(&whole));
    assert_eq!(merged.refused().unwrap(), whole.refused().unwrap());
    assert_eq!(merged.verify().unwrap().problems, [""; 0]);
    let again = album.run(&merged);
    assert_eq!((counts(&again), again.refused), ([0, 0, 0, 30], 1));
    // What an older program wrote takes nothing from what is known.
    let known = |store: &Local| {
        let mut all = Vec::new();
        let each = store.each(&mut |item, _| {
            all.push((item.id, item.phash, item.taken));
            ControlFlow::Continue(())
        });
        each.unwrap();
        all.sort_by_key(|(id, ..)| *id);
        all
    };
    let old = album.store("old");
    let each = merged.each(&mut |mut item, files| {
        item.phash = None;
        item.taken = item.taken.map(|taken| Taken {
            at: taken.at - 3600,
            from: TakenFrom::Unknown,
        });
        let link = Change::Link(files[0].clone(), item.id);
        old.apply(&[Change::Put(item), link]).unwrap();
        ControlFlow::Continue(())
    });
    each.unwrap();
    let before = known(&merged);
    merge(&old, &merged, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(known(&merged), before);
    assert!(before.iter().all(|(_, phash, _)| phash.is_some()));
    let other = Model {
        fingerprint: "other".into(),
        ..album.model()
    };
    let other = Local::create(album.folder.path().join("other"), &other).unwrap();
    let refused = merge(&whole, &other, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(
        refused,
        Err(Error::Index(diptych_index::Error::Model { .. }))
    ));
}

#[test]
fn embeddings_made_elsewhere_are_not_made_again() {
    let album = Album::new();
    album.draw("here.png", 1);
    album.draw("copy.png", 1);
    let embedding = |path: PathBuf, at: usize| {
        let mut vector = vec![0.0; album.model().dim];
        vector[at] = 1.0;
        Embedding {
            path: path.to_str().unwrap().to_owned(),
            vector,
            payload: [("caption".to_owned(), "one".into())].into_iter().collect(),
        }
    };
    let store = album.store("index");
    let made = vec![
        embedding(album.path("here.png"), 0),
        embedding(album.path("not here.png"), 1),
    ];
    adopt(&store, made).unwrap();
    assert_eq!(album.files(&store), ["here.png", "not here.png"]);

    // One is unchanged, one a copy of it, and one is gone.
    assert_eq!(counts(&album.run(&store)), [0, 1, 1, 1]);
    let mut items = Vec::new();
    let each = store.each(&mut |item, _| {
        items.push(item);
        ControlFlow::Continue(())
    });
    each.unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].moments[0].vector[0], 1.0);
    assert_eq!(items[0].payload["caption"], "one");
    assert!(items[0].taken.is_some());
}

#[test]
fn a_folder_has_one_name_however_it_is_typed() {
    let plain = canonical(Path::new("/some/folder")).unwrap();
    for typed in ["/some/folder/", "/some/./folder", "/some//folder//"] {
        let place = canonical(Path::new(typed)).unwrap();
        assert_eq!(place.as_os_str(), plain.as_os_str());
    }
    let here = canonical(Path::new("folder/")).unwrap();
    assert!(here.is_absolute() && !here.to_string_lossy().ends_with('/'));
    let above = canonical(Path::new("folder/..")).is_err();
    assert!(above, "out of a folder that is not there");
}
