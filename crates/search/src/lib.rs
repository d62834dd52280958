//! Search in collections of pictures.
//!
//! Flow: folders → [`index`](mod@index) → a store of `diptych_index` → [`query`] → hits, or none; groups of duplicates.
//! Invariant: how an index is stored, terminals and HTTP are for others to know.

mod error;
pub mod index;
pub mod query;

pub use error::{Error, Result};
