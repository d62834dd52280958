//! Rules on Markdown: what it names is there, and it is easy to read, as comments are.

use std::collections::BTreeSet;

use super::Violation;
use super::repo::Repo;

/// Most columns of a line of prose.
const MAX_COLUMNS: usize = 100;

/// Documents whose lines are not wrapped, and why.
const UNWRAPPED: &[(&str, &str)] = &[("README.zh-CN.md", "Chinese has no spaces to break at")];

/// Folder of the decisions, a page each.
const DECISIONS: &str = "docs/decisions/";

/// Headings that the page of a decision has, in this order; others may follow.
const HEADINGS: [&str; 3] = ["## Context", "## Decision", "## Numbers"];

/// A link leads to a file or folder of this repository, or out of it.
pub(super) fn links(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in repo.texts(&["md"]) {
        for (number, line) in prose(text) {
            for target in targets(&outside_code(line)) {
                if !below(path, target).is_some_and(|target| is_known(repo, &target)) {
                    let message = format!("links to {target}, which is not there");
                    violations.push(Violation::new(path, number, message));
                }
            }
        }
    }
    violations
}

/// A source file or a folder in backticks is the end of some path here, as `image/orient.rs` or
/// `tile/`.
pub(super) fn names(repo: &Repo) -> Vec<Violation> {
    let is_there = |name: &str| {
        let end = format!("/{name}");
        let is_folder = name.ends_with('/');
        repo.files.iter().any(|file| {
            let path = format!("/{}", file.path);
            path.ends_with(&end) || is_folder && path.contains(&end)
        })
    };
    let is_name = |code: &&str| {
        let ends = code.ends_with(".rs") || code.ends_with(".py") || code.ends_with('/');
        let of_path = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        ends && code.starts_with(char::is_alphanumeric) && code.chars().all(of_path)
    };
    let mut violations = Vec::new();
    // The changelog tells of files that have gone since.
    let documents = repo
        .texts(&["md"])
        .filter(|(path, _)| *path != "CHANGELOG.md");
    for (path, text) in documents {
        for (number, line) in prose(text) {
            let code = line.split('`').skip(1).step_by(2);
            for name in code.filter(is_name).filter(|name| !is_there(name)) {
                let message = format!("names `{name}`, which is not there");
                violations.push(Violation::new(path, number, message));
            }
        }
    }
    violations
}

/// Prose is at most [`MAX_COLUMNS`] wide, in comments of Rust files, too; tables, code and what
/// can't be broken may be wider.
pub(super) fn width(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    let is_wrapped = |path: &str| !UNWRAPPED.iter().any(|(unwrapped, _)| *unwrapped == path);
    for (path, text) in repo
        .texts(&["md", "rs"])
        .filter(|(path, _)| is_wrapped(path))
    {
        let marks: &[&str] = if path.ends_with(".rs") {
            &["///", "//!", "//"]
        } else {
            &[""]
        };
        for (number, line) in prose(text) {
            let mut marks = marks.iter();
            let Some(words) = marks.find_map(|mark| line.trim_start().strip_prefix(mark)) else {
                continue; // code
            };
            let columns = line.chars().count();
            // A word that is too long itself stands alone, behind the mark of a list at most.
            let can_break = words.trim_start_matches([' ', '-', '*']).contains(' ');
            if columns > MAX_COLUMNS && can_break && !words.trim_start().starts_with('|') {
                let message = format!("{columns} columns of prose, more than {MAX_COLUMNS}");
                violations.push(Violation::new(path, number, message));
            }
        }
    }
    violations
}

/// The page of a decision has a number of its own, its headings, and a link in the list of all.
pub(super) fn decisions(repo: &Repo) -> Vec<Violation> {
    let list = format!("{DECISIONS}README.md");
    let mut listed = BTreeSet::new();
    let mut pages = Vec::new();
    for (path, text) in repo.texts(&["md"]) {
        if path == list {
            let lines = prose(text).map(|(_, line)| outside_code(line));
            listed.extend(lines.flat_map(|line| {
                let links = targets(&line).filter_map(|target| below(&list, target));
                links.collect::<Vec<_>>()
            }));
        } else if path.starts_with(DECISIONS) {
            pages.push((path, text));
        }
    }
    let mut violations = Vec::new();
    let mut numbers = BTreeSet::new();
    for (path, text) in pages {
        let mut found = |message: String| violations.push(Violation::new(path, 0, message));
        if !listed.contains(path) {
            found(format!("is not in {list}"));
        }
        let number = path[DECISIONS.len()..]
            .split('-')
            .next()
            .unwrap_or_default();
        if number.len() != 3 || number.parse::<u16>().is_err() {
            found("its name begins with no number of three digits, as `001-title.md`".into());
        } else if !numbers.insert(number) {
            found(format!("another decision has the number {number}"));
        }
        let mut lines = text.lines();
        let missing = HEADINGS
            .iter()
            .find(|heading| !lines.any(|line| line == **heading));
        if let Some(heading) = missing {
            found(format!("lacks `{heading}`, or has it out of order"));
        }
    }
    violations
}

