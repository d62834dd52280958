//! Training: image-text pairs → checkpoint.
//!
//! The rooms lie along the flow of the data: [`samples`] reads sets of pictures and texts, [`pack`]
//! makes shards of them; with the feature `training`, `clip` makes batches of samples and gradients
//! of batches, `optimise` moves parameters by gradients, and `run` is the loop of both, with its
//! checkpoints and its record, for any [`run::Task`].
//!
//! ```
//! use diptych_train::samples::Set;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! // A folder of folders, each with the pictures of the class that it is named after.
//! for (class, name) in [("cat", "1.png"), ("cat", "2.png"), ("dog", "1.png")] {
//!     std::fs::create_dir_all(folder.join(class))?;
//!     std::fs::write(folder.join(class).join(name), "decoded when it is asked for")?;
//! }
//! let found = Set::Folder(folder.to_owned()).read()?;
//! let texts: Vec<&str> = found.samples.iter().map(|sample| sample.texts[0].as_str()).collect();
//! assert_eq!(texts, ["cat", "cat", "dog"]);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/train.rs` trains a model on such a folder.
//!
//! # Features
//!
//! | feature | on by default | what it adds |
//! | --- | --- | --- |
//! | `training` | yes | the loop, its optimisers, and CLIP as its task: Burn |
//!
//! Sources: section 2 of the paper (Radford et al., arXiv 2103.00020) and open_clip's trainer for
//! what the paper leaves open.
#![cfg_attr(
    not(feature = "training"),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "of rooms that are not there"
    )
)]

#[cfg(feature = "training")]
pub mod clip;
mod error;
#[cfg(feature = "training")]
pub mod optimise;
pub mod pack;
#[cfg(feature = "training")]
pub mod run;
pub mod samples;

pub use error::{Error, Result};

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
