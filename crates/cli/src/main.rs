//! The `diptych` command: CLIP from a shell.
//!
//! Flow: [`args`] (as typed) → [`commands`] (options, then work) → [`output`].
//! Invariant: stdout is data, stderr is messages; the exit code is 0 if all went well, 1 if a
//! search found nothing, 2 if anything failed, 130 after Ctrl-C. No input makes it panic.

mod args;
mod arrays;
mod commands;
mod gallery;
mod inputs;
mod interrupt;
mod output;
mod outputs;
mod preview;
mod progress;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::FromArgMatches;

use args::{Cli, Command};

/// Training and encoding allocate the same large buffers again and again. The system's allocator
/// hands them back to the kernel each time, and page faults then cost more than the work: a matrix
/// product of 32,768 × 128 by 128 × 128 took 25 ms, and 9 ms where the memory was kept.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Outcome of a command that did not fail as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Done,
    /// A search found nothing.
    NothingFound,
    /// Some inputs failed and were reported; the others were used.
    SomeFailed,
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Done => Self::SUCCESS,
            Status::NothingFound => Self::from(1),
            Status::SomeFailed => Self::from(2),
            Status::Interrupted => Self::from(130),
        }
    }
}

fn main() -> ExitCode {
    let typed = args::command().try_get_matches();
    let cli = match typed.and_then(|typed| Cli::from_arg_matches(&typed)) {
        Ok(cli) => cli,
        Err(error) => {
            let error = args::explain(error, std::env::args_os());
            // Help and version come this way, too; a reader that has gone is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli) {
        Ok(status) => status.into(),
        // `diptych … | head` has all it wanted.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<Status> {
    if cli.quiet {
        output::be_quiet();
    }
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build_global().context("cannot start the threads")?;
    }
    match cli.command {
        Command::Classify(args) => commands::classify::run(args),
        Command::Embed(args) => commands::embed::run(&args),
        Command::Similarity(args) => commands::similarity::run(&args),
        Command::Index(args) => commands::index::run(args),
        Command::Search(args) => commands::search::search(args),
        Command::Similar(args) => commands::search::similar(args),
        Command::Duplicates(args) => commands::duplicates::run(&args),
        Command::Tokenize(args) => commands::tokenize::run(args),
        Command::Preprocess(args) => commands::preprocess::run(&args),
        Command::Train(args) => commands::train::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Models(args) => commands::models::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Pack(args) => commands::pack::run(args),
        Command::Completions(args) => commands::completions::run(&args),
    }
}
