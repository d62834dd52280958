//! `diptych search`, `similar` and `duplicates`.

use diptych::image::{Encoding, Picture};
use serde_json::{Value, json};

use crate::index::Album;
use crate::support::*;

/// The names of the files in lines of JSON.
fn paths(lines: &[Value]) -> Vec<&str> {
    let name = |line: &'_ Value| -> Option<usize> { line["path"].as_str()?.rfind('/') };
    let names = lines
        .iter()
        .filter_map(|line| Some(&line["path"].as_str()?[name(line)? + 1..]));
    names.collect()
}

#[test]
fn a_search_prints_the_nearest_in_each_form() {
    let album = Album::new(20);
    album.index();
    let hits = album
        .run(&["search", "a", "blue", "square", "-k", "3", "--json"])
        .json();
    assert_eq!(hits.len(), 3);
    for hit in &hits {
        let keys: Vec<&String> = hit.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "copies",
                "end",
                "gone",
                "path",
                "score",
                "start",
                "taken",
                "taken_from"
            ]
        );
        assert!(hit["start"].is_null());
    }
    let scores: Vec<f64> = hits
        .iter()
        .map(|hit| hit["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let text = album.run(&["search", "a blue square", "-k", "3"]).ok();
    assert_eq!(text.lines().count(), 3);
    let zeros = album
        .run(&["search", "a blue square", "-k", "3", "--paths0"])
        .ok();
    let names: Vec<&str> = zeros
        .split_terminator('\0')
        .map(|path| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, paths(&hits));
    let shown = album
        .run(&["search", "a blue square", "-k", "1", "--preview=blocks"])
        .ok();
    assert!(shown.contains('\u{2580}'), "{shown}");
    let page = album.path("page.html");
    album
        .run(&["search", "<b>", "-k", "2", "--html", &page])
        .ok();
    let page = fs_err::read_to_string(page).unwrap();
    assert!(page.contains("&lt;b&gt;") && page.matches("data:image/jpeg").count() == 2);
}

#[test]
fn filters_and_thresholds_may_leave_nothing_which_is_exit_code_1() {
    let album = Album::new(5);
    album.index();
    let inside = album.path("pictures");
    let elsewhere = album.path("elsewhere");
    let n = |args: &[&str]| {
        let ran = album.run(&[&["search", "blue", "--json"], args].concat());
        let n = parse(&ran.stdout).len();
        assert_eq!(ran.code, Some(if n == 0 { 1 } else { 0 }), "{ran:?}");
        // Nothing is not told in silence.
        assert_eq!(n == 0, ran.stderr.starts_with("nothing found: "), "{ran:?}");
        n
    };
    assert_eq!(n(&["--in", &inside]), 5);
    assert_eq!(n(&["--in", &elsewhere]), 0);
    assert_eq!(n(&["--in", &album.path("pictures/3.png")]), 1);
    assert_eq!(n(&["--after", "2000"]), 5, "the files' own dates");
    assert_eq!(n(&["--before", "2000-02-03"]), 0);
    assert_eq!(n(&["--min-score", "-1"]), 5);
    assert_eq!(n(&["--min-score", "1.5"]), 0);
    assert_eq!(n(&["--method", "scan"]), 5);
    assert!(n(&["--min-score", "auto"]) <= 5);
    album
        .run(&["search", "blue", "--method", "cells"])
        .fails(&["no cells"]);
    let long = "blue ".repeat(90);
    album.run(&["search", &long]).fails(&[
        "query `blue blue",
        "blue… (449 characters)`: text has",
        "tokens",
        "hint: `--truncate`",
    ]);
    assert_eq!(n(&[&long, "--truncate"]), 5);
    let refused = album.run(&["search", "blue", "--after", "yesterday"]);
    assert_eq!(refused.code, Some(2));
    album
        .run(&["search", "blue +./nobody.jpg"])
        .fails(&["./nobody.jpg is no file"]);
}

#[test]
fn thirty_copies_are_one_hit() {
    let album = Album::new(3);
    (0..29).for_each(|i| album.draw(&format!("copy {i:02}.png"), 0));
    album.index();
    let search = |args: &[&str]| album.run(&[&["search", "blue", "-k", "3"], args].concat());
    let text = search(&[]).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let copies: Vec<&&str> = lines.iter().filter(|line| line.contains("cop")).collect();
    assert!(
        copies.len() == 1 && copies[0].ends_with("/0.png  +29 copies"),
        "{text}"
    );
    assert_eq!(search(&["--all-paths"]).ok().lines().count(), 32);
    assert_eq!(search(&["--paths0"]).ok().matches('\0').count(), 3);
    let all = search(&["--paths0", "--all-paths"]).ok();
    assert_eq!(all.matches('\0').count(), 32);
    let hits = search(&["--json"]).json();
    let of = |copies: u64| hits.iter().filter(|hit| hit["copies"] == copies).count();
    assert_eq!((hits.len(), of(29), of(0)), (32, 30, 2));
    let page = album.path("page.html");
    search(&["--html", &page]).ok();
    let page = fs_err::read_to_string(page).unwrap();
    assert!(page.contains("<p>3 results</p>") && page.contains("+29 copies"));
    let like = album.run(&["similar", &album.path("pictures/0.png"), "-k", "1"]);
    assert!(like.ok().ends_with("/copy 00.png  +28 copies\n"));

    // What is gone is marked, and comes after what is there.
    fs_err::remove_file(album.path("pictures/0.png")).unwrap();
    fs_err::remove_file(album.path("pictures/1.png")).unwrap();
    let text = search(&[]).ok();
    assert!(text.contains("/copy 00.png  +29 copies\n"), "{text}");
    assert!(text.contains("/1.png  (gone)\n"), "{text}");
    let hits = search(&["--json"]).json();
    let gone: Vec<Value> = hits.into_iter().filter(|hit| hit["gone"] == true).collect();
    assert_eq!(gone.len(), 2);
    let zeros = search(&["--paths0"]);
    assert_eq!(zeros.code, Some(0));
    assert!(
        zeros.stderr.starts_with("1 of the files are gone"),
        "{zeros:?}"
    );
}

#[test]
fn a_search_that_finds_nothing_says_why() {
    let album = Album::new(2);
    album.index();
    let why = |args: &[&str]| {
        let ran = album.run(args);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:?}");
        ran.stderr
    };
    let nowhere = album.path("nowhere");
    assert_eq!(
        why(&["search", "blue", "--in", &nowhere, "--json"]),
        format!(
            "nothing found: no picture of the index lies in {nowhere} (which is not there)\n\n\
             hint: `diptych index DIR` adds what is in a folder\n"
        )
    );
    let picture = album.path("pictures/0.png");
    let like = why(&["similar", &picture, "--in", &picture]);
    assert_eq!(
        like,
        "nothing found: there is no other picture than that one\n"
    );
    let none = why(&["search", "blue", "--after", "2020-05", "--before", "2020"]);
    assert!(none.contains("no time is after"), "{none}");
    let dated = why(&["search", "blue", "--dated"]);
    assert!(dated.contains("no picture says itself when"), "{dated}");
    let near = why(&["search", "blue", "--min-score", "0.99"]);
    assert!(
        near.contains("the best score is 0.") && near.contains("and 0.99 is wanted"),
        "{near}"
    );
    // Two pictures of one colour are near to no text.
    let auto = why(&["search", "a red train at night", "--min-score", "auto"]);
    assert!(
        auto.contains("the best score is ") && auto.contains("than to any text"),
        "{auto}"
    );
    assert!(why(&["duplicates", "--exact"]).contains("no picture is there twice"));
    let elsewhere = why(&["duplicates", "--exact", "--in", &nowhere]);
    assert!(elsewhere.contains("(which is not there)"), "{elsewhere}");
    let forgotten = album.run(&["index", "forget", &album.path("pictures")]);
    assert_eq!(forgotten.code, Some(0));
    for args in [
        &["search", "blue"][..],
        &["similar", &picture],
        &["duplicates", "--exact"],
    ] {
        assert!(why(args).starts_with("nothing found: the index holds no picture"));
    }
}

