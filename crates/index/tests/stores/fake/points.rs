//! A collection: its points, and what is done with them.

use std::collections::{BTreeMap, HashMap, HashSet};

use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use qdrant_client::qdrant::points_update_operation::Operation;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::with_payload_selector::SelectorOptions;
use qdrant_client::qdrant::with_vectors_selector::SelectorOptions as VectorOptions;
use qdrant_client::qdrant::{
    CreateCollection, DenseVector, Filter, PointId, PointStruct, PointsSelector, RetrievedPoint,
    VectorOutput, VectorsOutput, WithPayloadSelector, WithVectorsSelector, start_from, vector,
    vector_output, vectors_config, vectors_output,
};
use qdrant_client::qdrant::{ScrollPoints, ScrollResponse};
use tonic::Status;

use super::filter::{Fields, holds, values};

pub(super) struct Point {
    pub(super) vector: Vec<f32>,
    pub(super) payload: Fields,
}

pub(super) struct Collection {
    pub(super) made: CreateCollection,
    dim: u64,
    pub(super) points: BTreeMap<u128, Point>,
    /// Fields that have an index.
    pub(super) indices: HashSet<String>,
    /// Requests that write points until one is refused.
    pub(super) until_refused: Option<usize>,
}

impl Collection {
    pub(super) fn new(made: CreateCollection) -> Result<Self, Status> {
        let config = made.vectors_config.as_ref().and_then(|c| c.config.as_ref());
        let Some(vectors_config::Config::Params(params)) = config else {
            return Err(Status::unimplemented("named vectors"));
        };
        let dim = params.size;
        Ok(Self {
            made,
            dim,
            points: BTreeMap::new(),
            indices: HashSet::new(),
            until_refused: None,
        })
    }

    pub(super) fn find(&self, filter: Option<&Filter>) -> Result<Vec<(u128, &Point)>, Status> {
        let mut found = Vec::new();
        for (id, point) in &self.points {
            if filter.map_or(Ok(true), |filter| holds(self, filter, &point.payload))? {
                found.push((*id, point));
            }
        }
        Ok(found)
    }

