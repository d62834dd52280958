//! Names of many files in one: braces as in a shell, and wildcards.
//!
//! Source of the braces: Python's `braceexpand` 0.1.7, which WebDataset uses: `{a,b}`, `{0..9}`,
//! `{000..010..5}`, nested; a range with a leading zero pads all its numbers to its longer end.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Names that one pattern may stand for.
const MAX_NAMES: usize = 1_000_000;

/// Braces that one pattern may have.
const MAX_BRACES: usize = 64;

/// The files that `patterns`, relative to `base`, stand for, in order: braces and wildcards as in a
/// shell.
///
/// A name without either stands for itself, whether there is such a file or not; so does the name
/// of a file that there is.
///
/// # Errors
/// [`Error::Pattern`] for the first that can't be read or matches nothing.
pub fn expand(base: &Path, patterns: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for pattern in patterns {
        let expanded = expand_one(base, pattern);
        files.extend(expanded.map_err(|reason| Error::Pattern { reason })?);
    }
    Ok(files)
}

/// The files that `pattern`, relative to `base`, stands for: in the order of its braces, and where
/// there are wildcards in alphabetical order. A name without either stands for itself, whether
/// there is such a file or not; so does the name of a file that there is.
///
/// # Errors
/// In words, if the pattern can't be read or matches nothing.
fn expand_one(base: &Path, pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let literal = base.join(pattern);
    let Some(text) = pattern.to_str().filter(|_| !literal.exists()) else {
        return Ok(vec![literal]);
    };
    let mut files = Vec::new();
    for name in braces(text)? {
        if !name.contains(['*', '?', '[']) {
            files.push(base.join(name));
            continue;
        }
        // The folder of the run file is no pattern, whatever its name is.
        let folder = glob::Pattern::escape(&base.to_string_lossy());
        let full = Path::new(&folder).join(&name);
        let found = glob::glob(&full.to_string_lossy()).map_err(|e| format!("`{text}`: {e}"))?;
        let before = files.len();
        for file in found {
            files.push(file.map_err(|e| format!("`{text}`: {e}"))?);
        }
        if files.len() == before {
            let wanted = base.join(&name);
            return Err(format!(
                "`{text}` matches no file: there is no {}",
                wanted.display()
            ));
        }
    }
    Ok(files)
}

/// Every name that braces make of `pattern`. Braces that hold neither a comma nor a range stay.
fn braces(pattern: &str) -> Result<Vec<String>, String> {
    if pattern.matches('{').count() > MAX_BRACES {
        return Err(format!("`{pattern}` has more than {MAX_BRACES} braces"));
    }
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let Some(close) = closing(&rest[open..]).map(|at| open + at) else {
            return Err(format!("`{pattern}` has a `{{` without its `}}`"));
        };
        let inside = &rest[open + 1..close];
        let choices = match (range(inside), commas(inside)) {
            (Some(range), _) => range.map_err(|reason| format!("`{pattern}`: {reason}"))?,
            (None, parts) if parts.len() > 1 => {
                let mut choices = Vec::new();
                for part in parts {
                    choices.extend(braces(part)?);
                }
                choices
            }
            (None, _) => braces(inside)?.iter().map(|s| format!("{{{s}}}")).collect(),
        };
        if names.len().saturating_mul(choices.len()) > MAX_NAMES {
            return Err(format!(
                "`{pattern}` stands for more than {MAX_NAMES} names"
            ));
        }
        let before = &rest[..open];
        names = names
            .iter()
            .flat_map(|name| choices.iter().map(move |c| format!("{name}{before}{c}")))
            .collect();
        rest = &rest[close + 1..];
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

/// Where the brace that `text` begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        (depth == 0).then_some(at)
    })
}

/// The parts between commas that are in no inner brace.
fn commas(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    })
    .collect()
}

