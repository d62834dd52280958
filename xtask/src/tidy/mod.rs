//! House rules that neither rustc nor clippy can see, checked over every file that git knows.
//!
//! Flow: working tree → [`Repo`] → [`RULES`] → violations with path and line.
//! Invariant: a rule is a pure function of [`Repo`], so its test plants a violation in memory.

mod crates;
mod documents;
mod languages;
mod repo;
mod source;
mod tree;

use std::fmt;

use anyhow::{Result, bail};

use self::repo::Repo;
use crate::cargo::root;

/// A rule returns all its violations; none means that the repository keeps it.
type Rule = fn(&Repo) -> Vec<Violation>;

/// Every rule, by what it demands.
const RULES: &[(&str, Rule)] = &[
    ("a module says what it is for", source::header),
    ("a file stays readable in one sitting", source::length),
    ("`unsafe` lives in kernels alone", source::unsafe_code),
    ("a package holds what it includes", source::includes),
    ("open work has an issue", source::open_work),
    ("no path of one machine", source::machine_paths),
    ("crates use what stands below them", crates::floors),
    ("a crate minds its own business", crates::forbidden),
    ("model configs parse", tree::model_configs),
    ("goldens say what made them", tree::golden_versions),
    ("large files are listed", tree::large_files),
    ("links lead somewhere", documents::links),
    ("files that are named are there", documents::names),
    ("prose is easy to read", documents::width),
    ("decisions are listed and whole", documents::decisions),
    ("READMEs say the same in both languages", languages::readmes),
];

/// One broken rule, at a place.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    /// From 1; 0 where the whole file is meant.
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Said where there is nothing to look at: an archive of the source has passed the rules before.
const WITHOUT_GIT: &str =
    "there is no git here, and the house rules are about git's files: none of them was checked";

/// Checks the working tree and prints what it finds.
///
/// # Errors
/// If any rule is broken, or git or cargo cannot be asked.
pub(crate) fn run() -> Result<()> {
    let Some(repo) = Repo::open(root())? else {
        eprintln!("{WITHOUT_GIT}");
        return Ok(());
    };
    let violations = violations(&repo);
    for (rule, violation) in &violations {
        println!("{violation} ({rule})");
    }
    match violations.len() {
        0 => Ok(()),
        1 => bail!("one house rule violation, listed above"),
        n => bail!("{n} house rule violations, listed above"),
    }
}

fn violations(repo: &Repo) -> Vec<(&'static str, Violation)> {
    let of = |(name, rule): &(&'static str, Rule)| {
        let name = *name;
        rule(repo)
            .into_iter()
            .map(move |violation| (name, violation))
    };
    RULES.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let Some(repo) = Repo::open(root()).unwrap() else {
            eprintln!("{WITHOUT_GIT}");
            return;
        };
        let found = violations(&repo);
        let lines: Vec<String> = found
            .iter()
            .map(|(rule, v)| format!("{v} ({rule})"))
            .collect();
        assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
    }

    #[test]
    fn a_violation_names_path_and_line() {
        assert_eq!(Violation::new("a.rs", 3, "bad").to_string(), "a.rs:3: bad");
        assert_eq!(Violation::new("a.rs", 0, "bad").to_string(), "a.rs: bad");
    }
}
