//! Batches: which samples, which of their texts, which crop; made ahead of the step that needs them.
//!
//! Invariant: a batch depends on the run file and its step alone, not on threads or on what came
//! before, so a resumed run sees what an uninterrupted one would.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::augment::augment;
use super::config::{Augmentation, Data, Run, TextKind};
use super::data::{self, Order, Sample, Turn, generator};
use super::hash::fnv1a;
use super::positives::Positives;
use super::validation::Set;
use crate::image::{Pixels, Preprocess};
use crate::text::{Overflow, Tokenizer, Tokens};
use crate::weights::Description;
use crate::{Error, Result};

/// Pairs for one step.
pub struct Batch {
    /// Pictures `[N, 3, S, S]`.
    pub pixels: Pixels,
    /// Their texts `[N, L]`, short ones first.
    pub tokens: Tokens,
    /// Which of the texts are true of which pictures.
    pub positives: Positives,
    /// What was wrong with samples that were left out or that others took the place of, each told once.
    pub skipped: Vec<String>,
    /// Where each pair came from and what its text was, for messages.
    pub sources: Vec<String>,
}

/// The training data, and how a batch is made of it.
pub struct Batches {
    samples: Vec<(Sample, usize)>,
    data: Vec<Data>,
    order: Order,
    /// Never held while a batch depends on it.
    bad: Mutex<Bad>,
    seed: u64,
    batch_size: usize,
    augmentation: Augmentation,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    context_length: usize,
}

