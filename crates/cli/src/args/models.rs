//! The command line of what models there are, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use diptych::weights::{Dtype, LayoutKind};

use super::one_of;

/// List architectures and checkpoints: sizes, parameters, operations
///
/// Operations are those of one picture and of one text that fills its context, a
/// multiply-accumulate being two, as open_clip's model profile counts them. A checkpoint's
/// configuration and the header of its weights are read, not the weights.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,

    /// Checkpoints, or folders with checkpoints up to two levels below
    /// [default: the current folder, models and runs]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folders: Vec<PathBuf>,

    /// List what is published instead: OpenAI's models, open_clip's, some of the hub, and what of
    /// the hub is on this machine
    #[arg(long, conflicts_with = "folders")]
    pub(crate) published: bool,

    /// Print one JSON object a model: name, kind, image_size, embed_dim, context_length,
    /// parameters and gflops, also of each tower; with `--published` name, from, parameters,
    /// gflops, imagenet_top_1, imagenet_source, path, bytes
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    Show(ShowArgs),
    Get(GetArgs),
}

/// Download a published model, check it, and say where it lies
///
/// It is kept where Hugging Face's programs and OpenAI's keep theirs, and found there by all. What
/// was cut is gone on with.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Published model, as `diptych models --published` lists them, or any CLIP or SigLIP of the
    /// hub
    #[arg(value_name = "NAME")]
    pub(crate) model: String,

    /// Print one JSON object: name, path
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say what one model is, and where each of its parts came from
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Model: `default`, a checkpoint's directory or file, an architecture, or a published name
    #[arg(value_name = "NAME_OR_PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) model: String,

    /// Print one JSON object: name, model_cfg, preprocess_cfg, tokenizer, parameters, gflops,
    /// weights, published, origins
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write a checkpoint in another layout or number format
///
/// Reads every layout that `--model` takes. The result is a directory that Python's open_clip opens
/// as `local-dir:`, or one that transformers opens as a `CLIPModel`.
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// Checkpoint: `default`, a directory or file, or a published model's name
    #[arg(value_name = "NAME_OR_PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) model: String,

    /// Directory to write; an older checkpoint there is replaced
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: PathBuf,

    /// Number format of the weights [default: each tensor's own, and f32 for int8, which no Python
    /// program reads]
    #[arg(long, value_parser = one_of(DTYPES))]
    pub(crate) dtype: Option<Dtype>,

    /// Whose layout
    #[arg(long, value_parser = one_of(LAYOUTS), default_value = "open_clip")]
    pub(crate) layout: LayoutKind,
}

const DTYPES: &[(&str, Dtype)] = &[
    ("f32", Dtype::F32),
    ("f16", Dtype::F16),
    ("bf16", Dtype::Bf16),
    ("int8", Dtype::Int8),
];
const LAYOUTS: &[(&str, LayoutKind)] =
    &[("open_clip", LayoutKind::OpenClip), ("hf", LayoutKind::Hf)];
