//! Opening a collection: to write, or to read.

use std::sync::Mutex;

use super::address::Address;
use super::wire::Wire;
use super::{Qdrant, Writer, beside, pending, read, schema};
use crate::{Error, Model, Result};

impl Qdrant {
    /// Opens an index to read it: `qdrant://host:6334/collection`, or `qdrants://` for a server
    /// with TLS. A key for the server is read from `QDRANT_API_KEY`; without TLS whoever is on
    /// the way can read it.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none, [`Error::Damaged`] or [`Error::Format`] for one that
    /// can't be read, and [`Error::Server`] if the server does not answer.
    pub fn open(url: &str) -> Result<Self> {
        Self::there(Wire::new(Address::parse(url)?)?, false)
    }

    /// Opens an index to write it; makes one if there is none. A server does not keep two from
    /// writing at a time: that is up to who calls.
    ///
    /// # Errors
    /// [`Error::Model`] if its vectors are another model's, and as [`Qdrant::open`].
    pub fn create(url: &str, model: &Model) -> Result<Self> {
        crate::check_model(model)?;
        let wire = Wire::new(Address::parse(url)?)?;
        if beside::model(&wire)?.is_none() {
            // Each step can be done again, and the last says that all are done.
            schema::create(&wire, model)?;
            beside::create(&wire)?;
            beside::set_model(&wire, model)?;
        }
        let store = Self::there(wire, true)?;
        if crate::same(&store.model, model) {
            return Ok(store);
        }
        Err(Error::Model {
            place: store.wire.address.url.clone(),
            has: Box::new(store.model),
            wanted: Box::new(model.clone()),
        })
    }

    /// Opens an index that is there, to write it, whatever its model is.
    ///
    /// # Errors
    /// As [`Qdrant::open`].
    pub fn change(url: &str) -> Result<Self> {
        Self::there(Wire::new(Address::parse(url)?)?, true)
    }

    fn there(wire: Wire, may_write: bool) -> Result<Self> {
        let model = beside::model(&wire)?;
        let info = read::info(&wire, &wire.address.vectors)?;
        match (model, info) {
            (Some(model), Some(info)) => {
                schema::check(&wire, &info, &model)?;
                let mut writer = may_write.then(Writer::default);
                if let Some(writer) = &mut writer {
                    pending::mend(&wire, &mut writer.last)?;
                }
                Ok(Self {
                    wire: wire.known(),
                    model,
                    writer: writer.map(Mutex::new),
                })
            }
            (Some(_), None) => Err(wire.damaged("the collection of its vectors is gone")),
            (None, Some(_)) => {
                Err(wire.damaged("a collection of another program, or one that is half made"))
            }
            (None, None) => Err(Error::Missing {
                path: wire.address.url.clone().into(),
            }),
        }
    }
}
