//! Files that a run leaves in its folder, and what it tells on the way.

use std::ops::ControlFlow;

use super::runs::{losses, write_run};
use super::*;

#[test]
fn a_run_leaves_its_echo_its_record_its_best_and_its_last() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let text = fs_err::read_to_string(&path).unwrap();
    let text = text
        .replace("every = 100", "every = 2")
        .replace("checkpoint_every = 3", "checkpoint_every = 1\nkeep = 3");
    fs_err::write(
        &path,
        text.replace("texts = \"classes\"", "texts = \"classes\"\nhold_out = 6"),
    )
    .unwrap();
    losses(&path, false, usize::MAX);
    let out = dir.path().join("out");
    let names = |folder: &str| -> Vec<String> {
        let entries = fs_err::read_dir(out.join(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names("checkpoints"),
        ["step-00000006", "step-00000007", "step-00000008"]
    );

    let echoed = Run::open(&out.join("run-with-defaults.toml")).unwrap();
    assert_eq!(
        (echoed.settings.keep, echoed.settings.optimizer.beta2),
        (3, 0.98),
        "defaults are written out"
    );

    let record = fs_err::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = record
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let steps = lines.iter().filter(|l| l.get("loss").is_some());
    assert_eq!(steps.count(), 8);
    let measured: Vec<_> = lines.iter().filter_map(|l| l.get("measured")).collect();
    assert_eq!(measured.len(), 4);
    let set = &measured[0]["zero_shot"][0];
    assert_eq!(
        (set["data"].as_str(), set["classes"].as_u64()),
        (Some("shapes"), Some(3))
    );
    assert!(set.get("top_5").is_none(), "of three classes: {set}");
    assert_eq!(
        set["pictures"].as_u64(),
        Some(4),
        "every sixth of 24 is held out"
    );
    assert!(measured[0]["image"][2].as_f64().is_some());

    let best: serde_json::Value =
        serde_json::from_slice(&fs_err::read(out.join("best.json")).unwrap()).unwrap();
    let score = |m: &serde_json::Value| {
        let recall = (m["image"][2].as_f64().unwrap() + m["text"][2].as_f64().unwrap()) / 2.0;
        (recall + m["zero_shot"][0]["top_1"].as_f64().unwrap()) / 2.0
    };
    let highest = measured.iter().map(|m| score(m)).fold(0.0, f64::max);
    assert!((best["score"].as_f64().unwrap() - highest).abs() < 1e-12);
    assert!(diptych::Clip::open(out.join("best")).is_ok());
    assert!(
        fs_err::read_to_string(out.join("curves.html"))
            .unwrap()
            .contains("recall@10")
    );
}

#[test]
fn a_run_that_diverges_names_its_batch_and_its_last_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    losses(&path, false, 4);
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(
        &path,
        text.replace("learning_rate = 1e-3", "learning_rate = 1e3"),
    )
    .unwrap();
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("steps = 8", "steps = 200")).unwrap();
    let run = Run::open(&path).unwrap();
    let result = train(&run, Device::flex(), true, &mut |_| {
        ControlFlow::Continue(())
    });
    // A rate of a thousand is absurd; should it survive, the test below has nothing to look at.
    let message = result.unwrap_err().to_string();
    assert!(message.contains("checkpoints/step-"), "{message}");
    let listed = message
        .split("listed in ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let batch = fs_err::read_to_string(listed).unwrap();
    assert_eq!(batch.lines().count(), 10);
    assert!(batch.contains("shapes.tar: 0"), "{batch}");
}

#[test]
fn two_processes_do_not_work_on_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::open(&write_run(dir.path())).unwrap();
    let held = crate::run::lock(&run.settings.out).unwrap();
    let go = || {
        train(&run, Device::flex(), false, &mut |_| {
            ControlFlow::Continue(())
        })
    };
    let message = go().unwrap_err().to_string();
    assert!(message.contains("another process"), "{message}");
    drop(held);
    assert!(go().is_ok());
}

