//! Any number of pictures or texts → their features, in order, in bounded memory.
//!
//! Both are iterators: whoever pulls sees progress, may stop at any item, and gets each input's own
//! error in its place. If the model itself fails, that is one error, and the last item.
//! While one batch of pictures goes through the tower the next is decoded, on the same threads, so
//! none waits for the other kind of work.
//!
//! `D` embedding.

use std::iter::Fuse;
use std::vec;

use rayon::prelude::*;

use crate::image::{Pixels, Size};
use crate::text::{Overflow, TextError, Tokens};
use crate::{Clip, Error, Result};

/// Pictures in a batch; two batches are in memory at a time. Twice as many were no faster
/// (ViT-B/32) and took 50 MB more.
const PICTURES: usize = 16;

/// Texts in a batch: many, since the more there are the more begin alike; not all, since who wants
/// to stop waits for a batch.
const TEXTS: usize = 2048;

/// Features `[D]` of pictures, not normalised; made by [`Clip::stream_images`].
pub struct ImageStream<'a, I: Iterator, F, E> {
    clip: &'a Clip,
    sources: Fuse<I>,
    load: F,
    /// Decoded, and next to be encoded.
    loaded: Vec<Result<Pixels, E>>,
    /// Encoded, and next to be handed out.
    ready: vec::IntoIter<Result<Vec<f32>, E>>,
    /// Whether the model has failed.
    failed: bool,
}

/// Features `[D]` of texts, not normalised; made by [`Clip::stream_texts`].
pub struct TextStream<'a, I: Iterator> {
    clip: &'a Clip,
    texts: Fuse<I>,
    overflow: Overflow,
    /// Texts before the next batch.
    done: usize,
    ready: vec::IntoIter<Result<Vec<f32>>>,
    /// Whether the model has failed.
    failed: bool,
}

impl Clip {
    /// The features of pictures, one after the other; `load` makes each source's pixels, `[1, 3, S,
    /// S]`, on many threads.
    ///
    /// ```no_run
    /// # use diptych::{Clip, Embeddings, image::{Decode, DecodeOptions}};
    /// # fn main() -> diptych::Result<()> {
    /// # let (clip, files) = (Clip::open("default")?, vec!["a.jpg", "b.jpg"]);
    /// let options = DecodeOptions { decode: Decode::Fast, ..DecodeOptions::default() };
    /// let mut embeddings = Embeddings::empty(clip.config().embed_dim);
    /// for features in clip.stream_images(&files, |file| Ok(clip.preprocess().load(file, &options)?)) {
    ///     match features {
    ///         Ok(features) => embeddings.push(&features)?,
    ///         Err(error) => return Err(error), // or go on: it is this picture's alone
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream_images<S, F, E>(&self, sources: S, load: F) -> ImageStream<'_, S::IntoIter, F, E>
    where
        S: IntoIterator<Item: Send>,
        F: Fn(S::Item) -> Result<Pixels, E> + Sync,
        E: From<Error> + Send,
    {
        ImageStream {
            clip: self,
            sources: sources.into_iter().fuse(),
            load,
            loaded: Vec::new(),
            ready: Vec::new().into_iter(),
            failed: false,
        }
    }

    /// The features of texts, one after the other. A text's error is [`Error::Text`] with its place
    /// among all of them, as by [`Clip::tokens`].
    pub fn stream_texts<S>(&self, texts: S, overflow: Overflow) -> TextStream<'_, S::IntoIter>
    where
        S: IntoIterator<Item: AsRef<str> + Sync>,
    {
        TextStream {
            clip: self,
            texts: texts.into_iter().fuse(),
            overflow,
            done: 0,
            ready: Vec::new().into_iter(),
            failed: false,
        }
    }
}

