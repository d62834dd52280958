//! Batches: which samples, which of their texts, which crop; made ahead of the step that needs them.
//!
//! Invariant: a batch depends on the run file and its step alone, not on threads or on what came
//! before, so a resumed run sees what an uninterrupted one would.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::augment::augment;
use super::config::{Augmentation, Data, Run, TextKind};
use super::hash::fnv1a;
use super::shards::{Sample, read_shards};
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
    /// What each text says: pairs of the same group are positives of each other.
    pub groups: Vec<u64>,
    /// What was wrong with pictures that others took the place of.
    pub skipped: Vec<String>,
}

/// The training data, and how a batch is made of it.
pub struct Batches {
    samples: Vec<(Sample, usize)>,
    data: Vec<Data>,
    /// Indices into `samples`, as often as a pass shows them.
    pass: Vec<u32>,
    seed: u64,
    batch_size: usize,
    augmentation: Augmentation,
    preprocess: Preprocess,
    tokenizer: Tokenizer,
    context_length: usize,
}

impl Batches {
    /// Reads the run's shards.
    ///
    /// # Errors
    /// Those of [`read_shards`]; [`Error::Config`] if there are fewer samples than a batch has.
    pub fn open(run: &Run, model: &Description) -> Result<Self> {
        let mut samples = Vec::new();
        let mut pass = Vec::new();
        for (i, data) in run.data.iter().enumerate() {
            let first = samples.len() as u32;
            samples.extend(
                read_shards(&data.shards)?
                    .into_iter()
                    .map(|sample| (sample, i)),
            );
            for _ in 0..data.repeat {
                pass.extend(first..samples.len() as u32);
            }
        }
        if pass.len() < run.optimizer.batch_size {
            return Err(Error::Config {
                origin: "the run's data".into(),
                reason: format!(
                    "{} samples are fewer than `batch_size`, {}",
                    pass.len(),
                    run.optimizer.batch_size
                ),
            });
        }
        Ok(Self {
            samples,
            data: run.data.clone(),
            pass,
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
        self.pass.len()
    }

    /// The batch of `step`, from 0.
    ///
    /// A picture that can't be decoded is left out for another, and reported in the batch.
    ///
    /// # Errors
    /// [`Error::Shard`] if picture after picture can't be decoded.
    pub fn get(&self, step: usize) -> Result<Batch> {
        let first = step as u64 * self.batch_size as u64;
        let last = first + self.batch_size as u64 - 1;
        let n = self.pass.len() as u64;
        // A batch may end one pass and begin the next.
        let orders: Vec<Vec<u32>> = (first / n..=last / n)
            .map(|pass| self.order(pass))
            .collect();
        let mut pairs: Vec<Pair> = (first..=last)
            .into_par_iter()
            .map(|place| self.pair(&orders[(place / n - first / n) as usize], place))
            .collect::<Result<_>>()?;

        // The loss does not see the order, so short texts come together and need little padding.
        pairs.sort_by_key(|pair| pair.ids.len());

        let groups = groups(&pairs);
        let mut pixels = Vec::with_capacity(pairs.len() * 3 * self.preprocess.size.pow(2));
        let mut rows = Vec::with_capacity(pairs.len());
        let mut skipped = Vec::new();
        for pair in pairs {
            pixels.extend(pair.pixels);
            rows.push(pair.ids);
            skipped.extend(pair.skipped);
        }
        Ok(Batch {
            pixels: Pixels::from_vec(self.preprocess.size, pixels)?,
            tokens: Tokens::from_rows(&rows, self.context_length)?,
            groups,
            skipped,
        })
    }

    /// The order of pass number `epoch`.
    fn order(&self, epoch: u64) -> Vec<u32> {
        let mut order = self.pass.clone();
        order.shuffle(&mut self.rng(1, epoch));
        order
    }

    /// A generator for one purpose and one place in the run.
    fn rng(&self, purpose: u64, place: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(purpose << 56 | place);
        rng
    }

    /// One pair, as the `place`-th of the whole run sees it, in a pass of this order.
    fn pair(&self, order: &[u32], place: u64) -> Result<Pair> {
        /// Samples to try in a place; where all fail, the data is not what it should be.
        const TRIES: u64 = 8;
        let mut rng = self.rng(2, place);
        let mut skipped = Vec::new();
        for attempt in 0..TRIES {
            // Far apart in the pass, as a damaged stretch of a shard is together.
            let at = (place + attempt * 7919) % order.len() as u64;
            let sample = order[at as usize];
            match self.prepare(sample, &mut rng) {
                Ok(pair) => return Ok(Pair { skipped, ..pair }),
                Err(error) if attempt + 1 == TRIES => return Err(error),
                Err(error) => skipped.push(error.to_string()),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Draws a sample's text and crop.
    fn prepare(&self, index: u32, rng: &mut ChaCha8Rng) -> Result<Pair> {
        let (sample, data) = &self.samples[index as usize];
        let (text, class) = draw_text(sample, &self.data[*data], rng);
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
            class,
            sample: index,
            skipped: Vec::new(),
        })
    }
}

/// One picture and its text.
struct Pair {
    pixels: Vec<f32>,
    ids: Vec<u32>,
    /// The line that the text was drawn from.
    class: u64,
    /// Index of the sample.
    sample: u32,
    skipped: Vec<String>,
}

/// Groups of pairs that are positives of each other: of the same class, with the same tokens, or of
/// the same picture.
fn groups(pairs: &[Pair]) -> Vec<u64> {
    #[derive(PartialEq, Eq, Hash)]
    enum Key<'a> {
        Class(u64),
        Ids(&'a [u32]),
        Sample(u32),
    }
    // Union-find; a root is the first pair of its group.
    let mut parent: Vec<usize> = (0..pairs.len()).collect();
    fn root(parent: &[usize], mut i: usize) -> usize {
        while parent[i] != i {
            i = parent[i];
        }
        i
    }
    let mut seen = HashMap::new();
    for (i, pair) in pairs.iter().enumerate() {
        for key in [
            Key::Class(pair.class),
            Key::Ids(&pair.ids),
            Key::Sample(pair.sample),
        ] {
            let (a, b) = (
                root(&parent, i),
                root(&parent, *seen.entry(key).or_insert(i)),
            );
            parent[a.max(b)] = a.min(b);
        }
    }
    (0..pairs.len()).map(|i| root(&parent, i) as u64).collect()
}

/// One of a sample's texts, and the hash of the line it was drawn from: the caption, or the class.
fn draw_text(sample: &Sample, data: &Data, rng: &mut ChaCha8Rng) -> (String, u64) {
    let line = sample.texts.choose(rng).map_or("", String::as_str);
    match data.texts {
        TextKind::Captions => (line.to_owned(), fnv1a(&line.to_lowercase())),
        TextKind::Classes => {
            let names: Vec<&str> = line.split(',').map(str::trim).collect();
            let name = names.choose(rng).copied().unwrap_or(line);
            let template = data.templates.choose(rng).map_or("{}", String::as_str);
            (template.replace("{}", name), fnv1a(&line.to_lowercase()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_one_class_text_or_picture_are_positives() {
        let pair = |class, ids: &[u32], sample| Pair {
            pixels: Vec::new(),
            ids: ids.to_vec(),
            class,
            sample,
            skipped: Vec::new(),
        };
        let pairs = [
            pair(1, &[1], 1), // alone with its text, of one class with the third
            pair(2, &[2], 2),
            pair(1, &[3], 3),
            pair(3, &[3], 4), // the third's words, another class
            pair(4, &[4], 2), // the second's picture
            pair(5, &[5], 5),
        ];
        assert_eq!(groups(&pairs), [0, 1, 0, 0, 1, 5]);
    }
}
