//! The command line as typed: names, short help, and what each single value may be.
//!
//! How options work together is decided in `commands`.

mod models;
mod search;
mod signed;
mod training;
mod values;

use std::path::PathBuf;

use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueHint};
use diptych::DeviceKind;
use diptych::image::{Decode, Interpolation, Order, ResizeMode};
use diptych::weights::DEFAULT_MODEL;

pub(crate) use models::{ConvertArgs, GetArgs, ModelsArgs, ModelsCommand, ShowArgs};
pub(crate) use search::{
    AddressArgs, AddressOnly, CompactArgs, DuplicatesArgs, ExportArgs, ForgetArgs, HitsArgs,
    ImportArgs, IndexArgs, IndexCommand, SearchArgs, SimilarArgs, StatusArgs,
};
pub(crate) use signed::explain;
pub(crate) use training::{PackArgs, TrainArgs};
use values::{context, count, one_of, template};

/// CLIP in Rust: pictures and texts in one space
///
/// Data goes to stdout, messages to stderr.
#[derive(Debug, Parser)]
#[command(name = "diptych", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Number of threads [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = count(1, 1024))]
    pub(crate) threads: Option<usize>,

    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// Ends every help text.
const EXIT_CODES: &str = "Exit code: 0 if all went well, 1 if a search found nothing, 2 if anything failed (other inputs \
                          are used nevertheless), 130 after Ctrl-C.";

/// The command line, with what every command's help says.
pub(crate) fn command() -> clap::Command {
    fn with_exit_codes(command: clap::Command) -> clap::Command {
        command
            .after_help(EXIT_CODES)
            .mut_subcommands(with_exit_codes)
    }
    with_exit_codes(Cli::command())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Classify(ClassifyArgs),
    Embed(EmbedArgs),
    Similarity(SimilarityArgs),
    Index(IndexArgs),
    Search(SearchArgs),
    Similar(SimilarArgs),
    Duplicates(DuplicatesArgs),
    Tokenize(TokenizeArgs),
    Preprocess(PreprocessArgs),
    Train(TrainArgs),
    Pack(PackArgs),
    Models(ModelsArgs),
    Convert(ConvertArgs),
    Demo(DemoArgs),
    Bench(BenchArgs),
    Completions(CompletionsArgs),
}

/// Say which of your labels fits each picture
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("any_labels")
    .args(["labels", "labels_file"])
    .required(true)
    .multiple(true))]
pub(crate) struct ClassifyArgs {
    /// Pictures, folders, or lists: `@FILE` has a path a line, `-` is such a list on stdin.
    /// Pictures are JPEG, PNG, WebP, GIF, BMP, TIFF or RAW; HEIC and AVIF with feature `heif`
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,

    /// Labels, separated by commas, or by `，` and `、`
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,

    /// File of labels, one a line; `-` is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) labels_file: Option<PathBuf>,

    /// Sentence for a label, which takes the place of `{}`; several are averaged
    /// [default: "a photo of a {}.", and "一张{}的照片。" if all labels are Chinese]
    #[arg(long = "template", value_name = "TEXT", value_parser = template)]
    pub(crate) templates: Vec<String>,

    /// What all labels are, such as "a type of pet": put behind the label in every template
    #[arg(long, value_name = "TEXT", value_parser = context)]
    pub(crate) context: Option<String>,

    /// Labels to print for each picture, best first [default: all]
    #[arg(short = 'k', long, value_name = "K", value_parser = count(1, u32::MAX))]
    pub(crate) top: Option<usize>,

    /// Print one JSON object a picture: path, predictions (label, probability, cosine); with
    /// `--sort-into` also sorted, where it is now
    #[arg(long, group = "format")]
    pub(crate) json: bool,

    /// Print a table separated by tabs: a line of names, then path, label, probability and cosine,
    /// a line a label
    #[arg(long, group = "format")]
    pub(crate) tsv: bool,

    /// Print the same table separated by commas
    #[arg(long, group = "format")]
    pub(crate) csv: bool,

    /// Put each picture into DIR/LABEL by its best label. Nothing is overwritten or removed:
    /// another file of the same name gets a number, and one that is there already stays the
    /// only one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) sort_into: Option<PathBuf>,

    /// With what: a copy, a second name of the same file, or a symbolic link
    #[arg(long, value_name = "HOW", value_parser = one_of(PLACINGS), default_value = "copy")]
    #[arg(requires = "sort_into")]
    pub(crate) sort_with: Placing,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
}

/// How a picture gets into the folder of its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placing {
    Copy,
    HardLink,
    SymbolicLink,
}

/// Write the embeddings of pictures or texts to a NumPy file
///
/// Pictures from folders and lists are told in `X.paths.txt`, a path a row. Pictures are decoded
/// exactly, as the references do, unless `--decode fast` says otherwise: an array is compared with
/// other programs'. `index` decodes fast: its vectors are compared with each other.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("inputs").args(["images", "texts", "stdin"]).required(true))]
pub(crate) struct EmbedArgs {
    /// Pictures, one row each; folders; or lists: `@FILE` has a path a line, `-` is such a list on
    /// stdin
    #[arg(long, num_args = 1.., value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) images: Vec<PathBuf>,

