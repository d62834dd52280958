//! `diptych classify`: pictures and labels → which label fits, and how well.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use diptych::text::shortened;
use diptych::{Prediction, ZeroShot};
use serde::Serialize;

use super::open;
use crate::args::{ClassifyArgs, DecodeArgs, ModelArgs};
use crate::output::Data;
use crate::{Status, inputs};
use diptych_files::spell;

struct Options {
    files: Vec<PathBuf>,
    labels: Vec<String>,
    templates: Vec<String>,
    /// Labels to print for each picture.
    top: usize,
    json: bool,
    model: ModelArgs,
    decode: DecodeArgs,
}

impl Options {
    fn new(args: ClassifyArgs) -> Result<Self> {
        let mut labels = args.labels;
        if let Some(path) = &args.labels_file {
            labels.extend(inputs::lines(path)?);
        }
        let labels = labels
            .iter()
            .map(|label| label.trim())
            .filter(|label| !label.is_empty());
        let labels: Vec<String> = labels.map(str::to_owned).collect();
        if labels.is_empty() {
            bail!("there is no label in what `--labels` or `--labels-file` gave");
        }
        Ok(Self {
            files: args.files,
            labels,
            templates: args.templates,
            top: args.top.unwrap_or(usize::MAX),
            json: args.json,
            model: args.model,
            decode: args.decode,
        })
    }
}

/// A line of JSON.
#[derive(Serialize)]
struct Classified<'a> {
    path: &'a str,
    predictions: &'a [Prediction],
}

pub(crate) fn run(args: ClassifyArgs) -> Result<Status> {
    let options = Options::new(args)?;
    let clip = open(&options.model)?;
    let Options {
        labels, templates, ..
    } = &options;
    let label = |prompt: usize| format!("label `{}`", shortened(&labels[prompt / templates.len()]));
    let classifier = match ZeroShot::new(&clip, labels, templates) {
        Ok(classifier) => classifier,
        Err(error) => {
            let prompts =
                |label: &String| templates.iter().map(|t| t.replace("{}", label)).collect();
            let prompts: Vec<String> = labels.iter().flat_map::<Vec<String>, _>(prompts).collect();
            return inputs::report_texts(&clip, error, &prompts, label);
        }
    };

    let mut data = Data::new();
    let Options { files, decode, .. } = &options;
    inputs::for_each_picture(&clip, files, decode, |path, picture| {
        let predictions = &classifier.classify(picture, options.top)?[0];
        match options.json {
            true => {
                let path = &spell(path);
                data.json(&Classified { path, predictions })?;
            }
            false => print(&mut data, path, predictions)?,
        }
        data.flush()
    })
}

/// For people: probability, cosine and label, a line each.
fn print(data: &mut Data, path: &Path, predictions: &[Prediction]) -> Result<()> {
    data.named("", path, "")?;
    for Prediction {
        label,
        probability,
        cosine,
    } in predictions
    {
        data.line(format_args!(
            "{:>7.1} %  {cosine:>6.3}  {label}",
            100.0 * probability
        ))?;
    }
    Ok(())
}
