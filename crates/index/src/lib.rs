//! Vectors, their ids and small payloads: kept, filtered and searched.
//!
//! Flow: vectors of files → [`Change`]s → a [`Store`] → [`Query`] → [`Hit`]s. A store is [`Local`],
//! a file on this machine and for most people all they need, or a collection on a Qdrant server
//! (feature `qdrant`).
//! Invariant: no picture, no text, no tower; a vector is a row of numbers of length 1, and belongs
//! to a [`Model`] that is told by its fingerprint alone.
//!
//! ```
//! use diptych_index::{Change, File, Filter, Id, Item, Local, Method, Model, Moment, Query, Store};
//! use diptych_index::{Part, Payload};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let model = Model { name: "a model".into(), fingerprint: "its hash".into(), dim: 2 };
//! let index = Local::create(folder.path().join("vectors.diptych"), &model)?;
//! for (byte, vector) in [(1, [1.0, 0.0]), (2, [0.0, 1.0])] {
//!     let (id, part) = (Id([byte; 16]), Part::default());
//!     let moments = vec![Moment { part, vector: vector.to_vec() }];
//!     let payload = Payload::new();
//!     let file = File { path: format!("/pictures/{byte}.jpg"), size: 1, modified: 0 };
//!     let item = Item { id, taken: None, phash: None, payload, moments };
//!     index.apply(&[Change::Put(item), Change::Link(file, id)])?;
//! }
//! let filter = Filter::default();
//! let query = Query { vector: &[0.6, 0.8], k: 1, filter: &filter, method: Method::Auto };
//! assert_eq!(index.search(&query)?[0].files, ["/pictures/2.jpg"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | on by default | what it adds |
//! | --- | --- | --- |
//! | `qdrant` | | a [`Store`] that is a collection on a Qdrant server: gRPC and an async runtime |
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
    Begun, Change, File, FileId, Filter, Hit, Id, Item, Method, Model, Moment, Part, Payload,
    Query, Region, Span, Status, Taken, TakenFrom, file_id, is_within,
};
/// A value of a [`Payload`].
pub use serde_json::Value;

/// Where vectors are kept.
///
/// Any number may read at a time, and beside one that writes: by a reference that threads share, or
/// in other processes. A reader sees what was there when its call began, or later; all that a call
/// of a local store sees is of one moment.
pub trait Store: Send + Sync {
    /// The model that its vectors are of.
    fn model(&self) -> &Model;

    /// Counts what is stored, and tells how it is searched.
    ///
    /// # Errors
    /// [`Error`] if the store can't be read.
    fn status(&self) -> Result<Status>;

    /// Calls `each` with every file that lies in one of these folders (in any, if there is none)
    /// and its content; none for a file that was refused. In no order.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn files(&self, within: &[String], each: &mut dyn FnMut(File, Option<Id>)) -> Result<()>;

    /// Why files were refused, in order of their paths.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn refused(&self) -> Result<Vec<(File, String)>>;

    /// The content with this id, all its moments in memory.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn item(&self, id: Id) -> Result<Option<Item>>;

