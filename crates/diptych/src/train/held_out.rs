//! What is not trained on but measured: every so many samples of a set, and whole classes.

use std::collections::BTreeSet;

use super::config::{Data, TextKind};
use super::data::Sample;
use super::meaning::names;
use crate::{Error, Result};

/// Texts that a set may have for them to be taken for classes.
const MAX_CLASSES: usize = 2000;

/// What a sample is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Training.
    Train,
    /// Measuring, among classes that are trained on.
    HeldOut,
    /// Measuring, among classes that are not.
    Withheld,
}

impl Part {
    /// What the `i`-th sample of a set is for.
    pub(super) fn of(data: &Data, i: usize, sample: &Sample) -> Self {
        if is_withheld(data, first_text(sample)) {
            Self::Withheld
        } else if data.hold_out > 0 && i % data.hold_out == data.hold_out - 1 {
            Self::HeldOut
        } else {
            Self::Train
        }
    }
}

/// Samples that are measured together, with their classes.
pub(super) struct Set {
    pub(super) name: String,
    /// A class's sentences: its first name in each template, or the caption itself.
    pub(super) classes: Vec<Vec<String>>,
    /// Samples with the index of their class.
    pub(super) samples: Vec<(Sample, usize)>,
}

/// What is measured, of samples that come with the index of their set.
///
/// The held-out samples of a set are told among the classes that are trained on, those of withheld
/// classes among these. A set with more than [`MAX_CLASSES`] texts has no classes, and is left out.
pub(super) fn sets(data: &[Data], samples: &[(Sample, usize)]) -> Vec<Set> {
    let mut sets = Vec::new();
    for (d, (data, name)) in data.iter().zip(set_names(data)).enumerate() {
        let of_set = samples.iter().filter(|(_, of)| *of == d);
        let all: Vec<&Sample> = of_set.map(|(sample, _)| sample).collect();
        let texts = texts(all.iter().copied());
        if texts.len() > MAX_CLASSES {
            continue;
        }
        let (withheld, trained): (Vec<&str>, Vec<&str>) =
            texts.iter().partition(|text| is_withheld(data, text));
        for (part, texts, name) in [
            (Part::HeldOut, trained, name.clone()),
            (Part::Withheld, withheld, format!("{name} (withheld)")),
        ] {
            let of_part = all.iter().enumerate();
            let of_part = of_part.filter(|(i, sample)| Part::of(data, *i, sample) == part);
            let labelled = of_part.filter_map(|(_, &sample)| {
                let class = texts.binary_search(&first_text(sample)).ok()?;
                Some((sample.clone(), class))
            });
            let samples: Vec<_> = labelled.collect();
            if !samples.is_empty() {
                sets.push(Set {
                    name,
                    classes: texts.iter().map(|text| sentences(text, data)).collect(),
                    samples,
                });
            }
        }
    }
    sets
}

/// What to tell of a set that holds samples out but has no classes.
pub(super) fn unmeasured(data: &Data, samples: &[Sample]) -> Option<String> {
    let texts = texts(samples.iter()).len();
    (data.hold_out > 0 && texts > MAX_CLASSES).then(|| {
        format!(
            "{}: what is held out is not measured: {texts} different texts are no classes, of which \
             there can be {MAX_CLASSES}",
            set_name(data)
        )
    })
}

/// # Errors
/// [`Error::Config`] naming a class to withhold that the set does not have.
pub(super) fn check(data: &Data, samples: &[Sample]) -> Result<()> {
    let has = |name: &&String| {
        samples
            .iter()
            .any(|s| class_name(first_text(s)) == name.as_str())
    };
    match data.withhold.iter().find(|name| !has(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Config {
            origin: set_name(data),
            reason: format!("`withhold` names `{name}`, which is the first name of no class"),
        }),
    }
}

fn is_withheld(data: &Data, text: &str) -> bool {
    !data.withhold.is_empty() && data.withhold.iter().any(|name| name == class_name(text))
}

fn first_text(sample: &Sample) -> &str {
    sample.texts.first().map_or("", String::as_str)
}

/// A class goes by the first of its names.
fn class_name(text: &str) -> &str {
    names(text).next().unwrap_or(text)
}

/// The texts of samples, each once, in order.
fn texts<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<&'a str> {
    let texts: BTreeSet<&str> = samples.map(first_text).collect();
    texts.into_iter().collect()
}

/// What sets are called in curves and messages: by their first file, told apart by a number.
fn set_names(data: &[Data]) -> Vec<String> {
    let names: Vec<String> = data.iter().map(set_name).collect();
    let numbered = names.iter().enumerate().map(|(d, name)| {
        match names[..d].iter().filter(|other| *other == name).count() {
            0 => name.clone(),
            n => format!("{name} ({})", n + 1),
        }
    });
    numbered.collect()
}

fn set_name(data: &Data) -> String {
    let file = data.shards.first().or(data.table.as_ref());
    let file = file.or(data.folder.as_ref());
    let name = file.and_then(|path| path.file_name());
    let name = name.unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The sentences whose mean embedding stands for a class.
fn sentences(text: &str, data: &Data) -> Vec<String> {
    match data.texts {
        TextKind::Captions => vec![text.to_owned()],
        TextKind::Classes => {
            let fill = |template: &String| template.replace("{}", class_name(text));
            data.templates.iter().map(fill).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(lines: &str) -> Data {
        toml::from_str(&format!(
            "texts = \"classes\"\ntemplates = [\"a {{}}.\"]\n{lines}"
        ))
        .unwrap()
    }

    fn samples(texts: &[&str]) -> Vec<Sample> {
        let sample = |text: &&str| Sample::in_memory("1", Vec::new(), vec![(*text).into()]);
        texts.iter().map(sample).collect()
    }

    #[test]
    fn every_nth_sample_is_held_out() {
        let all = samples(&["cat"; 10]);
        let held = |n: usize| {
            let data = data(&format!("hold_out = {n}"));
            let is_held = |i: &usize| Part::of(&data, *i, &all[*i]) == Part::HeldOut;
            (0..10).filter(is_held).collect::<Vec<_>>()
        };
        assert_eq!(held(0), [0usize; 0]);
        assert_eq!(held(4), [3, 7]);
    }

    #[test]
    fn withheld_classes_are_measured_among_themselves() {
        let data = data("hold_out = 2\nwithhold = [\"owl\", \"tabby\"]");
        let all = samples(&["tabby, cat", "dog", "owl", "fox", "dog", "tabby, cat"]);
        check(&data, &all).unwrap();
        let with_set: Vec<_> = all.iter().map(|s| (s.clone(), 0)).collect();
        let sets = sets(&[data], &with_set);
        let classes = |set: &Set| set.samples.iter().map(|s| s.1).collect::<Vec<_>>();
        let [held, withheld] = &sets[..] else {
            panic!("{} sets", sets.len())
        };
        assert_eq!(held.classes, [["a dog."], ["a fox."]]);
        assert_eq!(classes(held), [0, 1]);
        assert_eq!(withheld.classes, [["a owl."], ["a tabby."]]);
        assert_eq!(classes(withheld), [1, 0, 1]);
        assert!(withheld.name.ends_with("(withheld)"));
    }

    #[test]
    fn a_class_that_is_not_there_cannot_be_withheld() {
        let data = data("withhold = [\"cat\"]");
        let message = check(&data, &samples(&["tabby, cat"]))
            .unwrap_err()
            .to_string();
        assert!(message.contains("`cat`"), "{message}");
    }
}
