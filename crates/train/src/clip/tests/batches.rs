//! The batches that are made of sets.

use std::path::Path;

use super::*;
use crate::samples::Reason;
use crate::samples::tests::{gzip, png, says, shard, write};
use diptych::weights::describe;

/// A run file in `dir` with these sets of data, ten pairs a step.
fn run(dir: &Path, data: &str) -> Result<Run, String> {
    let arch = r#"{"embed_dim":8,"vision_cfg":{"image_size":32,"layers":[1,1,1,1],"width":2,"head_width":16},
        "text_cfg":{"context_length":12,"vocab_size":600,"width":16,"heads":2,"layers":1}}"#;
    let text = format!(
        "out = \"out\"\narchitecture = \"arch.json\"\nseed = 7\n[optimizer]\nsteps = 8\n\
         batch_size = 10\nlearning_rate = 1e-3\nwarmup_steps = 2\n{data}"
    );
    write(
        dir,
        &[
            ("arch.json", arch.as_bytes()),
            ("run.toml", text.as_bytes()),
        ],
    );
    Run::open(&dir.join("run.toml")).map_err(|e| e.to_string())
}

fn batches(run: &Run) -> Result<Batches, String> {
    let description = describe(&run.architecture).map_err(|e| e.to_string())?;
    Batches::open(run, &description).map_err(|e| e.to_string())
}

/// A hash of all that a step's batch is made of.
fn fingerprint(batches: &Batches, step: usize) -> u64 {
    let batch = batches.get(step).unwrap();
    let text = format!(
        "{:?} {:?}",
        batch.pixels.as_slice(),
        batch.tokens.rows().collect::<Vec<_>>()
    );
    diptych::fnv1a(&text)
}

const TWO_SETS: &str = r#"
    [[data]]
    shards = ["a.tar"]
    texts = "captions"
    repeat = 2
    [[data]]
    shards = ["b.tar.gz"]
    texts = "classes"
    templates = ["a {}.", "one {}"]
    hold_out = 4
"#;

#[test]
fn runs_of_before_are_continued_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[("a.tar", &shard(9)), ("b.tar.gz", &gzip(&shard(13)))],
    );
    let run = run(dir.path(), TWO_SETS).unwrap();
    assert_eq!(
        run.identity(),
        "seed 7, batch 10, F32, Augmentation { min_scale: 0.9, flip: true }, \
         [([Some(\"a.tar\")], Captions, [], 2, 0, {}), \
         ([Some(\"b.tar.gz\")], Classes, [\"a {}.\", \"one {}\"], 1, 4, {})]"
    );
    let batches = batches(&run).unwrap();
    assert_eq!((batches.len(), batches.pass_len()), (22, 28));
    // As made by the version that read whole shards into memory; step 2 ends one pass and begins
    // another.
    let got = [0, 2, 7].map(|step| fingerprint(&batches, step));
    let want = [
        0x3fe1_f0a8_04d6_9849,
        0x35dd_f10b_3521_c5f9,
        0x3703_35b3_78fb_3dbf,
    ];
    assert_eq!(got, want);
}

#[test]
fn weighted_sets_give_their_shares_of_the_pairs() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("a-0.tar", &shard(3)),
            ("a-1.tar", &shard(5)),
            ("t.csv", b"image,caption\n1.png,from a table\n"),
            ("1.png", &png(1)),
            ("f/a_class/1.png", &png(2)),
        ],
    );
    let data = r#"
        [[data]]
        shards = ["a-{0..1}.tar"]
        texts = "captions"
        weight = 2
        [[data]]
        table = "t.csv"
        texts = "captions"
        weight = 1
        [[data]]
        folder = "f"
        texts = "classes"
        templates = ["{}"]
        weight = 1
    "#;
    // A set of one sample fills half of what the eight of another do.
    let run = run(dir.path(), data).unwrap();
    let all = batches(&run).unwrap();
    assert_eq!((all.len(), all.pass_len()), (10, 10));
    let tokenizer = describe(&run.architecture).unwrap().tokenizer;
    let ids = |text: &str| {
        let overflow = diptych::text::Overflow::Truncate;
        tokenizer.encode(text, 12, overflow).unwrap()
    };
    let (table, class) = (ids("from a table"), ids("a class"));
    let mut counts = [0; 3];
    for step in 0..40 {
        let batch = all.get(step).unwrap();
        for row in batch.tokens.rows() {
            let row: Vec<u32> = row.iter().copied().filter(|&id| id != 0).collect();
            counts[if row == table {
                1
            } else if row == class {
                2
            } else {
                0
            }] += 1;
        }
    }
    // Of 400 pairs, standard deviations are 10 and 9.
    assert!(
        counts[0] > 160 && counts[1] > 65 && counts[2] > 65,
        "{counts:?}"
    );
    // Any step is had without those before it.
    let fresh = batches(&run).unwrap();
    assert_eq!(fingerprint(&fresh, 33), fingerprint(&all, 33));
    assert!(run.identity().contains("a-0.tar") && run.identity().contains("t.csv"));
}

