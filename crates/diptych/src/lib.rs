//! CLIP in Rust: two panels, an image and a text, hinged at one embedding.
//!
//! ```
//! use diptych::{Clip, ZeroShot, image::Picture};
//!
//! # fn main() -> diptych::Result<()> {
//! let clip = Clip::open("default")?;
//! let labels = ["cat", "sailing ship", "green field"];
//! let classifier = ZeroShot::new(&clip, &labels, &["a photo of a {}."])?;
//! // Blue above green; `Picture::open` reads a file.
//! let pixel = |i| if i < 64 * 24 { [120, 180, 235] } else { [60, 140, 40] };
//! let picture = Picture::from_rgb(64, 64, (0..64 * 64).flat_map(pixel).collect())?;
//! let embedding = clip.encode_images(&clip.preprocess().apply(&picture))?;
//! let best = &classifier.classify(&embedding, 1)?[0][0];
//! assert_eq!(best.label, "green field");
//! # Ok(())
//! # }
//! ```
//!
//! Data flows left to right, and so do the folders: [`text`] and [`image`] make tokens and pixels,
//! [`model`] has the towers that can be trained, made of [`layers`], and [`engine`] those of
//! inference on the CPU, [`weights`] their checkpoints, [`Clip`] is the door to all four.
//! [`ZeroShot`] and [`nearest()`] use embeddings; whatever else people do with a model is a crate
//! above this one.
//!
//! # Features
//!
//! | feature | on by default | what it adds |
//! | --- | --- | --- |
//! | `default-model` | yes | `Clip::open("default")`: a small model inside the program, 17 MB |
//! | `hub` | yes | published models by their names, downloaded once: HTTP and TLS |
//! | `differentiable` | yes | [`model`]'s towers, to train and for gradients: Burn |
//! | `heif` | | HEIC and AVIF, through the system's libheif |
//! | `wgpu` | | GPUs through Vulkan, Metal or DirectX |
//! | `cuda` | | NVIDIA's GPUs |
//!
//! Without any, [`Clip::open`] takes paths and encodes on the CPU.

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

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
