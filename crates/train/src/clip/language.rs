//! Other languages: what names, kinds and captions are called in them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::data::{Data, TextKind, stem};
use super::meaning::{Said, Sayable, names};
use crate::samples::{Sample, compression, expand};
use crate::{Error, Result};

/// A language in which pictures are spoken of beside the data's own: `[[languages]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Its name, as in `captions`: `zh`.
    pub name: String,
    /// A table, a line an entry: a name, a kind, or a caption as the data has it, a tab, and what
    /// it is called, several names separated by `,` or `、`. One that ends with a full stop is
    /// a sentence, and stands by itself. `-` for none.
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
    captions: HashMap<(String, String), Vec<String>>,
}

impl Dictionary {
    /// # Errors
    /// [`Error::Io`] for a file that can't be read, [`Error::RunFile`] for a line that is not as
    /// [`Language`] says.
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
                let place = (field("shard")?, field("key")?);
                dictionary.captions.entry(place).or_default().extend(texts);
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
        let place = (stem(&sample.origin), sample.key.clone());
        self.captions.get(&place).map_or(&[], Vec::as_slice)
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
        let mut origins = HashMap::<String, &Path>::new();
        let captioned = samples.filter(|sample| !self.captions(sample).is_empty());
        captioned.map(|sample| &*sample.origin).find_map(|origin| {
            let first = *origins.entry(stem(origin)).or_insert(origin);
            (first != origin).then_some([first, origin])
        })
    }

    /// A warning if no caption is of any of the samples, as of shards by other names.
    pub(super) fn unused<'s>(
        &self,
        mut samples: impl Iterator<Item = &'s Sample>,
    ) -> Option<String> {
        let (shard, key) = self.captions.keys().min()?;
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

/// Bytes that a file may have, unpacked: a line is held in memory.
const MAX_BYTES: u64 = 1 << 30;

/// Hands each line of a file on, plain or gzipped, that is not empty.
fn for_lines(path: &Path, mut f: impl FnMut(&str) -> Result<(), String>) -> Result<()> {
    let refuse = |reason: String| Error::RunFile {
        origin: path.display().to_string(),
        reason,
    };
    let mut file = BufReader::new(fs_err::File::open(path).map_err(Error::Io)?);
    let reader: Box<dyn Read> = match compression(file.fill_buf().map_err(|e| Error::io(path, e))?)
    {
        None => Box::new(file),
        Some("gzip") => Box::new(MultiGzDecoder::new(file)),
        Some(other) => {
            return Err(refuse(format!(
                "compressed by {other}, wanted a plain or gzipped file"
            )));
        }
    };
    let mut reader = BufReader::new(reader.take(MAX_BYTES));
    let mut line = String::new();
    for number in 1.. {
        let refuse = |reason| refuse(format!("line {number}: {reason}"));
        line.clear();
        let read = reader.read_line(&mut line);
        if read.map_err(|error| refuse(error.to_string()))? == 0 {
            break;
        }
        // As Excel and others begin a table.
        let text = line.strip_prefix('\u{feff}').filter(|_| number == 1);
        let text = text.unwrap_or(&line).trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            f(text).map_err(refuse)?;
        }
    }
    match reader.get_ref().limit() {
        0 => Err(refuse(format!("more than {MAX_BYTES} bytes"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::meaning::draw_text;
    use super::super::positives::Relation;
    use super::*;

    const NAMES: &str = "tabby, tabby cat\t虎斑猫、斑猫\ncat\t猫\npet\t-\na sketch of a horse\t一张马的素描。\n\ndog\t狗\n";
    const CAPTIONS: &str = "{\"shard\":\"memory\",\"key\":\"1\",\"zh\":[\"一只狗在跑\"]}\n";

    fn language(dir: &Path) -> Language {
        let (names, captions) = (dir.join("names.tsv"), dir.join("zh.jsonl"));
        fs_err::write(&names, NAMES).unwrap();
        fs_err::write(&captions, CAPTIONS).unwrap();
        Language {
            name: "zh".into(),
            names: Some(names),
            captions: vec![captions],
            templates: vec!["一张{}的照片".into()],
            share: 0.5,
        }
    }

    fn data(texts: &str) -> Data {
        toml::from_str(&format!(
            "texts = \"{texts}\"\ntemplates = [\"a {{}}.\"]\n\
             kinds = {{ tabby = \"cat, pet\", dog = \"dog\" }}"
        ))
        .unwrap()
    }

    fn sample(texts: &[&str]) -> Sample {
        let texts = texts.iter().map(|&text| text.into()).collect();
        Sample::in_memory("1", Vec::new(), texts)
    }

    /// How often each text is drawn in 4,000 times.
    fn drawn(sample: &Sample, data: &Data, language: &Dictionary) -> HashMap<String, usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn = HashMap::new();
        for _ in 0..4000 {
            let (text, _) = draw_text(sample, data, std::slice::from_ref(language), &mut rng);
            *drawn.entry(text).or_default() += 1;
        }
        drawn
    }

    #[test]
    fn half_of_the_texts_are_said_in_a_language_of_half_a_share() {
        let dir = tempfile::tempdir().unwrap();
        let zh = Dictionary::open(&language(dir.path())).unwrap();
        let near = |drawn: &HashMap<String, usize>, wanted: &[(&str, usize)]| {
            for (text, n) in wanted {
                assert!(drawn[*text].abs_diff(*n) < 120, "{drawn:?}");
            }
            assert_eq!(drawn.len(), wanted.len(), "{drawn:?}");
        };
        // A kind without a name in it is said in the data's own language alone.
        near(
            &drawn(&sample(&["tabby, tabby cat"]), &data("classes"), &zh),
            &[
                ("a tabby.", 875),
                ("a tabby cat.", 875),
                ("a cat.", 125),
                ("a pet.", 125),
                ("一张虎斑猫的照片", 875),
                ("一张斑猫的照片", 875),
                ("一张猫的照片", 250),
            ],
        );
        near(
            &drawn(&sample(&["a dog runs"]), &data("captions"), &zh),
            &[
                ("a dog runs", 1500),
                ("a dog.", 500),
                ("一只狗在跑", 1500),
                ("一张狗的照片", 500),
            ],
        );
        let uncaptioned = |text| {
            let mut sample = sample(&[text]);
            sample.key = "2".into();
            sample
        };
        let horse = uncaptioned("a sketch of a horse");
        near(
            &drawn(&horse, &data("captions"), &zh),
            &[("a sketch of a horse", 2000), ("一张马的素描。", 2000)],
        );
        near(
            &drawn(&uncaptioned("an owl"), &data("captions"), &zh),
            &[("an owl", 4000)],
        );
    }

    #[test]
    fn a_name_is_true_in_every_language() {
        let dir = tempfile::tempdir().unwrap();
        let zh = [Dictionary::open(&language(dir.path())).unwrap()];
        let data = data("classes");
        let (tabby, dog) = (sample(&["tabby, tabby cat"]), sample(&["dog"]));
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut met = HashMap::<&str, usize>::new();
        for _ in 0..200 {
            let (_, a) = draw_text(&tabby, &data, &zh, &mut rng);
            let (text, b) = draw_text(&tabby, &data, &zh, &mut rng);
            let (_, c) = draw_text(&dog, &data, &zh, &mut rng);
            assert_eq!(a.relation(&c), Relation::Negative);
            match a.relation(&b) {
                Relation::Positive => *met.entry("positive").or_default() += 1,
                Relation::Ignored => *met.entry("ignored").or_default() += 1,
                relation => panic!("{text}: {relation:?}"),
            }
        }
        assert_eq!(met.len(), 2, "{met:?}");
    }

    #[test]
    fn classes_are_measured_by_their_first_name() {
        let dir = tempfile::tempdir().unwrap();
        let zh = Dictionary::open(&language(dir.path())).unwrap();
        assert_eq!(zh.sentences("tabby").unwrap(), ["一张虎斑猫的照片"]);
        assert_eq!(
            zh.sentences("a sketch of a horse").unwrap(),
            ["一张马的素描。"]
        );
        assert_eq!(zh.sentences("owl"), None);
        let classes = ["cat", "owl", "pet"];
        assert_eq!(
            zh.unknown("birds", &classes).unwrap(),
            "birds: 1 of 3 classes have no name in `zh`, such as `owl`"
        );
        assert_eq!(zh.unknown("birds", &["cat"]), None);
    }

    #[test]
    fn lines_that_are_not_as_wanted_are_named() {
        let dir = tempfile::tempdir().unwrap();
        for (names, captions, words) in [
            (
                "cat\t猫\ndog 狗\n",
                CAPTIONS,
                "names.tsv: line 2: wanted a tab",
            ),
            ("cat\t\n", CAPTIONS, "line 1: nothing behind the tab"),
            (NAMES, "BZh9", "zh.jsonl: compressed by bzip2"),
            (
                NAMES,
                "{\"shard\":\"a\",\"key\":\"b\",\"zh\":[\"一只狗\", 1]}",
                "wanted `zh`, texts",
            ),
            (NAMES, "{", "zh.jsonl: line 1: "),
            (NAMES, "{\"shard\":\"a\",\"zh\":[]}", "wanted `key`, a text"),
            (
                NAMES,
                "{\"shard\":\"a\",\"key\":\"b\",\"en\":[]}",
                "wanted `zh`, texts",
            ),
        ] {
            let language = language(dir.path());
            fs_err::write(dir.path().join("names.tsv"), names).unwrap();
            fs_err::write(dir.path().join("zh.jsonl"), captions).unwrap();
            let message = Dictionary::open(&language).err().unwrap().to_string();
            assert!(message.contains(words), "{message}");
        }
        let whole = language(dir.path());
        whole.check().unwrap();
        for (broken, words) in [
            (
                Language {
                    share: 1.0,
                    ..whole.clone()
                },
                "`share` is 1",
            ),
            (
                Language {
                    templates: vec!["照片".into()],
                    ..whole.clone()
                },
                "each with `{}`",
            ),
            (
                Language {
                    names: None,
                    captions: Vec::new(),
                    ..whole
                },
                "`names` or `captions`",
            ),
        ] {
            let message = broken.check().unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn each_language_has_its_share() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str, share| {
            let mut language = language(dir.path());
            (language.name, language.share) = (name.into(), share);
            language.captions = Vec::new();
            language.templates = vec![format!("{name} {{}}")];
            Dictionary::open(&language).unwrap()
        };
        let languages = [of("a", 0.5), of("b", 0.25)];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn = HashMap::<String, usize>::new();
        for _ in 0..4000 {
            let (text, _) = draw_text(&sample(&["dog"]), &data("classes"), &languages, &mut rng);
            *drawn.entry(text[..1].to_owned()).or_default() += 1;
        }
        // "a dog." of the data's own begins as language a's do; b's are a quarter of all.
        assert!(drawn["b"].abs_diff(1000) < 120, "{drawn:?}");
    }

    #[test]
    fn a_table_says_what_has_no_name_and_what_is_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let table = language(dir.path());
        let text = "\u{feff}dog\t狗\r\ncrane\t-\ncrane, hoist\t起重机\n\
                    scene\t图中有猫、狗和马。\ncrane, bird\t-\n";
        fs_err::write(dir.path().join("names.tsv"), text).unwrap();
        let zh = Dictionary::open(&table).unwrap();
        assert_eq!(zh.called("dog"), ["狗"]);
        assert_eq!(zh.called("hoist"), [""; 0]);
        assert_eq!(zh.called("crane, hoist"), ["起重机"]);
        assert_eq!(zh.called("scene"), ["图中有猫、狗和马。"]);
        // A bird has no name here, whatever the machine is called.
        for class in ["crane", "crane, bird"] {
            let said = zh.sayable(&sample(&[class]), class, &data("classes"), &[]);
            assert!(said.own.is_empty(), "{class}");
        }
        assert_eq!(zh.unknown("cranes", &["crane", "crane, bird"]), None);
    }

    #[test]
    fn captions_that_name_two_shards_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let zh = Dictionary::open(&language(dir.path())).unwrap();
        let at = |path: &str| {
            let mut sample = sample(&["a dog"]);
            sample.origin = Path::new(path).into();
            sample
        };
        let (a, b, other) = (at("a/memory.tar"), at("b/memory.tar.gz"), at("b/c.tar"));
        assert_eq!(zh.ambiguous([&a, &other, &a].into_iter()), None);
        let both = zh.ambiguous([&a, &other, &b].into_iter()).unwrap();
        assert_eq!(
            both,
            [Path::new("a/memory.tar"), Path::new("b/memory.tar.gz")]
        );
    }

    #[test]
    fn captions_of_no_picture_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let zh = Dictionary::open(&language(dir.path())).unwrap();
        let known = sample(&["a dog"]);
        let mut other = known.clone();
        other.key = "7".into();
        assert_eq!(zh.unused([&other, &known].into_iter()), None);
        assert_eq!(
            zh.unused([&other].into_iter()).unwrap(),
            "no caption in `zh` is of a picture of the data, such as that of `1` in shard `memory`"
        );
    }
}
