//! Search in collections of pictures, and of whatever else has moments.
//!
//! Flow: folders → a [`Source`](source::Source)'s moments → [`index`](mod@index) → a store of
//! `diptych_index` → [`query`] → hits, or none; groups of duplicates → a [`sheet`]. [`import`]
//! takes in what others encoded, [`export()`] gives it away.
//! Invariant: how an index is stored, terminals and HTTP are for others to know.
//!
//! | room | for |
//! | --- | --- |
//! | [`source`] | what can be indexed: [`source::Pictures`]; others bring their own |
//! | [`index`](mod@index) | an index brought up to date with folders; a content is encoded once |
//! | [`query`] | searches by words and pictures, with filters and thresholds; duplicates |
//! | [`sheet`] | what was found as a page of HTML |
//! | [`import`], [`export()`] | embeddings of clip-retrieval in, NumPy's arrays out |
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use diptych::image::{DecodeOptions, Encoding, Picture};
//! use diptych::{Clip, Expression};
//! use diptych_index::Local;
//! use diptych_search::index::{self, index};
//! use diptych_search::query::{Request, picture_file};
//! use diptych_search::source::{Pictures, embedding};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! for (name, colour) in [("sky.png", [120, 180, 235]), ("grass.png", [60, 140, 40])] {
//!     let picture = Picture::from_rgb(64, 64, colour.repeat(64 * 64))?;
//!     std::fs::write(folder.join(name), Encoding::Png.encode(&picture)?)?;
//! }
//! let clip = Clip::open("default")?;
//! let model = diptych_search::model_of(&clip, "default");
//! let store = Local::create(folder.join("photos.diptych"), &model)?;
//! let (options, roots) = (index::Options::default(), [folder.to_owned()]);
//! let mut watch = |_| ControlFlow::Continue(());
//! let report = index(&clip, &store, &[&Pictures::default()], &roots, &options, &mut watch)?;
//! assert_eq!(report.encoded, 2);
//!
//! let query = Expression::parse("green grass", picture_file)?;
//! let decode = DecodeOptions::default();
//! let picture = |path: &std::path::PathBuf| embedding(&store, &clip, path, &decode);
//! let found = Request::default().search(&store, &clip, &query, picture)?.unwrap_or_default();
//! assert!(found[0].first().path.ends_with("grass.png"));
//! # Ok(())
//! # }
//! ```

mod error;
mod export;
pub mod import;
pub mod index;
mod model;
pub mod query;
pub mod sheet;
pub mod source;

pub use error::{Error, Result};
pub use export::{EMBEDDINGS, METADATA, export};
pub use model::{check_model, model_of};

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
