//! CLIP in Rust: two panels, an image and a text, hinged at one embedding.
//!
//! ```no_run
//! use diptych::{Clip, image::{DecodeOptions, Picture}, tasks::ZeroShot};
//!
//! # fn main() -> diptych::Result<()> {
//! let clip = Clip::open("default")?;
//! let labels = ["cat", "dog", "rocket"];
//! let classifier = ZeroShot::new(&clip, &labels, &["a photo of a {}."])?;
//! let picture = Picture::open("photo.jpg", &DecodeOptions::default())?;
//! let embedding = clip.encode_images(&clip.preprocess().apply(&picture))?;
//! for prediction in &classifier.classify(&embedding, 3)[0] {
//!     println!("{} {:.1} %", prediction.label, 100.0 * prediction.probability);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Data flows left to right, and so do the folders: [`text`] and [`image`] make tokens and pixels,
//! [`model`] has the towers that can be trained and [`engine`] those of inference on the CPU, [`weights`] their checkpoints, [`Clip`] is the door to all four;
//! [`tasks`] use embeddings, [`mod@train`] makes models, [`evaluate`] measures them.

mod clip;
mod device;
mod embedding;
pub mod engine;
mod error;
pub mod evaluate;
#[cfg(test)]
mod golden;
mod guard;
pub mod image;
mod matrix;
pub mod model;
mod positioned;
mod stream;
pub mod tasks;
pub mod text;
pub mod train;
pub mod weights;

pub use burn::tensor::Device;
pub use clip::Clip;
pub use device::DeviceKind;
pub use embedding::Embeddings;
pub use engine::Precision;
pub use error::{Error, Result};
pub use guard::{GaveUp, guarded};
pub use stream::{ImageStream, TextStream};