#[test]
fn queries_are_read_by_their_grammar() {
    let album = Album::new(2);
    album.draw("photo - Copy.png", 200);
    album.index();
    let best = |query: &str| {
        let hits = album.run(&["search", query, "-k", "1", "--json"]).json();
        (
            paths(&hits)[0].to_owned(),
            hits[0]["score"].as_f64().unwrap(),
        )
    };
    // A whole query that is a file is one, and so is a term with its sign escaped.
    let copy = album.path("pictures/photo - Copy.png");
    let (name, score) = best(&copy);
    assert!(
        name == "photo - Copy.png" && score > 0.999,
        "{name} {score}"
    );
    let (name, score) = best(&format!("+{copy} +0:sea"));
    assert!(
        name == "photo - Copy.png" && score > 0.999,
        "{name} {score}"
    );
    // In quotes it is a text, and to the model another one than the picture.
    assert!(best(&format!("\"{copy}\"")).1 < 0.9);
    assert_eq!(best("3:4 portrait"), best("\"3:4 portrait\""));
    assert_ne!(best("blue -people").1, best("blue - people").1);
    for (query, words) in [
        ("+0,5:dog", "`0,5` in `+0,5:dog` is no weight"),
        ("+-3:dog", "two signs"),
        ("+1e400:dog", "no weight"),
    ] {
        album.run(&["search", query]).fails(&[words]);
    }
    // What looks like a name and is none is told.
    let mistyped = album.run(&["search", "sea +nobody.png"]);
    assert_eq!(mistyped.code, Some(0));
    assert!(
        mistyped
            .stderr
            .contains("note: `nobody.png` is no file here"),
        "{mistyped:?}"
    );
    album.run(&["search", "sea +\"nobody.png\""]).ok();
    let nobody = album.path("pictures/nobody - Copy.png");
    album
        .run(&["search", &nobody])
        .fails(&["nobody - Copy.png is no file"]);
    album
        .run(&["search", "-people"])
        .fails(&["`-people` was taken for an option", "after `--`"]);
    let index = album.path("index");
    diptych(&["search", "--index", &index, "--", "-people"]).ok();
}

