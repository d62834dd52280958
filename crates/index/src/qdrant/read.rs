//! Points → records: single ones, all of them page by page, and how many there are.

use std::ops::ControlFlow;

use qdrant_client::qdrant::facet_value::Variant;
use qdrant_client::qdrant::{
    CollectionInfo, Condition, CountPointsBuilder, FacetCountsBuilder, FacetHit, Filter,
    GetPointsBuilder, OrderByBuilder, PayloadIncludeSelector, PointId, RetrievedPoint,
    ScrollPointsBuilder, start_from,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::convert::{
    CAME, CONTENT, END, FILES, MOMENT, MOMENTS, N_FILES, PATHS, Record, SIDES, START, point_id,
    vector,
};
use super::wire::Wire;
use super::{FORMAT, PAGE, beside, search};
use crate::{File, Id, Item, Method, Model, Moment, Part, Result, Status};

/// Numbers of files of a content that are told apart when files are counted.
const NUMBERS: u64 = 10_000;

/// A selection of the payload.
pub(super) fn include(fields: &[&str]) -> PayloadIncludeSelector {
    PayloadIncludeSelector {
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    }
}

/// The first moment of each content, which stands for it.
fn first() -> Filter {
    Filter::must([Condition::matches(MOMENT, 0)])
}

/// The server's account of a collection; none if there is none.
pub(super) fn info(wire: &Wire, name: &str) -> Result<Option<CollectionInfo>> {
    let answer = wire.ask_if_there(name.to_owned(), |client, name| async move {
        client.collection_info(name).await
    })?;
    Ok(answer.and_then(|answer| answer.result))
}

/// Counts the points of a collection that fulfil a filter.
pub(super) fn count(wire: &Wire, name: &str, filter: Filter) -> Result<u64> {
    let request = CountPointsBuilder::new(name).filter(filter).exact(true);
    let answer = wire.ask(request, |client, request| async move {
        client.count(request).await
    })?;
    Ok(answer.result.map_or(0, |result| result.count))
}

/// Counts files: the contents with one, plus twice those with two, and so on.
fn count_files(wire: &Wire) -> Result<u64> {
    let request = FacetCountsBuilder::new(&wire.address.vectors, N_FILES)
        .filter(first())
        .limit(NUMBERS)
        .exact(true);
    let answer = wire.ask(request, |client, request| async move {
        client.facet(request).await
    })?;
    let files = |hit: &FacetHit| match hit.value.as_ref()?.variant.as_ref()? {
        Variant::IntegerValue(n) => Some(u64::try_from(*n).ok()?.saturating_mul(hit.count)),
        Variant::StringValue(_) | Variant::BoolValue(_) => None,
    };
    Ok(answer.hits.iter().filter_map(files).sum())
}

pub(super) fn status(wire: &Wire, model: &Model) -> Result<Status> {
    let name = &wire.address.vectors;
    let info = info(wire, name)?;
    let vectors = count(wire, name, Filter::default())?;
    let in_graph = info.and_then(|info| info.indexed_vectors_count);
    let (method, reason) = match in_graph.unwrap_or(0) {
        0 => (
            Method::Scan,
            format!("{vectors} vectors: the server has no graph of so few, and compares every one"),
        ),
        n => (
            Method::Cells,
            format!("{vectors} vectors: the server searches its graph (HNSW) of {n} of them"),
        ),
    };
    Ok(Status {
        place: wire.address.url.clone(),
        model: model.clone(),
        format: FORMAT,
        files: count_files(wire)?,
        contents: count(wire, name, first())?,
        vectors,
        refused: beside::count_refused(wire)?,
        bytes: 0,
        method,
        reason,
    })
}

/// Calls `each` with every point that fulfils a filter and these fields of it (all, if there is
/// none), in no order.
pub(super) fn scroll(
    wire: &Wire,
    name: &str,
    filter: Filter,
    fields: &[&str],
    mut each: impl FnMut(RetrievedPoint) -> Result<()>,
) -> Result<()> {
    let mut next: Option<PointId> = None;
    loop {
        let request = ScrollPointsBuilder::new(name)
            .filter(filter.clone())
            .limit(PAGE as u32);
        let request = match fields {
            [] => request.with_payload(true),
            fields => request.with_payload(include(fields)),
        };
        let request = match next {
            Some(next) => request.offset(next),
            None => request,
        };
        let page = wire.ask(request, |client, request| async move {
            client.scroll(request).await
        })?;
        page.result.into_iter().try_for_each(&mut each)?;
        next = page.next_page_offset;
        if next.is_none() {
            return Ok(());
        }
    }
}

fn record(wire: &Wire, point: RetrievedPoint) -> Result<Record> {
    let foreign = || wire.damaged("a point of another program is in the collection");
    Record::read(point.payload).ok_or_else(foreign)
}

/// Calls `each` with the files that can be found and that a filter lets through.
pub(super) fn files(
    wire: &Wire,
    filter: &crate::Filter,
    each: &mut dyn FnMut(File, Option<Id>),
) -> Result<()> {
    let mut conditions = search::conditions(filter);
    conditions.must.extend(first().must);
    let name = &wire.address.vectors;
    scroll(wire, name, conditions, &[CONTENT, FILES], |point| {
        let Record { id, files, .. } = record(wire, point)?;
        let files = files.into_iter().filter(|file| filter.holds(&file.path));
        files.for_each(|file| each(file, Some(id)));
        Ok(())
    })
}

/// Points by their ids, those that are there, in no order.
fn get(
    wire: &Wire,
    ids: &[PointId],
    fields: &[&str],
    with_vectors: bool,
) -> Result<Vec<RetrievedPoint>> {
    let mut points = Vec::new();
    for ids in ids.chunks(PAGE) {
        let request = GetPointsBuilder::new(&wire.address.vectors, ids).with_vectors(with_vectors);
        let request = match fields {
            [] => request.with_payload(true),
            fields => request.with_payload(include(fields)),
        };
        let answer = wire.ask(request, |client, request| async move {
            client.get_points(request).await
        })?;
        points.extend(answer.result);
    }
    Ok(points)
}

pub(super) fn has(wire: &Wire, ids: &[Id]) -> Result<Vec<bool>> {
    let points: Vec<PointId> = ids.iter().map(|id| point_id(*id, 0)).collect();
    let mut there = FxHashSet::default();
    for point in get(wire, &points, &[CONTENT], false)? {
        there.insert(record(wire, point)?.id);
    }
    Ok(ids.iter().map(|id| there.contains(id)).collect())
}

/// Reads the contents that changes are about: those with these ids, and those that one of these
/// paths has.
pub(super) fn concerned(wire: &Wire, ids: &[Id], paths: &[&str]) -> Result<Vec<Record>> {
    const FIELDS: &[&str] = &[CONTENT, MOMENTS, CAME, FILES];
    let points: Vec<PointId> = ids.iter().map(|id| point_id(*id, 0)).collect();
    let mut records = Vec::new();
    for point in get(wire, &points, FIELDS, false)? {
        records.push(record(wire, point)?);
    }
    for paths in paths.chunks(PAGE) {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let mut filter = first();
        filter.must.push(Condition::matches(PATHS, paths));
        scroll(wire, &wire.address.vectors, filter, FIELDS, |point| {
            records.push(record(wire, point)?);
            Ok(())
        })?;
    }
    Ok(records)
}

/// Contents, of which the first moments have been read, with all their moments, in the same order.
fn with_moments(wire: &Wire, firsts: Vec<RetrievedPoint>) -> Result<Vec<(Record, Vec<Moment>)>> {
    let mut moments: FxHashMap<Id, Vec<(usize, Moment)>> = FxHashMap::default();
    let mut read = |mut point: RetrievedPoint| {
        let vector = vector(point.vectors.take());
        let vector = vector.ok_or_else(|| wire.damaged("a point has no vector"))?;
        let record = record(wire, point)?;
        let moment = Moment {
            part: record.part,
            vector,
        };
        let of = moments.entry(record.id).or_default();
        of.push((record.moment, moment));
        Ok::<_, crate::Error>(record)
    };
    let mut contents = Vec::new();
    for point in firsts {
        contents.push(read(point)?);
    }
    let more: Vec<PointId> = contents
        .iter()
        .flat_map(|content| (1..content.moments).map(|moment| point_id(content.id, moment)))
        .collect();
    for point in get(wire, &more, &[], true)? {
        read(point)?;
    }
    let complete = |content: Record| {
        let mut of = moments.remove(&content.id).unwrap_or_default();
        of.sort_by_key(|(number, _)| *number);
        (content, of.into_iter().map(|(_, moment)| moment).collect())
    };
    Ok(contents.into_iter().map(complete).collect())
}

pub(super) fn item(wire: &Wire, id: Id) -> Result<Option<Item>> {
    let first = get(wire, &[point_id(id, 0)], &[], true)?;
    let content = with_moments(wire, first)?.pop();
    Ok(content.map(|(content, moments)| content.into_item(moments).0))
}

/// The vector of the first moment that stands for a part: parts are read first, which are small.
pub(super) fn vector_of(wire: &Wire, id: Id, part: &Part) -> Result<Option<Vec<f32>>> {
    const PARTS: &[&str] = &[
        CONTENT, MOMENT, MOMENTS, START, END, SIDES[0], SIDES[1], SIDES[2], SIDES[3],
    ];
    // Most contents have one moment, and a part that is asked for is often the first.
    let Some(mut first) = get(wire, &[point_id(id, 0)], PARTS, true)?.pop() else {
        return Ok(None);
    };
    let values = vector(first.vectors.take());
    let first = record(wire, first)?;
    if first.part == *part {
        return Ok(values);
    }
    let points: Vec<PointId> = (1..first.moments).map(|n| point_id(id, n)).collect();
    for points in points.chunks(PAGE) {
        let mut found = None;
        for point in get(wire, points, PARTS, false)? {
            let record = record(wire, point)?;
            let is_earlier = found.is_none_or(|moment| record.moment < moment);
            if record.part == *part && is_earlier {
                found = Some(record.moment);
            }
        }
        if let Some(moment) = found {
            let point = get(wire, &[point_id(id, moment)], &[CONTENT], true)?.pop();
            return Ok(point.and_then(|point| vector(point.vectors)));
        }
    }
    Ok(None)
}

pub(super) fn each(
    wire: &Wire,
    each: &mut dyn FnMut(Item, Vec<File>) -> ControlFlow<()>,
) -> Result<()> {
    let mut from = i64::MIN;
    loop {
        let order = OrderByBuilder::new(CAME).start_from(start_from::Value::Integer(from));
        let request = ScrollPointsBuilder::new(&wire.address.vectors)
            .filter(first())
            .order_by(order)
            .limit(PAGE as u32)
            .with_payload(true)
            .with_vectors(true);
        let page = wire.ask(request, |client, request| async move {
            client.scroll(request).await
        })?;
        let is_last = page.result.len() < PAGE;
        for (content, moments) in with_moments(wire, page.result)? {
            // No two have the same.
            from = content.came.saturating_add(1);
            let (item, files) = content.into_item(moments);
            if each(item, files).is_break() {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}
