//! `diptych train`.

use crate::support::*;

const ARCHITECTURE: &str = r#"{
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 2, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 600, "width": 16, "heads": 2, "layers": 1}
}"#;

/// A folder with a run of `steps` steps on golden pictures.
fn write_run(steps: usize) -> tempfile::TempDir {
    let files = folder(&[("arch.json", ARCHITECTURE.as_bytes())]);
    let mut tar = tar::Builder::new(fs_err::File::create(files.path().join("pairs.tar")).unwrap());
    let mut add = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    for (i, name) in ["RGB.png", "L.png", "RGBA.png", "P8.png"]
        .iter()
        .cycle()
        .take(12)
        .enumerate()
    {
        add(format!("{i:03}.png"), &fs_err::read(picture(name)).unwrap());
        add(
            format!("{i:03}.txt"),
            format!("picture {i} of {name}").as_bytes(),
        );
    }
    tar.finish().unwrap();
    set_steps(&files, steps);
    files
}

fn set_steps(files: &tempfile::TempDir, steps: usize) {
    let run = format!(
        r#"
        out = "out"
        architecture = "arch.json"
        [optimizer]
        steps = {steps}
        batch_size = 4
        learning_rate = 1e-3
        warmup_steps = 2
        [[data]]
        shards = ["pairs.tar"]
        texts = "captions"
        [validation]
        shards = ["pairs.tar"]
        every = 1000000
    "#
    );
    fs_err::write(files.path().join("run.toml"), run).unwrap();
}