    /// File of texts, one a line and a row; `-` is stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) texts: Option<PathBuf>,

    /// The same as `--texts -`
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true)]
    pub(crate) stdin: Option<String>,

    /// File to write, `-` for stdout: f32 `[N, D]`, unit-norm rows in the order of the inputs
    #[arg(long, value_name = "X.npy", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,

    /// Leave the features as the towers give them, not unit-norm
    #[arg(long)]
    pub(crate) raw: bool,

    /// Cut texts that are too long for the model, instead of failing
    #[arg(long, conflicts_with = "images")]
    pub(crate) truncate: bool,

    /// Pass over inputs that can't be used, and write what the rows belong to beside the array:
    /// `X.paths.txt`, a path a line, or `X.texts.txt`; `--out` is then a plain file
    #[arg(long)]
    pub(crate) skip_bad: bool,

    /// Keep the rows in `X.npy.part` until all are there, and go on from those of an earlier call
    /// with the same options; to begin anew, remove that file
    #[arg(long)]
    pub(crate) resume: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
}

/// Compare pictures with texts: cosine and logit of each pair
#[derive(Debug, Args)]
pub(crate) struct SimilarityArgs {
    /// Pictures, folders, or lists: `@FILE` has a path a line, `-` is such a list on stdin
    #[arg(required = true, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(crate) images: Vec<PathBuf>,

    /// Text to compare with, any number of times; `--texts=TEXT` for one that begins with `-`
    #[arg(long, required = true, value_name = "TEXT")]
    pub(crate) texts: Vec<String>,

    /// Print one JSON object a picture: path, texts (text, cosine, logit)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
}

/// Print the token ids of texts, from start to end token
#[derive(Debug, Args)]
pub(crate) struct TokenizeArgs {
    /// Texts; `-` reads one a line from stdin
    #[arg(default_value = "-", value_name = "TEXT")]
    pub(crate) texts: Vec<String>,

    /// Print one JSON object a text: text, ids
    #[arg(long)]
    pub(crate) json: bool,

    /// Read each text as a JSON string, of any length unless one of the next two limits it
    #[arg(long)]
    pub(crate) json_input: bool,

    /// Cut texts that are too long, instead of failing; the end token is kept
    #[arg(long)]
    pub(crate) truncate: bool,

    /// Tokens that fit, start and end included [default: the model's]
    #[arg(long, value_name = "N", value_parser = count(2, u32::MAX))]
    pub(crate) context_length: Option<usize>,

    #[command(flatten)]
    pub(crate) model: DescriptionArgs,
}

/// Write pictures' pixels, as the image tower reads them, to a NumPy file
///
/// `bench --input` reads what this writes. Pictures from folders and lists are told in
/// `X.paths.txt`, a path a row.
#[derive(Debug, Args)]
pub(crate) struct PreprocessArgs {
    /// Pictures, folders, or lists: `@FILE` has a path a line, `-` is such a list on stdin
    #[arg(required = true, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub(crate) images: Vec<PathBuf>,

    /// File to write, `-` for stdout: f32 `[N, 3, S, S]`, normalised
    #[arg(long, value_name = "X.npy", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,

    /// When the picture becomes RGB: after resizing or before [default: the model's]
    #[arg(long, value_parser = one_of(ORDERS))]
    pub(crate) order: Option<Order>,

    /// Resizing filter [default: the model's]
    #[arg(long, value_parser = one_of(INTERPOLATIONS))]
    pub(crate) interpolation: Option<Interpolation>,

    /// How it becomes square: crop, distort or pad [default: the model's]
    #[arg(long, value_parser = one_of(RESIZE_MODES))]
    pub(crate) resize_mode: Option<ResizeMode>,

    /// Side S in pixels [default: the model's]
    #[arg(long, value_name = "S", value_parser = count(1, 4096))]
    pub(crate) size: Option<usize>,

    #[command(flatten)]
    pub(crate) model: DescriptionArgs,

    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
}

