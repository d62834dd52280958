//! Batches: which samples, which of their texts, which crop; made ahead of the step that needs them.
//!
//! Invariant: a batch depends on the run file and its step alone, not on threads or on what came
//! before, so a resumed run sees what an uninterrupted one would.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::config::{Augmentation, Data, Run, TextKind};
use super::shards::{Sample, read_shards};
use crate::image::{DecodeOptions, Picture, Pixels, Preprocess};
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
                origin: "data".into(),
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
    /// # Errors
    /// [`Error::Shard`] naming a sample whose picture can't be decoded.
    pub fn get(&self, step: usize) -> Result<Batch> {
        let first = step as u64 * self.batch_size as u64;
        let places: Vec<u64> = (first..first + self.batch_size as u64).collect();
        let n = self.pass.len() as u64;
        // A batch may end one pass and begin the next.
        let orders: Vec<(u64, Vec<u32>)> = [first / n, (first + self.batch_size as u64 - 1) / n]
            .into_iter()
            .map(|epoch| (epoch, self.order(epoch)))
            .collect();
        let mut pairs: Vec<Pair> = places
            .par_iter()
            .map(|&place| {
                let order = &orders[usize::from(orders[0].0 != place / n)].1;
                let (sample, data) = &self.samples[order[(place % n) as usize] as usize];
                self.pair(sample, &self.data[*data], place)
            })
            .collect::<Result<_>>()?;

        // The loss does not see the order, so short texts come together and need little padding.
        pairs.sort_by_key(|pair| pair.ids.len());

        let mut pixels = Vec::with_capacity(pairs.len() * 3 * self.preprocess.size.pow(2));
        let mut rows = Vec::with_capacity(pairs.len());
        let mut groups = Vec::with_capacity(pairs.len());
        for pair in pairs {
            pixels.extend(pair.pixels);
            rows.push(pair.ids);
            groups.push(pair.group);
        }
        Ok(Batch {
            pixels: Pixels::from_vec(self.preprocess.size, pixels)?,
            tokens: Tokens::from_rows(&rows, self.context_length)?,
            groups,
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

    /// One pair, as the `place`-th of the whole run sees it.
    fn pair(&self, sample: &Sample, data: &Data, place: u64) -> Result<Pair> {
        let mut rng = self.rng(2, place);
        let (text, group) = draw_text(sample, data, &mut rng);
        let picture = Picture::decode(&sample.image, &DecodeOptions::default()).map_err(|e| {
            Error::Shard {
                path: sample.key.clone().into(),
                reason: e.to_string(),
            }
        })?;
        let mut pixels = vec![0.0; 3 * self.preprocess.size.pow(2)];
        let picture = augment(picture, &self.augmentation, &self.preprocess, &mut rng)?;
        self.preprocess.apply_into(&picture, &mut pixels);
        let ids = self
            .tokenizer
            .encode(&text, self.context_length, Overflow::Truncate)?;
        Ok(Pair { pixels, ids, group })
    }
}

/// One picture and its text.
struct Pair {
    pixels: Vec<f32>,
    ids: Vec<u32>,
    group: u64,
}

/// One of a sample's texts, and the group it belongs to: the caption, or the class.
fn draw_text(sample: &Sample, data: &Data, rng: &mut ChaCha8Rng) -> (String, u64) {
    let line = sample.texts.choose(rng).map_or("", String::as_str);
    match data.texts {
        TextKind::Captions => (line.to_owned(), hash(line)),
        TextKind::Classes => {
            let names: Vec<&str> = line.split(',').map(str::trim).collect();
            let name = names.choose(rng).copied().unwrap_or(line);
            let template = data.templates.choose(rng).map_or("{}", String::as_str);
            (template.replace("{}", name), hash(line))
        }
    }
}

/// FNV-1a of the lower-cased text: equal texts, equal groups, on every machine.
fn hash(text: &str) -> u64 {
    let step =
        |h: u64, b: u8| (h ^ u64::from(b.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A random crop of `min_scale` to all of the area, sides 3:4 to 4:3, resized to the model's side,
/// then mirrored or not.
///
/// Source: torchvision's `RandomResizedCrop`, ten tries and then the centre.
fn augment(
    picture: Picture,
    augmentation: &Augmentation,
    preprocess: &Preprocess,
    rng: &mut ChaCha8Rng,
) -> Result<Picture> {
    let picture = picture.to_rgb();
    let (width, height) = (picture.width(), picture.height());
    let area = (width * height) as f64;
    let log_ratio = (4.0f64 / 3.0).ln();
    let mut draw = || {
        let part = area * rng.random_range(augmentation.min_scale..=1.0);
        let ratio = rng.random_range(-log_ratio..=log_ratio).exp();
        let w = (part * ratio).sqrt().round() as usize;
        let h = (part / ratio).sqrt().round() as usize;
        let fits = (1..=width).contains(&w) && (1..=height).contains(&h);
        fits.then(|| {
            (
                rng.random_range(0..=width - w),
                rng.random_range(0..=height - h),
                w,
                h,
            )
        })
    };
    let side = width.min(height);
    let (left, top, w, h) = (0..10).find_map(|_| draw()).unwrap_or((
        (width - side) / 2,
        (height - side) / 2,
        side,
        side,
    ));
    let size = preprocess.size;
    let mut picture = picture
        .crop(left, top, w, h)?
        .resize(size, size, preprocess.interpolation);
    if augmentation.flip && rng.random() {
        picture.flip_horizontal();
    }
    Ok(picture)
}