#[test]
fn sets_that_cannot_be_followed_say_why() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.tar", &shard(12))]);
    let check = |data: &str, words: &[&str]| {
        let data = data.replace(
            "A;",
            "[[data]]\nshards = [\"a.tar\"]\ntexts = \"captions\"\n",
        );
        let data = data.replace("D;", "[[data]]\ntexts = \"captions\"\n");
        says(
            &run(dir.path(), &data).unwrap_err(),
            &[&["run.toml"], words].concat(),
        );
    };
    let one_of = ["one of `shards`, `table` and `folder`"];
    check("D;", &one_of);
    check("D;shards = []", &one_of);
    check("A;table = \"a.csv\"", &one_of);
    check("D;table = \"a.csv\"\nfolder = \"b\"", &one_of);
    check("D;folder = \"b\"", &["`folder`", "classes"]);
    check("A;weight = 1\nA;", &["1 of 2 sets"]);
    check("A;weight = 0", &["`weight`"]);
    check("A;weight = nan", &["`weight`"]);
    check("A;weight = inf", &["`weight`"]);
    check("A;weight = 1\nrepeat = 2", &["not both"]);
    check("A;repeat = 0", &["`repeat` is 0"]);
    check("A;image_column = \"x\"", &["`image_column`", "`table`"]);
    check(
        "D;table = \"a.csv\"\nskip_damaged = true",
        &["`skip_damaged`"],
    );
    check("A;boxes = true", &["`boxes`", "classes"]);
    let classes = "[[data]]\nshards = [\"a.tar\"]\ntexts = \"classes\"\ntemplates = [\"{}\"]\n";
    check(
        &format!("{classes}boxes = true\nhold_out = 5"),
        &["`withhold`, not `hold_out`"],
    );
    check("D;shards = [\"b-*.tar\"]", &["`b-*.tar` matches no file"]);
    check(
        "D;shards = [\"b-{0..1.tar\"]",
        &["b-{0..1.tar", "without its"],
    );
    check(
        "A;[validation]\nevery = 1\nshards = [\"v?.tar\"]",
        &["`v?.tar`"],
    );
    // A brace is a promise: a shard of the list that is not there is missed when it is read.
    let run = run(
        dir.path(),
        "[[data]]\ntexts = \"captions\"\nshards = [\"{a,b}.tar\"]",
    )
    .unwrap();
    says(&batches(&run).err().unwrap(), &["b.tar"]);
}

#[test]
fn a_bad_sample_is_told_once_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "image,caption\n".to_owned()
        + &(0..12)
            .map(|i| format!("{i}.png,number {i}\n"))
            .collect::<String>()
        + "12.png,\n";
    write(dir.path(), &[("t.csv", csv.as_bytes())]);
    for i in (0..12u8).filter(|i| *i != 5) {
        write(dir.path(), &[(&format!("{i}.png"), &png(i))]);
    }
    let run = run(
        dir.path(),
        "[[data]]\ntable = \"t.csv\"\ntexts = \"captions\"",
    )
    .unwrap();
    let batches = batches(&run).unwrap();
    assert_eq!(batches.skipped(), 1);
    let at_opening = batches.passed_over().reasons();
    says(
        &at_opening[0].example,
        &["t.csv: line 14: it has no caption"],
    );
    let mut told = Vec::new();
    for step in 0..6 {
        let batch = batches.get(step).unwrap();
        assert_eq!(batch.positives.len(), 10, "another takes its place");
        told.extend(batch.skipped);
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].reason, told[0].count), (Reason::Unreadable, 1));
    says(&told[0].example, &["t.csv: picture 5.png"]);
    assert_eq!(batches.skipped(), 2);
}

