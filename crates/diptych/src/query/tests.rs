//! Queries, read and summed.

use proptest::prelude::*;

use super::*;
use crate::image::Picture;

/// Weights and words of an expression; what begins with a `/` is a picture.
fn terms(query: &str) -> Result<Vec<(f32, String)>> {
    let picture = |words: &str| match words {
        "/nobody" => Err(format!("{words} is no file")),
        _ => Ok(words.starts_with('/').then(|| format!("file {words}"))),
    };
    let terms = Expression::parse(query, picture)?.terms.into_iter();
    Ok(terms
        .map(|term| match term.what {
            What::Text(text) => (term.weight, text),
            What::Picture(name) => (term.weight, name),
        })
        .collect())
}

fn vector(clip: &Clip, query: &str, templates: &[&str]) -> Result<Vec<f32>> {
    let expression = Expression::<()>::parse(query, |_| Ok(None)).unwrap();
    expression.vector(clip, templates, Overflow::Refuse, |()| {
        unreachable!("no picture was named")
    })
}

fn text(weight: f32, words: &str) -> (f32, String) {
    (weight, words.to_owned())
}

#[test]
fn terms_have_signs_and_weights() {
    for (query, wanted) in [
        ("a dog on a beach", &[(1.0, "a dog on a beach")][..]),
        (
            "beach +0.5:red sunset -people",
            &[(1.0, "beach"), (0.5, "red sunset"), (-1.0, "people")],
        ),
        ("-2:snow", &[(-2.0, "snow")]),
        ("+.5: snow +1e1:ice", &[(0.5, "snow"), (10.0, "ice")]),
        (
            "dog\t-cat\n+hat ",
            &[(1.0, "dog"), (-1.0, "cat"), (1.0, "hat")],
        ),
        (
            "犬 -雪 +2:😀 -😀",
            &[(1.0, "犬"), (-1.0, "雪"), (2.0, "😀"), (-1.0, "😀")],
        ),
        // Only after a sign there is a weight, and only a number is one.
        ("3:4 portrait", &[(1.0, "3:4 portrait")]),
        (
            "2:1 odds +3:4 portrait",
            &[(1.0, "2:1 odds"), (3.0, "4 portrait")],
        ),
        ("art -note: mine", &[(1.0, "art"), (-1.0, "note: mine")]),
        ("+12th century: art", &[(1.0, "12th century: art")]),
        // A sign stands directly before a word; within one it is a letter like others.
        ("dog - running", &[(1.0, "dog - running")]),
        ("horse + stripes", &[(1.0, "horse + stripes")]),
        ("beach +", &[(1.0, "beach +")]),
        ("- +x", &[(1.0, "-"), (1.0, "x")]),
        ("dog -- cat +/- -> 5", &[(1.0, "dog -- cat +/- -> 5")]),
        ("a t-shirt at 9:30, a+b", &[(1.0, "a t-shirt at 9:30, a+b")]),
    ] {
        let wanted: Vec<_> = wanted.iter().map(|(w, words)| text(*w, words)).collect();
        assert_eq!(terms(query).unwrap(), wanted, "{query}");
    }
}

#[test]
fn what_a_term_stands_for_is_the_callers_to_say() {
    assert_eq!(
        terms("beach +0.25:/a b.jpg").unwrap(),
        [text(1.0, "beach"), text(0.25, "file /a b.jpg")]
    );
    let refused = terms("beach +/nobody").unwrap_err().to_string();
    assert_eq!(refused, "query `beach +/nobody`: /nobody is no file");
}

