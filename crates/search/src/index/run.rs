//! The run itself: reads what is new, encodes each content once, and notes all in batches that are
//! whole.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use diptych::Clip;
use diptych_files::spell;
use diptych_index::{Change, File, Id, Item, Moment, Store, Taken, TakenFrom};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustc_hash::{FxHashMap, FxHashSet};

use super::encode::{Encoded, Encoder, What};
use super::place::canonical;
use super::plan::{Gone, Plan};
use super::read::{Reader, Refusal, Skipped};
use super::{Failed, Options, Progress, Report, walk};
use crate::source::{About, Source};
use crate::{Result, check_model};

/// Changes are noted after so many, or after [`PATIENCE`]: what a kill may cost.
const BATCH: usize = 256;
const PATIENCE: Duration = Duration::from_secs(2);

/// New contents after which the index is settled on the way, so that others search it fast
/// meanwhile.
const SETTLE_EVERY: usize = 20_000;

/// Brings an index up to date with files and folders. Contents of the index that lie elsewhere are
/// left alone. `watch` is told how far it is and may stop it.
///
/// A file in a folder that no source knows by its name is taken as one that is not there, so an
/// index is to be given all its sources each time.
///
/// # Errors
/// [`crate::Error::Index`] if the index can't be written or is another model's, and what keeps the
/// model from working. Files that can't be read are no error, but in the report.
pub fn index(
    clip: &Clip,
    store: &dyn Store,
    sources: &[&dyn Source],
    roots: &[PathBuf],
    options: &Options,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report> {
    check_model(store, clip, clip.name())?;
    // One that can't be looked into is told of by the walk.
    let place = |root: &PathBuf| canonical(root).unwrap_or_else(|_| root.clone());
    let roots: Vec<PathBuf> = roots.iter().map(place).collect();
    let found = walk::walk(&roots, sources, options)?;
    let plan = Plan::new(&found, &roots, store, sources, options)?;
    if plan.is_new_reach {
        plan.reach.note(store)?;
    }
    let mut run = Run::new(store, watch, plan.to_read.len());
    run.changed = plan.changed;
    run.report.unchanged = plan.unchanged;
    run.report.refused = plan.refused;
    run.report.skipped = found.skipped;
    run.report.emptied = plan.emptied;
    let knows = |root: &String| {
        let mut roots = roots.iter();
        roots.any(|own| diptych_index::is_within(root, &spell(own)))
    };
    let has_all = options.shard.is_none()
        && found.unreadable.is_empty()
        && plan.reach.roots.iter().all(knows);
    let failed = found.unreadable.into_iter();
    run.report.failed.extend(
        failed
            .chain(found.dangling)
            .map(|(path, reason)| failure(path, reason.into())),
    );

    let reader = Reader {
        sources,
        preprocess: clip.preprocess(),
        store,
        known: Mutex::new(plan.known),
    };
    let mut to_read = plan.to_read;
    while !to_read.is_empty() {
        if run.pass(clip, &reader, &to_read)?.is_break() {
            run.note()?;
            run.report.interrupted = true;
            return Ok(run.report);
        }
        // What was abandoned has to be gone before a copy of it is opened.
        run.note()?;
        // Their content was the index's when the run began, and went with another file meanwhile.
        to_read = run.left_behind();
        reader.forget(run.waiting.drain().map(|(id, _)| id));
    }
    // Last, so that a file that was moved keeps its content.
    run.remove(plan.gone)?;
    if has_all && !run.has_unread {
        // What was begun before and is not finished is of no file that there is.
        run.store.sweep()?;
    }
    run.store.settle()?;
    Ok(run.report)
}

/// Changes on their way into the index.
struct Run<'a> {
    store: &'a dyn Store,
    watch: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
    progress: Progress,
    report: Report,
    changes: Vec<Change>,
    /// Whether one of them may take a content's last file from it.
    may_drop: bool,
    /// Files that the index had with another size or time.
    changed: FxHashSet<String>,
    noted_at: Instant,
    since_settled: usize,
    /// Contents that were encoded, or could not be, in this run.
    fates: FxHashMap<Id, Result<(), Refusal>>,
    /// Whether a file could not be read now, of which a part may have been stored before.
    has_unread: bool,
    /// Files whose content another file has, which is not encoded yet.
    waiting: FxHashMap<Id, Vec<File>>,
}

