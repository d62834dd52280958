//! The collection of the vectors: how one is made, and what is asked of one that is there.

use qdrant_client::qdrant::payload_index_params::IndexParams;
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    CollectionInfo, CreateCollectionBuilder, CreateFieldIndexCollection,
    CreateFieldIndexCollectionBuilder, Distance, FieldType, IntegerIndexParams, KeywordIndexParams,
    VectorParams, VectorParamsBuilder,
};

use super::convert::{CAME, FOLDERS, MOMENT, N_FILES, PATHS, TAKEN, TAKEN_FROM};
use super::read;
use super::wire::Wire;
use crate::{Model, Result};

/// Makes the collection, or takes one that is empty and fits: so one may choose its shards, its
/// replicas and how its vectors are kept oneself.
pub(super) fn create(wire: &Wire, model: &Model) -> Result<()> {
    let name = &wire.address.vectors;
    match read::info(wire, name)? {
        Some(info) if info.points_count.unwrap_or(0) > 0 => {
            return Err(wire.damaged("a collection of another program, not an index"));
        }
        Some(info) => check(wire, &info, model)?,
        None => {
            // Vectors have length 1, so this is the cosine, and the server keeps them to the bit.
            let vectors = VectorParamsBuilder::new(model.dim as u64, Distance::Dot);
            let request = CreateCollectionBuilder::new(name).vectors_config(vectors);
            wire.ask(request, |client, request| async move {
                client.create_collection(request).await
            })?;
        }
    }
    // What most queries are limited by gets a part of the graph of its own; the rest is only looked
    // up.
    let indices = [
        keywords(name, FOLDERS, true),
        integers(name, TAKEN, true),
        keywords(name, TAKEN_FROM, false),
        keywords(name, PATHS, false),
        integers(name, MOMENT, false),
        integers(name, CAME, false),
        integers(name, N_FILES, false),
    ];
    for request in indices {
        wire.ask(request, |client, request| async move {
            client.create_field_index(request).await
        })?;
    }
    Ok(())
}

/// Whether a collection can have a model's vectors.
pub(super) fn check(wire: &Wire, info: &CollectionInfo, model: &Model) -> Result<()> {
    let params = info.config.as_ref().and_then(|c| c.params.as_ref());
    let config = params.and_then(|p| p.vectors_config.as_ref()?.config.as_ref());
    let found = match config {
        Some(Config::Params(VectorParams { size, distance, .. })) => (*size, *distance),
        Some(Config::ParamsMap(_)) | None => (0, 0),
    };
    let alike = [Distance::Dot, Distance::Cosine];
    let wanted = alike.map(|distance| (model.dim as u64, distance as i32));
    if wanted.contains(&found) {
        return Ok(());
    }
    Err(wire.damaged(format!(
        "the collection is not for unnamed vectors of {} values that are compared by their product",
        model.dim
    )))
}

/// An index of words.
pub(super) fn keywords(name: &str, field: &str, in_graph: bool) -> CreateFieldIndexCollection {
    let params = KeywordIndexParams {
        enable_hnsw: Some(in_graph),
        ..Default::default()
    };
    index(
        name,
        field,
        FieldType::Keyword,
        IndexParams::KeywordIndexParams(params),
    )
}

/// An index of numbers, by their value and by their order.
fn integers(name: &str, field: &str, in_graph: bool) -> CreateFieldIndexCollection {
    let params = IntegerIndexParams {
        lookup: Some(true),
        range: Some(true),
        enable_hnsw: Some(in_graph),
        ..Default::default()
    };
    index(
        name,
        field,
        FieldType::Integer,
        IndexParams::IntegerIndexParams(params),
    )
}

fn index(
    name: &str,
    field: &str,
    kind: FieldType,
    params: IndexParams,
) -> CreateFieldIndexCollection {
    CreateFieldIndexCollectionBuilder::new(name, field, kind)
        .field_index_params(params)
        .wait(true)
        .build()
}
