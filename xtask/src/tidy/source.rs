//! Rules on the text of files.

use super::Violation;
use super::repo::Repo;

/// Lines that a file may have before its tests.
const MAX_LINES: usize = 600;

/// Files that people write; data may hold any word.
const WRITTEN: &[&str] = &[
    "rs", "py", "sh", "toml", "yml", "yaml", "md", "html", "css", "js",
];

/// Where paths of one machine begin. Spelt in halves, so that this file keeps the rule.
const MACHINE_ROOTS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Use", "rs/"),
    concat!("/mn", "t/"),
    concat!("/wo", "rk/"),
    concat!("/works", "pace/"),
];

/// Every Rust file begins with a `//!` header.
pub(super) fn header(repo: &Repo) -> Vec<Violation> {
    let headless = |(_, text): &(&str, &str)| !text.starts_with("//! ");
    let violation =
        |(path, _)| Violation::new(path, 1, "must begin with `//! ` and what the module is for");
    repo.texts(&["rs"])
        .filter(headless)
        .map(violation)
        .collect()
}

/// No Rust file has more than [`MAX_LINES`] before its test module.
pub(super) fn length(repo: &Repo) -> Vec<Violation> {
    let long = |(path, text)| {
        let lines = lines_before_tests(text);
        let message = format!("{lines} lines before its tests, more than {MAX_LINES}: split it");
        (lines > MAX_LINES).then(|| Violation::new(path, MAX_LINES + 1, message))
    };
    repo.texts(&["rs"]).filter_map(long).collect()
}

/// The keyword `unsafe` appears in no crate but kernels, and where a rival is measured as its
/// manual uses it.
pub(super) fn unsafe_code(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in repo.texts(&["rs"]).filter(|(path, _)| {
        !["crates/kernels/", "benchmarks/"]
            .iter()
            .any(|p| path.starts_with(p))
    }) {
        for (line, code) in numbered(&code_only(text)) {
            if words(code).any(|(word, _)| word == "unsafe") {
                violations.push(Violation::new(
                    path,
                    line,
                    "`unsafe` belongs in crates/kernels",
                ));
            }
        }
    }
    violations
}

/// Files that a crate's code includes lie in its own folder: a package has no other.
///
/// Looked at are literal paths, in `concat!`, too; a crate's tests are not packed.
pub(super) fn includes(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in repo.texts(&["rs"]) {
        let parts: Vec<&str> = path.split('/').collect();
        let ["crates", _, "src" | "examples", inner @ ..] = parts.as_slice() else {
            continue;
        };
        // From a file in `src` one step up is the crate's folder.
        let allowed = inner.len();
        for (start, _) in text.match_indices("include_") {
            let rest = &text[start..];
            let is_macro = ["include_str!(", "include_bytes!("]
                .iter()
                .any(|name| rest.starts_with(name));
            let literal = rest.split('"').nth(1).unwrap_or_default();
            let steps = literal.split('/').take_while(|part| *part == "..").count();
            if is_macro && steps > allowed {
                let line = 1 + text[..start].matches('\n').count();
                let message = format!("`{literal}` is outside the crate, so not in its package");
                violations.push(Violation::new(path, line, message));
            }
        }
    }
    violations
}

/// A reminder carries its issue, as in `TODO(#12)`.
pub(super) fn open_work(repo: &Repo) -> Vec<Violation> {
    let has_issue = |rest: &str| {
        let number = rest
            .strip_prefix("(#")
            .and_then(|rest| rest.split_once(')'));
        number.is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    };
    let mut violations = Vec::new();
    for (path, text) in repo.texts(WRITTEN) {
        for (line, content) in numbered(text) {
            for (word, rest) in words(content) {
                if [concat!("TO", "DO"), concat!("FIX", "ME")].contains(&word) && !has_issue(rest) {
                    let message = format!("{word} without an issue; write `{word}(#12)`");
                    violations.push(Violation::new(path, line, message));
                }
            }
        }
    }
    violations
}

/// No text file names a folder that exists on one machine only.
pub(super) fn machine_paths(repo: &Repo) -> Vec<Violation> {
    // The root must begin a path: not `https://host/home/`, `~/work/` or `crates/work/`.
    let begins_path =
        |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || "._-~*<})".contains(c));
    let mut violations = Vec::new();
    let texts = repo
        .files
        .iter()
        .filter_map(|file| Some((&file.path, file.text.as_ref()?)));
    for (path, text) in texts {
        for (line, content) in numbered(text) {
            let found = MACHINE_ROOTS.iter().find(|root| {
                content
                    .match_indices(**root)
                    .any(|(at, _)| begins_path(&content[..at]))
            });
            if let Some(root) = found {
                let message = format!("a path under `{root}` exists on one machine only");
                violations.push(Violation::new(path, line, message));
            }
        }
    }
    violations
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

/// Each identifier-like word of `line`, with what follows it.
fn words(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let from_word = &rest[rest.find(is_part)?..];
        let end = from_word.find(|c| !is_part(c)).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        rest = after;
        Some((word, after))
    })
}

/// The number of lines before the first inline `#[cfg(test)] mod … {`.
fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins_tests = |at: &usize| {
        let mut after = lines[at + 1..]
            .iter()
            .skip_while(|line| line.starts_with("#["));
        let opens = |line: &&str| line.contains("mod ") && line.ends_with('{');
        lines[*at] == "#[cfg(test)]" && after.next().is_some_and(opens)
    };
    (0..lines.len()).find(begins_tests).unwrap_or(lines.len())
}

