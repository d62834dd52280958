//! An index on a Qdrant server, which may be a cluster.
//!
//! Every moment is a point of one collection (`convert`), every file that has nothing to be found
//! is one of another (`beside`). The server searches: all of its vectors, or its graph of them
//! (HNSW), among those that a filter lets through. Invariant: one process writes at a time, and
//! nothing of an index is kept on this machine.

mod address;
mod apply;
mod beside;
mod convert;
mod fault;
mod open;
mod pending;
mod read;
mod schema;
mod search;
mod wire;

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard};

use self::wire::Wire;
use crate::{
    Begun, Change, Error, File, Filter, Id, Item, Model, Part, Query, Result, Status, Store,
};

/// The version of the format that is written. 1: the first.
const FORMAT: u32 = 1;

/// Points of one request, if they are not those of one content.
const PAGE: usize = 256;

/// An index on a Qdrant server, of version 1.16 or later.
///
/// [`Method::Scan`](crate::Method::Scan) compares with every vector.
/// [`Method::Cells`](crate::Method::Cells) and [`Method::Auto`](crate::Method::Auto) leave it to
/// the server: it has no cells but a graph, and uses it where there are enough vectors. All filters
/// are the server's work.
pub struct Qdrant {
    wire: Wire,
    model: Model,
    /// None if it was opened to be read.
    writer: Option<Mutex<Writer>>,
}

/// State of one that writes.
#[derive(Default)]
struct Writer {
    /// `came` of the last content that came.
    last: i64,
}

impl Qdrant {
    /// The one that writes, once no other thread does.
    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.as_ref().ok_or_else(|| Error::Change {
            what: format!("{}: the index was opened to be read", self.wire.address.url),
        })?;
        Ok(writer.lock().unwrap_or_else(|e| e.into_inner()))
    }
}

impl Store for Qdrant {
    fn model(&self) -> &Model {
        &self.model
    }

    fn status(&self) -> Result<Status> {
        read::status(&self.wire, &self.model)
    }

    fn files(&self, within: &[String], each: &mut dyn FnMut(File, Option<Id>)) -> Result<()> {
        let filter = Filter {
            within: within.to_vec(),
            ..Filter::default()
        };
        read::files(&self.wire, &filter, each)?;
        beside::refused(&self.wire, &mut |file, _| {
            if filter.holds(&file.path) {
                each(file, None);
            }
        })
    }

    fn refused(&self) -> Result<Vec<(File, String)>> {
        let mut all = Vec::new();
        beside::refused(&self.wire, &mut |file, reason| all.push((file, reason)))?;
        all.sort_unstable_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        Ok(all)
    }

    fn item(&self, id: Id) -> Result<Option<Item>> {
        read::item(&self.wire, id)
    }

    fn vector(&self, id: Id, part: &Part) -> Result<Option<Vec<f32>>> {
        read::vector_of(&self.wire, id, part)
    }

    fn has(&self, ids: &[Id]) -> Result<Vec<bool>> {
        read::has(&self.wire, ids)
    }

    /// Each content's changes are made in one request, but for one that came in portions: when it
    /// is finished it is written in several, its first moment last. If one fails, those before
    /// it are made; a change that can't be made at all is found before anything is sent, up to
    /// the next change of a content in portions.
    fn apply(&self, changes: &[Change]) -> Result<()> {
        let mut writer = self.writer()?;
        apply::apply(&self.wire, self.model.dim, &mut writer.last, changes)
    }

    fn begun(&self, id: Id) -> Result<Option<Begun>> {
        pending::begun(&self.wire, id)
    }

    fn sweep(&self) -> Result<()> {
        let mut writer = self.writer()?;
        pending::sweep(&self.wire, &mut writer.last)
    }

    /// The server does it by itself, in its own time; until then it compares with what is not in
    /// its graph one by one.
    fn settle(&self) -> Result<()> {
        self.writer().map(|_| ())
    }

    fn search(&self, query: &Query) -> Result<Vec<crate::Hit>> {
        crate::check_vector(query.vector, self.model.dim)?;
        search::search(&self.wire, query)
    }

    /// In pages: what is written meanwhile may be among them.
    fn each(&self, each: &mut dyn FnMut(Item, Vec<File>) -> ControlFlow<()>) -> Result<()> {
        read::each(&self.wire, each)
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>> {
        beside::note(&self.wire, name)
    }

    fn set_note(&self, name: &str, value: &[u8]) -> Result<()> {
        let _writer = self.writer()?;
        beside::set_note(&self.wire, name, value)
    }
}