#[test]
fn negatives_of_a_set_are_its_own_and_truths_are_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            (
                "t.csv",
                b"image,caption\n1.png,two dogs run\n2.png,a house by a lake\n",
            ),
            ("1.png", &png(1)),
            ("2.png", &png(2)),
            ("f/dog/1.png", &png(3)),
            ("f/cat/1.png", &png(4)),
        ],
    );
    let data = r#"
        [[data]]
        table = "t.csv"
        texts = "captions"
        templates = ["{}"]
        kinds = { dog = "dog" }
        weight = 1
        [[data]]
        folder = "f"
        texts = "classes"
        templates = ["{}"]
        weight = 1
    "#;
    let relations = |negatives: Negatives, groups: [Option<&str>; 2]| {
        let mut run = run(dir.path(), data).unwrap();
        run.negatives = negatives;
        for (data, group) in run.data.iter_mut().zip(groups) {
            data.group = group.map(str::to_owned);
        }
        run.settings.optimizer.batch_size = 4;
        let all = batches(&run).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for step in 0..40 {
            let batch = all.get(step).unwrap();
            // What each pair's picture is, and what its text says.
            let of = |i: usize| {
                let source = &batch.sources[i];
                let (place, text) = source.split_once('\t').unwrap();
                let picture = match (place.contains("t.csv"), place.contains("dog")) {
                    (true, _) if place.ends_with("1.png") => "dogs",
                    (true, _) => "house",
                    (false, true) => "dog",
                    (false, false) => "cat",
                };
                (picture, text.to_owned())
            };
            for i in 0..batch.positives.len() {
                for j in (0..batch.positives.len()).filter(|&j| j != i) {
                    let relation = format!("{:?}", batch.positives.relation(i, j));
                    seen.insert((of(i).0, of(j).1, relation));
                }
            }
        }
        move |picture: &str, text: &str| -> Vec<String> {
            let found = seen.iter().filter(|(p, t, _)| *p == picture && t == text);
            found.map(|(_, _, relation)| relation.clone()).collect()
        }
    };
    let batch = relations(Negatives::Batch, [None; 2]);
    let set = relations(Negatives::Set, [None; 2]);
    let other_groups = relations(Negatives::Set, [Some("a"), Some("b")]);
    let one_group = relations(Negatives::Set, [Some("a"); 2]);
    // Of its own set a text is told from a picture either way, of another's only by the whole
    // batch.
    for (picture, text, own) in [
        ("house", "two dogs run", true),
        ("dog", "cat", true),
        ("house", "cat", false),
        ("dog", "two dogs run", false),
    ] {
        assert_eq!(batch(picture, text), ["Negative"], "{picture}, {text}");
        let wanted = if own { "Negative" } else { "Apart" };
        assert_eq!(set(picture, text), [wanted], "{picture}, {text}");
        assert_eq!(other_groups(picture, text), [wanted], "{picture}, {text}");
        assert_eq!(one_group(picture, text), ["Negative"], "{picture}, {text}");
    }
    // "dog" is true of the picture whose caption says it, wherever its text is from.
    for relations in [&batch, &set] {
        assert_eq!(relations("dogs", "dog"), ["Ignored", "Positive"]);
        assert_eq!(relations("dog", "dog"), ["Positive"]);
    }
}

#[test]
fn pictures_that_all_fail_are_told_by_number_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let rows = (0..12).map(|i| format!("{i}.png,number {i}\n"));
    let csv = "image,caption\n".to_owned() + &rows.collect::<String>();
    write(dir.path(), &[("t.csv", csv.as_bytes())]);
    let run = run(
        dir.path(),
        "[[data]]\ntable = \"t.csv\"\ntexts = \"captions\"",
    )
    .unwrap();
    let error = batches(&run).unwrap().get(0).err().unwrap().to_string();
    says(
        &error,
        &[
            "8 pictures in a row can't be used",
            "8 passed over: a picture that can't be read",
            "t.csv: picture",
            "is not there",
        ],
    );
}
