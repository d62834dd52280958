//! `diptych index forget`, and the folders that an index knows.

use serde_json::json;

use crate::index::Album;

/// The folders that an index knows, by their last names.
fn known(album: &Album) -> Vec<String> {
    let status = album.run(&["index", "status", "--json"]).json();
    let paths = status[0]["known"].as_array().unwrap().iter();
    let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap().to_owned();
    paths.map(|path| name(path.as_str().unwrap())).collect()
}

#[test]
fn a_folder_that_was_forgotten_is_not_looked_through_again() {
    let album = Album::new(2);
    let (pictures, more) = (album.path("pictures"), album.path("more"));
    fs_err::create_dir(&more).unwrap();
    album.draw("../more/a.png", 9);
    album.run(&["index", &pictures, &more]).ok();
    assert_eq!(known(&album), ["more", "pictures"]);
    let status = album.run(&["index", "status"]).ok();
    assert!(
        status.contains("more\n") && !status.contains("(gone)"),
        "{status}"
    );

    // One that is gone is an error that says what to do.
    fs_err::remove_dir_all(&more).unwrap();
    let lost = album.run(&["index"]);
    assert_eq!(lost.code, Some(2));
    assert!(
        lost.stderr.contains("error: ") && lost.stderr.contains("`diptych index forget DIR`"),
        "{lost:?}"
    );
    let status = album.run(&["index", "status"]).ok();
    assert!(status.contains("more  (gone)\n"), "{status}");
    let forgotten = album.run(&["index", "forget", &more]);
    assert_eq!(
        (forgotten.code, &*forgotten.stdout),
        (Some(0), "1 files forgotten\n")
    );
    assert!(
        forgotten.stderr.contains("no longer looked through"),
        "{forgotten:?}"
    );
    assert_eq!(known(&album), ["pictures"]);
    assert_eq!(album.run(&["index"]).code, Some(0));

    // One that is there stays out, too, with what was named below it.
    album.run(&["index", &album.path("pictures/0.png")]).ok();
    album.run(&["index", "forget", &pictures]);
    assert_eq!(known(&album), [""; 0]);
    album.run(&["index"]).fails(&["knows no folder"]);
    assert_eq!(album.run(&["index", "forget", &pictures]).code, Some(1));
}

#[test]
fn what_comes_back_to_a_known_folder_is_told() {
    let album = Album::new(2);
    fs_err::create_dir(album.path("pictures/sub")).unwrap();
    album.draw("sub/a.png", 9);
    album.index();
    let sub = album.path("pictures/sub");
    let forgotten = album.run(&["index", "forget", &sub]);
    assert_eq!(forgotten.stdout, "1 files forgotten\n");
    assert!(
        forgotten
            .stderr
            .contains("takes it in again, unless `.diptychignore`"),
        "{forgotten:?}"
    );
    assert_eq!(known(&album), ["pictures"]);
    assert_eq!(album.index()["encoded"], 1);
    fs_err::write(album.path("pictures/.diptychignore"), "sub\n").unwrap();
    album.run(&["index", "forget", &sub]);
    assert_eq!(album.index()["encoded"], 0);
}

#[test]
fn a_name_that_leads_nowhere_is_not_known_from_then_on() {
    let album = Album::new(1);
    album.index();
    album
        .run(&["index", &album.path("pictrues")])
        .fails(&["pictrues"]);
    assert_eq!(known(&album), ["pictures"]);
    assert_eq!(album.run(&["index"]).code, Some(0));
}

#[test]
fn many_known_files_are_counted_before_they_are_looked_at() {
    let album = Album::new(12);
    let list: String = (0..12)
        .map(|i| album.path(&format!("pictures/{i}.png\n")))
        .collect();
    fs_err::write(album.path("list"), list).unwrap();
    album
        .run(&["index", &format!("@{}", album.path("list"))])
        .ok();
    let ran = album.run(&["index"]);
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(
        ran.stderr
            .starts_with("looking through 12 folders and files"),
        "{ran:?}"
    );
    let status = album.run(&["index", "status"]).ok();
    assert!(
        status.contains("and 2 more; `--json` lists them"),
        "{status}"
    );
    assert_eq!(known(&album).len(), 12);
}

#[test]
fn files_that_were_refused_are_no_pictures_that_are_gone() {
    let album = Album::new(2);
    let bad = album.path("pictures/bad.jpg");
    let pictures = album.path("pictures");
    fs_err::write(&bad, "no picture").unwrap();
    album.run(&["index", &pictures]).fails(&["bad.jpg"]);
    let forgotten = album.run(&["index", "forget", &bad]);
    assert_eq!(
        forgotten.stdout,
        "0 files forgotten, and 1 that could not be indexed\n"
    );
    assert_eq!(forgotten.code, Some(0));
    album.run(&["index", &pictures]).fails(&["bad.jpg"]);
    fs_err::remove_dir_all(&pictures).unwrap();
    fs_err::create_dir(&pictures).unwrap();
    let ran = album.run(&["index", "--forget-emptied", &pictures]).ok();
    assert!(
        ran.contains(" 2 removed,") && ran.ends_with(", 1 that were refused are gone\n"),
        "{ran}"
    );
    fs_err::write(&bad, "no picture").unwrap();
    album.run(&["index", &pictures]).fails(&["bad.jpg"]);
    fs_err::remove_file(&bad).unwrap();
    let report = album
        .run(&["index", "--forget-emptied", &pictures, "--json"])
        .json();
    assert_eq!(
        (&report[0]["removed"], &report[0]["refused_gone"]),
        (&json!(0), &json!(1))
    );
}
