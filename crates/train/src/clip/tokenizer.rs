//! A run's own tokenizer, learned from the texts that the run says.

use std::collections::HashMap;

use rayon::prelude::*;

use super::batch::Batches;
use super::run_file::Run;
use crate::samples::Tally;
use crate::{Error, Result};
use diptych::text::{ClipTokenizer, SpecialTokens};
use diptych::weights::describe;

/// Texts that are drawn to learn from.
const DRAWN: u64 = 1 << 20;

/// Texts that are drawn at a time.
const AT_A_TIME: u64 = 1 << 14;

/// Learns the tokenizer of `run` from about a million texts, drawn as the run draws them: by the
/// shares of its sets and languages, in its templates. It has as many entries as the run's
/// architecture asks for. What the run file calls `tokenizer` is not read. `warn` gets the warnings
/// about the data, and the tally is of what was passed over in it.
///
/// # Errors
/// Those of [`Batches::open`]; [`Error::Named`] if the texts give no such vocabulary.
pub fn learn_tokenizer(run: &Run, mut warn: impl FnMut(&str)) -> Result<(ClipTokenizer, Tally)> {
    let named = |error| Error::named("architecture", error);
    let description = describe(&run.architecture).map_err(named)?;
    let size = description.config.text_cfg.vocab_size;
    let batches = Batches::open(run, &description)?;
    batches.warnings().iter().for_each(|warning| warn(warning));
    let counts = (0..DRAWN / AT_A_TIME)
        .into_par_iter()
        .fold(HashMap::<String, u64>::new, |mut counts, part| {
            for text in batches.texts(part * AT_A_TIME..(part + 1) * AT_A_TIME) {
                *counts.entry(text).or_default() += 1;
            }
            counts
        })
        .reduce(HashMap::new, |mut counts, more| {
            for (text, n) in more {
                *counts.entry(text).or_default() += n;
            }
            counts
        });
    let texts = counts.iter().map(|(text, n)| (text.as_str(), *n));
    let tokenizer = ClipTokenizer::learn(texts, size, SpecialTokens::OpenClip)
        .map_err(|error| Error::named("tokenizer", error.into()))?;
    Ok((tokenizer, batches.passed_over().clone()))
}
