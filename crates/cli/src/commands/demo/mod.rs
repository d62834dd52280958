//! `diptych demo`: nothing → a gallery drawn, classified and searched; files, a page and a summary.
//!
//! Invariant: labels, prompts and searches are fixed here, whatever a model makes of them, and
//! every picture counts. Nothing is written before all is known, and only where nothing of anyone
//! else is.

mod page;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Result, anyhow};
use diptych::image::DecodeOptions;
use diptych::{Clip, Embeddings};
use diptych::{Prediction, ZeroShot, nearest};
use diptych_files::spell;
use rayon::prelude::*;
use serde::Serialize;

use super::{MODEL, open, tell_of_default};
use crate::Status;
use crate::args::DemoArgs;
use crate::gallery::{self, Drawing};
use crate::inputs;
use crate::output::{Data, hinted, message, quoted};
use crate::outputs::begins_with;

/// Plain sentences for any label; their embeddings are averaged.
const TEMPLATES: [&str; 8] = [
    "a photo of a {}.",
    "a picture of a {}.",
    "an image of a {}.",
    "a drawing of a {}.",
    "a painting of a {}.",
    "a cartoon of a {}.",
    "a close-up of a {}.",
    "a {}.",
];

/// Queries for the gallery: descriptions, none of them a label.
const SEARCHES: [&str; 6] = [
    "something to drink",
    "an animal with a trunk",
    "things that fly",
    "a yellow fruit",
    "a musical instrument",
    "a place by the sea",
];

/// Guesses and hits that are shown.
const SHOWN: usize = 5;

const PAGE: &str = "gallery.html";
const PICTURES: &str = "pictures";

/// Results of the demo; the object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    n_pictures: usize,
    /// Shares of the pictures whose label came first, or among the first five.
    top_1: f64,
    top_5: f64,
    /// Share that random guessing would reach.
    chance_top_1: f64,
    chance_top_5: f64,
    pictures: Vec<Classified<'a>>,
    searches: Vec<Search<'a>>,
    page: String,
}

/// A picture and what the model made of it.
#[derive(Serialize)]
struct Classified<'a> {
    path: String,
    label: &'a str,
    /// The place of its label, from 1.
    rank: usize,
    predictions: Vec<Prediction>,
    #[serde(skip)]
    png: Vec<u8>,
}

/// A description and the pictures nearest to it.
#[derive(Serialize)]
struct Search<'a> {
    query: &'a str,
    hits: Vec<Nearest<'a>>,
}

#[derive(Serialize)]
struct Nearest<'a> {
    path: String,
    label: &'a str,
    cosine: f32,
    /// The picture's place in the report.
    #[serde(skip)]
    picture: usize,
}

pub(crate) fn run(args: &DemoArgs) -> Result<Status> {
    check_folder(&args.out)?;
    let clip = open(&args.model)?;
    let drawings: Vec<&Drawing> = gallery::drawings().collect();
    let pngs: Vec<Vec<u8>> = drawings
        .par_iter()
        .map(|drawing| drawing.png())
        .collect::<Result<_>>()?;
    let images = encode(&clip, &pngs)?;
    let report = Report::new(args, &clip, &drawings, pngs, &images)?;
    report.write(&args.out)?;

    let mut data = Data::new();
    if args.json {
        data.json(&report)?
    } else {
        report.print(&mut data)?
    }
    data.flush()?;
    if !args.json {
        message(format_args!(
            "\nThe page is {}. To go on with words of your own:\n  diptych classify {} --labels \"animal, vehicle, flower\" --top 1",
            quoted(&args.out.join(PAGE)),
            quoted(&args.out.join(PICTURES).join("*.png"))
        ));
        tell_of_default(&args.model.model, true, MODEL);
    }
    Ok(Status::Done)
}

/// The embeddings of PNG files, read as any user's are.
fn encode(clip: &Clip, pngs: &[Vec<u8>]) -> Result<Embeddings> {
    let load = |png: &Vec<u8>| -> Result<_> {
        Ok(clip
            .preprocess()
            .load_bytes(png, &DecodeOptions::default())?)
    };
    let mut embeddings = Embeddings::empty(clip.config().embed_dim);
    for features in clip.stream_images(pngs, load) {
        embeddings.push(&features?)?;
    }
    Ok(embeddings)
}

