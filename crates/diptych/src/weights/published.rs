//! Published models: a list to choose from, and the files of a model that is opened by its name.

use std::path::PathBuf;

use super::describe::architecture;
use super::names::{OPEN_CLIP, OPENAI, OPENAI_FILES, Published, published};
#[cfg(not(feature = "hub"))]
use crate::Error;
use crate::Result;

/// The files of a model that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Architecture, preprocessing, tokenizer: small files.
    Description,
    /// Its weights, too.
    All,
}

/// A published model.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The name that it is opened by.
    pub name: String,
    /// Its architecture, if that is one of [`architectures`](super::architectures).
    pub architecture: Option<&'static str>,
    /// Where its files come from: an address, or a repository of the hub.
    pub from: String,
    /// Zero-shot top-1 accuracy on ImageNet as [`IMAGENET_SOURCE`] reports it, if it is known
    /// here.
    pub imagenet_top_1: Option<f64>,
}

/// Where the accuracies of [`catalog`] are reported.
pub const IMAGENET_SOURCE: &str = "docs/openclip_results.csv of open_clip";

/// Accuracies on ImageNet by names in [`catalog`], as [`IMAGENET_SOURCE`] has them.
const IMAGENET: &[(&str, f64)] = &[
    ("RN50:openai", 0.5982),
    ("RN101:openai", 0.6228),
    ("RN50x4:openai", 0.6627),
    ("RN50x16:openai", 0.7072),
    ("RN50x64:openai", 0.7391),
    ("ViT-B-32:openai", 0.6332),
    ("ViT-B-16:openai", 0.6834),
    ("ViT-L-14:openai", 0.7554),
    ("ViT-L-14-336:openai", 0.7656),
    ("ViT-B-32:laion400m_e32", 0.6293),
    ("ViT-B-32:laion2b_s34b_b79k", 0.6656),
    ("ViT-B-32:datacomp_xl_s13b_b90k", 0.6917),
    ("ViT-B-32:metaclip_400m", 0.6558),
    ("ViT-B-32:metaclip_fullcc", 0.6766),
    ("ViT-B-32-256:datacomp_s34b_b86k", 0.7281),
];

/// Repositories of the hub that are no pair of open_clip's: OpenAI's models as transformers has
/// them, and one for texts in many languages.
const HUB: [(&str, Option<&str>); 5] = [
    ("openai/clip-vit-base-patch32", Some("ViT-B-32")),
    ("openai/clip-vit-base-patch16", Some("ViT-B-16")),
    ("openai/clip-vit-large-patch14", Some("ViT-L-14")),
    ("openai/clip-vit-large-patch14-336", Some("ViT-L-14-336")),
    ("google/siglip2-base-patch16-224", None),
];

/// Published models by the names that they are opened by: OpenAI's, open_clip's pairs of an
/// architecture and a training run, and some repositories of the hub, of which any other opens as
/// well.
#[must_use]
pub fn catalog() -> Vec<Listing> {
    let openai = OPENAI
        .iter()
        .map(|model| (model.name.to_owned(), Published::OpenAi(model)));
    let repository = |name: &str| Published::Repository(name.to_owned());
    let pairs = OPEN_CLIP.iter();
    let pairs = pairs.map(|(model, run, of)| (format!("{model}:{run}"), repository(of)));
    let hub = HUB
        .iter()
        .map(|(name, _)| ((*name).to_owned(), repository(name)));
    let all = openai.chain(pairs).chain(hub);
    all.map(|(name, published)| listing(&name, &published))
        .collect()
}

/// The published model called `name`; none, if nothing is published by that name.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) for a training run of open_clip's that is not known.
pub fn listed(name: &str) -> Result<Option<Listing>> {
    Ok(published(name)?.map(|published| listing(name, &published)))
}

/// Describes `published`, the model that is called `name`.
pub(super) fn listing(name: &str, published: &Published) -> Listing {
    let known = |name: &str| architecture(name).map(|(known, _)| known);
    let (architecture, from) = match published {
        Published::OpenAi(model) => (known(model.name), model.url(OPENAI_FILES)),
        Published::Repository(repository) => {
            let of_hub = HUB.iter().find(|(name, _)| name == repository);
            let of_pair = name.split_once(':').and_then(|(model, _)| known(model));
            let architecture = of_pair.or(of_hub.and_then(|(_, architecture)| *architecture));
            (architecture, repository.clone())
        }
    };
    // OpenAI's weights are the same wherever they lie.
    let run = name.split_once(':').map_or("openai", |(_, run)| run);
    let pair = match architecture {
        Some(architecture) => format!("{architecture}:{run}"),
        None => name.to_owned(),
    };
    let reported = IMAGENET.iter().find(|(name, _)| *name == pair);
    Listing {
        name: name.to_owned(),
        architecture,
        from,
        imagenet_top_1: reported.map(|(_, share)| *share),
    }
}

/// Brings the model called `name` onto this machine, and returns its path. A download takes minutes
/// and reports no progress.
#[cfg(feature = "hub")]
pub(super) fn obtained(name: &str, published: Option<&Published>, parts: Parts) -> Result<PathBuf> {
    use std::ops::ControlFlow;
    let download =
        |published| super::hub::download(published, parts, &mut |_| ControlFlow::Continue(()));
    let place = published.map(download).transpose()?.flatten();
    place.ok_or_else(|| super::resolve::no_weights(name.to_owned(), None))
}

/// Refuses, since this build downloads nothing.
#[cfg(not(feature = "hub"))]
pub(super) fn obtained(name: &str, _: Option<&Published>, _: Parts) -> Result<PathBuf> {
    Err(Error::Hub {
        name: name.to_owned(),
        reason: "this program was built without the feature `hub`, so it downloads nothing; wanted a checkpoint's \
                 directory or file"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_every_name_once_and_every_figure_a_name() {
        let catalog = catalog();
        assert_eq!(catalog.len(), 9 + 44 + HUB.len());
        let mut names: Vec<&str> = catalog.iter().map(|model| model.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), catalog.len());
        assert!(IMAGENET.iter().all(|(name, _)| names.contains(name)));
        let of = |name: &str| listed(name).unwrap().unwrap();
        let b32 = of("ViT-B/32");
        assert_eq!(b32.architecture, Some("ViT-B-32"));
        assert_eq!(b32.imagenet_top_1, Some(0.6332));
        assert!(b32.from.ends_with("/ViT-B-32.pt"), "{}", b32.from);
        let hub = of("openai/clip-vit-base-patch32");
        assert_eq!((hub.imagenet_top_1, hub.from), (Some(0.6332), hub.name));
        let laion = of("ViT-B-32:laion2b_s34b_b79k");
        assert_eq!(laion.from, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K");
        assert_eq!(laion.imagenet_top_1, Some(0.6656));
        assert_eq!(
            of("ViT-B/32:laion2b_s34b_b79k").imagenet_top_1,
            Some(0.6656)
        );
        // Trained otherwise, and no figure is known.
        assert_eq!(of("ViT-B-16:dfn2b").imagenet_top_1, None);
        assert_eq!(of("us/own").imagenet_top_1, None);
        assert_eq!(listed("ViT-B-32").unwrap(), None);
    }
}