/// Draw a gallery, classify and search it, and write the result as a page
///
/// For a machine without pictures: some fifty everyday things, drawn by the program itself, each
/// classified among the labels of all. Prints how many were right. Drawings are not photographs, so
/// this shows the tool at work more than it measures the model.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Folder for gallery.html and pictures/: new, empty, or an earlier demo's
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "diptych-demo")]
    pub(crate) out: PathBuf,

    /// Print one JSON object: model, n_pictures, top_1, top_5, chance_top_1, chance_top_5,
    /// pictures (path, label, rank, predictions), searches (query, hits), page
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Measure how fast this machine encodes with a model
///
/// Pictures and texts of random values, one and 32 at a time; texts fill the model's context. Each
/// number is the median of calls after the first.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Time these pixels instead: f32 `[N, 3, S, S]`, as `preprocess` writes them, encoded
    /// together
    #[arg(long, value_name = "X.npy", value_hint = ValueHint::FilePath)]
    pub(crate) input: Option<PathBuf>,

    /// File for the embeddings that were timed: f32 `[N, D]`, unit-norm rows
    #[arg(long, value_name = "Y.npy", value_hint = ValueHint::FilePath, requires = "input")]
    pub(crate) out: Option<PathBuf>,

    /// Measure nothing else
    #[arg(long, value_parser = one_of(MEASURES), conflicts_with = "input")]
    pub(crate) only: Option<Measure>,

    /// Seconds to measure each number for
    #[arg(long, value_name = "S", value_parser = count(1, 3600), default_value = "3")]
    pub(crate) seconds: usize,

    /// Print one JSON object: model, precision, threads, limit_gops, images_per_s, texts_per_s,
    /// decodes_per_s, share_of_limit, peak_memory_mb
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// What `bench` can measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Images,
    Texts,
    Decode,
}

/// Print the completion script of a shell
///
/// bash: `diptych completions bash > ~/.local/share/bash-completion/completions/diptych`.
/// zsh: write it as `_diptych` into a folder of `$fpath`. fish:
/// `~/.config/fish/completions/diptych.fish`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell
    pub(crate) shell: clap_complete::Shell,
}

/// A model with weights.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModelArgs {
    /// Model: `default`, a checkpoint's directory or file, or the name of a published one
    #[arg(long, value_name = "NAME_OR_PATH", value_hint = ValueHint::DirPath)]
    #[arg(default_value = DEFAULT_MODEL)]
    pub(crate) model: String,

    /// Where the towers run
    #[arg(long, value_parser = one_of(&DeviceKind::NAMES), default_value = "cpu")]
    pub(crate) device: DeviceKind,

    /// What the towers compute in: `auto` is bf16 where the processor has instructions for it,
    /// else f32
    #[arg(long, value_parser = one_of(&diptych::Precision::NAMES), default_value = "auto")]
    pub(crate) precision: diptych::Precision,
}

/// A model that needs no weights.
#[derive(Debug, Args)]
pub(crate) struct DescriptionArgs {
    /// Model: `default`, a checkpoint's directory or file, or an architecture such as ViT-B-32
    #[arg(long, value_name = "NAME_OR_PATH", value_hint = ValueHint::DirPath)]
    #[arg(default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
}

/// How picture files are read.
#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// Leave pictures as stored, whatever their EXIF orientation
    #[arg(long)]
    pub(crate) no_orient: bool,

    /// Decode large JPEGs in full, or at the smallest of 1/2, 1/4 and 1/8 that the model needs
    #[arg(long, value_parser = one_of(DECODES), default_value = "exact")]
    pub(crate) decode: Decode,

    #[command(flatten)]
    pub(crate) limit: LimitArgs,
}

/// How large pictures may be.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct LimitArgs {
    /// Refuse pictures of which more pixels would be decoded, in millions; `fast` decodes fewer of
    /// large JPEGs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), default_value = "200")]
    pub(crate) max_megapixels: u32,
}

const MEASURES: &[(&str, Measure)] = &[
    ("images", Measure::Images),
    ("texts", Measure::Texts),
    ("decode", Measure::Decode),
];
const DECODES: &[(&str, Decode)] = &[("exact", Decode::Exact), ("fast", Decode::Fast)];

/// The name of a way to decode.
pub(crate) fn name_of(decode: Decode) -> &'static str {
    let named = DECODES.iter().find(|(_, value)| *value == decode);
    named.map_or("", |(name, _)| name)
}

const ORDERS: &[(&str, Order)] = &[("native", Order::Native), ("rgb-first", Order::RgbFirst)];
const INTERPOLATIONS: &[(&str, Interpolation)] = &[
    ("bicubic", Interpolation::Bicubic),
    ("bilinear", Interpolation::Bilinear),
];
const RESIZE_MODES: &[(&str, ResizeMode)] = &[
    ("shortest", ResizeMode::Shortest),
    ("squash", ResizeMode::Squash),
    ("longest", ResizeMode::Longest),
];

const PLACINGS: &[(&str, Placing)] = &[
    ("copy", Placing::Copy),
    ("link", Placing::HardLink),
    ("symlink", Placing::SymbolicLink),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_swallows_what_stands_behind_it() {
        fn check(command: &clap::Command) {
            let takes_files = command
                .get_positionals()
                .any(|arg| arg.get_possible_values().is_empty());
            for option in command.get_opts().filter(|_| takes_files) {
                let most = option.get_num_args().map_or(1, |n| n.max_values());
                let name = option.get_id();
                assert!(most <= 1, "{}: {name} takes {most}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        let mut command = command();
        command.build();
        check(&command);
    }
}
