//! What is looked for: texts and pictures, added and subtracted with weights.
//!
//! `beach +0.5:sunset -people +./me.jpg`: terms are told by the `+` or `-` that a word begins with; a number and a colon
//! before a term are its weight; a term is a picture if it names a file.

use std::path::{Path, PathBuf};

use crate::image::DecodeOptions;
use crate::text::Overflow;
use crate::{Clip, Embeddings, Error, Result};

/// Sentences that a text is put into, whose embeddings are averaged; `{}` stands for the text. One that gets too long for the
/// model is left out.
pub const TEMPLATES: &[&str] = &["{}", "a photo of {}.", "a picture of {}."];

/// Terms, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// As they were written.
    pub terms: Vec<Term>,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What it is multiplied by; less than zero for what is not wanted.
    pub weight: f32,
    /// What it stands for.
    pub what: What,
}

/// What a term stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A text.
    Text(String),
    /// A picture's file.
    Picture(PathBuf),
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`Error::Query`] if there is no term, a term has nothing after its sign, or one that is written as a path names no
    /// file.
    pub fn parse(query: &str) -> Result<Self> {
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
            let what = match is_path(words) {
                true if Path::new(words).is_file() => What::Picture(words.into()),
                true => return Err(refuse(format!("{words} is no file"))),
                false => What::Text(words.to_owned()),
            };
            terms.push(Term {
                weight: sign * weight,
                what,
            });
        }
        match terms.is_empty() {
            true => Err(refuse("it is empty".into())),
            false => Ok(Self { terms }),
        }
    }

    /// The expression's vector `[D]`, of length 1: the weighted sum of its terms' embeddings.
    ///
    /// # Errors
    /// [`Error::Text`] for a text that the model can't read whole, [`Error::Image`] for a picture that can't be read,
    /// [`Error::Query`] if the terms cancel each other.
    pub fn vector<T: AsRef<str>>(
        &self,
        clip: &Clip,
        templates: &[T],
        options: &DecodeOptions,
    ) -> Result<Vec<f32>> {
        let mut sum = vec![0f32; clip.config().embed_dim];
        for term in &self.terms {
            let embedding = match &term.what {
                What::Text(text) => {
                    let prompts = prompts(clip, text, templates);
                    clip.encode_texts(&prompts)?.means(prompts.len())
                }
                What::Picture(path) => {
                    clip.encode_images(&clip.preprocess().load(path, options)?)?
                }
            };
            let values = sum.iter_mut().zip(embedding.as_slice());
            values.for_each(|(sum, value)| *sum += term.weight * value);
        }
        if sum.iter().all(|value| value.abs() < 1e-6) {
            return Err(Error::Query {
                query: format!("{} terms", self.terms.len()),
                reason: "they cancel each other, so nothing is looked for".into(),
            });
        }
        Ok(Embeddings::from_features(sum.len(), sum)
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

/// Whether words are meant as a path: they begin like one, or name a picture's file.
fn is_path(words: &str) -> bool {
    let begins = ["/", "./", "../"]
        .iter()
        .any(|start| words.starts_with(start));
    let is_picture = || Path::new(words).extension().is_some() && Path::new(words).is_file();
    begins || Path::new(words).is_absolute() || is_picture()
}
