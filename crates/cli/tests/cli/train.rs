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
fn ctrl_c_keeps_the_work_and_resume_continues_it() {
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
    let kill = format!("kill -INT {}", child.id());
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
