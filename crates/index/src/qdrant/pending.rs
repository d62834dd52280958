//! Contents whose moments come in portions: they wait in the collection beside, where no search
//! meets them, until they are whole.
//!
//! `begun` is a point for each content: `content` (its record without vectors, as a point of it
//! has), `moments` (how many have come, or are about to) and `whole`. Each moment is a `moment`:
//! its part, and its `vector` in hexadecimal digits. Once it is said to be whole, its points are
//! written, the first last: by that a content is there. Every step can be done again, and from then
//! on all are done, whatever fails: some of the points that it replaces may have gone.

use std::collections::HashMap;

use qdrant_client::Payload as Fields;
use qdrant_client::qdrant::{GetPointsBuilder, PointId, PointStruct, UpsertPointsBuilder, Value};

use super::convert::{self, Record, from_hex, insert_part, integer, text, to_hex};
use super::wire::Wire;
use super::{PAGE, apply, beside, read};
use crate::{Error, Id, Item, Moment, Result};

const BEGUN: &str = "begun";
const MOMENT: &str = "moment";
const WHOLE: &str = "whole";
const VECTOR: &str = "vector";

/// Moments that are kept or dropped together where some did not come.
const STEP: usize = 16;

/// A content that was begun.
struct Begun {
    /// Without its moments.
    item: Item,
    moments: usize,
    is_whole: bool,
}

impl Begun {
    fn read(wire: &Wire, id: Id) -> Result<Option<Self>> {
        let fields = beside::get(wire, BEGUN, &id.to_string())?;
        fields.map(|fields| Self::of(wire, fields)).transpose()
    }

    fn of(wire: &Wire, fields: HashMap<String, Value>) -> Result<Self> {
        let is_whole = integer(fields.get(WHOLE)) == Some(1);
        let record = Record::read(fields);
        let spoilt = || wire.damaged("a content that was begun can't be read");
        let record = record.ok_or_else(spoilt)?;
        Ok(Self {
            moments: record.moments,
            item: record.into_item(Vec::new()).0,
            is_whole,
        })
    }

    fn write(&self, wire: &Wire) -> Result<()> {
        let mut fields = convert::of_content(&self.item, self.moments, 0, &[]);
        fields.insert(WHOLE, i64::from(self.is_whole));
        let name = self.item.id.to_string();
        beside::put(wire, vec![beside::point_of(BEGUN, &name, fields)])
    }

    /// Number of its moments that wait: one of [`extend`] may have failed.
    fn there(&self, wire: &Wire) -> Result<usize> {
        let id = self.item.id;
        let mut there = 0;
        let numbers: Vec<usize> = (0..self.moments).collect();
        for numbers in numbers.chunks(PAGE) {
            there += count(wire, id, numbers)?;
        }
        Ok(there)
    }

    /// Keeps the moments that came one after the other, if its writer was killed while it wrote
    /// some.
    fn mend(self, wire: &Wire) -> Result<()> {
        if self.there(wire)? == self.moments {
            return Ok(());
        }
        let id = self.item.id;
        let numbers: Vec<usize> = (0..self.moments).collect();
        let mut whole = 0;
        for numbers in numbers.chunks(STEP) {
            if count(wire, id, numbers)? < numbers.len() {
                break;
            }
            whole += numbers.len();
        }
        for numbers in numbers[whole..].chunks(PAGE) {
            let ids = numbers.iter().map(|number| moment_id(id, *number));
            remove(wire, ids.collect())?;
        }
        let mended = Self {
            moments: whole,
            ..self
        };
        mended.write(wire)
    }

    /// Whether all its moments wait.
    fn check(&self, wire: &Wire) -> Result<()> {
        let id = self.item.id;
        let there = self.there(wire)?;
        if there == self.moments {
            return Ok(());
        }
        let what = format!(
            "content {id}: of its {} moments {there} came, so it can't be finished",
            self.moments
        );
        Err(Error::Change { what })
    }

    /// Completes what is said to be whole, and forgets the rest.
    fn end(self, wire: &Wire, last: &mut i64) -> Result<()> {
        if self.is_whole {
            complete(wire, last, self)
        } else {
            self.remove(wire)
        }
    }

