//! Batches: which samples, which of their texts, which crop; made ahead of the step that needs
//! them.
//!
//! Invariant: a batch depends on the run file and its step alone, not on threads or on what came
//! before, so a resumed run sees what an uninterrupted one would.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::augment::augment;
use super::data::Data;
use super::held_out::{self, Exam, Split};
use super::language::Dictionary;
use super::meaning::{Meaning, draw_text};
use super::order::{Order, Turn, generator};
use super::positives::{Positives, Relation};
use super::run_file::{Augmentation, Negatives, Run};
use crate::samples::{Found, PassedOver, Reason, Sample, Tally};
use crate::{Error, Result};
use diptych::image::{DecodeOptions, Pixels, Preprocess};
use diptych::text::{Overflow, Tokenizer, Tokens};
use diptych::weights::Description;

/// Pairs for one step.
pub struct Batch {
    /// Pictures `[N, 3, S, S]`.
    pub pixels: Pixels,
    /// Their texts `[N, L]`, short ones first.
    pub tokens: Tokens,
    /// Which of the texts are true of which pictures.
    pub positives: Positives,
    /// Samples that others took the place of, each told once in a run.
    pub skipped: Vec<PassedOver>,
    /// Where each pair came from and what its text was, for messages.
    pub sources: Vec<String>,
}

/// The training data, and how a batch is made of it.
pub struct Batches {
    samples: Vec<(Sample, usize)>,
    data: Vec<Data>,
    languages: Vec<Dictionary>,
    order: Order,
    passed_over: Tally,
    warnings: Vec<String>,
    /// Samples found bad since. Never held while a batch depends on it.
    bad: Mutex<HashSet<u32>>,
    seed: u64,
    batch_size: usize,
    negatives: Negatives,
    augmentation: Augmentation,
    decode: DecodeOptions,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    context_length: usize,
}

impl Batches {
    /// Reads the run's data and finds its samples.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Data`] for data that can't be read; [`Error::Set`] if a set is
    /// not as the run file says; [`Error::TooFewSamples`] if there are fewer samples than a
    /// batch has.
    pub fn open(run: &Run, model: &Description) -> Result<Self> {
        let (passed_over, found) = Self::read(run);
        Self::new(run, model, found?, passed_over)
    }

    /// Reads the run's data, set by set up to the first that can't be read. What is passed over is
    /// known in any case.
    pub(super) fn read(run: &Run) -> (Tally, Result<Vec<Found>>) {
        let mut passed_over = Tally::default();
        let found = run.data.iter().map(|data| {
            let mut found = data.set().read()?;
            passed_over.extend(std::mem::take(&mut found.passed_over));
            Ok(found)
        });
        let found = found.collect();
        (passed_over, found)
    }