    /// The vector of a content's moment that stands for this part, as a [`Hit`] tells it; of
    /// several the first.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn vector(&self, id: Id, part: &Part) -> Result<Option<Vec<f32>>> {
        let moments = self.item(id)?.map(|item| item.moments);
        let mut moments = moments.unwrap_or_default().into_iter();
        let found = moments.find(|moment| moment.part == *part);
        Ok(found.map(|moment| moment.vector))
    }

    /// Which of these contents are there, in the same order.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn has(&self, ids: &[Id]) -> Result<Vec<bool>>;

    /// Makes changes, in order. A local store makes all of them or none; a server those of each
    /// content.
    ///
    /// # Errors
    /// [`Error::Vector`] for one of another width, [`Error::Change`] for a file of an unknown
    /// content, for a content without a vector or that was not begun, and for a part that can't
    /// be, and what keeps the store from being written.
    fn apply(&self, changes: &[Change]) -> Result<()>;

    /// How far a content has come that was begun and is not finished, by this process or by one
    /// before; none of any other.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn begun(&self, id: Id) -> Result<Option<Begun>>;

    /// Forgets all contents that were begun and are not finished.
    ///
    /// # Errors
    /// As [`Store::apply`].
    fn sweep(&self) -> Result<()>;

    /// Brings up to date what is kept to search faster, and lets go of what is no longer needed for
    /// it.
    ///
    /// # Errors
    /// As [`Store::apply`].
    fn settle(&self) -> Result<()>;

    /// The moments nearest to a vector, nearest first; of equally near ones the older first.
    ///
    /// # Errors
    /// [`Error::Vector`] for one of another width, and as [`Store::status`].
    fn search(&self, query: &Query) -> Result<Vec<Hit>>;

    /// Calls `each` with every content and its files, in the order they came; all moments of one
    /// are in memory at a time.
    ///
    /// # Errors
    /// As [`Store::status`].
    fn each(&self, each: &mut dyn FnMut(Item, Vec<File>) -> ControlFlow<()>) -> Result<()>;

    /// The note of a name: a small result that belongs to the index.
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

/// Values of a vector at the most.
const MOST_VALUES: usize = 1 << 16;

/// Moments of a content that are in memory at a time while [`put_moments`] stores them.
const PORTION: usize = 256;

/// Stores a content whose moments come one after the other; those of `item` come first. It is there
/// once the last has come.
///
/// # Errors
/// As [`Store::apply`], and the first error among the moments, after which nothing of them is kept.
pub fn put_moments<E: From<Error>>(
    store: &dyn Store,
    item: Item,
    moments: impl IntoIterator<Item = Result<Moment, E>>,
) -> Result<(), E> {
    let id = item.id;
    store.apply(&[Change::Begin(item)])?;
    let mut moments = moments.into_iter();
    let mut store_all = || loop {
        let portion: Vec<Moment> = moments.by_ref().take(PORTION).collect::<Result<_, E>>()?;
        if portion.is_empty() {
            return Ok(store.apply(&[Change::Finish(id)])?);
        }
        store.apply(&[Change::Extend(id, portion)])?;
    };
    store_all().inspect_err(|_| {
        // If that fails, too, it is swept some day.
        let _ = store.apply(&[Change::Abandon(id)]);
    })
}

/// Whether a vector may be a model's.
fn check_vector(vector: &[f32], dim: usize) -> Result<()> {
    if vector.len() == dim && vector.iter().all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(Error::Vector {
        got: vector.len(),
        wanted: dim,
    })
}

/// Whether a content can be of a model, and is whole.
fn check_item(item: &Item, dim: usize) -> Result<()> {
    if item.moments.is_empty() {
        return Err(without_vector(item.id));
    }
    check_moments(item.id, &item.moments, dim)
}

/// Whether moments of a content can be of a model.
fn check_moments(id: Id, moments: &[Moment], dim: usize) -> Result<()> {
    for moment in moments {
        check_vector(&moment.vector, dim)?;
        if !moment.part.is_possible() {
            let part = moment.part;
            let what = format!(
                "content {id}: no part of it can be {part:?}; wanted a span of finite seconds that ends where it begins or \
                 later, and a region within 0 and 1 whose sides differ"
            );
            return Err(Error::Change { what });
        }
    }
    Ok(())
}

fn without_vector(id: Id) -> Error {
    let what = format!("content {id} has no vector");
    Error::Change { what }
}

fn not_begun(id: Id) -> Error {
    let what = format!("content {id} was not begun, so it can't be extended or finished");
    Error::Change { what }
}

/// Whether there can be vectors of a model.
fn check_model(model: &Model) -> Result<()> {
    if (1..=MOST_VALUES).contains(&model.dim) {
        return Ok(());
    }
    let what = format!(
        "the model `{}` has vectors of {} values, wanted 1 to {MOST_VALUES}",
        model.name, model.dim
    );
    Err(Error::Change { what })
}

/// Whether two models' vectors can be compared, whatever the models are called.
fn same(a: &Model, b: &Model) -> bool {
    a.fingerprint == b.fingerprint && a.dim == b.dim
}

/// The README's example is a test, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