    /// Forgets it.
    fn remove(&self, wire: &Wire) -> Result<()> {
        let id = self.item.id;
        let numbers: Vec<usize> = (0..self.moments).collect();
        for numbers in numbers.chunks(PAGE) {
            let ids = numbers.iter().map(|number| moment_id(id, *number));
            remove(wire, ids.collect())?;
        }
        remove(wire, vec![beside::id(BEGUN, &id.to_string())])
    }
}

pub(super) fn begin(wire: &Wire, last: &mut i64, item: &Item) -> Result<()> {
    abandon(wire, last, item.id)?;
    let begun = Begun {
        item: Item {
            moments: Vec::new(),
            ..item.clone()
        },
        moments: 0,
        is_whole: false,
    };
    begun.write(wire)?;
    extend(wire, item.id, &item.moments)
}

pub(super) fn extend(wire: &Wire, id: Id, moments: &[Moment]) -> Result<()> {
    // What is said to be whole takes no more.
    let begun = Begun::read(wire, id)?.filter(|begun| !begun.is_whole);
    let begun = begun.ok_or_else(|| crate::not_begun(id))?;
    let first = begun.moments;
    // Counted before they come, so that all are swept that may have come.
    let begun = Begun {
        moments: first + moments.len(),
        ..begun
    };
    begun.write(wire)?;
    for (page, moments) in moments.chunks(PAGE).enumerate() {
        let numbers = first + page * PAGE..;
        let point = |(number, moment): (usize, &Moment)| {
            let mut fields = Fields::new();
            insert_part(&mut fields, &moment.part);
            let bytes: Vec<u8> = moment.vector.iter().flat_map(|v| v.to_le_bytes()).collect();
            fields.insert(VECTOR, to_hex(&bytes));
            beside::point_of(MOMENT, &name(id, number), fields)
        };
        beside::put(wire, numbers.zip(moments).map(point).collect())?;
    }
    Ok(())
}

/// Makes a content whole; `last` is what the last content that came has for `came`.
pub(super) fn finish(wire: &Wire, last: &mut i64, id: Id) -> Result<()> {
    let begun = Begun::read(wire, id)?.ok_or_else(|| crate::not_begun(id))?;
    if begun.moments == 0 {
        return Err(crate::without_vector(id));
    }
    if !begun.is_whole {
        begun.check(wire)?;
    }
    complete(wire, last, begun)
}

/// Writes the points of a content, of which all moments have come.
fn complete(wire: &Wire, last: &mut i64, begun: Begun) -> Result<()> {
    let id = begun.item.id;
    let begun = Begun {
        is_whole: true,
        ..begun
    };
    begun.write(wire)?;
    let before = read::concerned(wire, &[id], &[])?.into_iter().next();
    let (came, files, had) = match before {
        Some(before) => (before.came, before.files, before.moments),
        None => (apply::came_next(last), Vec::new(), 0),
    };
    let all = convert::of_content(&begun.item, begun.moments, came, &files);
    // What goes goes first, as everywhere.
    let gone: Vec<usize> = (begun.moments..had).collect();
    for gone in gone.chunks(PAGE) {
        let ids: Vec<PointId> = gone.iter().map(|n| convert::point_id(id, *n)).collect();
        wire.delete(&wire.address.vectors, ids)?;
    }
    let numbers: Vec<usize> = (0..begun.moments).collect();
    for numbers in numbers.chunks(PAGE).rev() {
        let Some(moments) = moments(wire, id, numbers)? else {
            // They were there when it was said to be whole, and go when all points are written.
            break;
        };
        let pairs = numbers.iter().zip(&moments);
        let points = pairs.map(|(number, moment)| convert::point(id, *number, moment, &all));
        let points: Vec<PointStruct> = points.collect();
        let request = UpsertPointsBuilder::new(&wire.address.vectors, points).wait(true);
        wire.ask(request, |client, request| async move {
            client.upsert_points(request).await
        })?;
    }
    begun.remove(wire)
}

