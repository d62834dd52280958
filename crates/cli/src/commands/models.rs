//! `diptych models`: known architectures and checkpoints → a table of what they are and cost.
//!
//! Invariant: a checkpoint's tensors are not read, so that a folder of large ones is listed at
//! once; the commands that use a checkpoint check all of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use diptych::model::{ClipConfig, Profile};
use diptych::weights::{
    CONFIG_FILE, Checkpoint, DEFAULT_MODEL, Description, HF_CONFIG_FILE, Parts, architectures,
    describe, has_config,
};
use serde::Serialize;

use crate::Status;
use crate::args::{GetArgs, ModelsArgs, ModelsCommand};
use crate::commands::{local, published, show};
use crate::output::{self, Data, hinted, quoted};

/// Folders that are searched for checkpoints if none is named.
const PLACES: [&str; 3] = [".", "models", "runs"];

/// Levels below such a folder that are searched, too: `runs/NAME/model` is two.
const DEPTH: usize = 2;

/// A line of JSON.
#[derive(Serialize)]
struct Model {
    name: String,
    kind: Kind,
    image_size: usize,
    embed_dim: usize,
    context_length: usize,
    #[serde(flatten)]
    cost: Cost,
}

/// Parameters and gigaflops of a model and of each tower, in JSON.
#[derive(Serialize)]
pub(super) struct Cost {
    pub(super) parameters: u64,
    pub(super) image_parameters: u64,
    pub(super) text_parameters: u64,
    pub(super) gflops: f64,
    pub(super) image_gflops: f64,
    pub(super) text_gflops: f64,
}

impl Cost {
    pub(super) fn of(config: &ClipConfig) -> Self {
        let profile = Profile::new(config);
        Self {
            parameters: profile.parameters,
            image_parameters: profile.image.parameters,
            text_parameters: profile.text.parameters,
            gflops: profile.gflops(),
            image_gflops: profile.image.gflops,
            text_gflops: profile.text.gflops,
        }
    }
}

/// Whether a model has weights, and where they are.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// No weights, only an architecture.
    Architecture,
    /// Weights in the program.
    Embedded,
    /// Weights in a directory.
    Checkpoint,
}

impl Model {
    fn new(name: String, kind: Kind, description: &Description) -> Self {
        let config = &description.config;
        Self {
            name,
            kind,
            image_size: config.vision_cfg.image_size,
            embed_dim: config.embed_dim,
            context_length: config.text_cfg.context_length,
            cost: Cost::of(config),
        }
    }
}

pub(crate) fn run(args: &ModelsArgs) -> Result<Status> {
    match &args.command {
        Some(ModelsCommand::Show(args)) => return show::run(args),
        Some(ModelsCommand::Get(args)) => return get(args),
        None if args.published => return published::run(args.json),
        None => {}
    }
    let mut models = Vec::new();
    for name in architectures() {
        let name = name.to_owned();
        models.push(Model::new(
            name.clone(),
            Kind::Architecture,
            &describe(&name)?,
        ));
    }
    let embedded = describe(DEFAULT_MODEL)?;
    models.push(Model::new(DEFAULT_MODEL.into(), Kind::Embedded, &embedded));

    let mut errors = Vec::new();
    for found in checkpoints(&args.folders) {
        match found.and_then(|dir| open(&dir)) {
            Ok(model) => models.push(model),
            Err(error) => errors.push(error),
        }
    }
    let mut data = Data::new();
    if args.json {
        models.iter().try_for_each(|model| data.json(model))?
    } else {
        print(&mut data, &models)?
    }
    data.flush()?;
    // After the table, or nobody sees them.
    errors.iter().for_each(output::error);
    Ok(if errors.is_empty() {
        Status::Done
    } else {
        Status::SomeFailed
    })
}

/// JSON object that `models get` prints.
#[derive(Serialize)]
struct Got<'a> {
    name: &'a str,
    path: &'a str,
}