#[test]
fn a_run_tells_its_progress_and_prints_where_the_model_is() {
    let files = write_run(3);
    let run = within(&files, "run.toml");
    let ran = diptych(&["train", &run]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for word in [
        "12 samples",
        "step 1/3 · loss ",
        "step 3/3",
        " left",
        "recall@1/5/10",
        "checkpoint",
    ] {
        assert!(
            ran.stderr.contains(word),
            "`{word}` is not in {}",
            ran.stderr
        );
    }
    let model = ran.stdout.trim_end();
    assert_eq!(model, within(&files, "out/model"));
    diptych(&[
        "classify",
        &picture("RGB.png"),
        "--labels",
        "a,b",
        "--model",
        model,
    ])
    .ok();

    diptych(&["train", &run]).fails(&["--resume"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_keep_the_work_and_resume_continues_it() {
    for signal in ["INT", "TERM"] {
        stopped_by(signal);
    }
}

#[cfg(unix)]
fn stopped_by(signal: &str) {
    use std::io::{BufRead, BufReader, Read};

    let files = write_run(1_000_000);
    let run = within(&files, "run.toml");
    let mut child = start(&["train", &run]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("step 1/") {
        line.clear();
        assert!(
            stderr.read_line(&mut line).unwrap() > 0,
            "it ended by itself"
        );
    }
    let kill = format!("kill -{signal} {}", child.id());
    assert!(
        std::process::Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(
        rest.contains(&format!("`diptych train {run} --resume` continues")),
        "{rest}"
    );
    let after = rest
        .split("stopped after ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let step: usize = after.parse().unwrap();

    set_steps(&files, step + 2);
    let ran = diptych(&["train", &run, "--resume"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains(&format!("{step} steps done before")),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout.trim_end(), within(&files, "out/model"));
}

#[test]
fn wrong_run_files_are_named() {
    let files = write_run(3);
    let run = within(&files, "run.toml");
    let text = fs_err::read_to_string(&run).unwrap();
    diptych(&["train", "gone.toml"]).fails(&["gone.toml"]);
    let check = |from: &str, to: &str, words: &[&str]| {
        fs_err::write(&run, text.replace(from, to)).unwrap();
        diptych(&["train", &run]).fails(words);
    };
    check("steps = 3", "stops = 3", &["run.toml", "stops"]);
    check("pairs.tar", "gone.tar", &["gone.tar"]);
    check("arch.json", "no-such", &["no-such", "ViT-B-32"]);
}

#[test]
fn what_was_passed_over_is_told_where_too_little_is_left() {
    let files = write_run(3);
    let run = within(&files, "run.toml");
    let text = fs_err::read_to_string(&run).unwrap();
    let table = text
        .replacen("shards = [\"pairs.tar\"]", "table = \"pairs.csv\"", 1)
        .replace(
            "[validation]\n        shards = [\"pairs.tar\"]\n        every = 1000000",
            "",
        );
    fs_err::write(&run, table).unwrap();
    let write = |csv: &str| fs_err::write(within(&files, "pairs.csv"), csv).unwrap();

    write("image,caption\n0.png,one\n1.png,\n2.png\n3.png,\"open\n");
    let ran = diptych(&["train", &run]);
    ran.fails(&[
        "1 passed over: an empty caption",
        "1 passed over: a row with another number of fields",
        "1 passed over: a quote that is not closed",
        "1 samples are fewer than `batch_size`, 4",
    ]);

    // Enough of them, but no pictures.
    let rows: String = (0..12).map(|i| format!("{i}.png,one\n")).collect();
    write(&format!("image,caption\n{rows}12.png,\n"));
    diptych(&["train", &run]).fails(&[
        "1 passed over: an empty caption",
        "8 pictures in a row can't be used: 8 passed over: a picture that can't be read",
    ]);
}

/// Lines of a run's record without the speed (`pairs_per_s`), which no two runs share.
fn record(files: &tempfile::TempDir) -> Vec<serde_json::Value> {
    let text = fs_err::read_to_string(within(files, "out/metrics.jsonl")).unwrap();
    let mut lines = parse(&text);
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("pairs_per_s");
    }
    lines
}

#[test]
fn ten_kills_at_any_moment_change_nothing() {
    const STEPS: usize = 400;
    const KILLS: usize = 10;
    let often = |files: &tempfile::TempDir| {
        let run = within(files, "run.toml");
        let text = fs_err::read_to_string(&run).unwrap();
        let text = text.replace("[optimizer]", "checkpoint_every = 7\n[optimizer]");
        fs_err::write(
            &run,
            text.replace("batch_size = 4", "batch_size = 4\nema = 0.9"),
        )
        .unwrap();
        run
    };
    let whole = write_run(STEPS);
    assert_eq!(
        diptych(&["train", &often(&whole), "--threads", "2"]).code,
        Some(0)
    );

    let killed = write_run(STEPS);
    let run = often(&killed);
    let arguments = ["train", &run, "--threads", "2", "--resume"];
    let mut state = u64::from(std::process::id()); // another sequence in every run of the test
    let mut kills = 0;
    while kills < KILLS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut child = start(&arguments);
        std::thread::sleep(std::time::Duration::from_millis((state >> 33) % 250));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break; // it was done before the kill
        }
        kills += 1;
    }
    assert!(kills >= 3, "only {kills} kills before the run was done");
    let ran = diptych(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (got, want) = (record(&killed), record(&whole));
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(got, want);
    }
    let weights = |files| fs_err::read(within(files, "out/model/open_clip_model.safetensors"));
    assert!(
        weights(&killed).unwrap() == weights(&whole).unwrap(),
        "the weights differ"
    );
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_goes_on() {
    let files = write_run(6);
    let run = within(&files, "run.toml");
    let text = fs_err::read_to_string(&run).unwrap();
    let text = text.replace("[optimizer]", "checkpoint_every = 2\n[optimizer]");
    fs_err::write(&run, &text).unwrap();
    assert_eq!(diptych(&["train", &run]).code, Some(0));
    fs_err::write(&run, text.replace("steps = 6", "steps = 8")).unwrap();
    for file in ["open_clip_model.safetensors", "optimizer.safetensors"] {
        let path = within(&files, &format!("out/checkpoints/step-00000006/{file}"));
        let bytes = fs_err::read(&path).unwrap();
        fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        diptych(&["train", &run, "--resume"]).fails(&[file, "step-00000004"]);
        fs_err::write(&path, bytes).unwrap();
    }
    fs_err::remove_dir_all(within(&files, "out/checkpoints/step-00000006")).unwrap();
    let ran = diptych(&["train", &run, "--resume"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("4 steps done before"), "{}", ran.stderr);
}

#[test]
fn a_model_that_there_is_not_is_told_with_run_file_and_key() {
    let files = write_run(3);
    let run = within(&files, "run.toml");
    let as_it_was = fs_err::read_to_string(&run).unwrap();
    for (key, line) in [
        ("architecture", "architecture = \"ViT-B-3Z\""),
        ("init", "init = \"nowhere\"\narchitecture = \"arch.json\""),
    ] {
        let text = as_it_was.replace("architecture = \"arch.json\"", line);
        fs_err::write(&run, text).unwrap();
        let start = format!("error: {run}: `{key}`: model ");
        diptych(&["train", &run]).fails(&[&start]);
    }
}
