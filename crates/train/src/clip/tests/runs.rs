//! Whole runs: what they read, write, resume and refuse.

use std::ops::ControlFlow;
use std::path::Path;

use super::*;
use crate::samples::read_shard;
use diptych::image::{Encoding, Picture};

/// A run on drawn pictures, small enough for a test.
pub(super) fn write_run(dir: &Path) -> std::path::PathBuf {
    let mut tar = tar::Builder::new(fs_err::File::create(dir.join("shapes.tar")).unwrap());
    let mut add = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    let colours = [
        ("red", [220u8, 30, 30]),
        ("green", [30, 200, 60]),
        ("blue", [40, 50, 210]),
    ];
    for i in 0..24u8 {
        let (name, [r, g, b]) = colours[usize::from(i) % 3];
        let pixel = |p: u8| [r.wrapping_add(p), g.wrapping_add(i), b];
        let rgb: Vec<u8> = (0..20u8 * 12).flat_map(pixel).collect();
        add(format!("{i:03}.png"), &png(20, 12, &rgb));
        add(
            format!("{i:03}.txt"),
            format!("{name}, colour {name}").as_bytes(),
        );
    }
    tar.finish().unwrap();
    let arch = r#"{"embed_dim":8,"vision_cfg":{"image_size":32,"layers":[1,1,1,1],"width":2,"head_width":16},
        "text_cfg":{"context_length":12,"vocab_size":600,"width":16,"heads":2,"layers":1}}"#;
    fs_err::write(dir.join("arch.json"), arch).unwrap();
    let run = r#"
        out = "out"
        architecture = "arch.json"
        checkpoint_every = 3
        [optimizer]
        steps = 8
        batch_size = 10
        learning_rate = 1e-3
        warmup_steps = 2
        [[data]]
        shards = ["shapes.tar"]
        texts = "classes"
        templates = ["a {}.", "a photo of a {}."]
        [validation]
        shards = ["shapes.tar"]
        every = 100
    "#;
    fs_err::write(dir.join("run.toml"), run).unwrap();
    dir.join("run.toml")
}

fn png(width: usize, height: usize, rgb: &[u8]) -> Vec<u8> {
    let picture = Picture::from_rgb(width, height, rgb.to_vec()).unwrap();
    Encoding::Png.encode(&picture).unwrap()
}

/// Trains, and stops after `stop` steps if that is before the end; the losses seen.
pub(super) fn losses(run: &Path, resume: bool, stop: usize) -> (Vec<f32>, Outcome) {
    let run = Run::open(run).unwrap();
    let mut losses = Vec::new();
    let outcome = train(&run, Device::flex(), resume, &mut |event| match event {
        Event::Step(p) => {
            losses.push(p.loss);
            if p.step == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
        _ => ControlFlow::Continue(()),
    });
    (losses, outcome.unwrap())
}

#[test]
fn a_resumed_run_gives_the_losses_of_an_uninterrupted_one() {
    let whole = tempfile::tempdir().unwrap();
    let (want, outcome) = losses(&write_run(whole.path()), false, usize::MAX);
    assert_eq!(want.len(), 8);
    let Outcome::Finished(model) = outcome else {
        panic!("{outcome:?}")
    };

    let parts = tempfile::tempdir().unwrap();
    let run = write_run(parts.path());
    let (first, outcome) = losses(&run, false, 4);
    assert_eq!(outcome, Outcome::Interrupted(4));
    let (rest, outcome) = losses(&run, true, usize::MAX);
    assert_eq!([first, rest].concat(), want, "bit-identical");
    let Outcome::Finished(resumed) = outcome else {
        panic!("{outcome:?}")
    };
    let weights = |dir: &Path| fs_err::read(dir.join(diptych::weights::WEIGHTS_FILE)).unwrap();
    assert!(
        weights(&model) == weights(&resumed),
        "the resumed run's weights differ"
    );

    // The model it wrote is one that opens.
    let clip = diptych::Clip::open(&model).unwrap();
    assert_eq!(clip.encode_texts(&["red"]).unwrap().dim(), 8);
}

#[test]
fn a_run_is_not_overwritten_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    losses(&path, false, 1);
    let run = Run::open(&path).unwrap();
    let again = train(&run, Device::flex(), false, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(again.unwrap_err().to_string().contains("a run of 1 steps"));
}

#[test]
fn damaged_shards_are_named_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shard.tar");
    let check = |bytes: &[u8], wanted: &str| {
        fs_err::write(&path, bytes).unwrap();
        let message = read_shard(&path).unwrap_err().to_string();
        assert!(
            message.contains("shard.tar") && message.contains(wanted),
            "{message}"
        );
    };
    check(b"", "no image-text pair");
    check(&[0; 1024], "no image-text pair");
    check(b"not a tar file at all", "not a whole tar file");

    let member = |name: &str, bytes: &[u8]| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes).unwrap();
        let bytes = tar.into_inner().unwrap();
        bytes[..bytes.len() - 1024].to_vec()
    };
    let picture = member("a/1.png", b"x");
    check(&picture, "picture a/1 has no .txt");
    check(&member("a/1.txt", b"x"), "text a/1.txt has no picture");
    check(
        &[&picture[..], &member("a/1.txt", b"\xff\xfe")].concat(),
        "a/1.txt is not UTF-8",
    );
    check(
        &[&picture[..], &member("a/1.txt", b" \n ")].concat(),
        "a/1.txt is empty",
    );
    check(
        &[&picture[..], &member("a/1.txt", b"a cat")].concat()[..1100],
        "not a whole tar file",
    );
}

