//! `diptych tokenize`.

use std::io::{BufRead, BufReader, Write};

use serde_json::{Value, json};

use crate::support::*;

const JSON: [&str; 6] = [
    "tokenize",
    "-",
    "--json",
    "--json-input",
    "--model",
    "ViT-B-32",
];

#[test]
fn ids_are_open_clips_for_every_golden_text() {
    let golden = fs_err::read_to_string(golden("tokens/tokens.jsonl")).unwrap();
    let want: Vec<(String, Value)> = golden
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let input: String = want
        .iter()
        .map(|(text, _)| json!(text).to_string() + "\n")
        .collect();
    let lines = diptych_with(&JSON, input.as_bytes()).json();
    assert_eq!(lines.len(), want.len());
    for (line, (text, ids)) in lines.iter().zip(&want) {
        assert_eq!(line, &json!({"text": text, "ids": ids}));
    }
}

#[test]
fn texts_are_arguments_or_lines() {
    let want = "49406 518 2368 49407\n49406 49407\n";
    assert_eq!(
        diptych(&["tokenize", "THE cat", "", "--model", "ViT-B-32"]).ok(),
        want
    );
    for lines in [&b"THE cat\n\n"[..], b"THE cat\r\n\r\n"] {
        assert_eq!(
            diptych_with(&["tokenize", "--model", "ViT-B-32"], lines).ok(),
            want
        );
        assert_eq!(
            diptych_with(&["tokenize", "-", "--model", "ViT-B-32"], lines).ok(),
            want
        );
    }
    let none = diptych(&["tokenize", "-", "--model", "ViT-B-32"]);
    assert_eq!(none.ok(), "", "no line, no text");
}

#[test]
fn a_text_is_answered_before_the_next_is_waited_for() {
    let mut child = start(&["tokenize", "--model", "ViT-B-32"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        stdin.write_all(b"the cat\n").unwrap();
        assert_eq!(stdout.next().unwrap().unwrap(), "49406 518 2368 49407");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn long_texts_are_refused_cut_or_measured_otherwise() {
    let long = "cat ".repeat(100);
    let tokenize =
        |args: &[&str]| diptych(&[&["tokenize", &long, "--model", "ViT-B-32"], args].concat());
    let ids = |ran: Ran| {
        ran.ok()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    tokenize(&[]).fails(&[
        "text 1: text has 102 tokens, but the context length is 77",
        "hint: `--truncate`",
    ]);
    let cut = ids(tokenize(&["--truncate"]));
    assert_eq!((cut.len(), cut[76].as_str()), (77, "49407"));
    assert_eq!(ids(tokenize(&["--context-length", "102"])).len(), 102);
    assert_eq!(
        ids(tokenize(&["--context-length", "5", "--truncate"])).len(),
        5
    );
    tokenize(&["--context-length", "101"]).fails(&["102 tokens", "101"]);
    tokenize(&["--context-length", "1"]).fails(&["--context-length"]);

    let literal = json!(long).to_string();
    let count = |args: &[&str]| {
        let lines = diptych_with(&[&JSON[..], args].concat(), literal.as_bytes()).json();
        lines[0]["ids"].as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 102, "JSON has no limit");
    assert_eq!(count(&["--truncate"]), 77);
    diptych_with(
        &[&JSON[..], &["--context-length", "9"]].concat(),
        literal.as_bytes(),
    )
    .fails(&["102 tokens"]);
}

#[test]
fn lines_that_cannot_be_read_are_named_after_those_before_them() {
    let printed = diptych_with(&JSON, b"\"a\"\n\"b\"\n{}\n\"c\"\n")
        .fails(&["stdin: line 3", "not a JSON string"]);
    assert_eq!(parse(&printed).len(), 2);
    let plain = ["tokenize", "--model", "ViT-B-32"];
    let printed = diptych_with(&plain, b"a\n\xff\xfe\nb\n").fails(&["stdin: line 2", "not UTF-8"]);
    assert_eq!(printed.lines().count(), 1);
    let printed = diptych_with(&plain, b"a\n\xff\nb\n\xfe\n").fails(&["line 2", "line 4"]);
    assert_eq!(
        printed.lines().count(),
        1,
        "nothing is printed after the first"
    );
    diptych_with(&JSON, b"\"a\n").fails(&["stdin: line 1", "not a JSON string"]);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let mut child = start(&JSON);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let lines = b"\"a photo of a cat\"\n".repeat(50_000);
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&lines); // it stops reading early
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}
