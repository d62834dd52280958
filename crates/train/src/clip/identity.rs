//! A run's identity: what must stay the same for a resumed run to continue the one that was begun.
//!
//! It is kept with every checkpoint. Invariant: it is written out here, in version 1 of its form,
//! and golden values hold it: a checkpoint refuses a run file whose identity is another, so no name
//! in the code may change it. Texts and names of files are quoted as Rust quotes strings, numbers
//! as it prints them; what is at its default is left out where version 1 began without it.

use std::fmt::Debug;
use std::path::PathBuf;

use super::data::{Data, TextKind};
use super::language::Language;
use super::loss::Loss;
use super::meaning::{KIND_EVERY, SAID_BY, SAID_EVERY};
use super::run_file::{Augmentation, Negatives, Run};
use crate::optimise::Algorithm;
use diptych::Precision;
use diptych::image::DecodeOptions;
use diptych::model::{Freeze, Frozen};

impl Run {
    /// The string that the checkpoints of this run are told by, in version 1.
    pub fn identity(&self) -> String {
        let Augmentation {
            min_scale,
            flip,
            color_jitter,
            gray_scale,
        } = &self.augmentation;
        let sets: Vec<String> = self.data.iter().map(set).collect();
        let mut identity = format!(
            "seed {}, batch {}, {}, Augmentation {{ min_scale: {min_scale:?}, flip: {flip} }}, [{}]",
            self.settings.seed,
            self.settings.optimizer.batch_size,
            rounded(self.compute),
            sets.join(", "),
        );
        if (*color_jitter, *gray_scale) != (0.0, 0.0) {
            identity += &format!(", colours {color_jitter:?}, grey {gray_scale:?}");
        }
        if self.loss != Loss::default() || self.freeze != Freeze::default() {
            let Freeze { image, text } = self.freeze;
            identity += &format!(
                ", {}, Freeze {{ image: {}, text: {} }}",
                loss(self.loss),
                frozen(image),
                frozen(text),
            );
        }
        let mut with_kinds = self.data.iter().filter(|data| !data.kinds.is_empty());
        if with_kinds.clone().next().is_some() {
            identity += &format!(", kinds 1 in {KIND_EVERY}, ignored");
        }
        if with_kinds.any(|data| data.texts == TextKind::Captions) {
            identity += &format!(", said 1 in {SAID_EVERY} by 1 of {SAID_BY}");
        }
        match self.negatives {
            Negatives::Batch => {}
            Negatives::Set => identity += ", negatives Set",
        }
        match self.settings.optimizer.algorithm {
            Algorithm::AdamW => {}
            Algorithm::Muon => identity += ", Muon",
        }
        if self.decode_options() != DecodeOptions::default() {
            identity += &format!(", {} megapixels", self.max_megapixels);
        }
        if let Some(tokenizer) = &self.tokenizer {
            identity += &format!(", tokenizer {}", option(tokenizer.file_name()));
        }
        for language in &self.languages {
            let Language {
                name,
                names,
                captions,
                templates,
                share,
            } = language;
            let file = |path: &PathBuf| option(path.file_name());
            identity += &format!(
                ", {name:?} {} [{}] [{}] {share:?}",
                names.as_ref().map_or("None".into(), file),
                list(captions, file),
                list(templates, |template| format!("{template:?}")),
            );
        }
        let extras: Vec<Option<String>> = self.data.iter().map(extras).collect();
        if extras.iter().any(Option::is_some) {
            identity += &format!(", [{}]", list(&extras, |extras| option(extras.as_ref())));
        }
        identity
    }

    /// The string that a best model is told by: the run, and what it was measured on.
    pub fn measured_identity(&self) -> String {
        let shards = match self.settings.measure_every {
            Some(_) => format!(
                "Some([{}])",
                list(&self.validation, |shard| format!("{shard:?}"))
            ),
            None => "None".into(),
        };
        let contexts: Vec<_> = self.data.iter().map(|data| data.context.as_ref()).collect();
        let contexts = if contexts.iter().any(Option::is_some) {
            format!(" in [{}]", list(&contexts, |context| option(*context)))
        } else {
            String::new()
        };
        format!("{}, measured on {shards}{contexts}", self.identity())
    }
}

