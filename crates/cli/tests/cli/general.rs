//! Behaviour that all commands share: models, threads, help, completions, the manual.

use crate::support::*;

#[test]
fn an_unknown_model_is_refused_with_the_known_names() {
    let path = picture("RGB.png");
    let known = ["no-such-model", "default", "ViT-B-32"];
    diptych(&["classify", &path, "--labels", "a", "--model", known[0]]).fails(&known);
    diptych(&["similarity", &path, "--texts", "a", "--model", known[0]]).fails(&known);
    diptych(&[
        "embed", "--images", &path, "--out", "x.npy", "--model", known[0],
    ])
    .fails(&known);
    diptych(&["tokenize", "a", "--model", known[0]]).fails(&known);
    diptych(&["preprocess", &path, "--out", "x.npy", "--model", known[0]]).fails(&known);
    let args = ["classify", &path, "--labels", "a", "--model", "ViT-B-32"];
    diptych(&args).fails(&["ViT-B-32", "weights"]);
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let files = folder(&[
        ("open_clip_config.json", b"{}"),
        ("open_clip_model.safetensors", b""),
    ]);
    let model = within(&files, "");
    diptych(&["tokenize", "a", "--model", &model]).fails(&["open_clip_"]);
    let empty = folder(&[]);
    diptych(&["tokenize", "a", "--model", &within(&empty, "")]).fails(&["open_clip_config.json"]);
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[test]
fn a_device_that_this_build_lacks_is_refused_with_the_feature() {
    let args = [
        "similarity",
        &picture("RGB.png"),
        "--texts",
        "a",
        "--device",
        "cuda",
    ];
    diptych(&args).fails(&["--features cuda"]);
    diptych(&["train", "run.toml", "--device", "tpu"]).fails(&["cpu, cuda, wgpu"]);
}

#[test]
fn the_default_model_works_from_any_folder() {
    let elsewhere = folder(&[]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_diptych"));
    command.args([
        "classify",
        &picture("RGB.png"),
        "--labels",
        "cat,dog",
        "--json",
    ]);
    let output = command.current_dir(elsewhere.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["predictions"].as_array().unwrap().len(), 2);
}

#[test]
fn the_number_of_threads_changes_nothing_but_time() {
    let args = [
        "similarity",
        &picture("RGB.png"),
        "--texts",
        "a",
        "--model",
        &golden("tiny-vit"),
    ];
    let one = diptych(&[&args[..], &["--threads", "1"]].concat()).ok();
    assert_eq!(
        one,
        diptych(&[&["--threads", "3"], &args[..]].concat()).ok()
    );
    for wrong in ["0", "-1", "9999", "many"] {
        let flag = format!("--threads={wrong}");
        diptych(&[&args[..], &[&flag]].concat()).fails(&["--threads"]);
    }
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = diptych(&["completions", shell]).ok();
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
    }
    diptych(&["completions", "csh"]).fails(&["bash"]);
}

#[test]
fn help_and_version_go_to_stdout_and_mistakes_to_stderr() {
    assert_eq!(
        diptych(&["--version"]).ok(),
        concat!("diptych ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(diptych(&["--help"]).ok().contains("Usage: diptych"));
    let none = diptych(&[]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(2), ""));
    assert!(none.stderr.contains("Usage: diptych"));
    diptych(&["clasify"]).fails(&["classify"]);
    diptych(&["search", "dog", "-k", "many"]).fails(&["wanted a whole number from 1 to 1000000"]);
}

#[test]
fn every_help_has_the_exit_codes() {
    let codes = "Exit code: 0 if all went well, 1 if a search found nothing, 2 if anything failed";
    let inner = [["index", "verify"], ["models", "get"], ["models", "show"]];
    let commands = commands();
    let all = commands.iter().map(|command| vec![command.as_str()]);
    for command in all.chain(inner.map(Vec::from)).chain([vec![]]) {
        let help = diptych(&[&command[..], &["--help"]].concat()).ok();
        let words: Vec<&str> = help.split_whitespace().collect();
        assert!(words.join(" ").contains(codes), "{command:?}: {help}");
    }
}

/// The keys that a help text says an object has: all, and those of its lists.
fn promised(help: &str) -> Vec<String> {
    let words: Vec<&str> = help.split_whitespace().collect();
    let text = words.join(" ");
    let (_, after) = text.split_once("one JSON object").unwrap();
    let (_, keys) = after.split_once(": ").unwrap();
    let end = keys.find([';', '-', '[']).unwrap_or(keys.len());
    let (mut keys, mut depth) = (keys[..end].to_owned(), 0);
    keys.retain(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0 && c != ')'
    });
    let keys = keys
        .split([',', ' '])
        .filter(|key| !key.is_empty() && *key != "and");
    keys.map(str::to_owned).collect()
}

#[test]
fn objects_have_the_keys_that_help_promises() {
    let files = folder(&[]);
    let (path, model, out) = (
        picture("RGB.png"),
        golden("tiny-vit"),
        within(&files, "demo"),
    );
    let of_model = ["--model", &model];
    for (command, args) in [
        (
            &["classify"][..],
            [&[&path, "--labels", "a"][..], &of_model].concat(),
        ),
        (
            &["similarity"],
            [&[&path, "--texts", "a"][..], &of_model].concat(),
        ),
        (&["tokenize"], vec!["a"]),
        (&["models", "show"], vec!["default"]),
        (&["models", "get"], vec!["default"]),
        (&["demo"], vec!["--out", &out]),
        (
            &["bench"],
            [&["--only", "texts", "--seconds", "1"][..], &of_model].concat(),
        ),
    ] {
        let help = diptych(&[command, &["--help"]].concat()).ok();
        let object = &diptych(&[command, &args, &["--json"]].concat()).json()[0];
        let promised = promised(&help);
        assert!(!promised.is_empty(), "{help}");
        for key in &promised {
            assert!(
                object.get(key).is_some(),
                "{command:?}: no `{key}` in {object}"
            );
        }
        // Nor is any left out.
        let n = object.as_object().unwrap().len();
        let is_whole = promised.len() == n || command == ["models", "show"];
        assert!(is_whole, "{command:?}: {promised:?} of {object}");
    }
}

#[test]
fn the_default_model_is_told_of_once_to_people() {
    let path = picture("RGB.png");
    let run = |args: &[&str]| {
        diptych(&[&["classify", &path, &path, "--labels", "cat,dog"], args].concat())
    };
    let told = run(&[]);
    assert_eq!(told.note.lines().count(), 1, "{told:?}");
    assert!(told.note.contains("`--model ViT-B/32`"), "{told:?}");
    let texts = ["similarity", &path, "--texts", "a cat"];
    assert_eq!(diptych(&texts).note, told.note);
    for silent in [
        &["--json"][..],
        &["--quiet"],
        &["-q"],
        &["--csv"],
        &["--model", &golden("tiny-vit")],
    ] {
        assert_eq!(run(silent).note, "", "{silent:?}");
    }
}

#[test]
fn quiet_leaves_errors() {
    let path = picture("RGB.png");
    let ran = diptych(&["-q", "classify", "gone.png", &path, "--labels", "cat,Cat"]);
    let stdout = ran.fails(&["gone.png"]);
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    let loud = diptych(&["classify", &path, "--labels", "cat,Cat"]);
    assert!(loud.stderr.contains("label `Cat`"), "{loud:?}");
}

#[test]
fn the_manual_is_what_help_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let manual = fs_err::read_to_string(path).unwrap();
    let trimmed = |text: &str| {
        text.trim_end()
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let mut want = vec![("diptych".to_owned(), trimmed(&diptych(&["--help"]).ok()))];
    for command in commands() {
        let help = trimmed(&diptych(&[&command, "--help"]).ok());
        want.push((format!("diptych {command}"), help));
        let inner: &[&str] = match command.as_str() {
            "models" => &["show", "get"],
            "index" => &["status", "verify", "compact", "forget", "import", "export"],
            _ => &[],
        };
        for inner in inner {
            let help = trimmed(&diptych(&[&command, inner, "--help"]).ok());
            want.push((format!("diptych {command} {inner}"), help));
        }
    }
    let sections: Vec<(String, String)> = manual
        .split("\n## `")
        .skip(1)
        .map(|section| {
            let (title, rest) = section.split_once("`\n\n```text\n").unwrap();
            let (help, _) = rest.split_once("\n```\n").unwrap();
            (title.to_owned(), help.to_owned())
        })
        .collect();
    assert!(
        sections == want,
        "docs/cli.md is stale: run `cargo xtask docs`"
    );
}

/// The commands that the help lists, but `help` itself.
fn commands() -> Vec<String> {
    let help = diptych(&["--help"]).ok();
    let (_, after) = help.split_once("Commands:\n").unwrap();
    let names = after.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_can_not_be_written_is_named_as_it_was_asked_for() {
    let files = folder(&[]);
    let index = within(&files, "index");
    diptych(&["index", &picture("RGB.png"), "--index", &index]).ok();
    let (array, page) = (within(&files, "no/x.npy"), within(&files, "no/p.html"));
    for command in [
        &["embed", "--images", &picture("RGB.png"), "--out", &array][..],
        &["preprocess", &picture("RGB.png"), "--out", &array],
        &["search", "x", "--index", &index, "--html", &page],
    ] {
        let ran = diptych(command);
        assert!(!ran.stderr.contains("/.diptych-"), "{ran:?}");
        ran.fails(&["cannot write ", "there is no folder "]);
    }
}
