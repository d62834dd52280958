//! Files that are equal, nearly equal, or one.

use std::ops::ControlFlow;
use std::path::Path;

use diptych_index::{Change, File, Id, Item, Local, Model, Moment, Store};

use super::super::{Duplicates, Group, NearThreshold, Sought, duplicates};
use crate::index::{self as indexing, canonical, state};
use crate::source::Pictures;
use diptych::Clip;
use diptych::image::{Encoding, Interpolation, PerceptualHash, Picture};

/// A picture with edges in many places.
fn drawn(seed: usize, width: usize, height: usize) -> Picture {
    let pixel = |i: usize| {
        let (x, y) = (640 * (i % width) / width, 640 * (i / width) / height);
        let (column, row) = (x / 80, y / 80);
        let at = (column * 7 + row * 13 + seed * 29 + column * row * (seed + 3)) * 2_654_435_761;
        let value = |shift: usize| (at >> shift) as u8;
        if (x % 80).abs_diff(40) + (y % 80).abs_diff(40) < 20 + at % 23 {
            [value(8), value(16), value(11)]
        } else {
            [value(4) / 2, (x / 3) as u8, (y / 3) as u8]
        }
    };
    let rgb = (0..width * height).flat_map(pixel).collect();
    Picture::from_rgb(width, height, rgb).unwrap()
}

/// An index of vectors in the plane, in degrees, of pictures that look as these seeds, with files
/// of a size and time.
struct Plane {
    _folder: tempfile::TempDir,
    store: Local,
    n: u8,
}

impl Plane {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = Model {
            name: "plane".into(),
            fingerprint: "plane".into(),
            dim: 2,
        };
        let store = Local::create(folder.path().join("index"), &model).unwrap();
        Self {
            _folder: folder,
            store,
            n: 0,
        }
    }

    fn add(&mut self, degrees: f32, seed: usize, side: u64, files: &[File]) {
        self.n += 1;
        let radians = degrees.to_radians();
        let size = [("width", side), ("height", side)];
        let item = Item {
            id: Id([self.n; 16]),
            taken: None,
            phash: Some(PerceptualHash::of(&drawn(seed, 64, 64)).to_bytes()),
            payload: size
                .into_iter()
                .map(|(key, side)| (key.into(), side.into()))
                .collect(),
            moments: vec![Moment {
                part: Default::default(),
                vector: vec![radians.cos(), radians.sin()],
            }],
        };
        let id = item.id;
        self.store.apply(&[Change::Put(item)]).unwrap();
        for file in files {
            self.store.apply(&[Change::Link(file.clone(), id)]).unwrap();
        }
    }

    fn find(&self, degrees: f32) -> Duplicates {
        find(&self.store, Some(degrees.to_radians().cos()))
    }
}

