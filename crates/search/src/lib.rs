//! Search in collections of pictures, and of whatever else has moments.
//!
//! Flow: folders → a [`Source`](source::Source)'s moments → [`index`](mod@index) → a store of `diptych_index` → [`query`] →
//! hits, or none; groups of duplicates → a [`sheet`]. [`import`] takes in what others encoded, [`export()`] gives it away.
//! Invariant: how an index is stored, terminals and HTTP are for others to know.

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