/// The lines of a document, from 1, that are in no block of code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let words = line.trim_start();
        let words = words.strip_prefix("///").or(words.strip_prefix("//!"));
        let is_fence = words.unwrap_or(line).trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((number, line))
    })
}

/// A line without what stands in backticks.
fn outside_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Where the links of a line lead, but for those out of the repository and within the document.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1);
    let targets = links.filter_map(|link| link.split([')', ' ', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains(':'))
}

/// A path from the root, for one that is written in the document at `path`; none, if it leads out
/// of the root.
fn below(path: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !["", "."].contains(part)) {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

/// Whether git knows a file by this path, or one in this folder; the root's path is empty.
fn is_known(repo: &Repo, path: &str) -> bool {
    let folder = format!("{path}/");
    let mut paths = repo.files.iter().map(|file| file.path.as_str());
    path.is_empty() || paths.any(|known| known == path || known.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::super::repo::tests::repo;
    use super::*;

    /// Lines on which a rule finds something.
    fn lines(violations: &[Violation]) -> Vec<usize> {
        violations.iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        let text = "[a](../a.md#part)\n[`b`](b.md) [c](https://x.org) [d](#part) [e](../)\n\
                    [f](f.md)\n`[g](g.md)`\n```sh\n[h](h.md)\n```\n[i](../..)\n";
        let files = [("a.md", ""), ("docs/text.md", text), ("docs/b.md", "")];
        let found = links(&repo(&files));
        assert_eq!(lines(&found), [3, 8]);
        assert_eq!(
            found[0].to_string(),
            "docs/text.md:3: links to f.md, which is not there"
        );
    }

    #[test]
    fn a_name_of_nothing_is_found() {
        let text = "`image/orient.rs`, `orient.rs`, `image/`, `*.rs`, `.py`\n`turn.rs`\n`tile/`\n";
        let files = [("crates/a/src/image/orient.rs", ""), ("docs/text.md", text)];
        assert_eq!(lines(&names(&repo(&files))), [2, 3]);
        assert!(names(&repo(&[("CHANGELOG.md", text)])).is_empty());
    }

    #[test]
    fn prose_that_is_too_wide_is_found() {
        let word = "é".repeat(MAX_COLUMNS);
        let full = format!("{}é a", "é".repeat(MAX_COLUMNS - 3));
        let text =
            format!("{full}\n{full}b\n- {word}\n| {full}b |\n```text\n{full}b\n```\n- {full}\n");
        assert_eq!(lines(&width(&repo(&[("a.md", &text)]))), [2, 8]);
        assert!(width(&repo(&[("README.zh-CN.md", &text)])).is_empty());
        let comments = text.lines().map(|line| format!("    /// {line}\n"));
        let code = format!("let {full} = 1;\n");
        let text: String = comments.chain([code]).collect();
        assert_eq!(lines(&width(&repo(&[("a.rs", &text)]))), [1, 2, 8]);
    }

    #[test]
    fn a_decision_that_is_not_listed_or_not_whole_is_found() {
        let whole = "# 001. A\n\n## Context\n\n## Decision\n\n## Numbers\n";
        let turned = "## Decision\n## Context\n## Numbers\n";
        let list = "| [001](001-a.md) | [002](002-b.md) | [003](003-c.md) | [x](x.md) |\n";
        let files = [
            ("docs/decisions/README.md", list),
            ("docs/decisions/001-a.md", whole),
            ("docs/decisions/001-d.md", whole),
            ("docs/decisions/002-b.md", turned),
            ("docs/decisions/003-c.md", whole),
            ("docs/decisions/x.md", whole),
        ];
        let found = decisions(&repo(&files));
        let said: Vec<String> = found.iter().map(Violation::to_string).collect();
        assert_eq!(
            said,
            [
                "docs/decisions/001-d.md: is not in docs/decisions/README.md",
                "docs/decisions/001-d.md: another decision has the number 001",
                "docs/decisions/002-b.md: lacks `## Decision`, or has it out of order",
                "docs/decisions/x.md: its name begins with no number of three digits, as `001-title.md`",
            ]
        );
    }
}
