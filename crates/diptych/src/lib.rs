//! CLIP in Rust: two panels, an image and a text, hinged at one embedding.
//!
//! ```no_run
//! use diptych::{Clip, ZeroShot, image::{DecodeOptions, Picture}};
//!
//! # fn main() -> diptych::Result<()> {
//! let clip = Clip::open("default")?;
//! let labels = ["cat", "dog", "rocket"];
//! let classifier = ZeroShot::new(&clip, &labels, &["a photo of a {}."])?;
//! let picture = Picture::open("photo.jpg", &DecodeOptions::default())?;
//! let embedding = clip.encode_images(&clip.preprocess().apply(&picture))?;
//! for prediction in &classifier.classify(&embedding, 3)?[0] {
//!     println!("{} {:.1} %", prediction.label, 100.0 * prediction.probability);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Data flows left to right, and so do the folders: [`text`] and [`image`] make tokens and pixels,
//! [`model`] has the towers that can be trained, made of [`layers`], and [`engine`] those of inference on the CPU, [`weights`] their checkpoints, [`Clip`] is the door to all four.
//! [`ZeroShot`] and [`nearest()`] use embeddings; whatever else people do with a model is a crate above this one.

mod clip;
mod device;
mod embedding;
pub mod engine;
mod error;
mod guard;
mod hash;
pub mod image;
#[cfg(feature = "differentiable")]
pub mod layers;
pub mod model;
mod nearest;
mod query;
mod stream;
mod tensor_data;
pub mod text;
#[cfg(feature = "differentiable")]
pub mod views;
pub mod weights;
mod zero_shot;

/// The tensor library of the differentiable towers, for the types of their signatures.
#[cfg(feature = "differentiable")]
pub use burn;
#[cfg(feature = "differentiable")]
pub use burn::tensor::Device;
pub use clip::Clip;
pub use device::DeviceKind;
pub use embedding::Embeddings;
pub use engine::Precision;
pub use error::{Error, Result};
pub use guard::{GaveUp, guarded};
pub use hash::fnv1a;
pub use nearest::{Neighbour, nearest};
pub use query::{Expression, TEMPLATES, Term, What, verbatim};
/// The library whose `Value` stands in configurations and tokenizers.
pub use serde_json;
pub use stream::{ImageStream, TextStream};
pub use zero_shot::{Doubled, Prediction, ZeroShot, in_context};
