//! The command line of training and of packing its data, as typed.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use diptych::DeviceKind;
use diptych::image::Encoding;
use diptych_train::pack::Source;

use super::{LimitArgs, count, one_of};

/// Train a model as a run file says
///
/// Prints the directory of the finished model. Ctrl-C writes a checkpoint and stops; `--resume`
/// continues from there. What of the data can't be used is passed over, counted and told, and the
/// exit code is 2.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Run file
    #[arg(value_name = "RUN.toml", value_hint = ValueHint::FilePath)]
    pub(crate) run: PathBuf,

    /// Continue from the run's last checkpoint
    #[arg(long)]
    pub(crate) resume: bool,

    /// Instead of training, learn a vocabulary from the run's texts and write it where `tokenizer`
    /// of the run file says
    #[arg(long, conflicts_with_all = ["resume", "strict"])]
    pub(crate) learn_tokenizer: bool,

    /// Stop at the first thing of the data that would be passed over
    #[arg(long)]
    pub(crate) strict: bool,

    /// Where the towers run
    #[arg(long, value_parser = one_of(&DeviceKind::NAMES), default_value = "cpu")]
    pub(crate) device: DeviceKind,
}

/// Make training shards from a table, class folders, COCO or Flickr captions
///
/// Writes WebDataset shards, `NAME-000000.tar` and so on, once all are whole. Files that are equal
/// are packed once, with the captions of all. What can't be used is passed over, counted and told,
/// and the exit code is 2.
#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// Table (.csv or .tsv), folder of a folder per class, captions_*.json or *.token.txt
    #[arg(value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    pub(crate) source: PathBuf,

    /// Folder for the shards
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,

    /// What SOURCE is [default: as its name or first line says]
    #[arg(long, value_parser = one_of(SOURCES))]
    pub(crate) format: Option<Source>,

    /// Folder that pictures are named in [default: SOURCE's]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) images: Option<PathBuf>,

    /// Column of pictures in a table [default: image, path or filepath]
    #[arg(long, value_name = "NAME")]
    pub(crate) image_column: Option<String>,

    /// Column of captions in a table [default: caption, text or title]
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,

    /// How the shards' names begin [default: as SOURCE's]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Samples in a shard
    #[arg(long, value_name = "N", default_value = "10000", value_parser = count(1, u32::MAX))]
    pub(crate) shard_size: usize,

    /// Shrink pictures whose shorter side has more pixels than S [default: leave files as they
    /// are]
    #[arg(long, value_name = "S", value_parser = count(1, 16_384))]
    pub(crate) resize: Option<usize>,

    /// How shrunk pictures are stored: JPEG of quality 90, or PNG or WebP without loss
    #[arg(long, value_parser = one_of(ENCODINGS), default_value = "jpeg", requires = "resize")]
    pub(crate) encoding: Encoding,

    #[command(flatten)]
    pub(crate) limit: LimitArgs,

    /// Stop at the first thing that would be passed over, and write nothing
    #[arg(long)]
    pub(crate) strict: bool,

    /// Print the report as one JSON object: samples, captions, duplicates, skipped, reasons
    /// (reason, count, example), shards, bytes
    #[arg(long)]
    pub(crate) json: bool,
}

const SOURCES: &[(&str, Source)] = &[
    ("table", Source::Table),
    ("folder", Source::Folder),
    ("coco", Source::Coco),
    ("flickr", Source::Flickr),
];
const ENCODINGS: &[(&str, Encoding)] = &[
    ("jpeg", Encoding::Jpeg),
    ("png", Encoding::Png),
    ("webp", Encoding::WebP),
];