impl<'a> Run<'a> {
    fn new(
        store: &'a dyn Store,
        watch: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
        files: usize,
    ) -> Self {
        Self {
            store,
            watch,
            progress: Progress {
                files,
                ..Progress::default()
            },
            report: Report::default(),
            changes: Vec::new(),
            may_drop: false,
            changed: FxHashSet::default(),
            noted_at: Instant::now(),
            since_settled: 0,
            fates: FxHashMap::default(),
            has_unread: false,
            waiting: FxHashMap::default(),
        }
    }

    /// Reads files once; stops where it is asked to.
    fn pass(&mut self, clip: &Clip, reader: &Reader, to_read: &[File]) -> Result<ControlFlow<()>> {
        let mut encoder = Encoder::new(clip, reader, to_read);
        let passed = self.pass_all(&mut encoder);
        if passed.is_err() {
            self.note()?;
        }
        passed
    }

    fn pass_all(&mut self, encoder: &mut Encoder) -> Result<ControlFlow<()>> {
        loop {
            let Some(come) = encoder.next()? else {
                return Ok(ControlFlow::Continue(()));
            };
            // A content of many batches can be stopped within.
            let is_within = !come.iter().any(|encoded| encoded.what.is_end());
            for Encoded { file, what } in come {
                let is_end = what.is_end();
                self.take(file, what)?;
                if is_end && self.advance()?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if is_within && (self.watch)(self.progress).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Notes what has come of a file.
    fn take(&mut self, file: &File, what: What) -> Result<()> {
        match what {
            What::Whole(id, about, moments) => {
                let item = item(file, id, about, moments);
                self.changes.push(Change::Put(item));
                self.encoded(file, id);
            }
            What::First(id, about, moments) => {
                let item = item(file, id, about, moments);
                self.changes.push(Change::Begin(item));
                self.note()?; // portions would fill the memory
            }
            What::More(id, moments) => {
                self.changes.push(Change::Extend(id, moments));
                self.note()?;
            }
            What::Last(id, moments) => {
                if !moments.is_empty() {
                    self.changes.push(Change::Extend(id, moments));
                }
                self.changes.push(Change::Finish(id));
                self.encoded(file, id);
            }
            What::Skipped(out, skipped) => {
                self.changes.extend(out.map(Change::Abandon));
                match skipped {
                    Skipped::Known(id) => self.known(file, id)?,
                    Skipped::Unreadable(reason) => {
                        self.has_unread = true;
                        self.fail(file, reason.into());
                    }
                    Skipped::Bad(id, why) => self.bad(file, id, why),
                }
            }
        }
        Ok(())
    }

    /// Files that wait for a content that nobody has encoded; they are dealt with anew.
    fn left_behind(&mut self) -> Vec<File> {
        let files: Vec<File> = self.waiting.values().flatten().cloned().collect();
        self.progress.done -= files.len();
        files
    }

    fn encoded(&mut self, file: &File, id: Id) {
        self.report.encoded += 1;
        self.since_settled += 1;
        self.may_drop |= self.changed.contains(&file.path);
        self.changes.push(Change::Link(file.clone(), id));
        self.decide(id, Ok(()));
    }

    /// A file with a content that the index has, or will have.
    fn known(&mut self, file: &File, id: Id) -> Result<()> {
        match self.fates.get(&id) {
            Some(Ok(())) => self.link(file.clone(), id),
            Some(Err(why)) => self.refuse(file.clone(), why.clone()),
            None => {
                if self.may_drop {
                    self.note()?;
                }
                if self.store.has(&[id])?[0] {
                    self.link(file.clone(), id);
                } else {
                    self.waiting.entry(id).or_default().push(file.clone());
                }
            }
        }
        Ok(())
    }

    fn bad(&mut self, file: &File, id: Option<Id>, why: Refusal) {
        self.refuse(file.clone(), why.clone());
        if let Some(id) = id {
            self.decide(id, Err(why));
        }
    }

    /// Notes the fate of a content, for the files that wait for it.
    fn decide(&mut self, id: Id, fate: Result<(), Refusal>) {
        for file in self.waiting.remove(&id).unwrap_or_default() {
            match &fate {
                Ok(()) => self.link(file, id),
                Err(why) => self.refuse(file, why.clone()),
            }
        }
        self.fates.insert(id, fate);
    }

    fn link(&mut self, file: File, id: Id) {
        self.report.linked += 1;
        self.may_drop |= self.changed.contains(&file.path);
        self.changes.push(Change::Link(file, id));
    }

    fn fail(&mut self, file: &File, why: Refusal) {
        self.report.failed.push(failure(file.path.clone(), why));
    }

    /// Notes that a file's content can't be indexed, so that it isn't tried again.
    fn refuse(&mut self, file: File, why: Refusal) {
        self.fail(&file, why.clone());
        self.may_drop |= self.changed.contains(&file.path);
        self.changes.push(Change::Refuse(file, why.reason));
    }

    /// One file more has been dealt with.
    fn advance(&mut self) -> Result<ControlFlow<()>> {
        self.progress.done += 1;
        self.progress.encoded = self.report.encoded;
        if self.changes.len() >= BATCH || self.noted_at.elapsed() >= PATIENCE {
            self.note()?;
            if self.since_settled >= SETTLE_EVERY {
                self.store.settle()?;
                self.since_settled = 0;
            }
        }
        Ok((self.watch)(self.progress))
    }

    fn note(&mut self) -> Result<()> {
        self.noted_at = Instant::now();
        if self.changes.is_empty() {
            return Ok(());
        }
        self.store.apply(&self.changes)?;
        self.changes.clear();
        self.may_drop = false;
        Ok(())
    }

    fn remove(&mut self, gone: Vec<Gone>) -> Result<()> {
        self.report.refused_gone = gone.iter().filter(|gone| gone.is_refused).count();
        self.report.removed = gone.len() - self.report.refused_gone;
        let gone = gone.into_iter().map(|gone| Change::Unlink(gone.path));
        self.changes.extend(gone);
        self.note()
    }
}

fn failure(path: String, Refusal { reason, needs }: Refusal) -> Failed {
    Failed {
        path,
        reason,
        needs,
    }
}

/// A content as an index has it.
fn item(file: &File, id: Id, about: About, moments: Vec<Moment>) -> Item {
    Item {
        id,
        taken: about.taken.or_else(|| saved(file)),
        phash: about.phash,
        payload: about.payload,
        moments,
    }
}

/// Time of a content that does not say when it was made: it is as old as its file.
pub(super) fn saved(file: &File) -> Option<Taken> {
    let at = changed(file, &TimeZone::system())?;
    let from = TakenFrom::File;
    Some(Taken { at, from })
}

/// Second of a file's last change, by the clock on the wall here: who saved it remembers that day.
fn changed(file: &File, here: &TimeZone) -> Option<i64> {
    let instant = Timestamp::from_nanosecond(i128::from(file.modified)).ok()?;
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    Some(here.to_datetime(instant).duration_since(epoch).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_date_is_of_the_day_it_was_saved_where_that_was() {
        // date -u -d 2024-04-30T20:00 +%s
        let file = File {
            path: "/a.jpg".into(),
            size: 1,
            modified: 1_714_507_200 * 1_000_000_000 + 999_999_999,
        };
        let new_zealand = TimeZone::fixed(jiff::tz::offset(12));
        // It is 1 May, 8 o'clock there.
        assert_eq!(changed(&file, &new_zealand), Some(1_714_550_400));
        assert_eq!(saved(&file).unwrap().from, TakenFrom::File);
    }
}