/// The names of a range, `first..last` or `first..last..step`; none if it is no range.
fn range(text: &str) -> Option<Result<Vec<String>, String>> {
    let parts: Vec<&str> = text.split("..").collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, 1),
        [first, last, step] => (first, last, step.parse::<i64>().ok()?),
        _ => return None,
    };
    let letter = |text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii_alphabetic() => Some(i64::from(*byte)),
        _ => None,
    };
    if let (Some(a), Some(b)) = (letter(first), letter(last)) {
        let name = |n: i64| (n as u8 as char).to_string();
        return Some(count(a, b, step).map(|all| all.into_iter().map(name).collect()));
    }
    let (a, b) = (first.parse::<i64>().ok()?, last.parse::<i64>().ok()?);
    let digits = |text: &str| text.trim_start_matches(['-', '+']).len();
    let padded =
        |text: &str| digits(text) > 1 && text.trim_start_matches(['-', '+']).starts_with('0');
    let width = if padded(first) || padded(last) {
        first.len().max(last.len())
    } else {
        0
    };
    let name = |n: i64| format!("{n:0width$}");
    Some(count(a, b, step).map(|all| all.into_iter().map(name).collect()))
}

/// From `first` to `last`, both included, up or down.
fn count(first: i64, last: i64, step: i64) -> Result<Vec<i64>, String> {
    let step = match step.unsigned_abs() {
        0 => 1, // as braceexpand has it
        step => step,
    };
    let steps = first.abs_diff(last) / step;
    if steps >= MAX_NAMES as u64 {
        return Err(format!("{first}..{last} has more than {MAX_NAMES} numbers"));
    }
    let at = |i: u64| {
        if last < first {
            first.saturating_sub_unsigned(i * step)
        } else {
            first.saturating_add_unsigned(i * step)
        }
    };
    Ok((0..=steps).map(at).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_those_of_braceexpand() {
        let check = |pattern: &str, want: &str| {
            assert_eq!(braces(pattern).unwrap().join(" "), want, "{pattern}");
        };
        check("a.tar", "a.tar");
        check("a{b,c}d", "abd acd");
        check("{a,b}{c,d}", "ac ad bc bd");
        check("{0..3}", "0 1 2 3");
        check("x-{000..002}.tar", "x-000.tar x-001.tar x-002.tar");
        check("{08..11}", "08 09 10 11");
        check("{8..011}", "008 009 010 011");
        check("{3..1}", "3 2 1");
        check("{0..10..5}", "0 5 10");
        check("{-1..1}", "-1 0 1");
        check("{a..c}", "a b c");
        check("{a,{b,c}d}", "a bd cd");
        check("{a,x{1..2}}", "a x1 x2");
        check("{a,}b", "ab b");
        check("{a}", "{a}");
        check("{}", "{}");
        check("{1..}", "{1..}");
        check("é{ü,ö}", "éü éö");
    }

    #[test]
    fn patterns_that_cannot_be_read_are_refused() {
        let deep = format!("{}{}", "{".repeat(100_000), "}".repeat(100_000));
        for pattern in [
            &deep,
            "a{b",
            "{a,{b}",
            "{0..99999999999}",
            "{0..999}{0..999}{0..9}",
        ] {
            assert!(braces(pattern).unwrap_err().contains(pattern), "{pattern}");
        }
        assert!(braces("a}b").is_ok());
    }

    #[test]
    fn wildcards_find_files_in_order_and_nothing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        // A folder whose own name looks like a pattern.
        let base = dir.path().join("a[b]{c,d}*");
        fs_err::create_dir(&base).unwrap();
        for name in ["x-2.tar", "x-1.tar", "x-10.tar", "y-1.tar", "z{1,2}.tar"] {
            fs_err::write(base.join(name), "").unwrap();
        }
        let names = |pattern: &str| -> Result<Vec<String>, String> {
            let files = expand_one(&base, Path::new(pattern))?;
            let name = |f: &PathBuf| f.strip_prefix(&base).unwrap().display().to_string();
            Ok(files.iter().map(name).collect())
        };
        assert_eq!(
            names("x-*.tar").unwrap(),
            ["x-1.tar", "x-10.tar", "x-2.tar"]
        );
        assert_eq!(names("x-?.tar").unwrap(), ["x-1.tar", "x-2.tar"]);
        assert_eq!(names("{y,x}-[1].tar").unwrap(), ["y-1.tar", "x-1.tar"]);
        assert_eq!(names("z{1,2}.tar").unwrap(), ["z{1,2}.tar"]);
        // Whether a file that is named is there is seen when it is read.
        assert_eq!(names("none.tar").unwrap(), ["none.tar"]);
        for pattern in ["none-*.tar", "{x,none}-*.tar", "**x"] {
            assert!(names(pattern).unwrap_err().contains(pattern), "{pattern}");
        }
    }
}
