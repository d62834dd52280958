//! Queries: texts and pictures to look for, added and subtracted with weights. There is one
//! grammar, [`Expression`]'s, for all that takes queries.
//!
//! Invariant: no file is looked at. Whether words are a picture, and how one is had, is the
//! caller's to say.

mod grammar;
#[cfg(test)]
mod tests;

pub use grammar::verbatim;

use grammar::Words;

use crate::text::{Overflow, TextError};
use crate::{Clip, Embeddings, Error, Result};

/// Sentences that a text is put into, whose embeddings are averaged; `{}` stands for the text. One
/// that gets too long for the model is left out.
pub const TEMPLATES: &[&str] = &["{}", "a photo of {}.", "a picture of {}."];

/// Terms, at least one. `P` is what a picture is known by.
///
/// ```text
/// query = picture | [sign [weight ":"]] words { sign [weight ":"] words }
/// sign  = "+" | "-"         at the beginning of a word that is not all punctuation
/// words = '"' text '"'      a text as it is; \" and \\ in it are a quote and a backslash
///       | word { word }     a picture, if the caller says so, else a text; a word that begins with \+ \- or \" begins
///                           with that character, which then is no grammar
/// ```
///
/// A query that names a picture as a whole is that picture, whatever signs are in its name. A
/// weight is a number with a point, of 0 or more, and stands only after a sign.
///
/// | query | terms |
/// | --- | --- |
/// | `beach +0.5:sunset -people +./me.jpg` | a text, half of one, one less, a picture |
/// | `./photo - Copy.png`, where there is such a file | a picture |
/// | `a t-shirt - blue`, `3:4 portrait` | a text |
/// | `"-people"` or `\-people` | a text that begins with a sign |
/// | `"beach.jpg"`, where there is such a file | a text that is a file's name |
/// | `beach +"3:4 portrait"` | a text with a colon after a sign |
/// | `beach +./me \-1.png` | a picture with a sign in its name |
/// | `+0,5:dog`, `+-3:dog`, `"red" car` | errors |
#[derive(Clone, Debug, PartialEq)]
pub struct Expression<P> {
    /// The query as it was written.
    pub query: String,
    /// In the order of the query.
    pub terms: Vec<Term<P>>,
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Term<P> {
    /// Factor of its embedding; less than zero for what is not wanted.
    pub weight: f32,
    /// The text or picture that it stands for.
    pub what: What<P>,
}

/// The meaning of a term.
#[derive(Clone, Debug, PartialEq)]
pub enum What<P> {
    /// A text.
    Text(String),
    /// A picture.
    Picture(P),
}

impl<P> Expression<P> {
    /// Reads an expression. `picture` says of words which picture they stand for; none, if they are
    /// a text; or why they can't be followed. It is asked of the whole query first, then of
    /// each term's words that are not quoted. A caller that takes queries from others lets them
    /// name only what is theirs to see.
    ///
    /// # Errors
    /// [`Error::Query`] for a query that is empty, two signs together, a weight that is no number,
    /// a weight or quotes with nothing after or in them, a quote that is not closed or not the
    /// end of its term, and with what `picture` says of a term.
    pub fn parse(
        query: &str,
        mut picture: impl FnMut(&str) -> Result<Option<P>, String>,
    ) -> Result<Self> {
        let refuse = |reason: String| Error::Query {
            query: query.to_owned(),
            reason,
        };
        let expression = |terms| Self {
            query: query.to_owned(),
            terms,
        };
        // What the whole can't be, its terms may still be.
        if let Ok(Some(picture)) = picture(query) {
            let what = What::Picture(picture);
            return Ok(expression(vec![Term { weight: 1.0, what }]));
        }
        let mut what = |words| match words {
            Words::Quoted(text) => Ok(What::Text(text)),
            Words::Plain(words) => Ok(match picture(&words)? {
                Some(picture) => What::Picture(picture),
                None => What::Text(words),
            }),
        };
        let terms = grammar::terms(query).map_err(refuse)?.into_iter();
        let terms = terms.map(|(weight, words)| what(words).map(|what| Term { weight, what }));
        let terms = terms.collect::<Result<_, String>>().map_err(refuse)?;
        Ok(expression(terms))
    }

    /// The expression's vector `[D]`, of length 1: the weighted sum of its terms' embeddings.
    /// `overflow` says what becomes of a text that is too long for the model, `embedding` gives
    /// a picture's, `[1, D]`.
    ///
    /// # Errors
    /// [`Error::Text`] with the place of a term that the model can't read whole, if `overflow`
    /// refuses that; [`Error::Query`] if the weights are 0 or the terms cancel each other;
    /// [`Error::Dim`] for an embedding of another model; those of `embedding`.
    pub fn vector<T: AsRef<str>, E: From<Error>>(
        &self,
        clip: &Clip,
        templates: &[T],
        overflow: Overflow,
        mut embedding: impl FnMut(&P) -> Result<Embeddings, E>,
    ) -> Result<Vec<f32>, E> {
        // f64 holds any sum of weights that are f32.
        let mut sum = vec![0f64; clip.config().embed_dim];
        for (index, term) in self.terms.iter().enumerate() {
            let embedding = match &term.what {
                What::Text(text) => text_embedding(clip, text, templates, overflow)
                    .map_err(|error| of_term(error, index))?,
                What::Picture(picture) => embedding(picture)?,
            };
            if embedding.as_slice().len() != sum.len() {
                return Err(E::from(Error::Dim {
                    got: embedding.as_slice().len(),
                    wanted: sum.len(),
                }));
            }
            let values = sum.iter_mut().zip(embedding.as_slice());
            values.for_each(|(sum, &value)| *sum += f64::from(term.weight) * f64::from(value));
        }
        let weights = self.terms.iter().map(|term| f64::from(term.weight).abs());
        let most: f64 = weights.sum();
        let refuse = |reason: &str| {
            let (query, reason) = (self.query.clone(), reason.to_owned());
            E::from(Error::Query { query, reason })
        };
        if most == 0.0 {
            return Err(refuse("all its weights are 0, so nothing is looked for"));
        }
        let sum: Vec<f32> = sum.iter().map(|sum| (sum / most) as f32).collect();
        if sum.iter().all(|value| value.abs() < 1e-6) {
            return Err(refuse(
                "its terms cancel each other, so nothing is looked for",
            ));
        }
        Ok(Embeddings::from_features(sum.len(), sum)?
            .as_slice()
            .to_vec())
    }
}

/// The embedding `[1, D]` of a text in all templates.
fn text_embedding<T: AsRef<str>>(
    clip: &Clip,
    text: &str,
    templates: &[T],
    overflow: Overflow,
) -> Result<Embeddings> {
    let prompts = prompts(clip, text, templates);
    let tokens = clip.tokens(&prompts, overflow)?;
    let features = clip.text_features(&tokens)?;
    Embeddings::from_features(clip.config().embed_dim, features)?.means(prompts.len())
}

/// The error of a text, at the place of its term instead of its prompt's.
fn of_term(error: Error, index: usize) -> Error {
    match error {
        Error::Text(TextError::InBatch { error, .. }) => TextError::InBatch { index, error }.into(),
        error => error,
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
