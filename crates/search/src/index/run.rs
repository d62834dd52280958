//! The run itself: reads what is new, encodes each content once, and notes all in batches that are whole.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use diptych_index::{Change, File, Id, Item, Moment, Payload, Store, Taken, TakenFrom};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};

use super::place::canonical;
use super::plan::Plan;
use super::{Failed, Options, Progress, Report, walk};
use crate::Result;
use diptych::image::{Decoded, Facts, PerceptualHash, Pixels};
use diptych::{Clip, Embeddings};

/// Changes are noted after so many, or after [`PATIENCE`]: what a kill may cost.
const BATCH: usize = 256;
const PATIENCE: Duration = Duration::from_secs(2);

/// New contents after which the index is settled on the way, so that others search it fast meanwhile.
const SETTLE_EVERY: usize = 20_000;

/// Brings an index up to date with files and folders. Pictures of the index that lie elsewhere are left alone.
/// `watch` is told how far it is and may stop it.
///
/// # Errors
/// [`Error::Index`] if the index can't be written, and what keeps the model from working. Pictures that can't be read are
/// no error, but in the report.
pub fn index(
    clip: &Clip,
    store: &mut dyn Store,
    roots: &[PathBuf],
    options: &Options,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report> {
    // One that can't be looked into is told of by the walk.
    let place = |root: &PathBuf| canonical(root).unwrap_or_else(|_| root.clone());
    let roots: Vec<PathBuf> = roots.iter().map(place).collect();
    let found = walk::walk(&roots, options)?;
    let plan = Plan::new(&found, &roots, store, options)?;
    if plan.is_new_reach {
        plan.reach.note(store)?;
    }
    let mut run = Run::new(store, watch, plan.to_read.len());
    run.changed = plan.changed;
    run.report.unchanged = plan.unchanged;
    run.report.emptied = plan.emptied;
    let failed = found.unreadable.into_iter();
    run.report
        .failed
        .extend(failed.map(|(path, reason)| Failed { path, reason }));

    let reader = Reader {
        clip,
        options,
        known: Mutex::new(plan.known),
        seen: Mutex::default(),
    };
    let mut to_read = plan.to_read;
    while !to_read.is_empty() {
        if run.pass(&reader, &to_read)?.is_break() {
            run.note()?;
            run.report.interrupted = true;
            return Ok(run.report);
        }
        // Their content was the index's when the run began, and went with another file meanwhile.
        to_read = run.left_behind();
        reader.forget(run.waiting.drain().map(|(id, _)| id));
    }
    // Last, so that a file that was moved keeps its content.
    run.remove(plan.gone)?;
    run.store.settle()?;
    Ok(run.report)
}

/// Why a file is not encoded.
enum Skipped {
    /// It can't be read now, which says nothing of its content.
    Unreadable(String),
    /// Its content is in the index, or will be.
    Known(Id),
    Bad(String),
    Model(diptych::Error),
}

impl From<diptych::Error> for Skipped {
    fn from(error: diptych::Error) -> Self {
        Self::Model(error)
    }
}

/// Reads files, on many threads.
struct Reader<'a> {
    clip: &'a Clip,
    options: &'a Options,
    /// Contents that need not be encoded: the index has them, or another file's turn has come.
    known: Mutex<FxHashSet<Id>>,
    /// What was learned of files that are on their way.
    seen: Mutex<FxHashMap<String, Seen>>,
}

/// What is known of a file that was read.
struct Seen {
    id: Id,
    facts: Facts,
    /// Perhaps none: it could not be decoded.
    decoded: Option<Known>,
}

/// What is known of a picture once it is decoded.
struct Known {
    phash: PerceptualHash,
    /// Columns and rows.
    size: (usize, usize),
}