/// Forgets a content that was begun, if it was; one that is said to be whole is completed.
pub(super) fn abandon(wire: &Wire, last: &mut i64, id: Id) -> Result<()> {
    match Begun::read(wire, id)? {
        Some(begun) => begun.end(wire, last),
        None => Ok(()),
    }
}

/// How far a content has come, if it was begun and is not whole.
pub(super) fn begun(wire: &Wire, id: Id) -> Result<Option<crate::Begun>> {
    let Some(begun) = Begun::read(wire, id)?.filter(|begun| !begun.is_whole) else {
        return Ok(None);
    };
    // Those that were counted and did not come leave a gap, so none of all is gone on with.
    if begun.there(wire)? < begun.moments {
        return Ok(None);
    }
    let last = begun.moments.checked_sub(1);
    let last = last.map(|last| moments(wire, id, &[last])).transpose()?;
    Ok(Some(crate::Begun {
        moments: begun.moments as u64,
        item: begun.item,
        last: last
            .flatten()
            .and_then(|moments| moments.first().map(|moment| moment.part)),
    }))
}

/// Does what a writer that was killed would have done next: completes what is said to be whole, and
/// counts what came of the rest.
pub(super) fn mend(wire: &Wire, last: &mut i64) -> Result<()> {
    all(wire)?.into_iter().try_for_each(|begun| {
        if begun.is_whole {
            begun.end(wire, last)
        } else {
            begun.mend(wire)
        }
    })
}

/// Ends all that was begun: what is said to be whole is completed, the rest goes.
pub(super) fn sweep(wire: &Wire, last: &mut i64) -> Result<()> {
    all(wire)?
        .into_iter()
        .try_for_each(|begun| begun.end(wire, last))
}

/// All contents that were begun.
fn all(wire: &Wire) -> Result<Vec<Begun>> {
    let mut all = Vec::new();
    let of_kind = beside::of_kind(BEGUN);
    read::scroll(wire, &wire.address.beside, of_kind, &[], |point| {
        all.push(Begun::of(wire, point.payload)?);
        Ok(())
    })?;
    Ok(all)
}

/// How many of a content's moments wait, of those with these numbers.
fn count(wire: &Wire, id: Id, numbers: &[usize]) -> Result<usize> {
    let ids: Vec<PointId> = numbers.iter().map(|n| moment_id(id, *n)).collect();
    let request = GetPointsBuilder::new(&wire.address.beside, ids).with_payload(false);
    let answer = wire.ask(request, |client, request| async move {
        client.get_points(request).await
    })?;
    Ok(answer.result.len())
}

/// Moments of a content that wait, by their numbers; none if one is missing.
fn moments(wire: &Wire, id: Id, numbers: &[usize]) -> Result<Option<Vec<Moment>>> {
    let ids: Vec<PointId> = numbers.iter().map(|n| moment_id(id, *n)).collect();
    let request = GetPointsBuilder::new(&wire.address.beside, ids).with_payload(true);
    let answer = wire.ask(request, |client, request| async move {
        client.get_points(request).await
    })?;
    // In no order.
    let mut found = HashMap::new();
    for point in answer.result {
        let name = text(point.payload.get(beside::NAME)).unwrap_or_default();
        let vector = text(point.payload.get(VECTOR)).and_then(from_hex);
        let bytes = vector.unwrap_or_default();
        let values = bytes.as_chunks().0.iter();
        let moment = Moment {
            part: convert::part(&point.payload),
            vector: values.map(|&value| f32::from_le_bytes(value)).collect(),
        };
        found.insert(name.to_owned(), moment);
    }
    let mut moment = |number: &usize| found.remove(&name(id, *number));
    Ok(numbers.iter().map(&mut moment).collect())
}

fn name(id: Id, number: usize) -> String {
    format!("{id}:{number}")
}

fn moment_id(id: Id, number: usize) -> PointId {
    beside::id(MOMENT, &name(id, number))
}

fn remove(wire: &Wire, ids: Vec<PointId>) -> Result<()> {
    wire.delete(&wire.address.beside, ids)
}