impl Batches {
    /// Finds the run's samples.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Shard`] for data that can't be read; [`Error::Config`] if there are
    /// fewer samples than a batch has.
    pub fn open(run: &Run, model: &Description) -> Result<Self> {
        let mut samples = Vec::new();
        let mut bad = Bad::default();
        let mut sets = Vec::new();
        for (i, data) in run.data.iter().enumerate() {
            let found = data::read(data)?;
            bad.at_opening += found.skipped.len();
            bad.untold.extend(found.skipped);
            let texts: HashSet<_> = found.samples.iter().filter_map(first_text).collect();
            if data.hold_out > 0 && texts.len() > MAX_CLASSES {
                bad.untold.push(format!(
                    "{}: what is held out is not measured: {} different texts are no classes, of \
                     which there can be {MAX_CLASSES}",
                    set_name(data),
                    texts.len()
                ));
            }
            let first = samples.len() as u32;
            samples.extend(found.samples.into_iter().map(|sample| (sample, i)));
            let trained = |i: &u32| !held_out(data, (i - first) as usize);
            sets.push(
                (first..samples.len() as u32)
                    .filter(trained)
                    .collect::<Vec<_>>(),
            );
        }
        let weights: Option<Vec<f64>> = run.data.iter().map(|data| data.weight).collect();
        let order = match weights {
            Some(weights) => Order::weighted(run.seed, sets.into_iter().zip(weights).collect()),
            None => {
                let repeated = sets
                    .iter()
                    .zip(&run.data)
                    .map(|(set, data)| set.repeat(data.repeat));
                Order::repeated(run.seed, repeated.collect::<Vec<_>>().concat())
            }
        };
        if order.pass_len() < run.optimizer.batch_size {
            return Err(Error::Config {
                origin: "the run's data".into(),
                reason: format!(
                    "{} samples are fewer than `batch_size`, {}",
                    order.pass_len(),
                    run.optimizer.batch_size
                ),
            });
        }
        Ok(Self {
            samples,
            data: run.data.clone(),
            order,
            bad: Mutex::new(bad),
            seed: run.seed,
            batch_size: run.optimizer.batch_size,
            augmentation: run.augmentation.clone(),
            preprocess: model.preprocess.clone(),
            tokenizer: model.tokenizer,
            context_length: model.config.text_cfg.context_length,
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none; never, once opened.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Samples in one pass over the data.
    pub fn pass_len(&self) -> usize {
        self.order.pass_len()
    }

    /// The held-out samples of every set that holds some out, with the set's classes: its texts. A set
    /// with more than [`MAX_CLASSES`] of them has no classes, and is left out.
    pub(super) fn held_out(&self) -> Vec<Set> {
        let mut sets = Vec::new();
        let mut first = 0;
        for (d, data) in self.data.iter().enumerate() {
            let all: Vec<&Sample> = self.samples[first..]
                .iter()
                .take_while(|(_, of)| *of == d)
                .map(|(sample, _)| sample)
                .collect();
            first += all.len();
            let texts: BTreeSet<&str> = all.iter().filter_map(|s| first_text(s)).collect();
            if data.hold_out == 0 || texts.len() > MAX_CLASSES {
                continue;
            }
            let texts: Vec<&str> = texts.into_iter().collect();
            let held = all.iter().enumerate().filter(|(i, _)| held_out(data, *i));
            let labelled = held.filter_map(|(_, &sample)| {
                let class = texts.binary_search(&first_text(sample)?).ok()?;
                Some((sample.clone(), class))
            });
            let name = set_name(data);
            let before = self.data[..d]
                .iter()
                .filter(|other| set_name(other) == name)
                .count();
            sets.push(Set {
                // Sets are told apart by name in curves and messages.
                name: match before {
                    0 => name,
                    n => format!("{name} ({})", n + 1),
                },
                samples: labelled.collect(),
                classes: texts.iter().map(|text| sentences(text, data)).collect(),
            });
        }
        sets
    }

    /// The batch of `step`, from 0.
    ///
    /// A picture that can't be decoded is left out for another, and reported in the first batch that
    /// meets it; the first batch of all also tells what was left out when the data was opened.
    ///
    /// # Errors
    /// [`Error::Shard`] if picture after picture can't be decoded.
    pub fn get(&self, step: usize) -> Result<Batch> {
        let first = step as u64 * self.batch_size as u64;
        let turns = self.order.turns(first..first + self.batch_size as u64);
        let mut pairs: Vec<Pair> = turns
            .par_iter()
            .enumerate()
            .map(|(i, turn)| self.pair(turn, first + i as u64))
            .collect::<Result<_>>()?;
        let skipped = self.tell(&pairs);

        // The loss does not see the order, so short texts come together and need little padding.
        pairs.sort_by_key(|pair| pair.ids.len());

        let positives = positives(&pairs);
        let mut pixels = Vec::with_capacity(pairs.len() * 3 * self.preprocess.size.pow(2));
        let mut rows = Vec::with_capacity(pairs.len());
        let mut sources = Vec::with_capacity(pairs.len());
        for pair in pairs {
            pixels.extend(pair.pixels);
            rows.push(pair.ids);
            sources.push(pair.source);
        }
        Ok(Batch {
            pixels: Pixels::from_vec(self.preprocess.size, pixels)?,
            tokens: Tokens::from_rows(&rows, self.context_length)?,
            positives,
            skipped,
            sources,
        })
    }

    /// Samples known to be bad by now.
    pub fn skipped(&self) -> usize {
        let bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        bad.seen.len() + bad.at_opening
    }

    /// What has not been told yet about bad samples, those met by `pairs` included.
    fn tell(&self, pairs: &[Pair]) -> Vec<String> {
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reasons = std::mem::take(&mut bad.untold);
        for (sample, reason) in pairs.iter().flat_map(|pair| &pair.skipped) {
            if bad.seen.insert(*sample) {
                reasons.push(reason.clone());
            }
        }
        reasons
    }

    /// One pair, as the `place`-th of the whole run sees it, whose turn it is.
    fn pair(&self, turn: &Turn, place: u64) -> Result<Pair> {
        /// Samples to try in a place; where all fail, the data is not what it should be.
        const TRIES: u64 = 8;
        let mut rng = generator(self.seed, 2, place);
        let mut skipped = Vec::new();
        for attempt in 0..TRIES {
            let sample = turn.sample(attempt);
            match self.prepare(sample, &mut rng) {
                Ok(pair) => return Ok(Pair { skipped, ..pair }),
                Err(error) if attempt + 1 == TRIES => return Err(error),
                Err(error) => skipped.push((sample, error.to_string())),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Draws a sample's text and crop.
    fn prepare(&self, index: u32, rng: &mut ChaCha8Rng) -> Result<Pair> {
        let (sample, data) = &self.samples[index as usize];
        let (text, meaning) = draw_text(sample, &self.data[*data], rng);
        let picture = sample.picture()?;
        let picture = augment(&picture, &self.augmentation, &self.preprocess, rng)?;
        let mut pixels = vec![0.0; 3 * self.preprocess.size.pow(2)];
        self.preprocess.apply_into(&picture, &mut pixels);
        let ids = self
            .tokenizer
            .encode(&text, self.context_length, Overflow::Truncate)?;
        Ok(Pair {
            pixels,
            ids,
            meaning,
            skipped: Vec::new(),
            source: format!("{}: {}\t{text}", sample.origin.display(), sample.key),
        })
    }
}

/// One picture and its text.
struct Pair {
    pixels: Vec<f32>,
    ids: Vec<u32>,
    meaning: Meaning,
    /// Samples that were tried before, and what is wrong with them.
    skipped: Vec<(u32, String)>,
    source: String,
}

/// Samples that can't be used.
#[derive(Default)]
struct Bad {
    /// Left out when the data was opened.
    at_opening: usize,
    /// Met since.
    seen: HashSet<u32>,
    /// What is wrong with those at opening, until a batch tells it.
    untold: Vec<String>,
}

/// What a pair's text says, and what could be said of its picture: hashes of captions and names.
struct Meaning {
    said: u64,
    truths: Vec<u64>,
}

/// A text is true of a picture if it says one of the picture's truths, or the same words as its text.
fn positives(pairs: &[Pair]) -> Positives {
    Positives::new(pairs.len(), |picture, text| {
        let (picture, text) = (&pairs[picture], &pairs[text]);
        picture.meaning.truths.contains(&text.meaning.said) || picture.ids == text.ids
    })
}

/// Whether the `i`-th sample of a set is held out.
fn held_out(data: &Data, i: usize) -> bool {
    data.hold_out > 0 && i % data.hold_out == data.hold_out - 1
}

/// The parts of a list such as `tabby, tabby cat`.
pub(super) fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// Texts that a set may have for them to be taken for classes.
const MAX_CLASSES: usize = 2000;

fn first_text(sample: &Sample) -> Option<&str> {
    sample.texts.first().map(String::as_str)
}

/// What a set is called in measurements: by its first file.
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
            let name = names(text).next().unwrap_or(text);
            data.templates
                .iter()
                .map(|t| t.replace("{}", name))
                .collect()
        }
    }
}

/// Of how many texts about classes one names the kind instead.
const KIND_EVERY: u32 = 4;

/// One of a sample's texts, and what it means.
fn draw_text(sample: &Sample, data: &Data, rng: &mut ChaCha8Rng) -> (String, Meaning) {
    let hash = |name: &str| fnv1a(&name.to_lowercase());
    let line = sample.texts.choose(rng).map_or("", String::as_str);
    if data.texts == TextKind::Captions {
        let meaning = Meaning {
            said: hash(line),
            truths: sample.texts.iter().map(|text| hash(text)).collect(),
        };
        return (line.to_owned(), meaning);
    }
    let own: Vec<&str> = names(line).collect();
    let first = own.first().copied().unwrap_or(line);
    let kinds: Vec<&str> = data
        .kinds
        .get(first)
        .map_or(Vec::new(), |k| names(k).collect());
    let drawn = match !kinds.is_empty() && rng.random_ratio(1, KIND_EVERY) {
        true => kinds.choose(rng),
        false => own.choose(rng),
    };
    let name = drawn.copied().unwrap_or(line);
    let template = data.templates.choose(rng).map_or("{}", String::as_str);
    let meaning = Meaning {
        said: hash(name),
        truths: own.iter().chain(&kinds).map(|name| hash(name)).collect(),
    };
    (template.replace("{}", name), meaning)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn texts_are_true_of_pictures_by_name_by_kind_and_by_words() {
        let pair = |ids: &[u32], said, truths: &[u64]| Pair {
            pixels: Vec::new(),
            ids: ids.to_vec(),
            meaning: Meaning {
                said,
                truths: truths.to_vec(),
            },
            skipped: Vec::new(),
            source: String::new(),
        };
        let pairs = [
            pair(&[1], 10, &[10, 11, 50]), // a tabby: its second name is 11, its kind 50
            pair(&[2], 11, &[10, 11, 50]), // another tabby, by its second name
            pair(&[3], 50, &[50]),         // a cat that is nothing more
            pair(&[3], 60, &[60]),         // the same words, said of something else
        ];
        let positives = positives(&pairs);
        let row = |i: usize| [0, 1, 2, 3].map(|j| positives.is_true(i, j));
        assert_eq!(row(0), [true, true, true, false]);
        assert_eq!(row(1), [true, true, true, false]);
        assert_eq!(row(2), [false, false, true, true]);
        assert_eq!(row(3), [false, false, true, true]);
    }

    #[test]
    fn kinds_are_said_now_and_then_and_every_name_is_true() {
        let sample = Sample::in_memory("1", Vec::new(), vec!["tabby, tabby cat".into()]);
        let data: Data = toml::from_str(
            "texts = \"classes\"\ntemplates = [\"a {}.\"]\nkinds = { tabby = \"cat, pet\" }",
        )
        .unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut said = HashMap::<String, usize>::new();
        for _ in 0..4000 {
            let (text, meaning) = draw_text(&sample, &data, &mut rng);
            assert!(meaning.truths.len() == 4 && meaning.truths.contains(&meaning.said));
            *said.entry(text).or_default() += 1;
        }
        let near = |text: &str, want: usize| said[text].abs_diff(want) < 150;
        assert!(
            near("a tabby.", 1500) && near("a tabby cat.", 1500),
            "{said:?}"
        );
        assert!(near("a cat.", 500) && near("a pet.", 500), "{said:?}");
    }

    #[test]
    fn every_nth_sample_is_held_out() {
        let data = |n: usize| -> Data {
            toml::from_str(&format!("texts = \"captions\"\nhold_out = {n}")).unwrap()
        };
        let held = |n: usize| {
            (0..10)
                .filter(|&i| held_out(&data(n), i))
                .collect::<Vec<_>>()
        };
        assert_eq!(held(0), [0usize; 0]);
        assert_eq!(held(4), [3, 7]);
    }
}
