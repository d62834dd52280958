//! `diptych models`.

use diptych_testing::hub::{Hub, Manners};
use serde_json::Value;

use crate::support::*;

/// The line called `name`.
fn model<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["name"] == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {lines:?}"))
}

/// The names of those of one kind.
fn names<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a str> {
    let of_kind = lines.iter().filter(|line| line["kind"] == kind);
    of_kind.map(|line| line["name"].as_str().unwrap()).collect()
}

/// A tiny golden checkpoint, copied to `place` in `folder`.
fn copy_checkpoint(folder: &tempfile::TempDir, place: &str) {
    let to = folder.path().join(place);
    fs_err::create_dir_all(&to).unwrap();
    for name in [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "tokenizer.json",
    ] {
        fs_err::copy(golden(&format!("tiny-vit/{name}")), to.join(name)).unwrap();
    }
}

#[test]
fn architectures_and_the_embedded_model_are_always_listed() {
    let empty = folder(&[]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_diptych"));
    command.args(["models", "--json"]).current_dir(empty.path());
    let output = command.output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let lines = parse(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(names(&lines, "architecture").len(), 10);
    assert_eq!(names(&lines, "embedded"), ["default"]);
    assert_eq!(lines.len(), 11);

    let b32 = model(&lines, "ViT-B-32");
    assert_eq!(b32["parameters"], 151_277_313, "as PyTorch counts OpenAI's");
    assert_eq!(b32["image_size"], 224);
    assert_eq!(b32["embed_dim"], 512);
    assert_eq!(b32["context_length"], 77);
    assert_close(&[number(b32, "gflops")], &[14.78], 0.005);
    for line in &lines {
        let whole = |key: &str| line[key].as_u64().unwrap();
        let towers = whole("image_parameters") + whole("text_parameters");
        assert_eq!(whole("parameters"), towers + 1, "and the temperature");
        let towers = number(line, "image_gflops") + number(line, "text_gflops");
        assert_close(&[number(line, "gflops")], &[towers], 1e-3);
    }
}

#[test]
fn people_get_a_table() {
    let table = diptych(&["models", &golden("tiny-vit")]).ok();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2 + 12);
    let columns = |line: &str| line.split_whitespace().count();
    assert!(lines[1..].iter().all(|line| columns(line) == 11), "{table}");
    let ends: Vec<usize> = lines[1..].iter().map(|l| l.chars().count()).collect();
    assert!(ends.iter().all(|&end| end == ends[0]), "{table}");
    let b32 = lines
        .iter()
        .find(|line| line.starts_with("ViT-B-32 "))
        .unwrap();
    let words: Vec<&str> = b32.split_whitespace().collect();
    let want = [
        "ViT-B-32",
        "architecture",
        "224",
        "512",
        "77",
        "87.85",
        "63.43",
        "151.28",
        "8.82",
        "5.96",
        "14.78",
    ];
    assert_eq!(words, want);
}

#[test]
fn checkpoints_are_found_in_a_folder_and_two_levels_below() {
    let files = folder(&[]);
    for place in ["b", "runs/a/model", "x/y/z/too-deep"] {
        copy_checkpoint(&files, place);
    }
    let lines = diptych(&["models", "--json", &within(&files, "x/..")]).json();
    assert_eq!(names(&lines, "checkpoint"), [within(&files, "x/../b")]);
    let runs = within(&files, "runs");
    let model_of_run = within(&files, "runs/a/model");
    // Named twice, listed once.
    let lines = diptych(&["models", "--json", &runs, &model_of_run]).json();
    assert_eq!(names(&lines, "checkpoint"), [model_of_run.as_str()]);
    let line = model(&lines, &model_of_run);
    assert_eq!(line["context_length"], 18);
    assert_eq!(line["image_size"], 16);

    // Without a folder: here, and in `models` and `runs`.
    copy_checkpoint(&files, "models/m");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_diptych"));
    command.args(["models", "--json"]).current_dir(files.path());
    let output = command.output().unwrap();
    let lines = parse(&String::from_utf8(output.stdout).unwrap());
    let found = names(&lines, "checkpoint");
    assert_eq!(found, ["b", "models/m", "runs/a/model"]);
}

/// A hub of `us/tiny`, transformers' shards, and a home without any model.
struct Elsewhere {
    hub: Hub,
    home: tempfile::TempDir,
}

impl Elsewhere {
    fn new() -> Self {
        let files = fs_err::read_dir(golden("layouts/hf/sharded")).unwrap();
        let files = files.map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, fs_err::read(file.path()).unwrap())
        });
        Self {
            hub: Hub::start(files.collect(), &[], Manners::default()),
            home: folder(&[]),
        }
    }

    /// `diptych ARGS`, which may use the hub.
    fn run(&self, args: &[&str]) -> Ran {
        let mut command = command(args);
        for variable in [
            "HF_HOME",
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
            "XDG_CACHE_HOME",
        ] {
            command.env_remove(variable);
        }
        command
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("HF_ENDPOINT", &self.hub.address)
            .env("HF_HUB_OFFLINE", "0");
        command.output().unwrap().into()
    }
}

