//! Vectors, their ids and small payloads: kept, filtered and searched.
//!
//! Flow: vectors of files → [`Change`]s → a [`Store`] → [`Query`] → [`Hit`]s.
//! A store is [`Local`], a file on this machine and for most people all they need, or a collection on a Qdrant server (feature `qdrant`).
//! Invariant: no picture, no text, no tower; a vector is a row of numbers of length 1, and belongs to a [`Model`] that is
//! told by its fingerprint alone.
//!
//! `N` vectors, `D` their width.

mod error;
mod local;
#[cfg(feature = "qdrant")]
mod qdrant;
mod record;

use std::ops::ControlFlow;

pub use error::{Error, Result};
pub use local::{Cells, Local, Verified};
#[cfg(feature = "qdrant")]
pub use qdrant::Qdrant;
pub use record::{
    Change, File, FileId, Filter, Hit, Id, Item, Method, Model, Moment, Payload, Query, Span,
    Status, Taken, TakenFrom, file_id, is_within,
};

/// Where vectors are kept.
///
/// Several may read while one writes; a reader sees what was there when its call began, or later.
pub trait Store: Send + Sync {
    /// The model that its vectors are of.
    fn model(&self) -> &Model;

    /// How much there is, and how it is searched.
    ///
    /// # Errors
    /// [`Error`] if the store can't be read.
    fn status(&self) -> Result<Status>;

    /// Calls `each` with every file that lies in one of these folders (in any, if there is none) and its content; none
    /// for a file that was refused. In no order.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn files(&self, within: &[String], each: &mut dyn FnMut(File, Option<Id>)) -> Result<()>;

    /// Why files were refused, in order of their paths.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn refused(&self) -> Result<Vec<(File, String)>>;

    /// The content with this id.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn item(&self, id: Id) -> Result<Option<Item>>;

    /// Which of these contents are there, in the same order.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn has(&self, ids: &[Id]) -> Result<Vec<bool>>;

    /// Makes changes, in order. A local store makes all of them or none; a server those of each content.
    ///
    /// # Errors
    /// [`Error::Vector`] for one of another width, [`Error::Change`] for a file of an unknown content, and what keeps the
    /// store from being written.
    fn apply(&self, changes: &[Change]) -> Result<()>;

    /// Brings up to date what is kept to search faster, and lets go of what is no longer needed for it.
    ///
    /// # Errors
    /// As [`Store::apply`].
    fn settle(&self) -> Result<()>;

    /// The moments nearest to a vector, nearest first; of equally near ones the older first.
    ///
    /// # Errors
    /// [`Error::Vector`] for one of another width, and as [`Store::status`].
    fn search(&self, query: &Query) -> Result<Vec<Hit>>;

    /// Calls `each` with every content and its files, in the order they came.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn each(&self, each: &mut dyn FnMut(Item, Vec<File>) -> ControlFlow<()>) -> Result<()>;

    /// What was noted under a name: small results that belong to the index.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn note(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Notes something under a name.
    ///
    /// # Errors
    /// As [`Store::apply`].
    fn set_note(&self, name: &str, value: &[u8]) -> Result<()>;
}

/// Whether a vector may be a model's.
fn check_vector(vector: &[f32], dim: usize) -> Result<()> {
    match vector.len() == dim && vector.iter().all(|v| v.is_finite()) {
        true => Ok(()),
        false => Err(Error::Vector {
            got: vector.len(),
            wanted: dim,
        }),
    }
}

/// Whether a content's vectors can be a model's.
fn check_item(item: &Item, dim: usize) -> Result<()> {
    if item.moments.is_empty() {
        let what = format!("content {} has no vector", item.id);
        return Err(Error::Change { what });
    }
    let mut moments = item.moments.iter();
    moments.try_for_each(|moment| check_vector(&moment.vector, dim))
}

/// Whether two models' vectors can be compared, whatever the models are called.
fn same(a: &Model, b: &Model) -> bool {
    a.fingerprint == b.fingerprint && a.dim == b.dim
}
