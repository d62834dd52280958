//! Changes → points: what becomes of every content is found out here first, and only then is
//! anything written.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use qdrant_client::Payload as Fields;
use qdrant_client::qdrant::points_update_operation::{
    DeletePoints, Operation, PointStructList, SetPayload,
};
use qdrant_client::qdrant::{
    PointId, PointStruct, PointsUpdateOperation, UpdateBatchPointsBuilder,
};
use rustc_hash::FxHashMap;

use super::convert::{links, point_id, points};
use super::wire::Wire;
use super::{PAGE, beside, pending, read};
use crate::{Change, Error, File, Id, Item, Result};

/// Makes changes; `last` is what the last content that came has for `came`.
pub(super) fn apply(wire: &Wire, dim: usize, last: &mut i64, changes: &[Change]) -> Result<()> {
    for change in changes {
        match change {
            Change::Begin(item) => crate::check_moments(item.id, &item.moments, dim)?,
            Change::Extend(id, moments) => crate::check_moments(*id, moments, dim)?,
            _ => {}
        }
    }
    for changes in changes.chunk_by(|a, b| !is_of_portions(a) && !is_of_portions(b)) {
        match changes {
            [Change::Begin(item)] => pending::begin(wire, last, item)?,
            [Change::Extend(id, moments)] => pending::extend(wire, *id, moments)?,
            [Change::Finish(id)] => pending::finish(wire, last, *id)?,
            [Change::Abandon(id)] => pending::abandon(wire, last, *id)?,
            changes => {
                let mut plan = Plan::new(wire, *last, changes)?;
                for change in changes {
                    plan.follow(change, dim)?;
                }
                *last = plan.last;
                plan.write(wire)?;
            }
        }
    }
    Ok(())
}

/// Whether a change is about a content that comes in portions: each is made by itself.
fn is_of_portions(change: &Change) -> bool {
    use Change::{Abandon, Begin, Extend, Finish};
    matches!(change, Begin(_) | Extend(..) | Finish(_) | Abandon(_))
}

/// `came` of a content that comes now.
pub(super) fn came_next(last: &mut i64) -> i64 {
    *last = last.saturating_add(1).max(now());
    *last
}

/// A content, as the server has it and as it will be.
#[derive(Default)]
struct Content<'a> {
    /// Moments that the server has; none if it does not have the content.
    before: usize,
    /// Moments that there will be.
    moments: usize,
    came: i64,
    /// Its new record, if anything but its files is new.
    put: Option<&'a Item>,
    files: BTreeMap<String, File>,
    /// Whether its files are others.
    is_moved: bool,
}

/// The sum of some changes.
struct Plan<'a> {
    contents: FxHashMap<Id, Content<'a>>,
    /// Which contents a path has. Should it be several, after a write that broke off, they all
    /// lose it.
    has: FxHashMap<String, Vec<Id>>,
    /// Whether a path is refused, and why.
    refused: BTreeMap<&'a str, Option<(&'a File, &'a str)>>,
    last: i64,
}

