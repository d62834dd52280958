//! Samples that are not trained on but measured: every so many samples of a set, and whole classes.

use std::collections::BTreeSet;

use super::data::{Data, TextKind, stem};
use super::language::Dictionary;
use super::meaning::{names, unsaid};
use crate::samples::Sample;
use crate::{Error, Result};
use diptych::in_context;

/// Texts that a set may have for them to be taken for classes.
const MAX_CLASSES: usize = 2000;

/// The use of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// Training.
    Train,
    /// Measuring, among classes that are trained on.
    HeldOut,
    /// Measuring, among classes that are not.
    Withheld,
}

impl Split {
    /// The use of the `i`-th sample of a set.
    pub(super) fn of(data: &Data, i: usize, sample: &Sample) -> Self {
        let names_withheld = |text: &String| data.withhold.iter().any(|w| w == class_name(text));
        if sample.texts.iter().any(names_withheld) {
            Self::Withheld
        } else if data.hold_out > 0 && i % data.hold_out == data.hold_out - 1 {
            Self::HeldOut
        } else {
            Self::Train
        }
    }
}

/// Samples that are measured together, with their classes.
pub(super) struct Exam {
    pub(super) name: String,
    /// A class's sentences: its first name in each template, in the set's context, or the caption
    /// itself.
    pub(super) classes: Vec<Vec<String>>,
    /// Samples with the index of their class.
    pub(super) samples: Vec<(Sample, usize)>,
}

/// The samples to measure, of those that come with the index of their set.
///
/// The held-out samples of a set are told among the classes that are trained on, those of withheld
/// classes among these. A set with more than [`MAX_CLASSES`] has none, and is left out.
///
/// Where a language has a name for each class, they are measured in it once more.
pub(super) fn exams(
    data: &[Data],
    samples: &[(Sample, usize)],
    languages: &[Dictionary],
) -> Vec<Exam> {
    let mut exams = Vec::new();
    for (d, (data, name)) in data.iter().zip(set_names(data)).enumerate() {
        let of_set = samples.iter().filter(|(_, of)| *of == d);
        let all: Vec<&Sample> = of_set.map(|(sample, _)| sample).collect();
        let classes = classes(data, all.iter().copied());
        if classes.len() > MAX_CLASSES {
            continue;
        }
        let (withheld, trained): (Vec<&str>, Vec<&str>) = classes
            .iter()
            .partition(|class| data.withhold.iter().any(|w| w == *class));
        for (split, classes, name) in [
            (Split::HeldOut, trained, name.clone()),
            (Split::Withheld, withheld, format!("{name} (withheld)")),
        ] {
            let of_split = all.iter().enumerate();
            let of_split = of_split.filter(|(i, sample)| Split::of(data, *i, sample) == split);
            let labelled = of_split.filter_map(|(_, &sample)| {
                let class = classes.binary_search(&class_of(data, sample)).ok()?;
                Some((sample.clone(), class))
            });
            let samples: Vec<_> = labelled.collect();
            if !samples.is_empty() {
                for language in languages {
                    let told = classes.iter().map(|class| language.sentences(class));
                    exams.extend(told.collect::<Option<_>>().map(|classes| Exam {
                        name: format!("{name} ({})", language.language.name),
                        classes,
                        samples: samples.clone(),
                    }));
                }
                exams.push(Exam {
                    name,
                    classes: classes.iter().map(|class| sentences(class, data)).collect(),
                    samples,
                });
            }
        }
    }
    exams
}

/// A warning about a set that keeps samples from training but has no classes to measure them by.
pub(super) fn unmeasured(data: &Data, samples: &[Sample]) -> Option<String> {
    let keeps = data.hold_out > 0 || !data.withhold.is_empty();
    let classes = classes(data, samples.iter()).len();
    (keeps && classes > MAX_CLASSES).then(|| {
        format!(
            "{}: what is held out is not measured: {classes} different texts are no classes, of which \
             there can be {MAX_CLASSES}",
            set_name(data)
        )
    })
}

/// A warning about classes that have no name in a language; nothing of a set of captions.
pub(super) fn untold(data: &Data, samples: &[Sample], language: &Dictionary) -> Option<String> {
    match data.texts {
        TextKind::Captions => None,
        TextKind::Classes => language.unknown(&set_name(data), &classes(data, samples.iter())),
    }
}