impl<I, F, E> ImageStream<'_, I, F, E>
where
    I: Iterator<Item: Send>,
    F: Fn(I::Item) -> Result<Pixels, E> + Sync,
    E: From<Error> + Send,
{
    /// Encodes what is loaded, and loads what comes after it.
    fn advance(&mut self) {
        let Self {
            clip,
            sources,
            load,
            loaded,
            ready,
            failed,
        } = self;
        let next: Vec<I::Item> = sources.by_ref().take(PICTURES).collect();
        let now = std::mem::take(loaded);
        let encode = || encode(clip, now);
        let (encoded, later) = rayon::join(encode, || next.into_par_iter().map(&*load).collect());
        (*ready, *failed) = match encoded {
            Ok(encoded) => (encoded.into_iter(), false),
            Err(error) => (vec![Err(error.into())].into_iter(), true),
        };
        *loaded = later;
    }
}

impl<I, F, E> Iterator for ImageStream<'_, I, F, E>
where
    I: Iterator<Item: Send>,
    F: Fn(I::Item) -> Result<Pixels, E> + Sync,
    E: From<Error> + Send,
{
    type Item = Result<Vec<f32>, E>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.ready.next() {
            return Some(item);
        }
        if self.failed {
            return None;
        }
        if self.loaded.is_empty() {
            self.advance(); // the first batch
        }
        self.advance();
        self.ready.next()
    }
}

/// The features of the pictures that were loaded, and the errors of the others.
fn encode<E: From<Error>>(
    clip: &Clip,
    loaded: Vec<Result<Pixels, E>>,
) -> Result<Vec<Result<Vec<f32>, E>>> {
    let want = clip.preprocess().size;
    let fits = |pixels: Pixels| match (pixels.size(), Size::square(want)) {
        (got, want) if got == want => Ok(pixels),
        (got, want) => Err(E::from(Error::Size { got, want })),
    };
    let loaded: Vec<Result<Pixels, E>> = loaded.into_iter().map(|p| fits(p?)).collect();
    let good = loaded.iter().filter_map(|pixels| pixels.as_ref().ok());
    let together = Pixels::concat(want, good)?;
    if together.is_empty() {
        return Ok(loaded.into_iter().map(|p| p.map(|_| Vec::new())).collect()); // no tower is read for nothing
    }
    let mut features = clip.image_features(&together)?.into_iter();
    let dim = clip.config().embed_dim;
    let mut rows = |pixels: Pixels| features.by_ref().take(pixels.len() * dim).collect();
    Ok(loaded.into_iter().map(|pixels| Ok(rows(pixels?))).collect())
}

impl<I: Iterator<Item: AsRef<str> + Sync>> TextStream<'_, I> {
    fn encode(&self, texts: &[I::Item]) -> Result<Vec<Result<Vec<f32>>>> {
        let context_length = self.clip.config().text_cfg.context_length;
        let (tokenizer, overflow) = (self.clip.tokenizer(), self.overflow);
        let rows: Vec<Result<Vec<u32>, TextError>> = texts
            .par_iter()
            .map(|text| tokenizer.encode(text.as_ref(), context_length, overflow))
            .collect();
        let good: Vec<&Vec<u32>> = rows.iter().filter_map(|row| row.as_ref().ok()).collect();
        let tokens = Tokens::from_rows(&good, context_length)?;
        let mut features = self.clip.text_features(&tokens)?.into_iter();
        let dim = self.clip.config().embed_dim;
        let mut take = |_| features.by_ref().take(dim).collect();
        let in_batch = |(i, row): (usize, Result<Vec<u32>, TextError>)| {
            let located = |error| TextError::InBatch {
                index: self.done + i,
                error: Box::new(error),
            };
            Ok(row.map(&mut take).map_err(located)?)
        };
        Ok(rows.into_iter().enumerate().map(in_batch).collect())
    }
}

