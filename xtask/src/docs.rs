//! The command-line manual: `docs/cli.md`, written from the help texts of the `diptych` binary.
//!
//! One section a command, its title the command and its body what `COMMAND --help` prints, so that
//! a test of the binary can read the file back and compare.

use std::fmt::Write as _;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, root};

const MANUAL: &str = "docs/cli.md";

const HEADER: &str = "\
# The `diptych` command

<!-- Written by `cargo xtask docs` from the binary's own help. Do not edit. -->
";

/// Builds the binary and writes [`MANUAL`] anew.
pub(crate) fn run() -> Result<()> {
    let build = cargo(&["build", "--release", "--package", "diptych-cli"]).status()?;
    if !build.success() {
        bail!("the `diptych` binary does not build: {build}");
    }
    let manual = manual(&help_of)?;
    let path = root().join(MANUAL);
    fs_err::create_dir_all(root().join("docs"))?;
    fs_err::write(path, manual)?;
    eprintln!("docs: wrote {MANUAL}");
    Ok(())
}

/// The help of `diptych COMMAND…`, at the width that the manual is kept in.
fn help_of(command: &[String]) -> Result<String> {
    // clap asks stdin, stdout and stderr for a terminal's width; with none, `COLUMNS` decides.
    let output = cargo(&[
        "run",
        "--release",
        "--quiet",
        "--package",
        "diptych-cli",
        "--bin",
        "diptych",
        "--",
    ])
    .args(command)
    .arg("--help")
    .env("COLUMNS", "100")
    .env("NO_COLOR", "1")
    .stdin(Stdio::null())
    .output()
    .context("cannot start cargo")?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`diptych {} --help`: {}\n{stderr}",
            command.join(" "),
            output.status
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The whole manual: the binary itself, then each subcommand, depth first.
fn manual(help_of: &dyn Fn(&[String]) -> Result<String>) -> Result<String> {
    let mut manual = HEADER.to_owned();
    let mut pending = vec![Vec::<String>::new()];
    while let Some(command) = pending.pop() {
        let help = help_of(&command)?;
        let title = ["diptych"]
            .into_iter()
            .chain(command.iter().map(String::as_str));
        let title = title.collect::<Vec<_>>().join(" ");
        write!(
            manual,
            "\n## `{title}`\n\n```text\n{}\n```\n",
            trim_lines(&help)
        )?;
        for name in subcommands(&help).into_iter().rev() {
            pending.push(command.iter().cloned().chain([name]).collect());
        }
    }
    Ok(manual)
}

/// `text` without white space at the end of any line, nor blank lines at its end.
fn trim_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// The names under `Commands:` in a help text of clap's, in order, without `help` itself.
fn subcommands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: &str = "\
CLIP in Rust

Usage: diptych <COMMAND>

Commands:
  classify  Label pictures with your words,
              or with a file of them
  index     Keep pictures searchable
  help      Print this message

Options:
  -h, --help  Print help
";

    #[test]
    fn subcommands_are_read_from_the_help() {
        assert_eq!(subcommands(TOP), ["classify", "index"]);
        assert!(subcommands("Usage: x\n\nOptions:\n  -h  Print help\n").is_empty());
    }

    #[test]
    fn the_manual_has_a_section_for_each_command_depth_first() {
        let help_of = |command: &[String]| {
            Ok(match command.join(" ").as_str() {
                "" => TOP.to_owned(),
                "index" => "Usage: diptych index\n\nCommands:\n  add  Add pictures\n".to_owned(),
                other => format!("Usage: diptych {other}  \n\n"),
            })
        };
        let manual = manual(&help_of).unwrap();
        let titles: Vec<&str> = manual
            .lines()
            .filter(|line| line.starts_with("## "))
            .collect();
        let want = [
            "## `diptych`",
            "## `diptych classify`",
            "## `diptych index`",
            "## `diptych index add`",
        ];
        assert_eq!(titles, want);
        assert!(
            manual.ends_with("\n```text\nUsage: diptych index add\n```\n"),
            "{manual}"
        );
    }
}