fn find(store: &dyn Store, threshold: Option<f32>) -> Duplicates {
    let sought = Sought {
        threshold,
        ..Sought::default()
    };
    duplicates(store, &sought, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// A file that is on no disk.
fn file(path: &str, size: u64, modified: i64) -> File {
    File {
        path: path.into(),
        size,
        modified,
    }
}

fn names(group: &Group) -> Vec<&str> {
    group
        .members
        .iter()
        .map(|copy| copy.path.as_str())
        .collect()
}

fn paths(groups: &[Group]) -> Vec<Vec<&str>> {
    groups.iter().map(names).collect()
}

#[test]
fn a_chain_is_cut_into_groups_around_keepers() {
    let mut plane = Plane::new();
    for n in 0..9u8 {
        // The further, the smaller: the first is the best.
        let side = 100 - u64::from(n);
        plane.add(f32::from(n) * 5.0, 1, side, &[file(&format!("/{n}"), 1, 1)]);
    }
    let found = plane.find(11.0);
    let groups = [
        vec!["/0", "/1", "/2"],
        vec!["/3", "/4", "/5"],
        vec!["/6", "/7", "/8"],
    ];
    assert_eq!(paths(&found.near), groups);
    for group in &found.near {
        // Of the two that are furthest apart.
        assert!((group.cosine - 10f32.to_radians().cos()).abs() < 1e-5);
    }
    assert_eq!(paths(&plane.find(4.9).near), [[""; 0]; 0]);
    // Those on both sides of a keeper are further from each other than from it, and that is what is
    // told.
    plane.add(2.5, 1, 200, &[file("/best", 1, 1)]);
    let group = &plane.find(8.0).near[0];
    assert_eq!(names(group), ["/best", "/0", "/1", "/2"]);
    assert!((group.cosine - 10f32.to_radians().cos()).abs() < 1e-5);
}

#[test]
fn the_keeper_has_most_pixels_then_most_bytes_then_is_the_oldest() {
    let mut plane = Plane::new();
    plane.add(0.0, 1, 50, &[file("/large file", 99, 1)]);
    plane.add(1.0, 1, 60, &[file("/young", 10, 9), file("/old", 10, 3)]);
    plane.add(2.0, 1, 60, &[file("/small", 8, 1)]);
    let found = plane.find(5.0);
    assert_eq!(
        paths(&found.near),
        [["/old", "/young", "/small", "/large file"]]
    );
    assert_eq!(paths(&found.exact), [["/old", "/young"]]);
    assert_eq!(found.exact[0].cosine, 1.0);
    let pixels = &found.near[0].members[0];
    assert_eq!((pixels.size, pixels.pixels), (10, Some((60, 60))));
}

#[test]
fn pictures_that_are_merely_alike_to_the_model_are_no_duplicates() {
    let mut plane = Plane::new();
    for seed in 0..6 {
        plane.add(
            seed as f32 * 0.01,
            seed,
            64,
            &[file(&format!("/{seed}"), 1, 1)],
        );
    }
    assert_eq!(plane.find(30.0), Duplicates::default());
    // And such that look alike, but that the model finds far apart.
    plane.add(90.0, 0, 64, &[file("/far", 1, 1)]);
    assert_eq!(plane.find(30.0), Duplicates::default());
    assert_eq!(paths(&plane.find(91.0).near), [["/0", "/far"]]);
}

#[test]
fn only_files_that_are_there_as_they_were_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let top = canonical(folder.path()).unwrap();
    let at = |name: &str| top.join(name).to_str().unwrap().to_owned();
    let write = |name: &str, bytes: &[u8]| fs_err::write(at(name), bytes).unwrap();
    for name in ["a", "b", "changed", "gone"] {
        write(name, b"equal");
    }
    let files = ["a", "b", "changed", "gone"].map(|name| state(&at(name)).unwrap());
    let mut plane = Plane::new();
    plane.add(0.0, 1, 64, &files);
    write("other", b"another");
    plane.add(90.0, 2, 64, &[state(&at("other")).unwrap()]);
    write("changed", b"something else");
    fs_err::remove_file(at("gone")).unwrap();
    let found = plane.find(5.0);
    assert_eq!(found.stale, 2);
    assert_eq!(paths(&found.exact), [[at("a"), at("b")]]);
    // One that is left alone is no duplicate of what is gone.
    fs_err::remove_file(at("b")).unwrap();
    let found = plane.find(5.0);
    assert_eq!((found.exact, found.stale), (Vec::new(), 3));
    // Nor are two that have both changed, or both gone.
    write("a", b"one thing");
    write("b", b"and another");
    assert_eq!(plane.find(5.0).exact, []);
    fs_err::remove_file(at("a")).unwrap();
    fs_err::remove_file(at("b")).unwrap();
    assert_eq!(plane.find(5.0).exact, []);
    // Nor all that were in a folder that is empty now.
    fs_err::remove_file(at("changed")).unwrap();
    fs_err::remove_file(at("other")).unwrap();
    let found = plane.find(5.0);
    assert_eq!((found.exact, found.stale), (Vec::new(), 5));
    // Where not even a folder is there, the index is of another machine, and that is told.
    drop(folder);
    let found = plane.find(5.0);
    assert_eq!((found.exact[0].members.len(), found.stale), (4, 0));
    assert!(found.exact[0].members.iter().all(|member| member.gone));
}

#[test]
fn pictures_that_only_one_that_is_gone_was_near_to_both_are_no_group() {
    let folder = tempfile::tempdir().unwrap();
    let top = canonical(folder.path()).unwrap();
    let mut plane = Plane::new();
    let mut write = |name: &str, degrees: f32, side: u64| {
        let path = top.join(name).to_str().unwrap().to_owned();
        fs_err::write(&path, name).unwrap();
        plane.add(degrees, 1, side, &[state(&path).unwrap()]);
        path
    };
    let left = write("left", 0.0, 64);
    let keeper = write("keeper", 5.0, 128);
    let right = write("right", 10.0, 64);
    assert_eq!(paths(&plane.find(6.0).near), [[&*keeper, &right, &left]]);
    fs_err::remove_file(&keeper).unwrap();
    let found = plane.find(6.0);
    assert_eq!((found.near, found.stale), (Vec::new(), 1));
}

#[cfg(unix)]
#[test]
fn names_of_one_file_are_no_duplicates() {
    let folder = tempfile::tempdir().unwrap();
    let top = canonical(folder.path()).unwrap();
    let at = |name: &str| top.join(name).to_str().unwrap().to_owned();
    fs_err::write(at("a"), b"equal").unwrap();
    fs_err::hard_link(at("a"), at("hard")).unwrap();
    std::os::unix::fs::symlink(at("a"), at("soft")).unwrap();
    let files = ["a", "hard", "soft"].map(|name| state(&at(name)).unwrap());
    let mut plane = Plane::new();
    plane.add(0.0, 1, 64, &files);
    assert_eq!(plane.find(5.0), Duplicates::default());
    fs_err::write(at("copy"), b"equal").unwrap();
    let copy = state(&at("copy")).unwrap();
    plane
        .store
        .apply(&[Change::Link(copy, Id([1; 16]))])
        .unwrap();
    assert_eq!(plane.find(5.0).exact[0].members.len(), 2);
}

#[test]
fn copies_of_photographs_are_found_by_the_models_own_threshold() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    fs_err::create_dir(&pictures).unwrap();
    let save = |name: String, picture: &Picture, encoding: Encoding| {
        fs_err::write(pictures.join(name), encoding.encode(picture).unwrap()).unwrap();
    };
    const N: usize = 24;
    for seed in 0..N {
        let picture = drawn(seed, 240, 160);
        save(format!("{seed:02}.png"), &picture, Encoding::Png);
        let bright = |&v: &u8| (u32::from(v) * 6 / 5).min(255) as u8;
        let bright = picture.as_bytes().iter().map(bright).collect();
        let copy = match seed % 4 {
            0 => picture.resize(150, 100, Interpolation::Bicubic),
            1 => picture.crop(4, 2, 233, 155).unwrap(),
            2 => Picture::from_rgb(240, 160, bright).unwrap(),
            _ => picture,
        };
        save(format!("{seed:02} copy.jpg"), &copy, Encoding::Jpeg);
    }
    let clip = Clip::open("default").unwrap();
    let model = Model {
        name: "default".into(),
        fingerprint: clip.fingerprint().unwrap().into(),
        dim: clip.config().embed_dim,
    };
    let store = Local::create(folder.path().join("index"), &model).unwrap();
    let options = indexing::Options::default();
    let go_on = &mut |_| ControlFlow::Continue(());
    indexing::index(
        &clip,
        &store,
        &[&Pictures::default()],
        std::slice::from_ref(&pictures),
        &options,
        go_on,
    )
    .unwrap();
    let threshold = NearThreshold::measure(&clip, &store).unwrap();
    assert!(
        threshold.pictures > 20 && threshold.cosine < 0.98,
        "{threshold:?}"
    );
    threshold.note(&store).unwrap();
    assert_eq!(NearThreshold::noted(&store).unwrap(), Some(threshold));
    let found = find(&store, Some(threshold.cosine));
    assert_eq!((found.exact.len(), found.unseen, found.stale), (0, 0, 0));
    let name = |path: &str| {
        Path::new(path)
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let mut n = 0;
    for group in &found.near {
        let [keeper, copy] = &group.members[..] else {
            panic!("{group:?}");
        };
        assert_eq!(
            name(&copy.path).split(' ').next(),
            name(&keeper.path).split(' ').next()
        );
        n += 1;
    }
    assert!(n >= N - 2, "{n} of {N}");
}
