//! A pair's text: which one is drawn, and of which other pictures it is true.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::data::{Data, TextKind};
use super::language::Dictionary;
use super::positives::Relation;
use crate::samples::Sample;
use diptych::fnv1a;

/// The parts of a list such as `tabby, tabby cat`.
pub(super) fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// The meaning of a pair's text, and all that could be said of its picture: hashes of captions and
/// names.
pub(super) struct Meaning {
    text: u64,
    /// The picture's captions, or its class's names.
    names: Vec<u64>,
    /// The kinds of thing it is, or that its captions say are in it.
    kinds: Vec<u64>,
}

impl Meaning {
    /// The relation of another pair's text to the picture of this one.
    ///
    /// A text is true of the picture if it says one of its names or kinds. It is a positive if it
    /// says the same as the picture's own text, or if both say names. Otherwise, where either says
    /// a kind, it is ignored: to be as near to "a cat" as to its own name would keep a tabby from
    /// being told from other cats.
    pub(super) fn relation(&self, other: &Self) -> Relation {
        let is_name = |hash| self.names.contains(&hash);
        if self.text == other.text || is_name(self.text) && is_name(other.text) {
            Relation::Positive
        } else if is_name(other.text) || self.kinds.contains(&other.text) {
            Relation::Ignored
        } else {
            Relation::Negative
        }
    }
}

/// One in this many texts about classes names the kind instead of the class.
pub(super) const KIND_EVERY: u32 = 8;

/// One in this many captions is replaced by a thing that the captions say is in the picture.
pub(super) const SAID_EVERY: u32 = 4;

/// A thing is in a picture if at least one in this many of its captions says it: two of five.
pub(super) const SAID_BY: usize = 3;

/// A name, a kind or a caption.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said<'a> {
    pub(super) text: &'a str,
    /// Whether it stands by itself; else it is put into a template.
    pub(super) is_whole: bool,
}

/// What can be said of a sample in one language.
pub(super) struct Sayable<'a> {
    /// Its captions, or its class's names.
    pub(super) own: Vec<Said<'a>>,
    pub(super) kinds: Vec<Said<'a>>,
    pub(super) templates: &'a [String],
}

impl<'a> Sayable<'a> {
    /// In the data's own language, of which `line` is one of the sample's lines of text.
    fn new(sample: &'a Sample, line: &'a str, data: &'a Data) -> Self {
        let (own, kinds): (Vec<&str>, Vec<&str>) = match data.texts {
            TextKind::Captions => {
                let own = sample.texts.iter().map(String::as_str);
                (own.collect(), said(&sample.texts, &data.kinds))
            }
            TextKind::Classes => {
                let own: Vec<&str> = names(line).collect();
                let first = own.first().copied().unwrap_or(line);
                let kinds = data.kinds.get(first).map(|list| names(list).collect());
                (own, kinds.unwrap_or_default())
            }
        };
        let all = |texts: Vec<&'a str>, is_whole| {
            let all = texts.into_iter().map(|text| Said { text, is_whole });
            all.collect()
        };
        Self {
            own: all(own, data.texts == TextKind::Captions),
            kinds: all(kinds, false),
            templates: &data.templates,
        }
    }
}

/// One of a sample's texts, in its own language or one of the `others`, and what it means.
pub(super) fn draw_text(
    sample: &Sample,
    data: &Data,
    others: &[Dictionary],
    rng: &mut ChaCha8Rng,
) -> (String, Meaning) {
    let line = sample.texts.choose(rng).map_or("", String::as_str);
    let here = Sayable::new(sample, line, data);
    let told = others.iter();
    let told = told.map(|other| other.sayable(sample, line, data, &here.kinds));
    let told: Vec<Sayable> = told.collect();
    let drawn = draw_language(others, rng).map(|i| &told[i]);
    let drawn = drawn.filter(|told| !(told.own.is_empty() && told.kinds.is_empty()));
    let from = drawn.unwrap_or(&here);

    let every = match data.texts {
        TextKind::Captions => SAID_EVERY,
        TextKind::Classes => KIND_EVERY,
    };
    let is_kind = from.own.is_empty() || !from.kinds.is_empty() && rng.random_ratio(1, every);
    let said = if is_kind {
        from.kinds.choose(rng).copied()
    } else if drawn.is_none() && data.texts == TextKind::Captions {
        None // the line, which is drawn already
    } else {
        from.own.choose(rng).copied()
    };
    let is_whole = data.texts == TextKind::Captions;
    let said = said.unwrap_or(Said {
        text: line,
        is_whole,
    });
    let text = if said.is_whole {
        said.text.to_owned()
    } else {
        let template = from.templates.choose(rng).map_or("{}", String::as_str);
        template.replace("{}", said.text)
    };

    let hash = |said: &Said| fnv1a(&said.text.to_lowercase());
    let everywhere = || told.iter().chain([&here]);
    let own = everywhere().flat_map(|sayable| &sayable.own);
    let kinds = everywhere().flat_map(|sayable| &sayable.kinds);
    let meaning = Meaning {
        text: hash(&said),
        names: own.map(hash).collect(),
        kinds: kinds.map(hash).collect(),
    };
    (text, meaning)
}

/// The other language of a text by their shares, or none for the data's own.
fn draw_language(others: &[Dictionary], rng: &mut ChaCha8Rng) -> Option<usize> {
    if others.is_empty() {
        return None;
    }
    let mut drawn: f64 = rng.random();
    others.iter().position(|other| {
        drawn -= other.language.share;
        drawn < 0.0
    })
}