#[test]
fn published_models_are_listed_with_what_is_known_of_them() {
    let elsewhere = Elsewhere::new();
    // A folder by an organisation's name hides none of its models.
    fs_err::create_dir(elsewhere.home.path().join("openai")).unwrap();
    let lines = elsewhere.run(&["models", "--published", "--json"]).json();
    assert_eq!(lines.len(), 9 + 44 + 5);
    let b32 = model(&lines, "ViT-B/32");
    assert_eq!(b32["parameters"], 151_277_313);
    assert_close(&[number(b32, "gflops")], &[14.78], 0.005);
    assert_eq!(number(b32, "imagenet_top_1"), 0.6332);
    assert!(
        b32["from"]
            .as_str()
            .unwrap()
            .starts_with("https://openaipublic.")
    );
    assert!(b32["path"].is_null() && b32["bytes"].is_null());
    // What nobody reports to us is not made up.
    let big = model(&lines, "ViT-bigG-14:laion2b_s39b_b160k");
    for unknown in ["parameters", "gflops", "imagenet_top_1", "imagenet_source"] {
        assert!(big[unknown].is_null(), "{big}");
    }
    assert_eq!(big["from"], "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k");

    let table = elsewhere.run(&["models", "--published"]).ok();
    let row = |name: &str| -> Vec<&str> {
        let line = table
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap().split_whitespace().collect()
    };
    let want = [
        "ViT-B/32",
        "151.28",
        "14.78",
        "63.3",
        "%",
        "-",
        "openaipublic.azureedge.net",
    ];
    assert_eq!(row("ViT-B/32"), want);
    let want = [
        "ViT-H-14:dfn5b",
        "-",
        "-",
        "-",
        "-",
        "apple/DFN5B-CLIP-ViT-H-14",
    ];
    assert_eq!(row("ViT-H-14:dfn5b"), want);
    assert!(table.contains("openclip_results.csv"));
    assert_eq!(elsewhere.hub.requests(""), 0, "the network is not asked");
}

#[test]
fn a_model_is_fetched_by_its_name_and_listed_from_then_on() {
    let elsewhere = Elsewhere::new();
    // It is shown before, without its weights.
    let shown = &elsewhere
        .run(&["models", "show", "us/tiny", "--json"])
        .json()[0];
    assert!(shown["weights"].is_null());
    let from = serde_json::json!([{"name": "us/tiny", "from": "us/tiny"}]);
    assert_eq!(shown["published"], from);
    assert_eq!(elsewhere.hub.requests("safetensors"), 0);
    let table = elsewhere.run(&["models", "show", "us/tiny"]).ok();
    assert!(
        table.contains("`diptych models get us/tiny` fetches them"),
        "{table}"
    );

    let place = elsewhere.run(&["models", "get", "us/tiny"]).ok();
    let place = place.trim_end();
    assert!(
        place.starts_with(elsewhere.home.path().to_str().unwrap()),
        "{place}"
    );
    let got = &elsewhere
        .run(&["models", "get", "us/tiny", "--json"])
        .json()[0];
    assert_eq!(got, &serde_json::json!({"name": "us/tiny", "path": place}));
    let shown = &elsewhere
        .run(&["models", "show", "us/tiny", "--json"])
        .json()[0];
    assert_eq!(shown["weights"]["container"], "safetensors");
    assert_eq!(shown["published"], serde_json::json!([]));
    let lines = elsewhere.run(&["models", "--published", "--json"]).json();
    let tiny = model(&lines, "us/tiny");
    assert_eq!(tiny["path"], place);
    assert!(
        tiny["bytes"].as_u64() > Some(10_000) && tiny["gflops"].is_number(),
        "{tiny}"
    );
}