#[test]
fn run_files_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let text = fs_err::read_to_string(&path).unwrap();
    let check = |from: &str, to: &str, wanted: &str| {
        assert!(text.contains(from));
        fs_err::write(&path, text.replace(from, to)).unwrap();
        let message = Run::open(&path).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    check("steps = 8", "stepz = 8", "stepz");
    check("steps = 8", "steps = 0", "`steps` is 0");
    check(
        "warmup_steps = 2",
        "warmup_steps = 9",
        "`warmup_steps` is 9",
    );
    check(
        "warmup_steps = 2",
        "warmup_steps = 2\ndecay_steps = 7",
        "`decay_steps` is 7",
    );
    check("\"a {}.\"", "\"a cat.\"", "no `{}`");
    check("\"classes\"", "\"labels\"", "labels");
}

#[test]
fn a_run_with_another_model_or_data_is_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    losses(&path, false, 2);
    let refused = |file: &str, from: &str, to: &str, wanted: &str| {
        let file = dir.path().join(file);
        let text = fs_err::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs_err::write(&file, text.replace(from, to)).unwrap();
        let run = Run::open(&path).unwrap();
        let resumed = train(&run, Device::flex(), true, &mut |_| {
            ControlFlow::Continue(())
        });
        let message = resumed.unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
        fs_err::write(&file, text).unwrap();
    };
    refused(
        "arch.json",
        "\"heads\":2",
        "\"heads\":4",
        "another architecture",
    );
    refused(
        "arch.json",
        "\"context_length\":12",
        "\"context_length\":14",
        "another architecture",
    );
    refused(
        "run.toml",
        "batch_size = 10",
        "batch_size = 12",
        "another seed",
    );
    refused("run.toml", "\"a {}.\"", "\"the {}.\"", "another seed");
    refused(
        "run.toml",
        "architecture = ",
        "negatives = \"set\"\narchitecture = ",
        "negatives",
    );
    refused(
        "run.toml",
        "steps = 8",
        "steps = 8\nalgorithm = \"muon\"",
        "another seed",
    );
    assert_eq!(losses(&path, true, usize::MAX).0.len(), 6);
}

#[test]
fn a_picture_that_cannot_be_decoded_is_reported_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let shard = dir.path().join("shapes.tar");
    let mut bytes = fs_err::read(&shard).unwrap();
    // The first member's data begins after its header: no PNG any more.
    bytes[512..520].copy_from_slice(b"nonsense");
    fs_err::write(&shard, bytes).unwrap();
    let text = fs_err::read_to_string(&path).unwrap();
    let cut = text.find("[validation]").unwrap();
    fs_err::write(&path, &text[..cut]).unwrap();

    let run = Run::open(&path).unwrap();
    let mut skipped = Vec::new();
    let outcome = train(&run, Device::flex(), false, &mut |event| {
        if let Event::PassedOver(passed_over) = event {
            skipped.push(passed_over.example);
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(outcome.unwrap(), Outcome::Finished(_)));
    assert!(!skipped.is_empty());
    assert!(
        skipped
            .iter()
            .all(|s| s.contains("shapes.tar") && s.contains("000")),
        "{skipped:?}"
    );
}

#[test]
fn rates_that_are_no_numbers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let text = fs_err::read_to_string(&path).unwrap();
    for line in ["learning_rate = nan", "learning_rate = inf"] {
        fs_err::write(&path, text.replace("learning_rate = 1e-3", line)).unwrap();
        assert!(
            Run::open(&path)
                .unwrap_err()
                .to_string()
                .contains("learning_rate")
        );
    }
    fs_err::write(
        &path,
        text.replace("warmup_steps = 2", "warmup_steps = 2\nbeta1 = 1.0"),
    )
    .unwrap();
    assert!(Run::open(&path).unwrap_err().to_string().contains("beta1"));
}