/// Checks what a set's samples must have for the run file to be followed.
///
/// # Errors
/// [`Error::Set`] naming a class that the set does not have; or if `withhold` leaves nothing to
/// train on, or one class, which could not be told from any other.
pub(super) fn check(data: &Data, samples: &[Sample]) -> Result<()> {
    let refuse = |reason: String| {
        Err(Error::Set {
            set: set_name(data),
            reason,
        })
    };
    if data.texts == TextKind::Captions {
        return match unsaid(data, samples) {
            Some(word) => refuse(format!(
                "`kinds` has `{word}`, which no caption of the set says"
            )),
            None => Ok(()),
        };
    }
    let classes = classes(data, samples.iter());
    let has = |name: &str| classes.binary_search(&name).is_ok();
    let of_withhold = data.withhold.iter().map(|name| ("withhold", name));
    let of_kinds = data.kinds.keys().map(|name| ("kinds", name));
    if let Some((field, name)) = of_withhold.chain(of_kinds).find(|(_, name)| !has(name)) {
        let some: Vec<&str> = classes.iter().take(5).copied().collect();
        return refuse(format!(
            "`{field}` names `{name}`, which is the first name of no class; wanted one of the set's, such \
             as {some:?}"
        ));
    }
    match data.withhold.len() {
        0 => Ok(()),
        1 => refuse("`withhold` names one class, wanted at least two to be told apart".into()),
        n if n == classes.len() => refuse("`withhold` leaves no class to train on".into()),
        _ => Ok(()),
    }
}

/// The name of a sample's class: the first of its names; or its caption.
fn class_of<'a>(data: &Data, sample: &'a Sample) -> &'a str {
    let text = sample.texts.first().map_or("", String::as_str);
    match data.texts {
        TextKind::Captions => text,
        TextKind::Classes => class_name(text),
    }
}

/// The first of a class's names.
fn class_name(text: &str) -> &str {
    names(text).next().unwrap_or(text)
}

/// The classes of samples, each once, in order.
fn classes<'a>(data: &Data, samples: impl Iterator<Item = &'a Sample>) -> Vec<&'a str> {
    let classes: BTreeSet<&str> = samples.map(|sample| class_of(data, sample)).collect();
    classes.into_iter().collect()
}

/// Names of sets in curves and messages: by their first file, told apart by a number.
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
    file.map(|path| stem(path)).unwrap_or_default()
}

/// The sentences whose mean embedding stands for a class.
fn sentences(class: &str, data: &Data) -> Vec<String> {
    match data.texts {
        TextKind::Captions => vec![class.to_owned()],
        TextKind::Classes => {
            let fill = |template: &String| match &data.context {
                Some(context) => in_context(template, context).replace("{}", class),
                None => template.replace("{}", class),
            };
            data.templates.iter().map(fill).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(lines: &str) -> Data {
        toml::from_str(&format!(
            "shards = [\"a.tar\"]\ntexts = \"classes\"\ntemplates = [\"a {{}}.\"]\n{lines}"
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
            let is_held = |i: &usize| Split::of(&data, *i, &all[*i]) == Split::HeldOut;
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
        let sets = exams(&[data], &with_set, &[]);
        let classes = |set: &Exam| set.samples.iter().map(|s| s.1).collect::<Vec<_>>();
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
    fn classes_are_measured_in_their_context_and_trained_without() {
        let data = data("hold_out = 2\ncontext = \"a type of pet\"");
        data.check().unwrap();
        let all = samples(&["cat", "dog"]);
        let with_set: Vec<_> = all.iter().map(|s| (s.clone(), 0)).collect();
        let sets = exams(&[data], &with_set, &[]);
        let want = [["a cat, a type of pet."], ["a dog, a type of pet."]];
        assert_eq!(sets[0].classes, want);
        for (context, texts) in [(" ", "classes"), ("a {}", "classes"), ("a pet", "captions")] {
            let lines = format!(
                "shards = [\"a\"]\ntexts = {texts:?}\ntemplates = [\"{{}}\"]\ncontext = {context:?}"
            );
            let data: Data = toml::from_str(&lines).unwrap();
            let message = data.check().unwrap_err();
            assert!(message.contains("`context`"), "{message}");
        }
    }

    #[test]
    fn a_class_is_what_its_first_name_says() {
        let data = data("hold_out = 2");
        let all = samples(&["dog", "tabby, cat", "dog", "tabby, tabby cat"]);
        let sets = exams(
            &[data],
            &all.iter().map(|s| (s.clone(), 0)).collect::<Vec<_>>(),
            &[],
        );
        assert_eq!(sets[0].classes, [["a dog."], ["a tabby."]]);
        let classes: Vec<usize> = sets[0].samples.iter().map(|s| s.1).collect();
        assert_eq!(classes, [1, 1]);
    }

    #[test]
    fn classes_that_cannot_be_withheld_say_why() {
        let all = samples(&["tabby, cat", "dog"]);
        for (lines, wanted) in [
            ("withhold = [\"cat\", \"dog\"]", "`withhold` names `cat`"),
            ("withhold = [\"dog\"]", "one class"),
            ("withhold = [\"dog\", \"tabby\"]", "no class to train on"),
            ("kinds = { cow = \"animal\" }", "`kinds` names `cow`"),
        ] {
            let message = check(&data(lines), &all).unwrap_err().to_string();
            assert!(message.contains(wanted), "{message}");
        }
        // A sample with a second line is withheld by either.
        let both = Sample::in_memory("1", Vec::new(), vec!["fox".into(), "dog".into()]);
        let data = data("withhold = [\"dog\", \"tabby\"]");
        assert_eq!(Split::of(&data, 0, &both), Split::Withheld);
    }
}
