//! What is looked for: texts and pictures, added and subtracted with weights.
//!
//! `beach +0.5:sunset -people +./me.jpg`: terms are told by the `+` or `-` that a word begins with; a number and a colon
//! before a term are its weight. Whether a term is a picture, and how one is had, is the caller's to say.
//! Invariant: no file is looked at.

use crate::text::Overflow;
use crate::{Clip, Embeddings, Error, Result};

/// Sentences that a text is put into, whose embeddings are averaged; `{}` stands for the text. One that gets too long for the
/// model is left out.
pub const TEMPLATES: &[&str] = &["{}", "a photo of {}.", "a picture of {}."];

/// Terms, at least one. `P` is what a picture is known by.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression<P> {
    /// As they were written.
    pub terms: Vec<Term<P>>,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Term<P> {
    /// What it is multiplied by; less than zero for what is not wanted.
    pub weight: f32,
    /// What it stands for.
    pub what: What<P>,
}

/// What a term stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum What<P> {
    /// A text.
    Text(String),
    /// A picture.
    Picture(P),
}

impl<P> Expression<P> {
    /// Reads an expression. `picture` says of each term's words which picture they stand for; none, if they are a text; or
    /// why they can't be followed. A caller that takes queries from others lets them name only what is theirs to see.
    ///
    /// # Errors
    /// [`Error::Query`] if there is no term, a term has nothing after its sign, and with what `picture` says.
    pub fn parse(
        query: &str,
        mut picture: impl FnMut(&str) -> Result<Option<P>, String>,
    ) -> Result<Self> {
        let refuse = |reason: String| Error::Query {
            query: query.to_owned(),
            reason,
        };
        let mut terms = Vec::new();
        for (sign, words) in split(query) {
            let (weight, words) = weight(&words);
            if words.is_empty() {
                return Err(refuse("there is nothing after its sign".into()));
            }
            let what = match picture(words).map_err(refuse)? {
                Some(picture) => What::Picture(picture),
                None => What::Text(words.to_owned()),
            };
            terms.push(Term {
                weight: sign * weight,
                what,
            });
        }
        if terms.is_empty() {
            return Err(refuse("it is empty".into()));
        }
        Ok(Self { terms })
    }

    /// The expression's vector `[D]`, of length 1: the weighted sum of its terms' embeddings. `embedding` gives a picture's,
    /// `[1, D]`.
    ///
    /// # Errors
    /// [`Error::Text`] for a text that the model can't read whole, [`Error::Dim`] for an embedding of another model,
    /// [`Error::Query`] if the terms cancel each other; those of `embedding`.
    pub fn vector<T: AsRef<str>, E: From<Error>>(
        &self,
        clip: &Clip,
        templates: &[T],
        mut embedding: impl FnMut(&P) -> Result<Embeddings, E>,
    ) -> Result<Vec<f32>, E> {
        let mut sum = vec![0f32; clip.config().embed_dim];
        for term in &self.terms {
            let embedding = match &term.what {
                What::Text(text) => {
                    let prompts = prompts(clip, text, templates);
                    clip.encode_texts(&prompts)?.means(prompts.len())?
                }
                What::Picture(picture) => embedding(picture)?,
            };
            if embedding.as_slice().len() != sum.len() {
                return Err(E::from(Error::Dim {
                    got: embedding.as_slice().len(),
                    wanted: sum.len(),
                }));
            }
            let values = sum.iter_mut().zip(embedding.as_slice());
            values.for_each(|(sum, value)| *sum += term.weight * value);
        }
        if sum.iter().all(|value| value.abs() < 1e-6) {
            return Err(E::from(Error::Query {
                query: format!("{} terms", self.terms.len()),
                reason: "they cancel each other, so nothing is looked for".into(),
            }));
        }
        Ok(Embeddings::from_features(sum.len(), sum)?
            .as_slice()
            .to_vec())
    }
}

