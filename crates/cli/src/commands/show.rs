//! `diptych models show`: one model → what it is, what it costs, and where each part came from.

use std::path::Path;

use anyhow::Result;
use diptych::model::{ActivationOptions, Approximation, Layers};
use diptych::text::Tokenizer;
use diptych::weights::{
    Checkpoint, Description, Listing, Parts, Summary, Weights, catalog, describe, is_architecture,
    listed,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::local;
use super::models::Cost;
use crate::Status;
use crate::args::ShowArgs;
use crate::output::{Data, message, quoted};

pub(crate) fn run(args: &ShowArgs) -> Result<Status> {
    let name = &args.model;
    // What is on the disk, or is nothing, says so below.
    let listing = match listed(name) {
        Ok(listing) if !Path::new(name).exists() => listing,
        _ => None,
    };
    let summary = match &listing {
        // Nothing large is fetched to be shown.
        Some(listing) if listing.cached().is_none() => Summary {
            description: describe(&local(name, Parts::Description)?)?,
            weights: None,
        },
        None if is_architecture(name) => Checkpoint::summary(name)?,
        _ => Checkpoint::summary(&local(name, Parts::All)?)?,
    };
    summary.description.notes.iter().for_each(message);
    let shown = Shown::new(name, &summary, listing)?;
    let mut data = Data::new();
    if args.json {
        data.json(&shown)?
    } else {
        shown.print(&mut data, &summary.description)?
    }
    data.flush()?;
    Ok(Status::Done)
}

/// The line of JSON.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    model_cfg: Value,
    preprocess_cfg: Value,
    tokenizer: Value,
    #[serde(flatten)]
    cost: Cost,
    weights: Option<&'a Weights>,
    /// Names that the weights are published by, and where they come from, if there are none here.
    published: Vec<Published>,
    origins: Value,
}

#[derive(Serialize)]
struct Published {
    name: String,
    from: String,
}

impl From<Listing> for Published {
    fn from(Listing { name, from, .. }: Listing) -> Self {
        Self { name, from }
    }
}

/// Published models to offer where there are no weights: the one that was named, or all of an
/// architecture.
fn published(name: &str, summary: &Summary, listing: Option<Listing>) -> Vec<Published> {
    match listing {
        _ if summary.weights.is_some() => Vec::new(),
        Some(listing) => vec![listing.into()],
        None => {
            let is_it = |listing: &Listing| listing.architecture == Some(name);
            let all = catalog().into_iter().filter(is_it);
            all.map(Published::from).collect()
        }
    }
}

impl<'a> Shown<'a> {
    fn new(name: &'a str, summary: &'a Summary, listing: Option<Listing>) -> Result<Self> {
        let description = &summary.description;
        let preprocess = &description.preprocess;
        let tokenizer = &description.tokenizer;
        let context_length = description.config.text_cfg.context_length;
        Ok(Self {
            name,
            model_cfg: serde_json::to_value(&description.config)?,
            preprocess_cfg: json!({
                "size": preprocess.size,
                "mean": preprocess.mean,
                "std": preprocess.std,
                "interpolation": preprocess.interpolation,
                "resize_mode": preprocess.resize_mode,
                "fill_color": preprocess.fill,
                "order": preprocess.order,
            }),
            tokenizer: match tokenizer {
                Tokenizer::Clip(clip) => json!({
                    "kind": "clip",
                    "vocab_size": clip.vocab_size(),
                    "context_length": context_length,
                    "start": clip.start_id(),
                    "end": clip.end_id(),
                }),
                Tokenizer::Siglip(siglip) => json!({
                    "kind": "siglip",
                    "vocab_size": siglip.vocab_size(),
                    "context_length": context_length,
                    "pad": siglip.pad_id(),
                }),
            },
            cost: Cost::of(&description.config),
            weights: summary.weights.as_ref(),
            published: published(name, summary, listing),
            origins: serde_json::to_value(&description.origins)?,
        })
    }

    /// Says that there are no weights here, and how to fetch some.
    fn to_be_had(&self) -> String {
        match &self.published[..] {
            [] => "none: an architecture".into(),
            [Published { name, from }] if name == self.name => {
                format!("not on this machine; `diptych models get {name}` fetches them from {from}")
            }
            several => {
                let names: Vec<&str> = several.iter().map(|p| p.name.as_str()).collect();
                format!(
                    "none: an architecture; `diptych models get` fetches {}",
                    names.join(", ")
                )
            }
        }
    }

    /// For people.
    fn print(&self, data: &mut Data, description: &Description) -> Result<()> {
        let (config, origins) = (&description.config, &description.origins);
        let (vision, text) = (&config.vision_cfg, &config.text_cfg);
        let image_tower = match vision.layers {
            Layers::Vit(layers) => format!(
                "Vision Transformer, {layers} layers, width {}, {} heads, patch {}",
                vision.width,
                vision.width / vision.head_width,
                vision.patch_size.unwrap_or(vision.image_size),
            ),
            Layers::ResNet([a, b, c, d]) => {
                format!("ModifiedResNet {a}-{b}-{c}-{d}, width {}", vision.width)
            }
        };
        let tanh = ActivationOptions {
            approximate: Approximation::Tanh,
        };
        let activation = match (config.quick_gelu, text.act_kwargs) {
            (true, _) => "QuickGELU",
            (false, Some(options)) if options == tanh => "GELU by tanh",
            (false, _) => "GELU",
        };
        let million = |n: u64| n as f64 / 1e6;
        let preprocess = &self.preprocess_cfg;
        let word = |field: &str| preprocess[field].as_str().unwrap_or_default().to_owned();
        let lines = [
            ("model", self.name.to_owned()),
            ("image tower", image_tower),
            (
                "text tower",
                format!(
                    "Transformer, {} layers, width {}, {} heads",
                    text.layers, text.width, text.heads
                ),
            ),
            ("activation", activation.into()),
            ("embedding", config.embed_dim.to_string()),
            (
                "parameters",
                format!(
                    "{:.2} million: image {:.2}, text {:.2}",
                    million(self.cost.parameters),
                    million(self.cost.image_parameters),
                    million(self.cost.text_parameters)
                ),
            ),
            (
                "GFLOPs",
                format!(
                    "{:.3} a picture, {:.3} a text of {} tokens",
                    self.cost.image_gflops, self.cost.text_gflops, text.context_length
                ),
            ),
            (
                "preprocessing",
                format!(
                    "{} px, {}, {}, {}; mean {:?}, deviation {:?}",
                    description.preprocess.size,
                    word("interpolation"),
                    word("resize_mode"),
                    word("order"),
                    description.preprocess.mean,
                    description.preprocess.std
                ),
            ),
            (
                "tokenizer",
                format!(
                    "{} entries, {} tokens a text",
                    description.tokenizer.vocab_size(),
                    text.context_length
                ),
            ),
            (
                "weights",
                match &self.weights {
                    Some(w) => format!(
                        "{} in {}: {}",
                        w.dtypes.join(" and "),
                        w.container,
                        quoted(&w.path)
                    ),
                    None => self.to_be_had(),
                },
            ),
            ("architecture from", origins.config.clone()),
            ("preprocessing from", origins.preprocess.clone()),
            ("tokenizer from", origins.tokenizer.clone()),
        ];
        for (what, is) in lines {
            data.line(format_args!("{what:18}  {is}"))?;
        }
        Ok(())
    }
}
