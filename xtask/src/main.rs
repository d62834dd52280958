//! Project chores, run as `cargo xtask CHORE`.
//!
//! `check` is the whole gate, `tidy` the house rules, `docs` the generated command-line manual.
//! Invariant: depends on no crate of the workspace, so it builds in seconds and works when they
//! don't.

#![allow(clippy::print_stdout, reason = "a chore's report goes to the terminal")]
#![allow(
    clippy::print_stderr,
    reason = "a chore's progress goes to the terminal"
)]

mod cargo;
mod check;
mod docs;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask CHORE

Chores:
  check [--skip-tests]  Run the gate: fmt, tidy, clippy, doc, package, tests
  tidy                  Check the house rules alone
  docs                  Write docs/cli.md from the help of the `diptych` binary";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Result<()> {
    match args {
        ["check"] => check::run(check::Tests::Run),
        ["check", "--skip-tests"] => check::run(check::Tests::Skip),
        ["tidy"] => tidy::run(),
        ["docs"] => docs::run(),
        ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        [] => bail!("which chore?\n\n{USAGE}"),
        _ => bail!("unknown chore `{}`\n\n{USAGE}", args.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn an_unknown_chore_is_refused_with_the_usage() {
        let message = run(&["chekc"]).unwrap_err().to_string();
        assert!(message.starts_with("unknown chore `chekc`"), "{message}");
        assert!(message.contains("Usage: cargo xtask"), "{message}");
    }
}