impl<'a> Report<'a> {
    fn new(
        args: &'a DemoArgs,
        clip: &Clip,
        drawings: &[&'a Drawing],
        pngs: Vec<Vec<u8>>,
        images: &Embeddings,
    ) -> Result<Self> {
        let labels: Vec<&str> = drawings.iter().map(|drawing| drawing.label).collect();
        let label = |prompt: usize| format!("label `{}`", labels[prompt / TEMPLATES.len()]);
        let classifier =
            ZeroShot::new(clip, &labels, &TEMPLATES).map_err(|e| inputs::in_text(e, label))?;
        let query = |index: usize| format!("search `{}`", SEARCHES[index]);
        let queries = clip
            .encode_texts(&SEARCHES)
            .map_err(|e| inputs::in_text(e, query))?;

        let path = |drawing: &Drawing| {
            let file = format!("{}.png", drawing.file_stem());
            let path = args.out.join(PICTURES).join(file);
            spell(&path).into_owned()
        };
        let predictions = classifier.classify(images, usize::MAX)?;
        let pictures = drawings.iter().zip(pngs).zip(predictions);
        let pictures = pictures.map(|((drawing, png), mut predictions)| {
            let right = predictions.iter().position(|p| p.label == drawing.label);
            predictions.truncate(SHOWN);
            Classified {
                path: path(drawing),
                label: drawing.label,
                // Each label is among the predictions.
                rank: right.map_or(labels.len(), |place| place + 1),
                predictions,
                png,
            }
        });
        let pictures: Vec<Classified> = pictures.collect();
        let hits = nearest(&queries, images, SHOWN)?.into_iter();
        let searches = SEARCHES.iter().zip(hits).map(|(query, hits)| Search {
            query,
            hits: hits
                .iter()
                .map(|hit| Nearest {
                    path: path(drawings[hit.row]),
                    label: labels[hit.row],
                    cosine: hit.cosine,
                    picture: hit.row,
                })
                .collect(),
        });
        let n = pictures.len();
        let share = |k: usize| k as f64 / n as f64;
        let within = |k: usize| share(pictures.iter().filter(|p| p.rank <= k).count());
        Ok(Self {
            model: &args.model.model,
            n_pictures: n,
            top_1: within(1),
            top_5: within(5),
            chance_top_1: share(1),
            chance_top_5: share(5),
            searches: searches.collect(),
            page: spell(&args.out.join(PAGE)).into_owned(),
            pictures,
        })
    }

    /// Pictures whose label is among the first `k`.
    fn right(&self, k: usize) -> usize {
        self.pictures.iter().filter(|p| p.rank <= k).count()
    }

    /// Writes the page, which holds all it shows and marks the folder as ours, then the pictures.
    fn write(&self, out: &Path) -> Result<()> {
        fs_err::create_dir_all(out.join(PICTURES))?;
        diptych_files::replace(&out.join(PAGE), page::html(self).as_bytes())?;
        for picture in &self.pictures {
            diptych_files::replace(Path::new(&picture.path), &picture.png)?;
        }
        Ok(())
    }

    /// For people: accuracy, then the searches.
    fn print(&self, data: &mut Data) -> Result<()> {
        let n = self.n_pictures;
        data.line(format_args!(
            "{n} drawings, {n} labels, model {}",
            self.model
        ))?;
        for (k, chance) in [(1, self.chance_top_1), (5, self.chance_top_5)] {
            let right = self.right(k);
            data.line(format_args!(
                "top-{k}  {right:>3} right  {:>5.1} %  (chance {:.1} %)",
                100.0 * right as f64 / n as f64,
                100.0 * chance
            ))?;
        }
        for search in &self.searches {
            data.line(format_args!("\n{}", search.query))?;
            for hit in &search.hits {
                data.line(format_args!("{:>8.3}  {}", hit.cosine, hit.label))?;
            }
        }
        Ok(())
    }
}

/// Refuses a folder that holds anything but an earlier demo.
fn check_folder(out: &Path) -> Result<()> {
    let mut entries = match fs_err::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let Some(entry) = entries.next().transpose()? else {
        return Ok(());
    };
    if is_demo(out) {
        return Ok(());
    }
    let name = entry.file_name();
    Err(hinted(
        anyhow!(
            "{}: there is something else here, such as `{}`; it stays as it is",
            quoted(out),
            quoted(name.as_ref())
        ),
        "name a folder that is new, empty, or an earlier demo's with `--out`",
    ))
}

/// Whether the page in `out` is one of ours.
fn is_demo(out: &Path) -> bool {
    begins_with(&out.join(PAGE), page::BEGINNING.as_bytes()).is_ok_and(|begins| begins)
}