    /// Orders the samples of what was read.
    pub(super) fn new(
        run: &Run,
        model: &Description,
        found: Vec<Found>,
        passed_over: Tally,
    ) -> Result<Self> {
        let languages = run.languages.iter().map(Dictionary::open);
        let languages = languages.collect::<Result<Vec<_>>>()?;
        let mut samples = Vec::new();
        let mut warnings = Vec::new();
        let mut sets = Vec::new();
        for (i, (data, found)) in run.data.iter().zip(found).enumerate() {
            warnings.extend(found.warnings);
            warnings.extend(held_out::unmeasured(data, &found.samples));
            let untold = languages.iter();
            warnings.extend(untold.filter_map(|l| held_out::untold(data, &found.samples, l)));
            held_out::check(data, &found.samples)?;
            let first = samples.len();
            samples.extend(found.samples.into_iter().map(|sample| (sample, i)));
            let trained = samples[first..]
                .iter()
                .enumerate()
                .filter(|(i, (sample, _))| Split::of(data, *i, sample) == Split::Train)
                .map(|(i, _)| (first + i) as u32);
            sets.push(trained.collect::<Vec<_>>());
        }
        for language in &languages {
            check_captions(language, samples.iter().map(|(sample, _)| sample))?;
        }
        let unused = languages.iter();
        let unused = unused.filter_map(|l| l.unused(samples.iter().map(|(sample, _)| sample)));
        warnings.extend(unused);
        let weights: Option<Vec<f64>> = run.data.iter().map(|data| data.weight).collect();
        let order = match weights {
            Some(weights) => {
                Order::weighted(run.settings.seed, sets.into_iter().zip(weights).collect())
            }
            None => {
                let repeated = sets
                    .iter()
                    .zip(&run.data)
                    .map(|(set, data)| set.repeat(data.repeat));
                Order::repeated(run.settings.seed, repeated.collect::<Vec<_>>().concat())
            }
        };
        let batch_size = run.settings.optimizer.batch_size;
        if order.pass_len() < batch_size {
            return Err(Error::TooFewSamples {
                samples: order.pass_len(),
                batch_size,
            });
        }
        Ok(Self {
            samples,
            data: run.data.clone(),
            languages,
            order,
            passed_over,
            warnings,
            bad: Mutex::default(),
            seed: run.settings.seed,
            batch_size,
            negatives: run.negatives,
            augmentation: run.augmentation.clone(),
            decode: run.decode_options(),
            preprocess: model.preprocess.clone(),
            tokenizer: model.tokenizer.clone(),
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

    /// The samples that are measured instead of trained on, set by set.
    pub(super) fn held_out(&self) -> Vec<Exam> {
        held_out::exams(&self.data, &self.samples, &self.languages)
    }

    /// The other languages.
    pub(super) fn languages(&self) -> &[Dictionary] {
        &self.languages
    }

    /// The batch of `step`, from 0.
    ///
    /// A picture that can't be decoded is left out for another, and reported in the first batch
    /// that meets it.
    ///
    /// # Errors
    /// [`Error::Unusable`] if picture after picture can't be used.
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

        let positives = Positives::new(pairs.len(), |picture, text| {
            let (picture, text) = (&pairs[picture], &pairs[text]);
            if picture.ids == text.ids {
                return Relation::Positive;
            }
            let apart = self.negatives == Negatives::Set && self.is_apart(picture.set, text.set);
            match picture.meaning.relation(&text.meaning) {
                Relation::Negative if apart => Relation::Apart,
                relation => relation,
            }
        });
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

    /// Whether two sets are neither the same nor of one group.
    fn is_apart(&self, a: usize, b: usize) -> bool {
        let group = |set: usize| self.data[set].group.as_ref();
        a != b && (group(a).is_none() || group(a) != group(b))
    }

    /// The tally of what was passed over when the data was opened.
    pub fn passed_over(&self) -> &Tally {
        &self.passed_over
    }

    /// All samples, trained on or not.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().map(|(sample, _)| sample)
    }

    /// Sentences about what the run file asks for and the data does not give.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Number of things passed over by now, bad samples included.
    pub fn skipped(&self) -> usize {
        let bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        bad.len() + self.passed_over.count()
    }

    /// The bad samples met by `pairs` that have not been told yet.
    fn tell(&self, pairs: &[Pair]) -> Vec<PassedOver> {
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        let met = pairs.iter().flat_map(|pair| &pair.skipped);
        met.filter(|(sample, _)| bad.insert(*sample))
            .map(|(_, passed_over)| passed_over.clone())
            .collect()
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
                Err((reason, error)) => skipped.push((sample, PassedOver::one(reason, error))),
            }
        }
        let mut tally = Tally::default();
        tally.extend(skipped.into_iter().map(|(_, passed_over)| passed_over));
        Err(Error::Unusable {
            tries: TRIES as usize,
            passed_over: tally,
        })
    }

    /// The texts of some pairs of the whole run, without their pictures.
    pub(super) fn texts(&self, places: Range<u64>) -> impl Iterator<Item = String> {
        let turns = self.order.turns(places.clone());
        turns.into_iter().zip(places).map(|(turn, place)| {
            let (sample, data) = &self.samples[turn.sample(0) as usize];
            let mut rng = generator(self.seed, 2, place);
            draw_text(sample, &self.data[*data], &self.languages, &mut rng).0
        })
    }

    /// Draws a sample's text and crop.
    fn prepare(&self, index: u32, rng: &mut ChaCha8Rng) -> Result<Pair, (Reason, Error)> {
        let unreadable = |error| (Reason::Unreadable, error);
        let undecodable = |error| (Reason::Undecodable, error);
        let (sample, data) = &self.samples[index as usize];
        let (text, meaning) = draw_text(sample, &self.data[*data], &self.languages, rng);
        let bytes = sample.bytes().map_err(unreadable)?;
        let picture = sample.decode(&bytes, &self.decode)?;
        let picture =
            augment(&picture, &self.augmentation, &self.preprocess, rng).map_err(undecodable)?;
        let mut pixels = vec![0.0; 3 * self.preprocess.size.pow(2)];
        self.preprocess.apply_into(&picture, &mut pixels);
        let ids = self
            .tokenizer
            .encode(&text, self.context_length, Overflow::Truncate)
            .map_err(|error| (Reason::EmptyCaption, error.into()))?;
        Ok(Pair {
            pixels,
            ids,
            meaning,
            set: *data,
            skipped: Vec::new(),
            source: format!("{}: {}\t{text}", sample.origin.display(), sample.key),
        })
    }
}

/// Checks that a language's captions are of one picture each.
///
/// # Errors
/// [`Error::Set`] naming two shards, tables or folders of one name.
pub(super) fn check_captions<'s>(
    language: &Dictionary,
    samples: impl Iterator<Item = &'s Sample>,
) -> Result<()> {
    match language.ambiguous(samples) {
        None => Ok(()),
        Some([a, b]) => Err(Error::Set {
            set: b.display().to_string(),
            reason: format!(
                "captions in `{}` name {} as they name this one; call one of the two otherwise",
                language.language.name,
                a.display()
            ),
        }),
    }
}

/// One picture and its text.
struct Pair {
    pixels: Vec<f32>,
    ids: Vec<u32>,
    meaning: Meaning,
    /// The number of its set.
    set: usize,
    /// Samples that were tried before, and what is wrong with them.
    skipped: Vec<(u32, PassedOver)>,
    source: String,
}
