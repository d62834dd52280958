//! Records without a vector: refused files, notes, and the model. They are in a collection of their
//! own, `COLLECTION-files`, so that no search meets it.
//!
//! Its points have a vector of one number, since every server keeps such, and a payload with
//! `kind`: `refused`, `note`, `index`, and those of contents that are not whole yet
//! ([`pending`](super::pending)). A point's id is a hash of its kind and name.

use std::collections::HashMap;

use qdrant_client::Payload as Fields;
use qdrant_client::qdrant::{
    Condition, CreateCollectionBuilder, Distance, Filter, GetPointsBuilder, PointId, PointStruct,
    UpsertPointsBuilder, Value, VectorParamsBuilder,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::convert::{from_hex, integer, text, to_hex};
use super::wire::Wire;
use super::{FORMAT, PAGE, read, schema};
use crate::{Error, File, Id, Model, Result};

/// Which of them a point is.
const KIND: &str = "kind";
/// Its name among those of its kind.
pub(super) const NAME: &str = "name";
const REFUSED: &str = "refused";
const NOTE: &str = "note";
const INDEX: &str = "index";

/// Makes the collection, if it is not there.
pub(super) fn create(wire: &Wire) -> Result<()> {
    let name = &wire.address.beside;
    if read::info(wire, name)?.is_none() {
        let vectors = VectorParamsBuilder::new(1, Distance::Dot);
        let request = CreateCollectionBuilder::new(name).vectors_config(vectors);
        wire.ask(request, |client, request| async move {
            client.create_collection(request).await
        })?;
    }
    wire.ask(
        schema::keywords(name, KIND, false),
        |client, request| async move { client.create_field_index(request).await },
    )?;
    Ok(())
}

/// The model of the index; none if there is no index.
pub(super) fn model(wire: &Wire) -> Result<Option<Model>> {
    let Some(mut fields) = get(wire, INDEX, "")? else {
        return Ok(None);
    };
    let found = integer(fields.get("format")).and_then(|format| u32::try_from(format).ok());
    let found = found.unwrap_or(0);
    if found != FORMAT {
        return Err(Error::Format {
            path: wire.address.url.clone().into(),
            found,
            wanted: FORMAT,
            advice: if found > FORMAT {
                "a newer version of the program reads it"
            } else {
                "index the pictures again into a new collection"
            },
        });
    }
    let model = fields.remove("model").map(serde_json::Value::from);
    let model = model.and_then(|model| serde_json::from_value::<Model>(model).ok());
    let model = model.filter(|model| crate::check_model(model).is_ok());
    let nameless = || wire.damaged("the index does not say what model its vectors are of");
    model.ok_or_else(nameless).map(Some)
}

/// Says what model the index is of: from then on it is one.
pub(super) fn set_model(wire: &Wire, model: &Model) -> Result<()> {
    let fields = json!({"format": FORMAT, "model": model});
    put(wire, vec![point(INDEX, "", fields)])
}

pub(super) fn note(wire: &Wire, name: &str) -> Result<Option<Vec<u8>>> {
    let Some(fields) = get(wire, NOTE, name)? else {
        return Ok(None);
    };
    let bytes = text(fields.get("value")).and_then(from_hex);
    let spoilt = || wire.damaged(format!("the note `{name}` can't be read"));
    bytes.ok_or_else(spoilt).map(Some)
}

pub(super) fn set_note(wire: &Wire, name: &str, value: &[u8]) -> Result<()> {
    // Payloads are JSON, which has no bytes.
    let fields = json!({"value": to_hex(value)});
    put(wire, vec![point(NOTE, name, fields)])
}

/// Refuses files, and forgets that others were.
pub(super) fn set_refused(wire: &Wire, refused: &[(&File, &str)], others: &[&str]) -> Result<()> {
    for paths in others.chunks(PAGE) {
        let ids: Vec<PointId> = paths.iter().map(|path| id(REFUSED, path)).collect();
        wire.delete(&wire.address.beside, ids)?;
    }
    for refused in refused.chunks(PAGE) {
        let point = |(file, reason): &(&File, &str)| {
            point(REFUSED, &file.path, json!({"file": file, "reason": reason}))
        };
        put(wire, refused.iter().map(point).collect())?;
    }
    Ok(())
}

/// Calls `each` with every refused file and the reason.
pub(super) fn refused(wire: &Wire, each: &mut dyn FnMut(File, String)) -> Result<()> {
    read::scroll(wire, &wire.address.beside, of_kind(REFUSED), &[], |point| {
        let mut fields = point.payload;
        let reason = text(fields.get("reason")).unwrap_or_default().to_owned();
        let file = fields.remove("file").map(serde_json::Value::from);
        let file = file.and_then(|file| serde_json::from_value(file).ok());
        each(
            file.ok_or_else(|| wire.damaged("a refused file has no path"))?,
            reason,
        );
        Ok(())
    })
}

pub(super) fn count_refused(wire: &Wire) -> Result<u64> {
    read::count(wire, &wire.address.beside, of_kind(REFUSED))
}

pub(super) fn of_kind(kind: &str) -> Filter {
    Filter::must([Condition::matches(KIND, kind.to_owned())])
}

pub(super) fn id(kind: &str, name: &str) -> PointId {
    let hash = Sha256::digest(format!("{kind}\0{name}"));
    let mut id = [0; 16];
    id.iter_mut().zip(hash).for_each(|(id, hash)| *id = hash);
    Id(id).to_string().into()
}

fn point(kind: &str, name: &str, fields: serde_json::Value) -> PointStruct {
    point_of(kind, name, Fields::try_from(fields).unwrap_or_default())
}

pub(super) fn point_of(kind: &str, name: &str, mut fields: Fields) -> PointStruct {
    fields.insert(KIND, kind);
    fields.insert(NAME, name);
    PointStruct::new(id(kind, name), vec![1.0], fields)
}

pub(super) fn put(wire: &Wire, points: Vec<PointStruct>) -> Result<()> {
    let request = UpsertPointsBuilder::new(&wire.address.beside, points).wait(true);
    wire.ask(request, |client, request| async move {
        client.upsert_points(request).await
    })?;
    Ok(())
}

pub(super) fn get(wire: &Wire, kind: &str, name: &str) -> Result<Option<HashMap<String, Value>>> {
    let request =
        GetPointsBuilder::new(&wire.address.beside, vec![id(kind, name)]).with_payload(true);
    let found = wire.ask_if_there(request, |client, request| async move {
        client.get_points(request).await
    })?;
    let point = found.and_then(|found| found.result.into_iter().next());
    Ok(point.map(|point| point.payload))
}