impl<'a> Plan<'a> {
    /// Everything that the changes are about, as it is now.
    fn new(wire: &Wire, last: i64, changes: &'a [Change]) -> Result<Self> {
        let (mut ids, mut paths) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Put(item) => ids.push(item.id),
                Change::Link(file, id) => {
                    ids.push(*id);
                    paths.push(file.path.as_str());
                }
                Change::Unlink(path) => paths.push(path),
                Change::Refuse(file, _) => paths.push(&file.path),
                Change::Begin(_) | Change::Extend(..) | Change::Finish(_) | Change::Abandon(_) => {}
            }
        }
        ids.sort_unstable();
        ids.dedup();
        paths.sort_unstable();
        paths.dedup();
        let mut plan = Self {
            contents: FxHashMap::default(),
            has: FxHashMap::default(),
            refused: BTreeMap::new(),
            last,
        };
        for record in read::concerned(wire, &ids, &paths)? {
            if plan.contents.contains_key(&record.id) {
                continue;
            }
            for file in &record.files {
                let has = plan.has.entry(file.path.clone()).or_default();
                has.push(record.id);
            }
            let content = Content {
                before: record.moments,
                moments: record.moments,
                came: record.came,
                files: by_path(record.files),
                ..Content::default()
            };
            plan.contents.insert(record.id, content);
        }
        Ok(plan)
    }

    fn follow(&mut self, change: &'a Change, dim: usize) -> Result<()> {
        match change {
            Change::Put(item) => self.put(item, dim)?,
            Change::Link(file, id) => self.link(file, *id)?,
            Change::Unlink(path) => {
                self.leave(path, None);
                self.refused.insert(path, None);
            }
            Change::Refuse(file, reason) => {
                self.leave(&file.path, None);
                self.refused.insert(&file.path, Some((file, reason)));
            }
            // Made by themselves.
            Change::Begin(_) | Change::Extend(..) | Change::Finish(_) | Change::Abandon(_) => {}
        }
        Ok(())
    }

    fn put(&mut self, item: &'a Item, dim: usize) -> Result<()> {
        crate::check_item(item, dim)?;
        let content = self.contents.entry(item.id).or_default();
        if content.moments == 0 {
            content.came = came_next(&mut self.last);
        }
        content.moments = item.moments.len();
        content.put = Some(item);
        Ok(())
    }

    fn link(&mut self, file: &'a File, id: Id) -> Result<()> {
        let is_there = |content: &&mut Content| content.moments > 0;
        if self.contents.get_mut(&id).filter(is_there).is_none() {
            let what = format!("{}: content {id} is not in the index", file.path);
            return Err(Error::Change { what });
        }
        self.leave(&file.path, Some(id));
        self.refused.insert(&file.path, None);
        if let Some(content) = self.contents.get_mut(&id) {
            let before = content.files.insert(file.path.clone(), file.clone());
            content.is_moved |= before.as_ref() != Some(file);
        }
        let has = self.has.entry(file.path.clone()).or_default();
        if !has.contains(&id) {
            has.push(id);
        }
        Ok(())
    }

    /// A path has no content any longer, or this one alone; what no path has is gone.
    fn leave(&mut self, path: &str, but: Option<Id>) {
        let Some(has) = self.has.get_mut(path) else {
            return;
        };
        for id in has.extract_if(.., |id| Some(*id) != but) {
            let Some(content) = self.contents.get_mut(&id) else {
                continue;
            };
            content.files.remove(path);
            content.is_moved = true;
            if content.files.is_empty() {
                content.moments = 0;
                content.put = None;
            }
        }
    }

    fn write(self, wire: &Wire) -> Result<()> {
        let mut contents: Vec<(Id, Content)> = self.contents.into_iter().collect();
        contents.sort_unstable_by_key(|(_, content)| content.came);
        let mut batch = Batch::default();
        for (id, content) in contents {
            batch.add(id, content);
            if batch.len() >= PAGE {
                std::mem::take(&mut batch).send(wire)?;
            }
        }
        batch.send(wire)?;
        let refused: Vec<(&File, &str)> = self.refused.values().copied().flatten().collect();
        let others = self.refused.iter().filter(|(_, refused)| refused.is_none());
        let others: Vec<&str> = others.map(|(path, _)| *path).collect();
        beside::set_refused(wire, &refused, &others)
    }
}

/// The operations of one request. All of a content's points are in one step of it.
#[derive(Default)]
struct Batch {
    gone: Vec<PointId>,
    new: Vec<PointStruct>,
    moved: Vec<(Vec<PointId>, Fields)>,
}

impl Batch {
    fn add(&mut self, id: Id, content: Content) {
        let Content {
            before, moments, ..
        } = content;
        let ids = |moments: std::ops::Range<usize>| moments.map(move |moment| point_id(id, moment));
        self.gone.extend(ids(moments..before.max(moments)));
        let files: Vec<File> = content.files.into_values().collect();
        match content.put {
            Some(item) => self.new.extend(points(item, content.came, &files)),
            None if moments > 0 && content.is_moved => {
                self.moved.push((ids(0..moments).collect(), links(&files)));
            }
            None => {}
        }
    }

    fn len(&self) -> usize {
        self.gone.len() + self.new.len() + self.moved.len()
    }

    fn send(self, wire: &Wire) -> Result<()> {
        let ids = |ids: Vec<PointId>| Some(ids.into());
        let mut steps = Vec::new();
        // What goes goes first: should the rest fail, a content has moments too few, but none that
        // it has not.
        if !self.gone.is_empty() {
            steps.push(Operation::DeletePoints(DeletePoints {
                points: ids(self.gone),
                ..DeletePoints::default()
            }));
        }
        if !self.new.is_empty() {
            steps.push(Operation::Upsert(PointStructList {
                points: self.new,
                ..PointStructList::default()
            }));
        }
        for (moments, fields) in self.moved {
            steps.push(Operation::SetPayload(SetPayload {
                payload: fields.into(),
                points_selector: ids(moments),
                ..SetPayload::default()
            }));
        }
        if steps.is_empty() {
            return Ok(());
        }
        let steps: Vec<PointsUpdateOperation> = steps
            .into_iter()
            .map(|step| PointsUpdateOperation {
                operation: Some(step),
            })
            .collect();
        // Waited for, since the next changes begin with reading.
        let request = UpdateBatchPointsBuilder::new(&wire.address.vectors, steps).wait(true);
        wire.ask(request, |client, request| async move {
            client.update_points_batch(request).await
        })?;
        Ok(())
    }
}

fn by_path(files: Vec<File>) -> BTreeMap<String, File> {
    let by_path = files.into_iter().map(|file| (file.path.clone(), file));
    by_path.collect()
}

/// Microseconds since 1970 began: those who write one after the other need not know of each other.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(0))
}
