//! Ctrl-C for long jobs, and SIGTERM and SIGHUP: the first asks the job to end in good order, the
//! second ends it at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::output::message;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on they ask; the job looks at [`asked`] and says `what_first` while it does.
pub(crate) fn watch(what_first: &'static str) -> Result<()> {
    let handler = move || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        message(format_args!(
            "\n{what_first}; press Ctrl-C again to stop at once"
        ));
    };
    ctrlc::set_handler(handler).context("cannot watch for Ctrl-C")
}

/// Whether the job has been asked to end.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Whether a job is to go on, as its callbacks answer.
pub(crate) fn go_on() -> ControlFlow<()> {
    if asked() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