/// `source` with the same lines but no comments, strings and character literals.
fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let (prose, after) = rest.split_at(prose_len(rest));
        if prose.is_empty() {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            code.extend(prose.matches('\n'));
            rest = after;
        }
    }
    code
}

/// The length in bytes of the comment or literal that `rest` begins with; 0 if none.
fn prose_len(rest: &str) -> usize {
    // The length up to and including `end`, looked for from byte `from`.
    let through = |from: usize, end: &str| {
        let tail = rest.get(from..).unwrap_or_default();
        tail.find(end)
            .map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_len(rest);
    }
    if let Some(string) = rest.strip_prefix('"') {
        let mut escaped = false;
        let end = string.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        return end.map_or(rest.len(), |at| at + 2);
    }
    if let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return through(hashes + 2, &format!("\"{}", &raw[..hashes]));
        }
    }
    if let Some(quoted) = rest.strip_prefix('\'') {
        if quoted.starts_with('\\') {
            return through(3, "'"); // after the escaped character, which may be a quote
        }
        let mut chars = quoted.chars();
        let len = chars.next().map_or(0, char::len_utf8);
        // Without a closing quote it is a lifetime.
        return if chars.next() == Some('\'') {
            len + 2
        } else {
            0
        };
    }
    0
}

/// The length of a block comment, which may hold others.
fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest.as_bytes()[at..rest.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::super::repo::tests::repo;
    use super::*;

    /// Asserts on which lines of one file `rule` finds something.
    fn check(rule: fn(&Repo) -> Vec<Violation>, path: &str, text: &str, want: &[usize]) {
        let found = rule(&repo(&[(path, text)]));
        let lines: Vec<usize> = found.iter().map(|violation| violation.line).collect();
        assert_eq!(lines, want, "in {text:?}");
    }

    #[test]
    fn a_module_without_a_header_is_found() {
        check(header, "a.rs", "use std::fmt;\n", &[1]);
        check(header, "a.rs", "", &[1]);
        check(header, "a.rs", "//! Purpose.\n", &[]);
        check(header, "a.py", "import sys\n", &[]);
    }

    #[test]
    fn a_file_that_is_too_long_before_its_tests_is_found() {
        let full = "fn f() {}\n".repeat(MAX_LINES);
        let tests = "#[cfg(test)]\nmod tests {\n}\n";
        check(length, "a.rs", &format!("{full}{tests}"), &[]);
        check(
            length,
            "a.rs",
            &format!("//! A.\n{full}{tests}"),
            &[MAX_LINES + 1],
        );
        // A test-only item near the top hides nothing.
        check(
            length,
            "a.rs",
            &format!("#[cfg(test)]\nmod tests;\n{full}"),
            &[MAX_LINES + 1],
        );
    }

    #[test]
    fn unsafe_outside_kernels_is_found() {
        check(
            unsafe_code,
            "crates/diptych/src/a.rs",
            "fn f() {\n    unsafe { g() }\n}",
            &[2],
        );
        check(
            unsafe_code,
            "crates/kernels/src/a.rs",
            "unsafe fn f() {}",
            &[],
        );
        check(unsafe_code, "a.rs", "#![forbid(unsafe_code)]", &[]);
    }

    #[test]
    fn unsafe_in_comments_and_strings_is_no_code() {
        check(unsafe_code, "a.rs", "// unsafe\nunsafe {}", &[2]);
        check(unsafe_code, "a.rs", "/* /* */\nunsafe */\nunsafe {}", &[3]);
        check(
            unsafe_code,
            "a.rs",
            "let a = \"unsafe \\\" unsafe\";\nunsafe {}",
            &[2],
        );
        check(
            unsafe_code,
            "a.rs",
            "let a = r#\"\n\" unsafe\"#; unsafe {}",
            &[2],
        );
        check(
            unsafe_code,
            "a.rs",
            "let a = ['\"', '\\''];\nunsafe {}",
            &[2],
        );
        check(
            unsafe_code,
            "a.rs",
            "fn f<'a>(r#type: &'a str) {}\nunsafe {}",
            &[2],
        );
    }

    #[test]
    fn a_file_from_outside_a_crate_is_found() {
        let text = "\nconst A: &str = include_str!(\n    concat!(\"../../a/\", \"b\"));";
        check(includes, "crates/a/src/lib.rs", text, &[2]);
        check(includes, "crates/a/src/b/mod.rs", text, &[]);
        check(includes, "crates/a/tests/a/main.rs", text, &[]);
        let inside = "include_bytes!(\"../model/a\"); include_str!(\"a.css\")";
        check(includes, "crates/a/src/lib.rs", inside, &[]);
    }

    #[test]
    fn open_work_without_an_issue_is_found() {
        check(
            open_work,
            "a.rs",
            concat!("//! A.\n// TO", "DO: later"),
            &[2],
        );
        check(open_work, "a.py", concat!("# FIX", "ME(#) later"), &[1]);
        check(open_work, "a.rs", "// TODO(#12): later", &[]);
        check(open_work, "a.rs", concat!("TO", "DOS_LEFT"), &[]);
        check(open_work, "captions.txt", concat!("TO", "DO"), &[]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for root in MACHINE_ROOTS {
            check(
                machine_paths,
                "run.toml",
                &format!("\ndata = \"{root}x\""),
                &[2],
            );
            check(
                machine_paths,
                "a.md",
                &format!("https://example.org{root}x"),
                &[],
            );
        }
        check(
            machine_paths,
            "a.md",
            "shared/data, ../data, /usr/share",
            &[],
        );
    }
}
