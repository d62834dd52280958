//! `diptych classify`: pictures and labels → which label fits, and how well.

mod sort;
mod table;

use std::path::Path;

use anyhow::{Result, bail};
use diptych::{Doubled, Prediction, ZeroShot, in_context};
use serde::Serialize;

use self::sort::Sorter;
use self::table::Table;
use super::{MODEL, open, tell_of_default};
use crate::args::{ClassifyArgs, DecodeArgs, ModelArgs};
use crate::inputs::Given;
use crate::output::{Data, message};
use crate::{Status, inputs};
use diptych::text::shortened;
use diptych_files::spell;

struct Options {
    given: Given,
    labels: Vec<String>,
    templates: Vec<String>,
    /// Labels to print for each picture.
    top: usize,
    format: Format,
    sorter: Option<Sorter>,
    model: ModelArgs,
    decode: DecodeArgs,
}

/// Format that results are printed in.
enum Format {
    People,
    Json,
    Table(Table),
}

impl Options {
    fn new(args: ClassifyArgs) -> Result<Self> {
        let labels = args
            .labels
            .iter()
            .flat_map(|given| given.split(['，', '、']));
        let mut labels: Vec<String> = labels.map(str::to_owned).collect();
        for label in &labels {
            let file = label.strip_prefix('@').unwrap_or(label);
            if file.ends_with(".txt") && Path::new(file).is_file() {
                message(format!(
                    "note: `{label}` is taken for a label; `--labels-file {file}` reads the file"
                ));
            }
        }
        if let Some(path) = &args.labels_file {
            labels.extend(inputs::lines(path)?);
        }
        let labels = labels.iter().map(|label| label.trim());
        let labels = labels.filter(|label| !label.is_empty());
        let labels: Vec<String> = labels.map(str::to_owned).collect();
        if labels.is_empty() {
            bail!("there is no label in what `--labels` or `--labels-file` gave");
        }
        let mut templates = args.templates;
        if templates.is_empty() {
            templates.push(template_for(&labels).to_owned());
        }
        if let Some(context) = &args.context {
            for template in &mut templates {
                *template = in_context(template, context);
            }
        }
        let into = args.sort_into;
        Ok(Self {
            given: Given::new(&args.files, into.as_deref())?,
            templates,
            top: args.top.unwrap_or(usize::MAX),
            format: match (args.json, args.tsv, args.csv) {
                (true, ..) => Format::Json,
                (_, true, _) => Format::Table(Table::new(b'\t')),
                (.., true) => Format::Table(Table::new(b',')),
                _ => Format::People,
            },
            sorter: into
                .map(|into| Sorter::new(into, args.sort_with, &labels))
                .transpose()?,
            labels,
            model: args.model,
            decode: args.decode,
        })
    }
}

/// The sentence for labels that come with none, in their language.
fn template_for(labels: &[String]) -> &'static str {
    let has_any = |label: &str, low, high| label.chars().any(|c| (low..=high).contains(&c));
    // Han characters; kana beside them are Japanese.
    let is_chinese = |label: &String| {
        has_any(label, '\u{4e00}', '\u{9fff}') && !has_any(label, '\u{3040}', '\u{30ff}')
    };
    if labels.iter().all(is_chinese) {
        "一张{}的照片。"
    } else {
        "a photo of a {}."
    }
}

/// A line of JSON.
#[derive(Serialize)]
struct Classified<'a> {
    path: &'a str,
    predictions: &'a [Prediction],
    /// Where the picture was put.
    #[serde(skip_serializing_if = "Option::is_none")]
    sorted: Option<&'a str>,
}

pub(crate) fn run(args: ClassifyArgs) -> Result<Status> {
    let Options {
        given,
        labels,
        templates,
        top,
        format,
        mut sorter,
        model,
        decode,
    } = Options::new(args)?;
    let clip = open(&model)?;
    let label = |prompt: usize| format!("label `{}`", shortened(&labels[prompt / templates.len()]));
    let classifier = match ZeroShot::new(&clip, &labels, &templates) {
        Ok(classifier) => classifier,
        Err(error) => {
            let prompts =
                |label: &String| templates.iter().map(|t| t.replace("{}", label)).collect();
            let prompts: Vec<String> = labels.iter().flat_map::<Vec<String>, _>(prompts).collect();
            return inputs::report_texts(&clip, error, &prompts, label);
        }
    };
    for Doubled { label, same_as } in classifier.doubled() {
        if label == same_as {
            message(format_args!(
                "label `{label}` is given twice, and counts once"
            ));
        } else {
            message(format_args!(
                "label `{label}` is the same to the model as `{same_as}` before it, and counts once with that"
            ));
        }
    }
    tell_of_default(&model.model, matches!(format, Format::People), MODEL);

    let mut data = Data::new();
    if let Format::Table(table) = &format {
        table.header(&mut data)?;
    }
    let mut unsorted = false;
    let status = inputs::for_each_picture(&clip, &given, &decode, |path, picture| {
        let all = &classifier.classify(picture, top)?[0];
        let place = match (&mut sorter, all.first()) {
            (Some(sorter), Some(best)) => sorter.put(path, &best.label),
            _ => None,
        };
        unsorted |= sorter.is_some() && place.is_none();
        match &format {
            Format::Json => data.json(&Classified {
                path: &spell(path),
                predictions: all,
                sorted: place.as_ref().map(|place| spell(place)).as_deref(),
            })?,
            Format::Table(table) => table.rows(&mut data, path, all)?,
            Format::People => print(&mut data, path, all)?,
        }
        data.flush()
    })?;
    if let Some(sorter) = &sorter {
        message(sorter);
    }
    data.flush()?;
    Ok(if unsorted { Status::SomeFailed } else { status })
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