/// The part of a set's identity that every set has.
fn set(data: &Data) -> String {
    let names = list(&data.shards, |shard| option(shard.file_name()));
    let texts = match data.texts {
        TextKind::Captions => "Captions",
        TextKind::Classes => "Classes",
    };
    let templates = list(&data.templates, |template| format!("{template:?}"));
    let kinds: Vec<String> = data
        .kinds
        .iter()
        .map(|(name, kinds)| format!("{name:?}: {kinds:?}"))
        .collect();
    format!(
        "([{names}], {texts}, [{templates}], {}, {}, {{{}}})",
        data.repeat,
        data.hold_out,
        kinds.join(", "),
    )
}

/// The part that few sets have; nothing for most.
fn extras(data: &Data) -> Option<String> {
    let name = |path: &Option<PathBuf>| option(path.as_ref().and_then(|path| path.file_name()));
    // Every field by name, so that none is forgotten. The first are every set's; a context is part
    // of what is measured.
    let Data {
        shards: _,
        texts: _,
        templates: _,
        repeat: _,
        hold_out: _,
        kinds: _,
        context: _,
        table,
        image_column,
        text_column,
        folder,
        skip_damaged,
        boxes,
        weight,
        group,
        withhold,
    } = data;
    let is_plain = table.is_none()
        && folder.is_none()
        && weight.is_none()
        && !skip_damaged
        && withhold.is_empty()
        && group.is_none()
        && !boxes;
    (!is_plain).then(|| {
        let mut extras = format!(
            "{} {} ({}, {}) {} {}",
            name(table),
            name(folder),
            option(image_column.as_ref()),
            option(text_column.as_ref()),
            option(weight.as_ref()),
            skip_damaged,
        );
        if !withhold.is_empty() {
            extras += &format!(" [{}]", list(withhold, |class| format!("{class:?}")));
        }
        if let Some(group) = group {
            extras += &format!(" group {group:?}");
        }
        if *boxes {
            extras += " boxes";
        }
        extras
    })
}

fn rounded(compute: Precision) -> &'static str {
    match compute {
        Precision::Auto => "Auto",
        Precision::F32 => "F32",
        Precision::Bf16 => "Bf16",
        Precision::Int8 => "Int8",
    }
}

fn loss(loss: Loss) -> &'static str {
    match loss {
        Loss::Softmax => "Softmax",
        Loss::Sigmoid => "Sigmoid",
    }
}

fn frozen(frozen: Frozen) -> String {
    match frozen {
        Frozen::None => "None".into(),
        Frozen::First(layers) => format!("First({layers})"),
        Frozen::All => "All".into(),
    }
}

/// A quoted text or a number that may be missing.
fn option<T: Debug + ?Sized>(value: Option<&T>) -> String {
    value.map_or("None".into(), |value| format!("Some({value:?})"))
}

