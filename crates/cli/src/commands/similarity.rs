//! `diptych similarity`: pictures × texts → cosine, and logit = `logit_scale` · cosine.

use std::path::Path;

use anyhow::Result;
use diptych::text::shortened;
use serde::Serialize;

use super::{MODEL, open, tell_of_default};
use crate::args::SimilarityArgs;
use crate::inputs::Given;
use crate::output::Data;
use crate::{Status, inputs};
use diptych_files::spell;

/// A line of JSON.
#[derive(Serialize)]
struct Compared<'a> {
    path: &'a str,
    texts: &'a [Similarity<'a>],
}

#[derive(Serialize)]
struct Similarity<'a> {
    text: &'a str,
    cosine: f32,
    logit: f32,
}

pub(crate) fn run(args: &SimilarityArgs) -> Result<Status> {
    let given = Given::new(&args.images, None)?;
    let clip = open(&args.model)?;
    let name = |index: usize| format!("text `{}`", shortened(&args.texts[index]));
    let texts = match clip.encode_texts(&args.texts) {
        Ok(texts) => texts,
        Err(error) => return inputs::report_texts(&clip, error, &args.texts, name),
    };
    let (logit_scale, logit_bias) = (clip.logit_scale(), clip.logit_bias().unwrap_or(0.0));

    tell_of_default(&args.model.model, !args.json, MODEL);

    let mut data = Data::new();
    inputs::for_each_picture(&clip, &given, &args.decode, |path, picture| {
        let cosines = picture.cosines(&texts)?; // [1, M]
        let pairs = args.texts.iter().zip(cosines);
        let texts: Vec<_> = pairs
            .map(|(text, cosine)| Similarity {
                text,
                cosine,
                logit: logit_scale * cosine + logit_bias,
            })
            .collect();
        if args.json {
            data.json(&Compared {
                path: &spell(path),
                texts: &texts,
            })?
        } else {
            print(&mut data, path, &texts)?
        }
        data.flush()
    })
}

/// For people: cosine, logit and text, a line each.
fn print(data: &mut Data, path: &Path, texts: &[Similarity]) -> Result<()> {
    data.named("", path, "")?;
    for Similarity {
        text,
        cosine,
        logit,
    } in texts
    {
        data.line(format_args!("{cosine:>8.3}  {logit:>7.2}  {text}"))?;
    }
    Ok(())
}