/// A run file with one line replaced, or one put before `[optimizer]`.
fn with_line(path: &Path, line: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    fs_err::write(
        path,
        text.replace("[optimizer]", &format!("{line}\n[optimizer]")),
    )
    .unwrap();
}

#[test]
fn averages_clipping_chunks_and_frozen_parts_resume_bit_for_bit() {
    let options = "ema = 0.9\nclip_norm = 0.5\nchunk_size = 4";
    resumes_bit_for_bit(options, "[freeze]\nimage = 2");
}

#[test]
fn muon_and_a_plateau_resume_bit_for_bit() {
    let options = "algorithm = \"muon\"\ndecay_steps = 3\nema = 0.9";
    resumes_bit_for_bit(options, "");
}

/// Trains with lines in `[optimizer]` and before it, whole and in two parts.
fn resumes_bit_for_bit(options: &str, before: &str) {
    let write = |dir: &Path| {
        let path = write_run(dir);
        let text = fs_err::read_to_string(&path).unwrap();
        let with = format!("batch_size = 10\n{options}");
        fs_err::write(&path, text.replace("batch_size = 10", &with)).unwrap();
        with_line(&path, before);
        path
    };
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (want, outcome) = losses(&write(whole.path()), false, usize::MAX);
    let run = write(parts.path());
    let (first, _) = losses(&run, false, 5);
    let (rest, resumed) = losses(&run, true, usize::MAX);
    assert_eq!([first, rest].concat(), want, "bit-identical");
    let weights = |outcome: Outcome| match outcome {
        Outcome::Finished(dir) => fs_err::read(dir.join(diptych::weights::WEIGHTS_FILE)).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(
        weights(outcome) == weights(resumed),
        "the resumed run's weights differ"
    );
}

#[test]
fn a_run_starts_from_another_models_parameters() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let (whole, _) = losses(&path, false, usize::MAX);
    with_line(&path, "init = \"out/model\"");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("out = \"out\"", "out = \"tuned\"")).unwrap();
    let (tuned, _) = losses(&path, false, usize::MAX);
    assert!(
        tuned[0] < whole[0] && tuned != whole,
        "{} after {}",
        tuned[0],
        whole[0]
    );
    // Another architecture, or none.
    let refused = |from: &str, to: &str, file: &str| {
        let file = dir.path().join(file);
        let text = fs_err::read_to_string(&file).unwrap();
        fs_err::write(&file, text.replace(from, to)).unwrap();
        let run = Run::open(&path).unwrap();
        let mut run = run;
        run.settings.out = dir.path().join("third");
        let error = train(&run, Device::flex(), false, &mut |_| {
            ControlFlow::Continue(())
        });
        error.unwrap_err().to_string()
    };
    let message = refused("\"heads\":2", "\"heads\":4", "arch.json");
    assert!(message.contains("another architecture"), "{message}");
    let message = refused("out/model", "nowhere", "run.toml");
    assert!(message.contains("nowhere"), "{message}");
}

#[test]
fn the_sigmoid_loss_wants_a_bias() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    with_line(&path, "loss = \"sigmoid\"");
    let go = || {
        let run = Run::open(&path).unwrap();
        train(&run, Device::flex(), false, &mut |_| {
            ControlFlow::Continue(())
        })
    };
    let message = go().unwrap_err().to_string();
    assert!(message.contains("init_logit_bias"), "{message}");
    let arch = dir.path().join("arch.json");
    let text = fs_err::read_to_string(&arch).unwrap();
    let with = text.replace(
        "\"embed_dim\":8",
        "\"embed_dim\":8,\"init_logit_bias\":-10.0",
    );
    fs_err::write(&arch, with).unwrap();
    assert!(matches!(go(), Ok(Outcome::Finished(_))));
}

#[test]
fn a_run_whose_data_has_shrunk_is_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    losses(&path, false, 2);
    // Cut between two members, where a tar file without its end reads as a whole one.
    let shard = dir.path().join("shapes.tar");
    let bytes = fs_err::read(&shard).unwrap();
    let sample = |i: usize| format!("{i:03}.png");
    let cut = bytes
        .windows(7)
        .position(|w| w == sample(20).as_bytes())
        .unwrap();
    fs_err::write(&shard, &bytes[..cut]).unwrap();
    let run = Run::open(&path).unwrap();
    let resumed = train(&run, Device::flex(), true, &mut |_| {
        ControlFlow::Continue(())
    });
    let message = resumed.unwrap_err().to_string();
    assert!(
        message.contains("24 samples") && message.contains("20 now"),
        "{message}"
    );
}