impl Reader<'_> {
    fn read(&self, file: &File) -> Result<Pixels, Skipped> {
        let bytes = fs_err::read(&file.path).map_err(|e| Skipped::Unreadable(e.to_string()))?;
        let id = id(&bytes);
        if !lock(&self.known).insert(id) {
            return Err(Skipped::Known(id));
        }
        let look = |decoded: &Decoded| Known {
            phash: PerceptualHash::of(&decoded.picture),
            size: decoded.full,
        };
        let preprocess = self.clip.preprocess();
        let loaded = preprocess.load_and(&bytes, &self.options.decode, look);
        let (pixels, decoded) = match loaded {
            Ok((pixels, known)) => (Ok(pixels), Some(known)),
            Err(error) => (Err(Skipped::Bad(error.to_string())), None),
        };
        let facts = Facts::of(&bytes);
        let seen = Seen { id, facts, decoded };
        lock(&self.seen).insert(file.path.clone(), seen);
        pixels
    }

    /// Lets contents be encoded that were known.
    fn forget(&self, ids: impl Iterator<Item = Id>) {
        let mut known = lock(&self.known);
        ids.for_each(|id| {
            known.remove(&id);
        });
    }

    fn take(&self, file: &File) -> Option<Seen> {
        lock(&self.seen).remove(&file.path)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// What is on its way into the index.
struct Run<'a> {
    store: &'a mut dyn Store,
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
    fates: FxHashMap<Id, Result<(), String>>,
    /// Files whose content another file has, which is not encoded yet.
    waiting: FxHashMap<Id, Vec<File>>,
}

