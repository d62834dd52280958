//! A set of image-text pairs as a run file describes it: `[[data]]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::samples::{Damage, Labels, Set, Table, expand};

/// A set of image-text pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// WebDataset shards, `.tar` or `.tar.gz`, with `{000..099}`, `{a,b}`, `*`, `?` and `[…]` as
    /// in a shell; relative to the run file. [`super::Run::open`] puts the files in the
    /// patterns' place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<PathBuf>,
    /// Instead of `shards`, a table of pictures and captions, `.csv` or `.tsv`; relative to the
    /// run file, and its pictures relative to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    /// The table's column of pictures, if it is not `image`, `path` or `filepath`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_column: Option<String>,
    /// The table's column of captions, if it is not `caption`, `text` or `title`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// Instead of `shards`, a folder of folders, each of which has the pictures of the class that
    /// it is named after; relative to the run file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Use what can be read of a damaged shard, and report the rest, instead of failing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_damaged: bool,
    /// Shards for detection: each box of `KEY.json` is a sample, and its class is the text; see
    /// [`Labels::Boxes`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boxes: bool,
    /// Meaning of a line of a sample's text.
    pub texts: TextKind,
    /// Classes, and captions with `kinds`: the sentences a name is put into, `{}` standing for the
    /// name.
    #[serde(default)]
    pub templates: Vec<String>,
    /// Classes: what all of them are, `a type of pet`, which stands behind the name in every
    /// template where samples are measured, as [`diptych::in_context`] puts it. Texts to train
    /// on are without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Number of times that a pass over the data shows each sample.
    #[serde(default = "default_repeat")]
    pub repeat: usize,
    /// The share of the pairs that are drawn from this set, beside the weights of the others: all
    /// sets have one, or none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// With `negatives = "set"`: sets of the same group are one set in this, and their samples are
    /// told from each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Every how many samples one is held out: not trained on, but measured. None, if 0.
    #[serde(default)]
    pub hold_out: usize,
    /// Unseen classes, by the first of their names: not trained on from this set, but measured,
    /// told from each other. Two or more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withhold: Vec<String>,
    /// Classes: what kind of thing each is (hypernyms), by the first of its names; kinds are
    /// separated by commas. One time in eight one is drawn instead of a name. Where a kind is
    /// another picture's text, a softmax ignores it for this one.
    ///
    /// Captions: what is in a picture, by words, with or without an `s`; it counts if a third of
    /// the captions say it by one word or another, and one time in four it is drawn instead of
    /// a caption. Other plurals are words of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, String>,
}

/// Meaning of a line of a sample's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextKind {
    /// A caption; one is drawn each time.
    Captions,
    /// A class's names, separated by commas; one is drawn each time, and put into a template.
    Classes,
}

/// The name of a file or folder up to its first dot: `a-000` of `x/a-000.tar.gz`.
pub(super) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn default_repeat() -> usize {
    1
}

impl Data {
    /// Makes paths relative to where the run file lies, and patterns the files that they stand for.
    pub(super) fn resolve(&mut self, base: &Path) -> Result<()> {
        self.shards = expand(base, &self.shards)?;
        for path in self.table.iter_mut().chain(&mut self.folder) {
            *path = base.join(&*path);
        }
        Ok(())
    }

    /// Where its samples come from.
    pub fn set(&self) -> Set {
        if let Some(path) = &self.table {
            return Set::Table(Table {
                path: path.clone(),
                base: path.parent().unwrap_or(Path::new("")).to_owned(),
                image_column: self.image_column.clone(),
                text_column: self.text_column.clone(),
            });
        }
        if let Some(path) = &self.folder {
            return Set::Folder(path.clone());
        }
        Set::Shards {
            paths: self.shards.clone(),
            damage: if self.skip_damaged {
                Damage::Skip
            } else {
                Damage::Refuse
            },
            labels: if self.boxes {
                Labels::Boxes
            } else {
                Labels::Texts
            },
        }
    }

    /// Says what is wrong with a set by itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let sources = [
            !self.shards.is_empty(),
            self.table.is_some(),
            self.folder.is_some(),
        ];
        if sources.iter().filter(|&&given| given).count() != 1 {
            return Err("a set of `data` needs one of `shards`, `table` and `folder`".into());
        }
        if !(1..=1000).contains(&self.repeat) {
            return Err(format!("`repeat` is {}, wanted 1 to 1000", self.repeat));
        }
        if self.weight.is_some_and(|w| !(w > 0.0 && w.is_finite())) {
            return Err(format!(
                "`weight` is {:?}, wanted a number above 0",
                self.weight
            ));
        }
        if self.weight.is_some() && self.repeat != 1 {
            return Err("a set has a `weight` or a `repeat`, not both".into());
        }
        if self.hold_out == 1 {
            return Err("`hold_out` is 1, which leaves nothing to train on".into());
        }
        let is_table = self.table.is_some();
        if !is_table && (self.image_column.is_some() || self.text_column.is_some()) {
            return Err("`image_column` and `text_column` go with a `table`".into());
        }
        if self.skip_damaged && self.shards.is_empty() {
            return Err(
                "`skip_damaged` goes with `shards`; elsewhere a bad sample is one file".into(),
            );
        }
        if self.boxes && (self.shards.is_empty() || self.texts == TextKind::Captions) {
            return Err("`boxes` goes with `shards` and `texts = \"classes\"`".into());
        }
        if self.boxes && self.hold_out > 0 {
            let reason = "other boxes of the same pictures would be trained on";
            return Err(format!(
                "`boxes` goes with `withhold`, not `hold_out`: {reason}"
            ));
        }
        if self.context.is_some() && self.texts == TextKind::Captions {
            return Err("`context` goes with `texts = \"classes\"`, not with captions".into());
        }
        if let Some(context) = &self.context
            && (context.trim().is_empty() || context.contains("{}"))
        {
            return Err(format!(
                "`context` is `{context}`, wanted what all classes are, such as `a type of pet`"
            ));
        }
        match self.texts {
            TextKind::Captions if self.folder.is_some() => {
                Err("`folder` goes with `texts = \"classes\"`, not with captions".into())
            }
            TextKind::Captions if !self.kinds.is_empty() && self.templates.is_empty() => {
                Err("captions with `kinds` need `templates` to say them in".into())
            }
            TextKind::Captions
                if let Some(word) = self.kinds.keys().find(|word| !is_word(word)) =>
            {
                Err(format!(
                    "`kinds` of captions has `{word}`, wanted one word in lower case"
                ))
            }
            TextKind::Captions if !self.withhold.is_empty() => {
                Err("`withhold` goes with `texts = \"classes\"`, not with captions".into())
            }
            TextKind::Classes if self.templates.is_empty() => {
                Err("`templates` is empty, and data with `texts = \"classes\"` needs one".into())
            }
            _ => match self.templates.iter().find(|t| !t.contains("{}")) {
                Some(template) => Err(format!("template `{template}` has no `{{}}` for the name")),
                None => Ok(()),
            },
        }
    }
}

/// Whether captions can say it, as they are split into words.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphanumeric) && text == text.to_lowercase()
}