#[test]
fn a_run_does_not_write_among_the_files_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let text = fs_err::read_to_string(&path).unwrap();
    let out = dir.path().join("out");
    let go = |resume| {
        train(
            &Run::open(&path).unwrap(),
            Device::flex(),
            resume,
            &mut |_| ControlFlow::Continue(()),
        )
    };
    let all = || {
        let names = fs_err::read_dir(&out).unwrap();
        names.map(|e| e.unwrap().file_name()).collect::<Vec<_>>()
    };
    fs_err::create_dir(&out).unwrap();
    for name in ["holiday.jpg", "checkpoints", "metrics.jsonl"] {
        fs_err::write(out.join(name), "another's").unwrap();
        for resume in [false, true] {
            let message = go(resume).unwrap_err().to_string();
            assert!(
                message.contains(name) && message.contains("`out` holds other files"),
                "{message}"
            );
            assert_eq!(all(), [name], "nothing was written");
        }
        fs_err::remove_file(out.join(name)).unwrap();
    }
    // An empty folder will do, with a run file or hidden files in it, too.
    fs_err::write(out.join("run.toml"), "").unwrap();
    fs_err::write(out.join(".gitkeep"), "").unwrap();
    assert!(matches!(go(false), Ok(Outcome::Finished(_))));
    // A run's folder stays one, whatever is put beside it.
    fs_err::write(out.join("notes.md"), "mine").unwrap();
    fs_err::write(&path, text.replace("steps = 8", "steps = 9")).unwrap();
    assert!(matches!(go(true), Ok(Outcome::Finished(_))));
}

#[test]
fn what_is_passed_over_is_told_before_a_run_is_ready_and_may_stop_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in [("000.txt", b"" as &[u8]), ("001.txt", b"red")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    let lone = tar.into_inner().unwrap();
    let whole = fs_err::read(dir.path().join("shapes.tar")).unwrap();
    fs_err::write(dir.path().join("shapes.tar"), [whole, lone].concat()).unwrap();

    let run = Run::open(&path).unwrap();
    let mut told = Vec::new();
    let stopped = train(&run, Device::flex(), false, &mut |event| match event {
        Event::PassedOver(passed_over) => {
            told.push(passed_over);
            ControlFlow::Break(())
        }
        event => panic!("{event:?}"),
    });
    assert_eq!(stopped.unwrap(), Outcome::Interrupted(0));
    assert_eq!(told.len(), 1);
    assert!(!run.settings.out.join("metrics.jsonl").exists());
    let mut events = Vec::new();
    let whole = train(&run, Device::flex(), false, &mut |event| {
        match event {
            Event::PassedOver(p) => events.push(format!("{} {}", p.count, p.example)),
            Event::Ready { samples, .. } => events.push(format!("{samples} samples")),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(whole, Ok(Outcome::Finished(_))));
    let lone = format!(
        "2 {}: text 000.txt has no picture beside it",
        dir.path().join("shapes.tar").display()
    );
    // Once for what is trained on, once for what is measured on.
    assert_eq!(events, [&*lone, &lone, "24 samples"]);
}

#[test]
fn a_picture_that_cannot_be_measured_on_is_told_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    let shard = dir.path().join("shapes.tar");
    let bytes = fs_err::read(&shard).unwrap();
    let mut damaged = bytes.clone();
    damaged[512..520].copy_from_slice(b"nonsense"); // the first picture's
    fs_err::write(dir.path().join("measured.tar"), damaged).unwrap();
    let text = fs_err::read_to_string(&path).unwrap();
    let (data, validation) = text.split_once("[validation]").unwrap();
    let validation = validation.replace("shapes.tar", "measured.tar");
    fs_err::write(&path, format!("{data}[validation]{validation}")).unwrap();
    let run = Run::open(&path).unwrap();
    let mut skipped = Vec::new();
    let outcome = train(&run, Device::flex(), false, &mut |event| {
        if let Event::PassedOver(passed_over) = event {
            skipped.push(passed_over.example);
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(outcome, Ok(Outcome::Finished(_))));
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(skipped[0].contains("measured.tar"), "{skipped:?}");
}

#[test]
fn another_runs_best_is_not_this_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = write_run(dir.path());
    losses(&path, false, usize::MAX);
    let out = dir.path().join("out");
    let read = || -> serde_json::Value {
        serde_json::from_slice(&fs_err::read(out.join("best.json")).unwrap()).unwrap()
    };
    // A best that nothing beats, of a run whose checkpoints are gone.
    let mut unbeaten = read();
    unbeaten["score"] = 2.0.into();
    unbeaten["step"] = 1.into();
    fs_err::write(out.join("best.json"), unbeaten.to_string()).unwrap();
    fs_err::remove_dir_all(out.join("checkpoints")).unwrap();
    losses(&path, false, usize::MAX);
    assert_eq!(read()["step"].as_u64(), Some(8));
    // One of other data, which a resumed run finds.
    let mut other = read();
    (other["score"], other["run"], other["step"]) = (2.0.into(), "another".into(), 1.into());
    fs_err::write(out.join("best.json"), other.to_string()).unwrap();
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("steps = 8", "steps = 9")).unwrap();
    losses(&path, true, usize::MAX);
    assert_eq!(read()["step"].as_u64(), Some(9));
}