/// The words of a caption, and those that end in `s` without it, too.
fn words(caption: &str) -> impl Iterator<Item = &str> {
    let words = caption.split(|c: char| !c.is_alphanumeric());
    words.flat_map(|word| [Some(word), word.strip_suffix('s')].into_iter().flatten())
}

/// A word of the set's `kinds` that no caption says.
pub(super) fn unsaid<'a>(data: &'a Data, samples: &[Sample]) -> Option<&'a str> {
    let mut missing: BTreeSet<&str> = data.kinds.keys().map(String::as_str).collect();
    for caption in samples.iter().flat_map(|sample| &sample.texts) {
        if missing.is_empty() {
            return None;
        }
        let caption = caption.to_lowercase();
        for word in words(&caption) {
            missing.remove(word);
        }
    }
    missing.first().copied()
}

/// Things in a picture by its captions: the kinds that enough of them have a word for.
fn said<'a>(captions: &[String], kinds: &'a BTreeMap<String, String>) -> Vec<&'a str> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let mut by = BTreeMap::<&str, usize>::new();
    for caption in captions {
        let caption = caption.to_lowercase();
        let lists = words(&caption).filter_map(|word| kinds.get(word));
        let said: BTreeSet<&str> = lists.flat_map(|list| names(list)).collect();
        for kind in said {
            *by.entry(kind).or_default() += 1;
        }
    }
    let enough = captions.len().div_ceil(SAID_BY);
    let said = by.into_iter().filter(|(_, n)| *n >= enough);
    said.map(|(kind, _)| kind).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn texts_are_true_of_pictures_by_name_and_by_kind() {
        let meaning = |text, names: &[u64], kinds: &[u64]| Meaning {
            text,
            names: names.to_vec(),
            kinds: kinds.to_vec(),
        };
        let meanings = [
            meaning(10, &[10, 11], &[50]), // a tabby: its second name is 11, its kind 50
            meaning(11, &[10, 11], &[50]), // another tabby, by its second name
            meaning(50, &[50], &[]),       // a cat that is nothing more
            meaning(50, &[12], &[50, 51]), // a Persian cat, by its kind
            meaning(60, &[60], &[]),
        ];
        let row = |i: usize| [0, 1, 2, 3, 4].map(|j| meanings[i].relation(&meanings[j]));
        use Relation::{Ignored, Negative, Positive};
        assert_eq!(row(0), [Positive, Positive, Ignored, Ignored, Negative]);
        assert_eq!(row(1), [Positive, Positive, Ignored, Ignored, Negative]);
        assert_eq!(row(2), [Negative, Negative, Positive, Positive, Negative]);
        assert_eq!(row(3), [Negative, Negative, Positive, Positive, Negative]);
        assert_eq!(row(4), [Negative, Negative, Negative, Negative, Positive]);
    }

    #[test]
    fn kinds_are_said_now_and_then_and_every_name_is_true() {
        let sample = Sample::in_memory("1", Vec::new(), vec!["tabby, tabby cat".into()]);
        let data: Data = toml::from_str(
            "texts = \"classes\"\ntemplates = [\"a {}.\"]\nkinds = { tabby = \"cat, pet\" }",
        )
        .unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn = HashMap::<String, usize>::new();
        for _ in 0..4000 {
            let (text, meaning) = draw_text(&sample, &data, &[], &mut rng);
            let truths = [meaning.names, meaning.kinds].concat();
            assert!(truths.len() == 4 && truths.contains(&meaning.text));
            *drawn.entry(text).or_default() += 1;
        }
        let near = |text: &str, want: usize| drawn[text].abs_diff(want) < 120;
        assert!(
            near("a tabby.", 1750) && near("a tabby cat.", 1750),
            "{drawn:?}"
        );
        assert!(near("a cat.", 250) && near("a pet.", 250), "{drawn:?}");
    }

    #[test]
    fn captions_say_what_is_in_a_picture() {
        // A dog by a third of them, "Dogs" as well as "dog"; a ball by one, twice; a cat by none.
        let captions = [
            "Two Dogs run.",
            "A ball, a ball",
            "Grass",
            "a dog's tail",
            "A run",
            "Fast",
        ];
        let captions = captions.map(str::to_owned).to_vec();
        let data: Data = toml::from_str(
            "texts = \"captions\"\ntemplates = [\"a photo of a {}.\"]\n\
             kinds = { dog = \"dog, animal\", ball = \"ball\", cat = \"cat\" }",
        )
        .unwrap();
        assert_eq!(said(&captions, &data.kinds), ["animal", "dog"]);
        assert_eq!(said(&captions[..3], &data.kinds), ["animal", "ball", "dog"]);
        assert!(said(&captions[1..], &data.kinds).is_empty());
        let sample = Sample::in_memory("1", Vec::new(), captions);
        assert_eq!(unsaid(&data, std::slice::from_ref(&sample)), Some("cat"));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn = HashMap::<String, usize>::new();
        for _ in 0..4000 {
            let (text, meaning) = draw_text(&sample, &data, &[], &mut rng);
            assert!(meaning.kinds.len() == 2 && meaning.names.len() == 6);
            *drawn.entry(text).or_default() += 1;
        }
        // One in four says a kind, in a template; the others are captions.
        assert_eq!(drawn.len(), 8, "{drawn:?}");
        for (text, wanted) in [("a photo of a dog.", 500), ("a dog's tail", 500)] {
            assert!(drawn[text].abs_diff(wanted) < 80, "{drawn:?}");
        }
    }
}
