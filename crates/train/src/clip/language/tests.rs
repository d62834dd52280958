//! Names and captions in another language, and files that have none.

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
