//! The gate: what must pass before a change goes in. CI runs the same steps through `.ci/run`.
//!
//! Flow: formatting → tidy → clippy → rustdoc → packages → tests, cheapest first; the first failure
//! stops it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo::cargo;
use crate::tidy;

/// Whether the gate runs the tests; CI has run them by the time it comes here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tests {
    Run,
    Skip,
}

/// Runs every step and says how long each took.
///
/// # Errors
/// The first step that failed, by name, with the command to repeat it.
pub(crate) fn run(tests: Tests) -> Result<()> {
    let start = Instant::now();
    step("fmt", || run_cargo("fmt --all --check", &[]))?;
    step("tidy", tidy::run)?;
    step("clippy", || {
        run_cargo(
            "clippy --release --workspace --all-targets -- -D warnings",
            &[],
        )
    })?;
    step("clippy of servers", || {
        run_cargo(
            "clippy --release -p diptych-index --features qdrant --all-targets -- -D warnings",
            &[],
        )
    })?;
    for package in ["diptych", "diptych-train"] {
        step(&format!("{package} without features"), || {
            let args =
                format!("clippy --release -p {package} --no-default-features -- -D warnings");
            run_cargo(&args, &[])
        })?;
    }
    step("doc", || {
        run_cargo(
            "doc --release --no-deps --workspace",
            &[("RUSTDOCFLAGS", "-D warnings")],
        )
    })?;
    step("package", || {
        // Packed against each other, since none is published; `cargo package` alone also builds.
        run_cargo(
            "package --workspace --exclude xtask --exclude diptych-testing --no-verify --offline --allow-dirty --quiet",
            &[],
        )
    })?;
    if tests == Tests::Run {
        step("tests", || run_cargo("test --release --workspace", &[]))?;
        step("tests of servers", || {
            run_cargo("test --release -p diptych-index --features qdrant", &[])
        })?;
    }
    eprintln!("check: all passed in {}", seconds(start.elapsed()));
    Ok(())
}

fn step(name: &str, action: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("check: {name} …");
    let start = Instant::now();
    action().with_context(|| format!("{name} failed after {}", seconds(start.elapsed())))?;
    eprintln!("check: {name} passed in {}", seconds(start.elapsed()));
    Ok(())
}

/// Runs `cargo args` with the variables of `env`; its output goes straight through.
fn run_cargo(args: &str, env: &[(&str, &str)]) -> Result<()> {
    let words: Vec<&str> = args.split(' ').collect();
    let status = cargo(&words)
        .envs(env.iter().copied())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("`{}`: {status}", shell_line(args, env));
    }
    Ok(())
}

/// The line that repeats a step in a shell.
fn shell_line(args: &str, env: &[(&str, &str)]) -> String {
    let mut words: Vec<String> = env
        .iter()
        .map(|(name, value)| format!("{name}='{value}'"))
        .collect();
    words.push(format!("cargo {args}"));
    words.join(" ")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_step() {
        let message = format!("{:#}", step("lint", || bail!("no")).unwrap_err());
        assert!(message.starts_with("lint failed after "), "{message}");
        assert!(message.ends_with(" s: no"), "{message}");
    }

    #[test]
    fn a_step_can_be_repeated_in_a_shell() {
        assert_eq!(shell_line("doc --no-deps", &[]), "cargo doc --no-deps");
        assert_eq!(
            shell_line("doc", &[("FLAGS", "-D warnings")]),
            "FLAGS='-D warnings' cargo doc"
        );
    }
}