impl<'a> Run<'a> {
    fn new(
        store: &'a mut dyn Store,
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
            waiting: FxHashMap::default(),
        }
    }

    /// Reads files once; stops where it is asked to.
    fn pass(&mut self, reader: &Reader, to_read: &[File]) -> Result<ControlFlow<()>> {
        let dim = reader.clip.config().embed_dim;
        let stream = reader.clip.stream_images(to_read, |file| reader.read(file));
        for (file, features) in to_read.iter().zip(stream) {
            match (features, reader.take(file)) {
                (Ok(features), Some(seen)) => {
                    let row = Embeddings::from_features(dim, features)?
                        .as_slice()
                        .to_vec();
                    if row.iter().all(|value| value.is_finite()) {
                        self.encoded(file, seen, row);
                    } else {
                        let reason = "the model finds no embedding of it, but NaN".to_owned();
                        self.bad(file, Some(seen.id), reason);
                    }
                }
                (Err(Skipped::Known(id)), _) => self.known(file, id)?,
                (Err(Skipped::Unreadable(reason)), _) => self.fail(file, reason),
                (Err(Skipped::Bad(reason)), seen) => {
                    self.bad(file, seen.map(|seen| seen.id), reason);
                }
                (Err(Skipped::Model(error)), _) => {
                    self.note()?;
                    return Err(error.into());
                }
                (Ok(_), None) => {}
            }
            if self.advance()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Files that wait for a content that nobody has encoded; they are dealt with anew.
    fn left_behind(&mut self) -> Vec<File> {
        let files: Vec<File> = self.waiting.values().flatten().cloned().collect();
        self.progress.done -= files.len();
        files
    }

    fn encoded(&mut self, file: &File, seen: Seen, vector: Vec<f32>) {
        self.report.encoded += 1;
        self.since_settled += 1;
        let Seen { id, facts, decoded } = seen;
        let mut payload = payload(&facts);
        if let Some(Known { size, .. }) = &decoded {
            payload.insert(WIDTH.into(), size.0.into());
            payload.insert(HEIGHT.into(), size.1.into());
        }
        self.changes.push(Change::Put(Item {
            id,
            taken: taken(&facts, file),
            phash: decoded.map(|known| known.phash.to_bytes()),
            payload,
            moments: vec![Moment {
                part: Default::default(),
                vector,
            }],
        }));
        self.may_drop |= self.changed.contains(&file.path);
        self.changes.push(Change::Link(file.clone(), id));
        self.decide(id, Ok(()));
    }

    /// A file with a content that the index has, or will have.
    fn known(&mut self, file: &File, id: Id) -> Result<()> {
        match self.fates.get(&id) {
            Some(Ok(())) => self.link(file.clone(), id),
            Some(Err(reason)) => self.refuse(file.clone(), reason.clone()),
            None => {
                if self.may_drop {
                    self.note()?;
                }
                match self.store.has(&[id])?[0] {
                    true => self.link(file.clone(), id),
                    false => self.waiting.entry(id).or_default().push(file.clone()),
                }
            }
        }
        Ok(())
    }

    fn bad(&mut self, file: &File, id: Option<Id>, reason: String) {
        self.refuse(file.clone(), reason.clone());
        if let Some(id) = id {
            self.decide(id, Err(reason));
        }
    }

    /// What became of a content, for the files that wait for it.
    fn decide(&mut self, id: Id, fate: Result<(), String>) {
        for file in self.waiting.remove(&id).unwrap_or_default() {
            match &fate {
                Ok(()) => self.link(file, id),
                Err(reason) => self.refuse(file, reason.clone()),
            }
        }
        self.fates.insert(id, fate);
    }

    fn link(&mut self, file: File, id: Id) {
        self.report.linked += 1;
        self.may_drop |= self.changed.contains(&file.path);
        self.changes.push(Change::Link(file, id));
    }

    fn fail(&mut self, file: &File, reason: String) {
        let path = file.path.clone();
        self.report.failed.push(Failed { path, reason });
    }

    /// Notes that a file's content can't be indexed, so that it isn't tried again.
    fn refuse(&mut self, file: File, reason: String) {
        self.fail(&file, reason.clone());
        self.may_drop |= self.changed.contains(&file.path);
        self.changes.push(Change::Refuse(file, reason));
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

    fn remove(&mut self, gone: Vec<String>) -> Result<()> {
        self.report.removed = gone.len();
        self.changes.extend(gone.into_iter().map(Change::Unlink));
        self.note()
    }
}

/// What a content is known by.
pub(super) fn id(bytes: &[u8]) -> Id {
    let mut id = Id([0; 16]);
    id.0.copy_from_slice(&Sha256::digest(bytes)[..16]);
    id
}

/// When a picture was taken. One that does not say is as old as its file.
pub(super) fn taken(facts: &Facts, file: &File) -> Option<Taken> {
    let exif = facts.taken.map(|at| (at, TakenFrom::Exif));
    let or_file = exif.or_else(|| Some((changed(file, &TimeZone::system())?, TakenFrom::File)));
    or_file.map(|(at, from)| Taken { at, from })
}

/// When a file was changed, by the clock on the wall here: who saved it remembers that day.
fn changed(file: &File, here: &TimeZone) -> Option<i64> {
    let instant = Timestamp::from_nanosecond(i128::from(file.modified)).ok()?;
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    Some(here.to_datetime(instant).duration_since(epoch).as_secs())
}

/// Keys of a picture's columns and rows among what is told of it.
pub(crate) const WIDTH: &str = "width";
pub(crate) const HEIGHT: &str = "height";

/// What is told of a picture beside its embedding.
pub(super) fn payload(facts: &Facts) -> Payload {
    let mut payload = Payload::new();
    if let Some(camera) = &facts.camera {
        payload.insert("camera".into(), camera.as_str().into());
    }
    if let Some((latitude, longitude)) = facts.place {
        payload.insert("latitude".into(), latitude.into());
        payload.insert("longitude".into(), longitude.into());
    }
    payload
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
        let facts = Facts {
            taken: Some(-5),
            ..Facts::default()
        };
        let exif = taken(&facts, &file).unwrap();
        assert_eq!((exif.at, exif.from), (-5, TakenFrom::Exif));
        let stands_in = taken(&Facts::default(), &file).unwrap();
        assert_eq!(stands_in.from, TakenFrom::File);
    }
}