fn list<T>(items: &[T], written: impl Fn(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(written).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::clip::Run;

    fn run(text: &str) -> Run {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_plain_run() {
        let run = run(r#"
            out = "run"
            architecture = "RN50"
            [[data]]
            shards = ["a/b-0.tar", "c.tar.gz"]
            texts = "captions"
            hold_out = 9
            [[data]]
            shards = []
            texts = "classes"
            templates = ["a \"photo\" of a {}.", "猫 {}"]
            repeat = 3
            [optimizer]
            steps = 4
            batch_size = 16
            learning_rate = 1e-4
            warmup_steps = 1
        "#);
        assert_eq!(
            run.identity(),
            r#"seed 0, batch 16, F32, Augmentation { min_scale: 0.9, flip: true }, [([Some("b-0.tar"), Some("c.tar.gz")], Captions, [], 1, 9, {}), ([], Classes, ["a \"photo\" of a {}.", "猫 {}"], 3, 0, {})]"#
        );
    }

    #[test]
    fn a_limit_of_its_own() {
        let of = |limit: &str| {
            run(&format!(
                r#"
                out = "run"
                architecture = "RN50"
                data = []
                optimizer = {{ steps = 4, batch_size = 16, learning_rate = 1e-4, warmup_steps = 1 }}
                {limit}
                "#
            ))
            .identity()
        };
        let plain = of("");
        assert_eq!(of("max_megapixels = 200"), plain);
        assert_eq!(of("max_megapixels = 500"), plain + ", 500 megapixels");
    }

    #[test]
    fn a_run_with_everything() {
        let run = run(r#"
            out = "run"
            architecture = "RN50"
            seed = 7
            loss = "sigmoid"
            negatives = "set"
            compute = "bf16"
            freeze = { image = "all", text = 3 }
            augmentation = { min_scale = 1.0, flip = false }
            [[data]]
            table = "x/t.csv"
            image_column = "i"
            text_column = "t"
            texts = "captions"
            templates = ["{}"]
            kinds = { dog = "animal" }
            weight = 0.25
            [[data]]
            folder = "photos"
            texts = "classes"
            templates = ["{}"]
            weight = 2.0
            withhold = ["owl", "fox"]
            [[data]]
            shards = ["s.tar"]
            skip_damaged = true
            texts = "captions"
            [optimizer]
            algorithm = "muon"
            steps = 4
            batch_size = 16
            learning_rate = 1e-4
            warmup_steps = 1
            [validation]
            shards = ["v.tar"]
            every = 2
        "#);
        let measured = |run: &Run| run.measured_identity().split_off(run.identity().len());
        assert_eq!(measured(&run), ", measured on Some([\"v.tar\"])");
        // What it is measured in is no part of what is trained.
        let mut in_context = run.clone();
        in_context.data[1].context = Some("a bird".into());
        assert_eq!(in_context.identity(), run.identity());
        assert_eq!(
            measured(&in_context),
            ", measured on Some([\"v.tar\"]) in [None, Some(\"a bird\"), None]"
        );
        assert_eq!(
            run.identity(),
            r#"seed 7, batch 16, Bf16, Augmentation { min_scale: 1.0, flip: false }, [([], Captions, ["{}"], 1, 0, {"dog": "animal"}), ([], Classes, ["{}"], 1, 0, {}), ([Some("s.tar")], Captions, [], 1, 0, {})], Sigmoid, Freeze { image: All, text: First(3) }, kinds 1 in 8, ignored, said 1 in 4 by 1 of 3, negatives Set, Muon, [Some("Some(\"t.csv\") None (Some(\"i\"), Some(\"t\")) Some(0.25) false"), Some("None Some(\"photos\") (None, None) Some(2.0) false [\"owl\", \"fox\"]"), Some("None None (None, None) None true")]"#
        );
    }

    #[test]
    fn a_run_in_two_languages() {
        let run = run(r#"
            out = "run"
            architecture = "RN50"
            tokenizer = "t/tokenizer.json"
            optimizer = { steps = 4, batch_size = 16, learning_rate = 1e-4, warmup_steps = 1 }
            [[data]]
            shards = ["a.tar"]
            texts = "captions"
            group = "photos"
            [[data]]
            shards = ["b.tar"]
            texts = "classes"
            templates = ["{}"]
            boxes = true
            [[languages]]
            name = "zh"
            names = "n/zh.tsv"
            captions = ["c/zh.jsonl"]
            templates = ["一张{}的照片"]
            share = 0.25
        "#);
        assert_eq!(
            run.identity(),
            r#"seed 0, batch 16, F32, Augmentation { min_scale: 0.9, flip: true }, [([Some("a.tar")], Captions, [], 1, 0, {}), ([Some("b.tar")], Classes, ["{}"], 1, 0, {})], tokenizer Some("tokenizer.json"), "zh" Some("zh.tsv") [Some("zh.jsonl")] ["一张{}的照片"] 0.25, [Some("None None (None, None) None false group \"photos\""), Some("None None (None, None) None false boxes")]"#
        );
    }

    #[test]
    fn any_part_of_a_tower_may_be_frozen() {
        let frozen = |freeze: &str| {
            let text = format!(
                r#"
                    out = "o"
                    architecture = "a"
                    data = []
                    freeze = {freeze}
                    [optimizer]
                    steps = 1
                    batch_size = 2
                    learning_rate = 1
                    warmup_steps = 0
                "#
            );
            run(&text).identity()
        };
        assert_eq!(
            frozen("{ image = 2 }"),
            "seed 0, batch 2, F32, Augmentation { min_scale: 0.9, flip: true }, [], Softmax, Freeze { image: First(2), text: None }"
        );
    }
}
