//! `diptych index --watch`: again whenever something changes.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use diptych_index::{FileId, file_id};
use notify::event::ModifyKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::output::{error, message, quoted};
use crate::{Status, interrupt};

/// Time without a change before the next run: files that are being copied change many times.
const QUIET: Duration = Duration::from_secs(1);

/// Time between two looks for Ctrl-C and for folders that went.
const GLANCE: Duration = Duration::from_millis(200);

/// Runs `once`, and again after each change below `roots`, until Ctrl-C.
pub(super) fn follow(
    roots: &[PathBuf],
    mut once: impl FnMut() -> Result<Status>,
) -> Result<Status> {
    let mut watched = Watched::new(roots)?;
    loop {
        // One run that fails, as while a disc is full, does not end the watch.
        match once() {
            Ok(Status::Interrupted) => return Ok(Status::Interrupted),
            Ok(_) => {}
            Err(failed) => error(&failed),
        }
        let mut has_changed = false;
        loop {
            if interrupt::asked() {
                return Ok(Status::Interrupted);
            }
            has_changed |= watched.look_again();
            let patience = if has_changed { QUIET } else { GLANCE };
            match watched.told.recv_timeout(patience) {
                Ok(gone) => {
                    watched.lose(&gone);
                    has_changed = true;
                }
                Err(RecvTimeoutError::Timeout) if has_changed => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Status::Done),
            }
        }
    }
}

/// Folders that are watched. The system forgets one that goes, and does not know it again when it
/// is back: after a disc was taken out and put in again, or a folder was made anew under its old
/// name.
struct Watched<'a> {
    watcher: RecommendedWatcher,
    /// After each change, with the paths of what went.
    told: Receiver<Vec<PathBuf>>,
    roots: Vec<Root<'a>>,
}

/// A folder that was named.
struct Root<'a> {
    path: &'a Path,
    /// The folder that is watched under this name, if any is.
    watched: Option<FileId>,
    /// Whether it was told to be gone.
    is_lost: bool,
    /// Whether it could not be watched when that was tried last.
    has_failed: bool,
}

impl<'a> Watched<'a> {
    fn new(roots: &'a [PathBuf]) -> Result<Self> {
        let (tell, told) = channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is no change of it.
            if let Some(event) = event.ok().filter(|event| !event.kind.is_access()) {
                use notify::EventKind::{Modify, Remove};
                let goes = matches!(event.kind, Remove(_) | Modify(ModifyKind::Name(_)));
                let _ = tell.send(if goes { event.paths } else { Vec::new() });
            }
        })
        .context("cannot watch folders")?;
        let root = |path: &'a PathBuf| Root {
            path,
            watched: None,
            is_lost: false,
            has_failed: false,
        };
        let roots = roots.iter().map(root).collect();
        let mut watched = Self {
            watcher,
            told,
            roots,
        };
        for at in 0..watched.roots.len() {
            // One that is not there yet may come.
            if watched.roots[at].path.exists() {
                watched.watch(at)?;
            }
        }
        Ok(watched)
    }

    fn watch(&mut self, at: usize) -> Result<()> {
        let root = &mut self.roots[at];
        let now = file_id(root.path).ok();
        self.watcher
            .watch(root.path, RecursiveMode::Recursive)
            .with_context(|| format!("cannot watch {}", quoted(root.path)))?;
        root.watched = now;
        root.has_failed = false;
        message(format_args!(
            "watching {}; what comes there is indexed",
            quoted(root.path)
        ));
        Ok(())
    }

    /// A root that went is not watched any more, though one made anew may have got the number that
    /// it had.
    fn lose(&mut self, gone: &[PathBuf]) {
        for root in &mut self.roots {
            if gone.iter().any(|path| path == root.path) {
                root.is_lost = true;
            }
        }
    }

    /// Watches what came back, and says what went. Whether anything is other than it was.
    fn look_again(&mut self) -> bool {
        let mut has_changed = false;
        for at in 0..self.roots.len() {
            let root = &mut self.roots[at];
            let now = file_id(root.path).ok();
            if now == root.watched && !root.is_lost {
                continue;
            }
            root.is_lost = false;
            if root.watched.take().is_some() {
                // What is left of it would keep the next watch from beginning.
                let _ = self.watcher.unwatch(root.path);
                has_changed = true;
            }
            match now {
                None => message(format_args!(
                    "{} is gone; its pictures stay in the index, and it is watched again when it is back",
                    quoted(root.path)
                )),
                Some(_) => match self.watch(at) {
                    Ok(()) => has_changed = true,
                    // It is tried again each time, and told of once.
                    Err(failed) if !self.roots[at].has_failed => {
                        self.roots[at].has_failed = true;
                        error(&failed);
                    }
                    Err(_) => {}
                },
            }
        }
        has_changed
    }
}
