//! The run itself: reads what is new, encodes each content once, and notes all in batches that are whole.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use index::{Change, File, Id, Item, Moment, Payload, Store};
use rustc_hash::{FxHashMap, FxHashSet};
use sha2::{Digest, Sha256};

use super::plan::Plan;
use super::{Failed, Options, Progress, Report, walk};
use crate::image::{Facts, ImageError, Pixels};
use crate::{Clip, Embeddings, Error, Result};

/// Changes are noted after so many, or after [`PATIENCE`]: what a kill may cost.
const BATCH: usize = 256;
const PATIENCE: Duration = Duration::from_secs(2);

/// New contents after which the index is settled on the way, so that others search it fast meanwhile.
const SETTLE_EVERY: usize = 20_000;

/// Brings an index up to date with files and folders, given by absolute paths. Pictures of the index that lie elsewhere are left alone.
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
    let found = walk::walk(roots, options)?;
    let names: Vec<String> = roots
        .iter()
        .map(|r| r.to_string_lossy().into_owned())
        .collect();
    let plan = Plan::new(&found, &names, store, options)?;
    let mut run = Run::new(store, watch, plan.to_read.len());
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
    let sources = plan.to_read.iter();
    let mut files = plan.to_read.iter();
    for features in clip.stream_images(sources, |file| reader.read(file)) {
        let Some(file) = files.next() else { break };
        let seen = reader.take(file);
        match (features, seen) {
            (Ok(features), Some((id, facts))) => {
                let row = Embeddings::from_features(clip.config().embed_dim, features);
                run.encoded(file, id, facts, row.as_slice().to_vec());
            }
            (Err(Skipped::Known(id)), _) => run.known(file, id)?,
            (Err(Skipped::Bad(reason)), seen) => run.bad(file, seen.map(|(id, _)| id), reason),
            (Err(Skipped::Model(error)), _) => {
                run.note()?;
                return Err(error);
            }
            (Ok(_), None) => {}
        }
        if run.advance()?.is_break() {
            run.note()?;
            run.report.interrupted = true;
            return Ok(run.report);
        }
    }
    // Last, so that a file that was moved keeps its content.
    run.remove(plan.gone)?;
    run.store.settle()?;
    Ok(run.report)
}

/// Why a file is not encoded.
enum Skipped {
    /// Its content is in the index, or will be.
    Known(Id),
    Bad(String),
    Model(Error),
}

impl From<Error> for Skipped {
    fn from(error: Error) -> Self {
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
    seen: Mutex<FxHashMap<String, (Id, Facts)>>,
}

impl Reader<'_> {
    fn read(&self, file: &File) -> Result<Pixels, Skipped> {
        let bytes = fs_err::read(&file.path).map_err(|e| Skipped::Bad(e.to_string()))?;
        let hash = Sha256::digest(&bytes);
        let mut id = Id([0; 16]);
        id.0.copy_from_slice(&hash[..16]);
        if !lock(&self.known).insert(id) {
            return Err(Skipped::Known(id));
        }
        let facts = Facts::of(&bytes);
        lock(&self.seen).insert(file.path.clone(), (id, facts));
        let pixels = self
            .clip
            .preprocess()
            .load_bytes(&bytes, &self.options.decode);
        pixels.map_err(|e: ImageError| Skipped::Bad(e.to_string()))
    }

    fn take(&self, file: &File) -> Option<(Id, Facts)> {
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
            noted_at: Instant::now(),
            since_settled: 0,
            fates: FxHashMap::default(),
            waiting: FxHashMap::default(),
        }
    }

    fn encoded(&mut self, file: &File, id: Id, facts: Facts, vector: Vec<f32>) {
        self.report.encoded += 1;
        self.since_settled += 1;
        self.changes.push(Change::Put(Item {
            id,
            // A picture that does not say when it was taken is as old as its file.
            taken: facts
                .taken
                .or(Some(file.modified.div_euclid(1_000_000_000))),
            payload: payload(&facts),
            moments: vec![Moment { span: None, vector }],
        }));
        self.changes.push(Change::Link(file.clone(), id));
        self.decide(id, Ok(()));
    }

    /// A file with a content that the index has, or will have.
    fn known(&mut self, file: &File, id: Id) -> Result<()> {
        match self.fates.get(&id) {
            Some(Ok(())) => self.link(file.clone(), id),
            Some(Err(reason)) => self.refuse(file.clone(), reason.clone()),
            None if self.store.has(&[id])?[0] => self.link(file.clone(), id),
            None => self.waiting.entry(id).or_default().push(file.clone()),
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
        self.changes.push(Change::Link(file, id));
    }

    fn refuse(&mut self, file: File, reason: String) {
        self.report.failed.push(Failed {
            path: file.path.clone(),
            reason: reason.clone(),
        });
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
        self.store.apply(&self.changes)?;
        self.changes.clear();
        self.noted_at = Instant::now();
        Ok(())
    }

    fn remove(&mut self, gone: Vec<String>) -> Result<()> {
        self.report.removed = gone.len();
        self.changes.extend(gone.into_iter().map(Change::Unlink));
        self.note()
    }
}

/// What is told of a picture beside its embedding.
fn payload(facts: &Facts) -> Payload {
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