#[test]
fn pictures_are_shown_only_where_a_terminal_shows_them() {
    let album = Album::new(1);
    album.index();
    let ran = album.run(&["search", "blue", "--preview"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 1));
    assert!(ran.stderr.contains("stdout is no terminal"), "{ran:?}");
    let kitty = album.run(&["search", "blue", "--preview=kitty"]).ok();
    // Of 8 × 8 pixels, in one column.
    assert!(kitty.contains("f=100,c=1,m=0;iVBOR"), "{kitty}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hit_is_opened_by_the_desktops_program() {
    use std::os::unix::fs::PermissionsExt;
    let album = Album::new(2);
    album.index();
    let opener = album.path("xdg-open");
    let opened = album.path("opened");
    fs_err::write(
        &opener,
        format!("#!/bin/sh\necho noise\necho \"$1\" > '{opened}'\n"),
    )
    .unwrap();
    fs_err::set_permissions(&opener, PermissionsExt::from_mode(0o755)).unwrap();
    let open = |nth: &str, path: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_diptych"));
        let args = ["search", "blue", "--json", "--open", nth, "--index"];
        command
            .args(args)
            .arg(album.path("index"))
            .env("PATH", path);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let folder = format!("{}:/bin:/usr/bin", album.folder.path().display());
    let (code, stdout, _) = open("2", &folder);
    let hits = parse(&stdout);
    assert_eq!((code, hits.len()), (Some(0), 2));
    let told = fs_err::read_to_string(&opened).unwrap();
    assert_eq!(told.trim_end(), hits[1]["path"].as_str().unwrap());
    for (nth, path, words) in [
        ("3", &*folder, "there is no hit 3 to open, but 2"),
        ("1", "/nowhere", "cannot run `xdg-open`"),
    ] {
        let (code, _, stderr) = open(nth, path);
        assert!(code == Some(2) && stderr.contains(words), "{stderr}");
    }
}

#[test]
fn pictures_like_one_do_not_have_it_among_them() {
    let album = Album::new(30);
    album.draw("copy of 7.png", 7);
    album.index();
    let hits = album
        .run(&[
            "similar",
            &album.path("pictures/7.png"),
            "-k",
            "4",
            "--json",
        ])
        .json();
    assert_eq!(hits.len(), 4);
    assert_eq!(paths(&hits)[0], "copy of 7.png");
    assert!(!paths(&hits).contains(&"7.png"));
    let query = format!("+{}", album.path("pictures/7.png"));
    let hits = album.run(&["search", &query, "-k", "2", "--json"]).json();
    assert!(paths(&hits).contains(&"7.png"), "{hits:?}");
    album
        .run(&["similar", &album.path("nobody.png")])
        .fails(&["nobody.png"]);
}

#[test]
fn equal_files_are_told_first() {
    let album = Album::new(3);
    album.draw("copy of 1.png", 1);
    album.index();
    let groups = album
        .run(&["duplicates", "--threshold", "1.1", "--json"])
        .json();
    assert_eq!(groups.len(), 1);
    assert_eq!(
        (
            &groups[0]["kind"],
            groups[0]["paths"].as_array().unwrap().len()
        ),
        (&Value::from("exact"), 2)
    );
    assert_eq!(groups[0]["same_file"], false);
    assert_eq!(groups[0]["keeper"], groups[0]["paths"][0]);
    assert_eq!(groups[0]["pixels"], json!([[8, 8], [8, 8]]));
    assert_eq!(groups[0]["sizes"][0], groups[0]["sizes"][1]);
    // Pictures of one colour are near where the colours are.
    let text = album.run(&["duplicates", "--threshold", "0.2"]).ok();
    assert!(text.starts_with("exact, 1.0000\n  keep  "), "{text}");
    assert!(
        text.contains("\nnear, ") && text.contains("(8 × 8, "),
        "{text}"
    );
    let rest = album.run(&["duplicates", "--exact", "--paths0"]).ok();
    let rest: Vec<&str> = rest.split_terminator('\0').collect();
    assert_eq!(rest, [groups[0]["paths"][1].as_str().unwrap()]);
    let page = album.path("page.html");
    album.run(&["duplicates", "--exact", "--html", &page]).ok();
    let page = fs_err::read_to_string(page).unwrap();
    assert_eq!(page.matches("<li>").count(), 2);
    // Without a threshold it is measured, and these pictures are too few.
    let told = album.run(&["duplicates", "--json"]);
    assert!(told.stderr.contains("too few pictures"), "{told:?}");
    let elsewhere = album.path("elsewhere");
    let none = album.run(&["duplicates", "--exact", "--in", &elsewhere]);
    assert_eq!((none.code, &*none.stdout), (Some(1), ""));
}

#[cfg(unix)]
#[test]
fn names_of_one_file_are_no_duplicates_and_a_link_is_where_it_leads() {
    use std::os::unix::fs::symlink;
    let album = Album::new(2);
    let pictures = album.path("pictures");
    let at = |name: &str| format!("{pictures}/{name}");
    symlink(at("0.png"), at("soft.png")).unwrap();
    fs_err::hard_link(at("0.png"), at("hard.png")).unwrap();
    let link = album.path("link");
    symlink(&pictures, &link).unwrap();
    album.run(&["index", &link]).ok();
    album.run(&["index", &pictures]).ok();
    let status = album.run(&["index", "status", "--json"]).json();
    assert_eq!(status[0]["files"], 3);
    let none = album.run(&["duplicates", "--threshold", "1.1"]);
    assert_eq!((none.code, &*none.stdout), (Some(1), ""));
    let found = album
        .run(&["search", "blue", "--in", &link, "--json"])
        .json();
    assert_eq!(found.len(), 3);
    // Its own names are not like it, but it.
    let like = album.run(&["similar", &at("soft.png"), "--json"]).json();
    assert_eq!(paths(&like), ["1.png"]);
    let forgotten = album.run(&["index", "forget", &link]).stdout;
    assert_eq!(forgotten, "3 files forgotten\n");
}

#[test]
fn a_day_is_the_one_of_the_photographer_and_a_files_time_can_be_left_out() {
    let album = Album::new(1);
    // 8 o'clock in the morning in New Zealand, on 1 May, when it was still April in Greenwich.
    let jpeg = with_exif("2024:05:01 08:00:00", "+12:00");
    fs_err::write(album.path("pictures/dated.jpg"), jpeg).unwrap();
    album.index();
    let day = [
        "search",
        "blue",
        "--after",
        "2024-05-01",
        "--before",
        "2024-05-02",
        "--json",
    ];
    let found = album.run(&day).json();
    assert_eq!(paths(&found), ["dated.jpg"]);
    assert_eq!(found[0]["taken"], "2024-05-01T08:00:00");
    assert_eq!(found[0]["taken_from"], "exif");
    let before = album.run(&["search", "blue", "--before", "2024-05-01"]);
    assert_eq!(before.code, Some(1));
    // The other was drawn today.
    let after = ["search", "blue", "--after", "2024-05-02", "--json"];
    let found = album.run(&after).json();
    assert_eq!(paths(&found), ["0.png"]);
    assert_eq!(found[0]["taken_from"], "file");
    let dated = album.run(&[&after[..], &["--dated"]].concat());
    assert_eq!(dated.code, Some(1));
    let dated = album.run(&["search", "blue", "--dated", "--json"]).json();
    assert_eq!(paths(&dated), ["dated.jpg"]);
}

/// A JPEG that says when it was taken: an EXIF block of two entries.
fn with_exif(time: &str, offset: &str) -> Vec<u8> {
    let picture = Picture::from_rgb(8, 8, vec![90; 192]).unwrap();
    let plain = Encoding::Jpeg.encode(&picture).unwrap();
    let text = |tag: u16, length: u32, at: u32| {
        let head = [tag.to_be_bytes(), 2u16.to_be_bytes()].concat();
        [
            head,
            length.to_be_bytes().to_vec(),
            at.to_be_bytes().to_vec(),
        ]
        .concat()
    };
    // A directory with a pointer to EXIF's own, which has both texts behind it.
    let pointer = [0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, 26];
    let block = [
        &b"Exif\0\0MM\0*\0\0\0\x08\0\x01"[..],
        &pointer,
        &[0; 4],
        &[0, 2],
        &text(0x9003, 20, 56),
        &text(0x9011, 7, 76),
        &[0; 4],
        time.as_bytes(),
        b"\0",
        offset.as_bytes(),
        b"\0",
    ];
    let block = block.concat();
    let length = u16::try_from(block.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, &block, &plain[2..]].concat()
}
