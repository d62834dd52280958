//! `diptych index --watch`: again whenever something changes.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use notify::{RecursiveMode, Watcher};

use crate::output::error;
use crate::{Status, interrupt};

/// How long nothing has to happen: files that are being copied change many times.
const QUIET: Duration = Duration::from_secs(1);

/// How often Ctrl-C is looked for.
const GLANCE: Duration = Duration::from_millis(200);

/// Runs `once`, and again after each change below `roots`, until Ctrl-C.
pub(super) fn follow(
    roots: &[PathBuf],
    mut once: impl FnMut() -> Result<Status>,
) -> Result<Status> {
    let (tell, told) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading a file is no change of it.
        let is_change = event.is_ok_and(|event| !event.kind.is_access());
        if is_change {
            let _ = tell.send(());
        }
    })
    .context("cannot watch folders")?;
    for root in roots {
        let watched = watcher.watch(root, RecursiveMode::Recursive);
        watched.with_context(|| format!("cannot watch {}", root.display()))?;
    }
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
            let patience = if has_changed { QUIET } else { GLANCE };
            match told.recv_timeout(patience) {
                Ok(()) => has_changed = true,
                Err(RecvTimeoutError::Timeout) if has_changed => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Status::Done),
            }
        }
    }
}
