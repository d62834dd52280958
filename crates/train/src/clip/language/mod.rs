//! Other languages: what names, kinds and captions are called in them.

mod lines;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::lines::for_lines;
use super::data::{Data, TextKind, stem};
use super::meaning::{Said, Sayable, names};
use crate::Result;
use crate::samples::{Sample, expand};

/// A language in which pictures are spoken of beside the data's own: `[[languages]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Its name, as in `captions`: `zh`.
    pub name: String,
    /// A table, a line an entry: a name, a kind, or a caption as the data has it, a tab, and what
    /// it is called: several names separated by `,` or `、`; or a sentence, which ends with a full
    /// stop, has its own commas and stands by itself; or `-` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<PathBuf>,
    /// Files of JSON lines, plain or gzipped, each with captions of one picture:
    /// `{"shard": "a-000", "key": "0017", "zh": ["…"]}`. `shard` is the name of its shard (or
    /// table, or folder) without endings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<PathBuf>,
    /// The sentences a name is put into, `{}` standing for the name.
    pub templates: Vec<String>,
    /// Share of the texts, where there is one in this language.
    pub share: f64,
}

impl Language {
    /// Makes paths relative to where the run file lies.
    pub(super) fn resolve(&mut self, base: &Path) -> Result<()> {
        self.captions = expand(base, &self.captions)?;
        if let Some(path) = &mut self.names {
            *path = base.join(&*path);
        }
        Ok(())
    }

    /// Says what is wrong with it by itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let refuse = |reason: String| Err(format!("language `{}`: {reason}", self.name));
        if self.names.is_none() && self.captions.is_empty() {
            return refuse("it needs `names` or `captions`".into());
        }
        if self.templates.is_empty() || self.templates.iter().any(|t| !t.contains("{}")) {
            return refuse("it needs `templates`, each with `{}`".into());
        }
        if !(self.share > 0.0 && self.share < 1.0) {
            return refuse(format!(
                "`share` is {}, wanted above 0 and below 1",
                self.share
            ));
        }
        Ok(())
    }
}

/// A language's files, read.
pub(super) struct Dictionary {
    pub(super) language: Language,
    /// Nothing for what is to have no name.
    names: HashMap<String, Vec<String>>,
    /// By shard, then by key.
    captions: HashMap<String, HashMap<String, Vec<String>>>,
}

impl Dictionary {
    /// # Errors
    /// [`crate::Error::Io`] for a file that can't be read, [`crate::Error::RunFile`] for a line
    /// that is not as [`Language`] says.
    pub(super) fn open(language: &Language) -> Result<Self> {
        let mut dictionary = Self {
            language: language.clone(),
            names: HashMap::new(),
            captions: HashMap::new(),
        };
        if let Some(path) = &language.names {
            let mut firsts = Vec::new();
            for_lines(path, |line| {
                let (entry, called) = line.split_once('\t').ok_or("wanted a tab")?;
                let called = called.trim();
                // Commas of a sentence are its own.
                let parts: Vec<&str> = if said(called).is_whole {
                    vec![called]
                } else {
                    called.split([',', '、']).map(str::trim).collect()
                };
                let parts = parts.into_iter().filter(|name| !name.is_empty());
                let mut called: Vec<String> = parts.map(str::to_owned).collect();
                if called.is_empty() {
                    return Err("nothing behind the tab".into());
                }
                if called == ["-"] {
                    called.clear();
                } else {
                    let first = names(entry).next();
                    firsts.extend(first.map(|first| (first.to_owned(), called.clone())));
                }
                dictionary.names.insert(entry.to_owned(), called);
                Ok(())
            })?;
            for (first, called) in firsts {
                dictionary.names.entry(first).or_insert(called);
            }
        }
        for path in &language.captions {
            for_lines(path, |line| {
                let entry: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
                let field = |name: &str| {
                    let value = entry[name].as_str().map(str::to_owned);
                    value.ok_or_else(|| format!("wanted `{name}`, a text"))
                };
                let texts = entry[&language.name].as_array().and_then(|texts| {
                    let texts = texts.iter().map(|text| text.as_str().map(str::to_owned));
                    texts.collect::<Option<Vec<_>>>()
                });
                let texts = texts.ok_or_else(|| format!("wanted `{}`, texts", language.name))?;
                let (shard, key) = (field("shard")?, field("key")?);
                let of_shard = dictionary.captions.entry(shard).or_default();
                of_shard.entry(key).or_default().extend(texts);
                Ok(())
            })?;
        }
        Ok(dictionary)
    }

