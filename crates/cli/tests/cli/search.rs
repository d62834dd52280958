//! `diptych search`, `similar` and `duplicates`.

use serde_json::Value;

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
        assert_eq!(keys, ["end", "path", "score", "start"]);
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
    album
        .run(&["search", &long])
        .fails(&["query `blue blue", "tokens"]);
    let refused = album.run(&["search", "blue", "--after", "yesterday"]);
    assert_eq!(refused.code, Some(2));
    album
        .run(&["search", "blue +./nobody.jpg"])
        .fails(&["./nobody.jpg is no file"]);
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
    let text = album.run(&["duplicates", "--threshold", "0.2"]).ok();
    assert!(
        text.starts_with("exact, 1.0000\n") && text.contains("\nnear, "),
        "{text}"
    );
}
