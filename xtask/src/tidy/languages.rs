//! README.md and its translation have the same sections and the same commands, in one order.
//!
//! A command's text in double quotes may differ: it is in the reader's language.

use super::Violation;
use super::repo::Repo;

const README: &str = "README.md";
const TRANSLATION: &str = "README.zh-CN.md";

/// The translation's first section or command that is another than the original's.
pub(super) fn readmes(repo: &Repo) -> Vec<Violation> {
    let of = |path: &str| {
        let mut texts = repo.texts(&["md"]);
        texts.find_map(|(p, text)| (p == path).then(|| outline(text)))
    };
    let (Some(original), Some(translation)) = (of(README), of(TRANSLATION)) else {
        return Vec::new();
    };
    let steps = original.len().max(translation.len());
    let differs = |i: &usize| said(&original, *i) != said(&translation, *i);
    let Some(first) = (0..steps).find(differs) else {
        return Vec::new();
    };
    let line = translation.get(first).map_or(0, |(line, _)| *line);
    let shown = |outline, i| said(outline, i).unwrap_or("nothing more").to_owned();
    let message = format!(
        "has `{}` where {README} has `{}`",
        shown(&translation, first),
        shown(&original, first)
    );
    vec![Violation::new(TRANSLATION, line, message)]
}

fn said(outline: &[(usize, String)], i: usize) -> Option<&str> {
    outline.get(i).map(|(_, said)| said.as_str())
}

/// A document's headings, by their level alone, and the lines of its shell blocks without their
/// comments and without what stands in double quotes; each with its line from 1.
fn outline(text: &str) -> Vec<(usize, String)> {
    let mut fence: Option<&str> = None;
    let mut outline = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        match (line.strip_prefix("```"), fence) {
            (Some(language), None) => fence = Some(language),
            (Some(_), Some(_)) => fence = None,
            (None, Some("sh")) => {
                let command = line.split(" # ").next().unwrap_or(line);
                let plain: Vec<&str> = command.split('"').step_by(2).map(str::trim_end).collect();
                outline.push((number, plain.join(" \"\"")));
            }
            (None, None) if line.starts_with('#') => {
                outline.push((number, line.chars().take_while(|c| *c == '#').collect()));
            }
            (None, _) => {}
        }
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::super::repo::tests::repo;
    use super::*;

    const ENGLISH: &str = "# A\n```sh\na find \"red car\" --top 3  # it finds\n```\n## B\n\
                           ```text\nred car\n```\n";

    fn found(translation: &str) -> Vec<String> {
        let files = [(README, ENGLISH), (TRANSLATION, translation)];
        readmes(&repo(&files))
            .iter()
            .map(Violation::to_string)
            .collect()
    }

    #[test]
    fn a_translation_may_differ_in_words_alone() {
        let same = "# 甲\n文\n```sh\na find \"红色的车\" --top 3  # 找到\n```\n## 乙\n";
        assert!(found(same).is_empty(), "{:?}", found(same));
        let other_option = same.replace("--top 3", "--top 4");
        assert_eq!(
            found(&other_option),
            [
                "README.zh-CN.md:4: has `a find \"\" --top 4` where README.md has `a find \"\" --top 3`"
            ]
        );
        let shorter = same.replace("## 乙\n", "");
        assert_eq!(
            found(&shorter),
            ["README.zh-CN.md: has `nothing more` where README.md has `##`"]
        );
        let longer = format!("{same}## 丙\n");
        assert_eq!(
            found(&longer),
            ["README.zh-CN.md:7: has `##` where README.md has `nothing more`"]
        );
    }
}
