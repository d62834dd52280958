//! Measuring a model on labelled data.
//!
//! Flow: labelled pictures and a [`Clip`](diptych::Clip) → embeddings → [`classification`],
//! [`retrieval`] → shares of what is right.
//! Invariant: a picture is whatever its caller loads; how models are trained is for others to know.
//!
//! | measure | what it says |
//! | --- | --- |
//! | [`classification`] | how often a picture's class comes first, or among the first five |
//! | [`retrieval`] | how often a caption finds its picture among the first k, and the reverse |
//!
//! ```
//! use diptych::image::{ImageError, Picture};
//! use diptych::{Clip, ZeroShot};
//! use diptych_evaluate::{Labelled, classification};
//!
//! # fn main() -> diptych::Result<()> {
//! let clip = Clip::open("default")?;
//! let classifier = ZeroShot::new(&clip, &["sky", "grass"], &["a photo of {}."])?;
//! let pictures = [([120, 180, 235], 0), ([60, 140, 40], 1)];
//! let pictures = pictures.map(|(picture, label)| Labelled { picture, label });
//! let accuracy = classification(&clip, &classifier, pictures, |colour: [u8; 3]| {
//!     let picture = Picture::from_rgb(64, 64, colour.repeat(64 * 64))?;
//!     Ok::<_, ImageError>(clip.preprocess().apply(&picture))
//! })?;
//! assert_eq!((accuracy.pictures, accuracy.classes), (2, 2));
//! assert_eq!(accuracy.top_1, 1.0);
//! # Ok(())
//! # }
//! ```

mod classification;
mod encode;
mod retrieval;

pub use classification::{Accuracy, classification};
pub use encode::Labelled;
pub use retrieval::{Recall, retrieval};

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