impl<I: Iterator<Item: AsRef<str> + Sync>> Iterator for TextStream<'_, I> {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.ready.next() {
            return Some(item);
        }
        if self.failed {
            return None;
        }
        let texts: Vec<I::Item> = self.texts.by_ref().take(TEXTS).collect();
        if texts.is_empty() {
            return None;
        }
        let encoded = self.encode(&texts);
        self.done += texts.len();
        match encoded {
            Ok(features) => self.ready = features.into_iter(),
            Err(error) => {
                self.failed = true;
                return Some(Err(error));
            }
        }
        self.ready.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Source;
    use crate::weights::{Description, TensorData};
    use crate::{Embeddings, Precision};
    use diptych_testing::{folder, max_difference};

    fn clip() -> Clip {
        Clip::open_in(folder("tiny-vit"), Precision::F32).unwrap()
    }

    /// A picture of one shade.
    fn shade(clip: &Clip, i: usize) -> Pixels {
        let side = clip.preprocess().size;
        Pixels::from_vec(side, vec![i as f32 / 40.0 - 1.0; 3 * side * side]).unwrap()
    }

    #[test]
    fn pictures_come_in_order_with_each_ones_error_in_its_place() {
        let clip = clip();
        let load = |i: usize| match i % 7 {
            3 => Err(Error::Device { device: "lens" }),
            5 => Ok(Pixels::from_vec(1, vec![0.0; 3]).unwrap()),
            _ => Ok(shade(&clip, i)),
        };
        let all: Vec<Result<Vec<f32>>> = clip.stream_images(0..80, load).collect();
        assert_eq!(all.len(), 80);
        for (i, got) in all.into_iter().enumerate() {
            match (i % 7, got) {
                (3, Err(Error::Device { .. })) => {}
                (5, Err(Error::Size { .. })) => {}
                (3 | 5, got) => panic!("picture {i}: {got:?}"),
                (_, got) => {
                    let want = clip.image_features(&shade(&clip, i)).unwrap();
                    assert!(max_difference(&got.unwrap(), &want) < 1e-4, "picture {i}");
                }
            }
        }
    }

    #[test]
    fn no_more_than_two_batches_are_taken_ahead() {
        let clip = clip();
        let taken = std::cell::Cell::new(0);
        let sources = (0..10 * PICTURES).inspect(|i| taken.set(i + 1));
        let load = |i| -> Result<Pixels> { Ok(shade(&clip, i)) };
        let mut stream = clip.stream_images(sources, load);
        for i in 0..3 * PICTURES {
            stream.next().unwrap().unwrap();
            assert!(
                taken.get() <= i + 1 + 2 * PICTURES,
                "{} at {i}",
                taken.get()
            );
        }
    }

    #[test]
    fn a_model_that_fails_is_one_error_and_the_end() {
        /// Weights that went away between opening and first use.
        struct Gone;
        impl Source for Gone {
            fn read(&mut self, name: &str) -> Result<TensorData> {
                Err(Error::Tensors {
                    path: "gone".into(),
                    reason: format!("`{name}` is not in it"),
                })
            }
        }
        let description = Description::open(folder("tiny-vit")).unwrap();
        let clip = Clip::of_source(description, Gone);
        let load = |i| -> Result<Pixels> { Ok(shade(&clip, i)) };
        let images: Vec<_> = clip.stream_images(0..100, load).collect();
        assert!(matches!(&images[..], [Err(_)]), "{}", images.len());
        let texts: Vec<_> = clip
            .stream_texts(vec!["a"; 5000], Overflow::Refuse)
            .collect();
        assert!(matches!(&texts[..], [Err(_)]), "{}", texts.len());
    }

    #[test]
    fn texts_come_in_order_with_each_ones_error_in_its_place() {
        let clip = clip();
        let long = "word ".repeat(40);
        let texts = ["a cat", &long, "a dog", "", "a cat"];
        let all: Vec<_> = clip.stream_texts(texts, Overflow::Refuse).collect();
        let dim = clip.config().embed_dim;
        for (i, (text, got)) in texts.iter().zip(all).enumerate() {
            if i == 1 {
                let error = got.unwrap_err();
                let Error::Text(TextError::InBatch { index: 1, .. }) = error else {
                    panic!("{error:?}");
                };
                continue;
            }
            let mut row = Embeddings::empty(dim);
            row.push(&got.unwrap()).unwrap();
            let want = clip.encode_texts(&[text]).unwrap();
            assert!(
                max_difference(row.as_slice(), want.as_slice()) < 1e-5,
                "{text}"
            );
        }
        assert!(
            clip.stream_texts([""; 0], Overflow::Refuse)
                .next()
                .is_none()
        );
    }
}
