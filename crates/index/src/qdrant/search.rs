//! A query → hits, with the filter as the server's conditions.

use qdrant_client::qdrant::{
    Condition, Filter as Conditions, QueryPointsBuilder, Range, ScoredPoint, SearchParamsBuilder,
};

use super::convert::{
    CAME, CONTENT, END, FILES, FOLDERS, MOMENT, N_FILES, PATHS, PAYLOAD, Record, SIDES, START,
    TAKEN, TAKEN_FROM, folder,
};
use super::read::include;
use super::wire::Wire;
use crate::{Filter, Hit, Method, Query, Result, TakenFrom};

/// Nodes of the graph that are kept in sight at the least. The server's 100 are few for queries
/// that are texts, which lie aside of the pictures that the graph was made of.
const IN_SIGHT: usize = 256;

/// Points asked for beyond those wanted, to see which are equally near as the last of them.
const SPARE: usize = 8;

/// Points equally near as the last one, up to which the older ones of them are looked for.
const MANY: usize = 2048;

/// The payload that hits tell of.
const TOLD: &[&str] = &[
    CONTENT, MOMENT, CAME, START, END, SIDES[0], SIDES[1], SIDES[2], SIDES[3], TAKEN, TAKEN_FROM,
    PAYLOAD, FILES,
];

pub(super) fn search(wire: &Wire, query: &Query) -> Result<Vec<Hit>> {
    if query.k == 0 {
        return Ok(Vec::new());
    }
    let mut spare = SPARE;
    let points = loop {
        let limit = query.k.saturating_add(spare).min(u32::MAX as usize);
        let points = nearest(wire, query, limit)?;
        let score = |at: usize| points.get(at).map(|point| point.score);
        // The last wanted is as near as the last there: there may be older ones beyond.
        let is_cut = points.len() >= limit && score(limit - 1) == score(query.k - 1);
        if !is_cut || spare >= MANY {
            break points;
        }
        spare *= 16;
    };
    let mut found = Vec::with_capacity(points.len());
    for point in points {
        let foreign = || wire.damaged("a point of another program is in the collection");
        let record = Record::read(point.payload).ok_or_else(foreign)?;
        found.push((point.score, record));
    }
    found.sort_by(|(a_score, a), (b_score, b)| {
        let scores = b_score.total_cmp(a_score);
        scores.then_with(|| (a.came, a.moment).cmp(&(b.came, b.moment)))
    });
    found.truncate(query.k);
    let hit = |(score, record): (f32, Record)| {
        let paths = record.files.into_iter().map(|file| file.path);
        Hit {
            id: record.id,
            score,
            part: record.part,
            files: paths.filter(|path| query.filter.holds(path)).collect(),
            taken: record.taken,
            payload: record.payload,
        }
    };
    Ok(found.into_iter().map(hit).collect())
}

fn nearest(wire: &Wire, query: &Query, limit: usize) -> Result<Vec<ScoredPoint>> {
    let params = SearchParamsBuilder::default();
    let params = match query.method {
        Method::Scan => params.exact(true),
        Method::Cells | Method::Auto => params.hnsw_ef(limit.max(IN_SIGHT) as u64),
    };
    let request = QueryPointsBuilder::new(&wire.address.vectors)
        .query(query.vector.to_vec())
        .limit(limit as u64)
        .filter(conditions(query.filter))
        .params(params)
        .with_payload(include(TOLD));
    let answer = wire.ask(request, |client, request| async move {
        client.query(request).await
    })?;
    Ok(answer.result)
}

/// The conditions that a point has to fulfil, so that a filter lets its content through and a file
/// has it.
pub(super) fn conditions(filter: &Filter) -> Conditions {
    let mut conditions = Conditions {
        must_not: vec![Condition::matches(N_FILES, 0)],
        ..Conditions::default()
    };
    if !filter.within.is_empty() {
        let within: Vec<String> = filter.within.iter().map(|f| folder(f).to_owned()).collect();
        conditions.should = vec![
            Condition::matches(FOLDERS, within.clone()),
            // It may be a file itself.
            Condition::matches(PATHS, within),
        ];
    }
    if filter.after.is_some() || filter.before.is_some() {
        // What has no date is in no span of time.
        let range = Range {
            gte: filter.after.map(|after| after as f64),
            lt: filter.before.map(|before| before as f64),
            ..Range::default()
        };
        conditions.must.push(Condition::range(TAKEN, range));
    }
    if filter.dated {
        let exif = TakenFrom::Exif.name().to_owned();
        conditions.must.push(Condition::matches(TAKEN_FROM, exif));
    }
    conditions
}