    pub(super) fn upsert(&mut self, points: Vec<PointStruct>) -> Result<(), Status> {
        match self.until_refused.take() {
            Some(0) => return Err(Status::deadline_exceeded("Timeout expired")),
            until => self.until_refused = until.map(|n| n - 1),
        }
        for point in points {
            let vector = match point.vectors.and_then(|v| v.vectors_options) {
                Some(VectorsOptions::Vector(vector)) => match vector.vector {
                    Some(vector::Vector::Dense(dense)) => dense.data,
                    _ => return Err(Status::unimplemented("other vectors")),
                },
                _ => return Err(Status::unimplemented("named vectors")),
            };
            if vector.len() as u64 != self.dim {
                return Err(Status::invalid_argument(
                    "Wrong input: Vector dimension error",
                ));
            }
            let payload = point.payload;
            self.points
                .insert(number(point.id.as_ref())?, Point { vector, payload });
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, which: Option<&PointsSelector>) -> Result<(), Status> {
        for id in selected(which)? {
            self.points.remove(&id);
        }
        Ok(())
    }

    pub(super) fn update(&mut self, operation: Operation) -> Result<(), Status> {
        match operation {
            Operation::Upsert(list) => self.upsert(list.points),
            Operation::DeletePoints(gone) => self.delete(gone.points.as_ref()),
            Operation::SetPayload(set) => {
                for id in selected(set.points_selector.as_ref())? {
                    let point = self.points.get_mut(&id);
                    let point = point.ok_or_else(|| Status::not_found("No point with id"))?;
                    point.payload.extend(set.payload.clone());
                }
                Ok(())
            }
            other => Err(Status::unimplemented(format!("{other:?}"))),
        }
    }

    pub(super) fn scroll(&self, request: &ScrollPoints) -> Result<ScrollResponse, Status> {
        let mut found = self.find(request.filter.as_ref())?;
        let limit = request.limit.unwrap_or(10) as usize;
        let mut next = None;
        if let Some(order) = &request.order_by {
            if !self.indices.contains(&order.key) {
                return Err(Status::invalid_argument("no index to order by"));
            }
            let from = match order
                .start_from
                .as_ref()
                .and_then(|from| from.value.as_ref())
            {
                Some(start_from::Value::Integer(from)) => *from,
                _ => return Err(Status::unimplemented("another start")),
            };
            let mut ordered: Vec<(i64, (u128, &Point))> = Vec::new();
            for point in found {
                let values = values(&point.1.payload, &order.key);
                if let Some(Some(Kind::IntegerValue(value))) = values.first().map(|v| &v.kind)
                    && *value >= from
                {
                    ordered.push((*value, point));
                }
            }
            ordered.sort_by_key(|(value, (id, _))| (*value, *id));
            found = ordered.into_iter().map(|(_, point)| point).collect();
        } else if let Some(offset) = &request.offset {
            let offset = number(Some(offset))?;
            found.retain(|(id, _)| *id >= offset);
        }
        if request.order_by.is_none() {
            next = found.get(limit).map(|(id, _)| point_id(*id));
        }
        found.truncate(limit);
        let (payload, vectors) = (request.with_payload.as_ref(), request.with_vectors.as_ref());
        let result = found
            .into_iter()
            .map(|(id, point)| retrieved(id, point, payload, vectors))
            .collect();
        Ok(ScrollResponse {
            next_page_offset: next,
            result,
            ..ScrollResponse::default()
        })
    }
}

fn selected(which: Option<&PointsSelector>) -> Result<Vec<u128>, Status> {
    match which.and_then(|which| which.points_selector_one_of.as_ref()) {
        Some(PointsSelectorOneOf::Points(list)) => {
            list.ids.iter().map(|id| number(Some(id))).collect()
        }
        _ => Err(Status::unimplemented("points by a filter")),
    }
}

/// A UUID, however it is written.
pub(super) fn number(id: Option<&PointId>) -> Result<u128, Status> {
    let bad = || Status::invalid_argument("Unable to parse UUID");
    match id.and_then(|id| id.point_id_options.as_ref()) {
        Some(PointIdOptions::Uuid(text)) => {
            let digits = text.replace('-', "");
            match digits.len() {
                32 => u128::from_str_radix(&digits, 16).map_err(|_| bad()),
                _ => Err(bad()),
            }
        }
        _ => Err(bad()),
    }
}

pub(super) fn point_id(id: u128) -> PointId {
    let digits = format!("{id:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    parts.join("-").into()
}

pub(super) fn retrieved(
    id: u128,
    point: &Point,
    payload: Option<&WithPayloadSelector>,
    vectors: Option<&WithVectorsSelector>,
) -> RetrievedPoint {
    let with = vectors.and_then(|with| with.selector_options.as_ref());
    let vectors = matches!(with, Some(VectorOptions::Enable(true))).then(|| VectorsOutput {
        vectors_options: Some(vectors_output::VectorsOptions::Vector(VectorOutput {
            vector: Some(vector_output::Vector::Dense(DenseVector {
                data: point.vector.clone(),
            })),
            ..VectorOutput::default()
        })),
    });
    RetrievedPoint {
        id: Some(point_id(id)),
        payload: selection(&point.payload, payload),
        vectors,
        ..RetrievedPoint::default()
    }
}

pub(super) fn selection(payload: &Fields, with: Option<&WithPayloadSelector>) -> Fields {
    match with.and_then(|with| with.selector_options.as_ref()) {
        Some(SelectorOptions::Enable(true)) => payload.clone(),
        Some(SelectorOptions::Include(include)) => {
            let included = |(key, _): &(&String, _)| include.fields.contains(key);
            let fields = payload.iter().filter(included);
            fields.map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        Some(SelectorOptions::Enable(false) | SelectorOptions::Exclude(_)) | None => HashMap::new(),
    }
}