    /// What a name or a kind is called; nothing if that is not known.
    fn called(&self, name: &str) -> &[String] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// Captions of a sample's picture.
    pub(super) fn captions(&self, sample: &Sample) -> &[String] {
        let of_shard = self.captions.get(&stem(&sample.origin));
        let captions = of_shard.and_then(|captions| captions.get(&sample.key));
        captions.map_or(&[], Vec::as_slice)
    }

    /// What can be said in this language of a sample, of which `line` is one of its lines of text
    /// and `kinds` are the kinds of thing in it.
    pub(super) fn sayable<'a>(
        &'a self,
        sample: &Sample,
        line: &str,
        data: &Data,
        kinds: &[Said],
    ) -> Sayable<'a> {
        let of_line = |line: &str| match self.names.get(line) {
            None => self.called(names(line).next().unwrap_or(line)),
            Some(called) => called,
        };
        let own: Vec<Said> = match data.texts {
            TextKind::Classes => of_line(line).iter().map(|name| said(name)).collect(),
            TextKind::Captions => {
                let captions = self.captions(sample).iter().map(|text| Said {
                    text,
                    is_whole: true,
                });
                let of_lines = sample.texts.iter().flat_map(|line| of_line(line));
                captions.chain(of_lines.map(|name| said(name))).collect()
            }
        };
        let kinds = kinds.iter().flat_map(|kind| self.called(kind.text));
        Sayable {
            own,
            kinds: kinds.map(|name| said(name)).collect(),
            templates: &self.language.templates,
        }
    }

    /// The sentences whose mean embedding stands for a class; none if its name is not known.
    pub(super) fn sentences(&self, class: &str) -> Option<Vec<String>> {
        let name = self.called(class).first()?;
        if said(name).is_whole {
            return Some(vec![name.clone()]);
        }
        let templates = self.language.templates.iter();
        let sentences = templates.map(|template| template.replace("{}", name));
        Some(sentences.collect())
    }

    /// A warning about classes of a set that the table does not know, if there are any.
    pub(super) fn unknown(&self, set: &str, classes: &[&str]) -> Option<String> {
        let mut unknown = classes
            .iter()
            .filter(|class| !self.names.contains_key(**class));
        let first = unknown.next()?;
        Some(format!(
            "{set}: {} of {} classes have no name in `{}`, such as `{first}`",
            unknown.count() + 1,
            classes.len(),
            self.language.name
        ))
    }

    /// Two places of pictures between which the captions can't tell, if there are any: shards of
    /// one name.
    pub(super) fn ambiguous<'s>(
        &self,
        samples: impl Iterator<Item = &'s Sample>,
    ) -> Option<[&'s Path; 2]> {
        let mut first = HashMap::<String, &Path>::new();
        // Most samples come from where the one before them does.
        let mut last = None;
        for sample in samples {
            let origin = &*sample.origin;
            if last == Some(origin) || self.captions(sample).is_empty() {
                continue;
            }
            last = Some(origin);
            let first = *first.entry(stem(origin)).or_insert(origin);
            if first != origin {
                return Some([first, origin]);
            }
        }
        None
    }

    /// A warning if no caption is of any of the samples, as of shards by other names.
    pub(super) fn unused<'s>(
        &self,
        mut samples: impl Iterator<Item = &'s Sample>,
    ) -> Option<String> {
        let (shard, captions) = self.captions.iter().min_by_key(|(shard, _)| *shard)?;
        let key = captions.keys().min()?;
        let is_used = samples.any(|sample| !self.captions(sample).is_empty());
        (!is_used).then(|| {
            format!(
                "no caption in `{}` is of a picture of the data, such as that of `{key}` in shard \
                 `{shard}`",
                self.language.name
            )
        })
    }
}

/// A name of the table.
fn said(name: &str) -> Said<'_> {
    Said {
        text: name,
        is_whole: name.ends_with(['.', '。']),
    }
}