#[test]
fn a_whole_query_that_is_a_picture_is_one() {
    let parse = |query: &str, files: &[&str]| {
        let picture = |words: &str| match files.contains(&words) {
            true => Ok(Some(words.to_owned())),
            false if words.starts_with('/') => Err(format!("{words} is no file")),
            false => Ok(None),
        };
        let terms = Expression::parse(query, picture).map(|parsed| parsed.terms);
        terms.map_err(|error| error.to_string())
    };
    for name in ["/photo - Copy.png", "/a -b +c.png", "-2:a.png", "\"a.png"] {
        let what = What::Picture(name.to_owned());
        assert_eq!(parse(name, &[name]), Ok(vec![Term { weight: 1.0, what }]));
    }
    // The whole that is none may consist of terms that are.
    let two = parse("/a.png -/b.png", &["/a.png", "/b.png"]).unwrap();
    assert_eq!(two[1].what, What::Picture("/b.png".into()));
    let refused = parse("/photo - Copy.png", &[]).unwrap_err();
    assert!(
        refused.ends_with(": /photo - Copy.png is no file"),
        "{refused}"
    );
}

#[test]
fn what_means_something_can_be_said_as_text() {
    for (query, wanted) in [
        (r#""-people""#, &[(1.0, "-people")][..]),
        (r"\-people \+1 \x", &[(1.0, r"-people +1 \x")]),
        (r#""/a.jpg""#, &[(1.0, "/a.jpg")]),
        (
            r#"+"3:4 portrait" -0.5:"a  -b""#,
            &[(1.0, "3:4 portrait"), (-0.5, "a  -b")],
        ),
        (r#""a \"b\" \\ c\d""#, &[(1.0, r#"a "b" \ c\d"#)]),
        (r#"\"red\" car"#, &[(1.0, r#""red\" car"#)]),
        (
            r#"a "red" car, 5" tall"#,
            &[(1.0, r#"a "red" car, 5" tall"#)],
        ),
        (
            r"beach +/me \-1.png",
            &[(1.0, "beach"), (1.0, "file /me -1.png")],
        ),
    ] {
        let wanted: Vec<_> = wanted.iter().map(|(w, words)| text(*w, words)).collect();
        assert_eq!(terms(query).unwrap(), wanted, "{query}");
    }
}

#[test]
fn what_is_no_query_is_told() {
    for (query, words) in [
        ("", "it is empty"),
        (" \t ", "it is empty"),
        (
            "+0,5:dog",
            r#"`0,5` in `+0,5:dog` is no weight, which is a number with a point, as in `+0.5:dog`; a text with a colon is quoted: `+"0,5:dog"`"#,
        ),
        (
            "beach +-3:dog",
            r#"`+-3:dog` has two signs, wanted one, as in `-3:dog`; a text that begins with a sign is quoted: `+"-3:dog"`"#,
        ),
        ("+1e400:dog", "`1e400` in `+1e400:dog` is no weight"),
        ("+1.2.3:dog", "is no weight"),
        ("-2024-05-01:party", "is no weight"),
        ("--people", "two signs"),
        ("+0.5:", "nothing after the weight of `+0.5:`"),
        ("+0.5: -dog", "nothing after the weight"),
        (r#"beach -"red car"#, "is not closed"),
        (r#""red" car"#, "after the quoted `red` comes `car`"),
        (r#""red"-car"#, "after the quoted `red` comes `-car`"),
        (r#"+"""#, "nothing in its quotes"),
    ] {
        let refused = terms(query).unwrap_err().to_string();
        assert!(
            refused.starts_with("query `") && refused.contains(words),
            "{refused}"
        );
    }
}

/// Queries with more grammar in them than texts have.
fn any_query() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[-+:. \"\\\\0-9a/]{0,6}",
        "\\PC{0,4}",
        Just(" -".to_owned()),
        Just(" +0.5:".to_owned()),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_query_has_terms_or_an_error(query in any_query()) {
        match Expression::<()>::parse(&query, |_| Ok(None)) {
            Ok(parsed) => {
                prop_assert!(!parsed.terms.is_empty());
                for term in parsed.terms {
                    let What::Text(text) = term.what else { unreachable!() };
                    prop_assert!(term.weight.is_finite() && !text.trim().is_empty());
                }
            }
            Err(error) => {
                prop_assert!(matches!(error, Error::Query { .. }), "{}", error);
            }
        }
    }

    #[test]
    fn what_is_quoted_comes_back(a in any_query(), b in any_query(), weight in 0f32..1e30) {
        prop_assume!(!a.trim().is_empty() && !b.trim().is_empty());
        let query = format!("{} -{weight}:{} +sea", verbatim(&a), verbatim(&b));
        // Were they not quoted, all would be pictures.
        let is_plain = |words: &str| Ok((words == "sea").then_some(()));
        let parsed = Expression::parse(&query, is_plain).unwrap();
        let wanted = [
            Term { weight: 1.0, what: What::Text(a) },
            Term { weight: -weight, what: What::Text(b) },
            Term { weight: 1.0, what: What::Picture(()) },
        ];
        prop_assert_eq!(parsed.terms, wanted);
    }
}

#[test]
fn a_text_that_only_its_template_makes_too_long_is_still_read() {
    let clip = Clip::open("default").unwrap();
    let vector = |text: &str, templates: &[&str]| self::vector(&clip, text, templates);
    let text = vec!["cat"; clip.config().text_cfg.context_length - 3].join(" ");
    let plain = vector(&text, &["{}"]).unwrap();
    assert_eq!(vector(&text, TEMPLATES).unwrap(), plain);
    let long = format!("{text} {text}");
    // The second term is told, whatever template it was in.
    let refused = vector(&format!("cat +{long}"), TEMPLATES).unwrap_err();
    let Error::Text(TextError::InBatch { index: 1, .. }) = refused else {
        panic!("{refused}");
    };
    // Cut, it is what fits.
    let expression = Expression::<()>::parse(&long, |_| Ok(None)).unwrap();
    let cut: Result<_> =
        expression.vector(&clip, TEMPLATES, Overflow::Truncate, |()| unreachable!());
    let tokens = clip.tokens(&[&long], Overflow::Truncate).unwrap();
    let features = clip.text_features(&tokens).unwrap();
    let fits = Embeddings::from_features(features.len(), features).unwrap();
    assert_eq!(cut.unwrap(), fits.as_slice());
}

#[test]
fn a_sum_lies_between_its_terms() {
    let clip = Clip::open("default").unwrap();
    let vector = |query: &str| self::vector(&clip, query, &["{}"]).unwrap();
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (dog, snow, both, without) = (
        vector("dog"),
        vector("snow"),
        vector("dog +snow"),
        vector("dog -snow"),
    );
    assert!((cosine(&both, &both) - 1.0).abs() < 1e-5);
    assert!(cosine(&both, &dog) > cosine(&snow, &dog));
    assert!(cosine(&without, &snow) < cosine(&dog, &snow));
    assert_eq!(vector("dog +0:snow"), dog);
    assert_eq!(dog, clip.encode_texts(&["dog"]).unwrap().as_slice());
    // However large or small the weights are.
    for (query, same) in [("+3e38:dog +3e38:snow", &both), ("+1e-30:dog", &dog)] {
        assert!(cosine(&vector(query), same) > 0.9999, "{query}");
    }
    for (query, why) in [
        ("dog -dog", "cancel each other"),
        ("+1e30:dog -1e30:dog", "cancel each other"),
        ("+0:dog -0:cat", "all its weights are 0"),
    ] {
        let nothing = self::vector(&clip, query, &["{}"]).unwrap_err().to_string();
        assert!(
            nothing.contains(query) && nothing.contains(why),
            "{nothing}"
        );
    }
    // A picture's term is its embedding.
    let grey = Picture::from_rgb(8, 8, vec![128; 192]).unwrap();
    let embedding = clip.encode_images(&clip.preprocess().apply(&grey)).unwrap();
    let parsed = Expression::parse("/grey", |_| Ok(Some(&embedding))).unwrap();
    let found: Result<Vec<f32>> = {
        parsed.vector(&clip, &["{}"], Overflow::Refuse, |&picture| {
            Ok(picture.clone())
        })
    };
    assert_eq!(found.unwrap(), embedding.as_slice());
    let other = Embeddings::from_features(3, vec![1.0; 3]).unwrap();
    let refused: Result<Vec<f32>> =
        parsed.vector(&clip, &["{}"], Overflow::Refuse, |_| Ok(other.clone()));
    assert!(matches!(refused, Err(Error::Dim { got: 3, .. })));
}