/// A text in each template in which the model can read it whole; as it is, if there is none.
fn prompts<T: AsRef<str>>(clip: &Clip, text: &str, templates: &[T]) -> Vec<String> {
    let prompts = templates.iter().map(|t| t.as_ref().replace("{}", text));
    let mut prompts: Vec<String> = prompts
        .filter(|prompt| clip.tokens(&[prompt], Overflow::Refuse).is_ok())
        .collect();
    if prompts.is_empty() {
        prompts.push(text.to_owned());
    }
    prompts
}

/// The signs and words of terms.
fn split(query: &str) -> Vec<(f32, String)> {
    let mut terms: Vec<(f32, String)> = Vec::new();
    for word in query.split_whitespace() {
        let (sign, rest) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(rest), _) => (Some(1.0), rest),
            (_, Some(rest)) => (Some(-1.0), rest),
            _ => (None, word),
        };
        match (sign, terms.last_mut()) {
            (Some(sign), _) => terms.push((sign, rest.to_owned())),
            (None, None) => terms.push((1.0, rest.to_owned())),
            (None, Some((_, words))) => {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(rest);
            }
        }
    }
    terms
}

/// A weight that words begin with, and the others.
fn weight(words: &str) -> (f32, &str) {
    let found = words.split_once(':').and_then(|(number, rest)| {
        let number: f32 = number.parse().ok()?;
        (number.is_finite() && number >= 0.0).then_some((number, rest.trim_start()))
    });
    found.unwrap_or((1.0, words))
}

#[cfg(test)]
mod tests {
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
        expression.vector(clip, templates, |()| unreachable!("no picture was named"))
    }

    #[test]
    fn terms_have_signs_and_weights() {
        let text = |weight: f32, words: &str| (weight, words.to_owned());
        assert_eq!(
            terms("a dog on a beach").unwrap(),
            [text(1.0, "a dog on a beach")]
        );
        assert_eq!(
            terms("beach +0.5:red sunset -people").unwrap(),
            [
                text(1.0, "beach"),
                text(0.5, "red sunset"),
                text(-1.0, "people")
            ]
        );
        assert_eq!(
            terms("horse + stripes").unwrap(),
            [text(1.0, "horse"), text(1.0, "stripes")]
        );
        assert_eq!(terms("-2:snow").unwrap(), [text(-2.0, "snow")]);
        assert_eq!(terms("2:1 odds").unwrap(), [text(2.0, "1 odds")]);
        // Within a word they are letters like others.
        assert_eq!(
            terms("a t-shirt at 9:30, a+b").unwrap(),
            [text(1.0, "a t-shirt at 9:30, a+b")]
        );
    }

    #[test]
    fn what_a_term_stands_for_is_the_callers_to_say() {
        assert_eq!(
            terms("beach +0.25:/a b.jpg").unwrap(),
            [
                (1.0, "beach".to_owned()),
                (0.25, "file /a b.jpg".to_owned())
            ]
        );
        let refused = terms("beach +/nobody").unwrap_err().to_string();
        assert_eq!(refused, "query `beach +/nobody`: /nobody is no file");
    }

    #[test]
    fn what_is_no_query_is_told() {
        for query in ["", "  ", "beach +", "- +x", "+0.5:"] {
            assert!(terms(query).is_err(), "{query}");
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
        let refused = vector(&long, TEMPLATES).unwrap_err().to_string();
        assert!(refused.contains("tokens"), "{refused}");
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
        let nothing = self::vector(&clip, "dog -dog", &["{}"]);
        assert!(nothing.unwrap_err().to_string().contains("cancel"));
        // A picture's term is its embedding.
        let grey = Picture::from_rgb(8, 8, vec![128; 192]).unwrap();
        let embedding = clip.encode_images(&clip.preprocess().apply(&grey)).unwrap();
        let parsed = Expression::parse("/grey", |_| Ok(Some(&embedding))).unwrap();
        let found: Result<Vec<f32>> = parsed.vector(&clip, &["{}"], |&picture| Ok(picture.clone()));
        assert_eq!(found.unwrap(), embedding.as_slice());
        let other = Embeddings::from_features(3, vec![1.0; 3]).unwrap();
        let refused: Result<Vec<f32>> = parsed.vector(&clip, &["{}"], |_| Ok(other.clone()));
        assert!(matches!(refused, Err(Error::Dim { got: 3, .. })));
    }
}