/// Brings a published model onto this machine, and opens it, so that whoever was told where it lies
/// can use it.
fn get(args: &GetArgs) -> Result<Status> {
    let name = &args.model;
    let path = &local(name, Parts::All)?;
    Checkpoint::named(path)?;
    let mut data = Data::new();
    if args.json {
        data.json(&Got { name, path })?
    } else {
        data.line(path)?
    }
    data.flush()?;
    Ok(Status::Done)
}

/// The directories of checkpoints in `folders`, each once, and the folders without any.
fn checkpoints(folders: &[PathBuf]) -> Vec<Result<PathBuf>> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    let mut add = |found: Vec<PathBuf>| {
        let new = found.into_iter().filter(|dir| seen.insert(dir.clone()));
        all.extend(new.map(Ok));
    };
    if folders.is_empty() {
        // Nobody named these, so it is no error that they have none or are not there.
        for place in PLACES {
            add(below(Path::new(place), DEPTH).unwrap_or_default());
        }
        return all;
    }
    let mut failures = Vec::new();
    for folder in folders {
        match below(folder, DEPTH) {
            Ok(found) if found.is_empty() => {
                let folder = quoted(folder);
                let error = anyhow!("{folder}: there is no checkpoint in it or below");
                let hint = format_args!(
                    "a checkpoint is a directory with {CONFIG_FILE} or {HF_CONFIG_FILE}"
                );
                failures.push(Err(hinted(error, hint)));
            }
            Ok(found) => add(found),
            Err(error) => failures.push(Err(error.into())),
        }
    }
    all.extend(failures);
    all
}

/// Checkpoint directories from `folder` to `depth` levels below it, by name.
fn below(folder: &Path, depth: usize) -> std::io::Result<Vec<PathBuf>> {
    if has_config(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut folders = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if depth > 0 && path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    // A folder that may not be read is not ours to complain of, unless it was named.
    let deeper = folders
        .iter()
        .flat_map(|f| below(f, depth - 1).unwrap_or_default());
    // `./a` is called `a`, and found once if `.` and `a` are both looked at.
    Ok(deeper
        .map(|dir| dir.strip_prefix(".").map(Path::to_owned).unwrap_or(dir))
        .collect())
}

/// The checkpoint in `dir`: its configuration, tokenizer and the header of its weights.
fn open(dir: &Path) -> Result<Model> {
    let name = dir.display().to_string();
    let summary = Checkpoint::summary(&name)?;
    Ok(Model::new(name, Kind::Checkpoint, &summary.description))
}

/// For people: a table.
fn print(data: &mut Data, models: &[Model]) -> Result<()> {
    let names = models.iter().map(|model| model.name.chars().count());
    let width = names.max().unwrap_or(0);
    data.line(format_args!(
        "{:width$}  {:12} {:>5} {:>5} {:>7}  {:>23}  {:>23}",
        "", "", "", "", "", "million parameters", "GFLOPs"
    ))?;
    data.line(format_args!(
        "{:width$}  {:12} {:>5} {:>5} {:>7}  {:>7} {:>7} {:>7}  {:>7} {:>7} {:>7}",
        "model",
        "kind",
        "image",
        "embed",
        "context",
        "image",
        "text",
        "total",
        "image",
        "text",
        "total"
    ))?;
    for model in models {
        let million = |n: u64| n as f64 / 1e6;
        let kind = match model.kind {
            Kind::Architecture => "architecture",
            Kind::Embedded => "embedded",
            Kind::Checkpoint => "checkpoint",
        };
        data.line(format_args!(
            "{:width$}  {kind:12} {:>5} {:>5} {:>7}  {:>7.2} {:>7.2} {:>7.2}  {:>7.2} {:>7.2} {:>7.2}",
            model.name,
            model.image_size,
            model.embed_dim,
            model.context_length,
            million(model.cost.image_parameters),
            million(model.cost.text_parameters),
            million(model.cost.parameters),
            model.cost.image_gflops,
            model.cost.text_gflops,
            model.cost.gflops
        ))?;
    }
    Ok(())
}