#[test]
fn what_can_not_be_fetched_says_why() {
    let elsewhere = Elsewhere::new();
    elsewhere
        .run(&["models", "get", "us/other"])
        .fails(&["us/other", "404"]);
    elsewhere
        .run(&["models", "get", "ViT-B-32"])
        .fails(&["is an architecture", "ViT-B/32, ViT-B-32:openai"]);
    elsewhere
        .run(&["models", "get", "nothing"])
        .fails(&["`nothing` is neither"]);
    assert_eq!(
        elsewhere.run(&["models", "get", "default"]).ok(),
        "default\n"
    );
    let table = diptych(&["models", "show", "ViT-B-32"]).ok();
    assert!(
        table.contains("`diptych models get` fetches ViT-B/32, ViT-B-32:openai"),
        "{table}"
    );
}

#[test]
fn without_a_home_nothing_is_written_beside_the_working_directory() {
    let elsewhere = Elsewhere::new();
    let here = folder(&[]);
    let run = |args: &[&str], variables: &[(&str, &str)]| -> Ran {
        let mut command = command(args);
        for variable in [
            "HOME",
            "USERPROFILE",
            "HF_HOME",
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
        ] {
            command.env_remove(variable);
        }
        command
            .env("HF_ENDPOINT", &elsewhere.hub.address)
            .env("HF_HUB_OFFLINE", "0")
            .env("XDG_CACHE_HOME", "caches")
            .env("XDG_DATA_HOME", "data")
            .envs(variables.iter().copied())
            .current_dir(here.path());
        command.output().unwrap().into()
    };
    for home in [&[][..], &[("HOME", "home")]] {
        for name in ["us/tiny", "ViT-B/32"] {
            run(&["models", "get", name], home).fails(&[name, "no folder to keep it in", "HOME"]);
        }
        let picture = picture("RGB.png");
        run(&["index", &picture, "--json"], home).fails(&["no data directory", "--index"]);
    }
    assert_eq!(fs_err::read_dir(here.path()).unwrap().count(), 0);
    // A relative XDG path is none, and the home's own folder stands in.
    let home = elsewhere.home.path().to_str().unwrap();
    let place = run(&["models", "get", "us/tiny"], &[("HOME", home)]).ok();
    assert!(
        place.starts_with(&format!("{home}/.cache/huggingface/hub/")),
        "{place}"
    );
    assert_eq!(fs_err::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_no_checkpoint_is_reported_and_the_others_are_listed() {
    let files = folder(&[("file", b"")]);
    for place in ["good", "no-weights", "cut", "damaged", "wild"] {
        copy_checkpoint(&files, place);
    }
    let at = |name: &str| files.path().join(name);
    fs_err::create_dir(at("empty")).unwrap();
    fs_err::remove_file(at("no-weights/open_clip_model.safetensors")).unwrap();
    let weights = fs_err::read(at("cut/open_clip_model.safetensors")).unwrap();
    let half = &weights[..weights.len() / 2];
    fs_err::write(at("cut/open_clip_model.safetensors"), half).unwrap();
    fs_err::write(at("damaged/open_clip_config.json"), "{\"model_cfg\": [").unwrap();
    let config = fs_err::read_to_string(at("wild/open_clip_config.json")).unwrap();
    let wild = config.replace("\"width\": 48", "\"width\": 18446744073709551615");
    assert_ne!(wild, config);
    fs_err::write(at("wild/open_clip_config.json"), wild).unwrap();

    let all = within(&files, "");
    let ran = diptych(&["models", "--json", &all]);
    let stdout = ran.fails(&["no-weights` has no weights", "cut/", "damaged/", "wild/"]);
    let lines = parse(&stdout);
    assert_eq!(names(&lines, "checkpoint"), [within(&files, "good")]);
    assert_eq!(names(&lines, "architecture").len(), 10);
    for (name, words) in [
        ("empty", "no checkpoint"),
        ("file", "file"),
        ("gone", "gone"),
    ] {
        let stdout = diptych(&["models", "--json", &within(&files, name)]).fails(&[name, words]);
        assert_eq!(parse(&stdout).len(), 11);
    }
}

#[cfg(unix)]
#[test]
fn what_is_wrong_comes_after_the_table() {
    let files = folder(&[]);
    let command = format!("{} models nowhere 2>&1", env!("CARGO_BIN_EXE_diptych"));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &command]).current_dir(files.path());
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let lines = String::from_utf8(output.stdout).unwrap();
    let table = lines.find("ViT-B-32").unwrap();
    let error = lines.find("error: ").unwrap();
    assert!(
        table < error && lines[error..].contains("nowhere"),
        "{lines}"
    );
}
