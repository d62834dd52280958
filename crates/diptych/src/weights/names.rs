//! Names that people know models by → where they lie.
//!
//! Sources: `_MODELS` in OpenAI's `clip/clip.py`, commit d05afc4; `pretrained.py` of open_clip
//! 3.3.0.

use std::path::Path;

use super::describe::architecture;
use crate::{Error, Result};

/// The address of OpenAI's files.
pub(super) const OPENAI_FILES: &str = "https://openaipublic.azureedge.net/clip/models";

/// A model of OpenAI's: its name, its file, and the SHA-256 of that, which is in its address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OpenAi {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) sha256: &'static str,
}

impl OpenAi {
    /// The address of its file, below that of all of OpenAI's.
    pub(super) fn url(&self, of_all: &str) -> String {
        format!("{of_all}/{}/{}", self.sha256, self.file)
    }
}

const fn openai(name: &'static str, file: &'static str, sha256: &'static str) -> OpenAi {
    OpenAi { name, file, sha256 }
}

/// OpenAI's nine models.
pub(super) const OPENAI: [OpenAi; 9] = [
    openai(
        "RN50",
        "RN50.pt",
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
    ),
    openai(
        "RN101",
        "RN101.pt",
        "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
    ),
    openai(
        "RN50x4",
        "RN50x4.pt",
        "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd",
    ),
    openai(
        "RN50x16",
        "RN50x16.pt",
        "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa",
    ),
    openai(
        "RN50x64",
        "RN50x64.pt",
        "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c",
    ),
    openai(
        "ViT-B/32",
        "ViT-B-32.pt",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    ),
    openai(
        "ViT-B/16",
        "ViT-B-16.pt",
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
    ),
    openai(
        "ViT-L/14",
        "ViT-L-14.pt",
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
    ),
    openai(
        "ViT-L/14@336px",
        "ViT-L-14-336px.pt",
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
    ),
];

/// open_clip's pairs of an architecture and a training run, and the repository that has the
/// weights. Which GELU they have is in the repository's own configuration.
pub(super) const OPEN_CLIP: &[(&str, &str, &str)] = &[
    ("RN50", "openai", "timm/resnet50_clip.openai"),
    ("RN50", "yfcc15m", "timm/resnet50_clip.yfcc15m"),
    ("RN50", "cc12m", "timm/resnet50_clip.cc12m"),
    ("RN101", "openai", "timm/resnet101_clip.openai"),
    ("RN101", "yfcc15m", "timm/resnet101_clip.yfcc15m"),
    ("RN50x4", "openai", "timm/resnet50x4_clip.openai"),
    ("RN50x16", "openai", "timm/resnet50x16_clip.openai"),
    ("RN50x64", "openai", "timm/resnet50x64_clip.openai"),
    (
        "ViT-B-32",
        "openai",
        "timm/vit_base_patch32_clip_224.openai",
    ),
    (
        "ViT-B-32",
        "laion400m_e31",
        "timm/vit_base_patch32_clip_224.laion400m_e31",
    ),
    (
        "ViT-B-32",
        "laion400m_e32",
        "timm/vit_base_patch32_clip_224.laion400m_e32",
    ),
    (
        "ViT-B-32",
        "laion2b_e16",
        "timm/vit_base_patch32_clip_224.laion2b_e16",
    ),
    (
        "ViT-B-32",
        "laion2b_s34b_b79k",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
    ),
    (
        "ViT-B-32",
        "datacomp_xl_s13b_b90k",
        "laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K",
    ),
    (
        "ViT-B-32",
        "metaclip_400m",
        "timm/vit_base_patch32_clip_224.metaclip_400m",
    ),
    (
        "ViT-B-32",
        "metaclip_fullcc",
        "timm/vit_base_patch32_clip_224.metaclip_2pt5b",
    ),
    (
        "ViT-B-32-256",
        "datacomp_s34b_b86k",
        "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K",
    ),
    (
        "ViT-B-16",
        "openai",
        "timm/vit_base_patch16_clip_224.openai",
    ),
    (
        "ViT-B-16",
        "laion400m_e31",
        "timm/vit_base_patch16_clip_224.laion400m_e31",
    ),
    (
        "ViT-B-16",
        "laion400m_e32",
        "timm/vit_base_patch16_clip_224.laion400m_e32",
    ),
    (
        "ViT-B-16",
        "laion2b_s34b_b88k",
        "laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
    ),
    (
        "ViT-B-16",
        "datacomp_xl_s13b_b90k",
        "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K",
    ),
    (
        "ViT-B-16",
        "datacomp_l_s1b_b8k",
        "laion/CLIP-ViT-B-16-DataComp.L-s1B-b8K",
    ),
    ("ViT-B-16", "dfn2b", "apple/DFN2B-CLIP-ViT-B-16"),
    (
        "ViT-B-16",
        "metaclip_400m",
        "timm/vit_base_patch16_clip_224.metaclip_400m",
    ),
    (
        "ViT-B-16",
        "metaclip_fullcc",
        "timm/vit_base_patch16_clip_224.metaclip_2pt5b",
    ),
    (
        "ViT-L-14",
        "openai",
        "timm/vit_large_patch14_clip_224.openai",
    ),
    (
        "ViT-L-14",
        "laion400m_e31",
        "timm/vit_large_patch14_clip_224.laion400m_e31",
    ),
    (
        "ViT-L-14",
        "laion400m_e32",
        "timm/vit_large_patch14_clip_224.laion400m_e32",
    ),
    (
        "ViT-L-14",
        "laion2b_s32b_b82k",
        "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
    ),
    (
        "ViT-L-14",
        "datacomp_xl_s13b_b90k",
        "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K",
    ),
    (
        "ViT-L-14",
        "metaclip_400m",
        "timm/vit_large_patch14_clip_224.metaclip_400m",
    ),
    (
        "ViT-L-14",
        "metaclip_fullcc",
        "timm/vit_large_patch14_clip_224.metaclip_2pt5b",
    ),
    ("ViT-L-14", "dfn2b", "apple/DFN2B-CLIP-ViT-L-14"),
    ("ViT-L-14", "dfn2b_s39b", "apple/DFN2B-CLIP-ViT-L-14-39B"),
    (
        "ViT-L-14-336",
        "openai",
        "timm/vit_large_patch14_clip_336.openai",
    ),
    (
        "ViT-H-14",
        "laion2b_s32b_b79k",
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    ),
    (
        "ViT-H-14",
        "metaclip_fullcc",
        "timm/vit_huge_patch14_clip_224.metaclip_2pt5b",
    ),
    ("ViT-H-14", "dfn5b", "apple/DFN5B-CLIP-ViT-H-14"),
    ("ViT-H-14-378", "dfn5b", "apple/DFN5B-CLIP-ViT-H-14-378"),
    (
        "ViT-g-14",
        "laion2b_s12b_b42k",
        "laion/CLIP-ViT-g-14-laion2B-s12B-b42K",
    ),
    (
        "ViT-g-14",
        "laion2b_s34b_b88k",
        "laion/CLIP-ViT-g-14-laion2B-s34B-b88K",
    ),
    (
        "ViT-bigG-14",
        "laion2b_s39b_b160k",
        "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
    ),
    (
        "ViT-bigG-14",
        "metaclip_fullcc",
        "timm/vit_gigantic_patch14_clip_224.metaclip_2pt5b",
    ),
];

/// A model that is published.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// One of OpenAI's files.
    OpenAi(&'static OpenAi),
    /// A repository of the hub.
    Repository(String),
}

/// The model that is published as `name`: OpenAI's `ViT-B/32`, open_clip's
/// `ViT-B-32:laion2b_s34b_b79k`, or the hub's `ORGANISATION/NAME`. None, if it is none of these.
///
/// # Errors
/// [`Error::Model`] for a training run of open_clip's that is not in our table.
pub(super) fn published(name: &str) -> Result<Option<Published>> {
    if let Some(model) = OPENAI.iter().find(|model| model.name == name) {
        return Ok(Some(Published::OpenAi(model)));
    }
    if let Some((model, run)) = name.split_once(':') {
        // What its models are called with OpenAI's activation; the files say so themselves.
        let model = model.trim_end_matches("-quickgelu").replace('/', "-");
        let runs = OPEN_CLIP.iter().filter(|(known, ..)| *known == model);
        if let Some((.., repository)) = runs.clone().find(|(_, known, _)| *known == run) {
            return Ok(Some(Published::Repository((*repository).into())));
        }
        let runs: Vec<&str> = runs.map(|(_, run, _)| *run).collect();
        return if runs.is_empty() {
            Ok(None)
        } else {
            Err(Error::Model {
                name: name.into(),
                reason: format!("is not known; of {model} there are {}", runs.join(", ")),
            })
        };
    }
    let is_repository = is_repository(name) && !is_path(name);
    Ok(is_repository.then(|| Published::Repository(name.into())))
}

/// Whether a name could be a repository's: an organisation and a name.
///
/// Source: `validate_repo_id` in huggingface_hub's `utils/_validators.py`.
pub(super) fn is_repository(name: &str) -> bool {
    let part = |part: &str| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_edge = |c: char| "-.".contains(c);
        !part.is_empty()
            && part.chars().all(is_word)
            && !part.starts_with(is_edge)
            && !part.ends_with(is_edge)
    };
    let forbidden = name.contains("--") || name.contains("..") || name.ends_with(".git");
    let split = name.split_once('/');
    name.len() <= 96
        && !forbidden
        && split.is_some_and(|(organisation, name)| part(organisation) && part(name))
}

/// Whether a name that could be a repository's is meant for a path: of a file of weights, or in a
/// folder that is there.
pub(super) fn is_path(name: &str) -> bool {
    const FILES: [&str; 5] = [".pt", ".pth", ".bin", ".safetensors", ".json"];
    let folder = name.split_once('/').map(|(folder, _)| Path::new(folder));
    FILES.iter().any(|end| name.ends_with(end)) || folder.is_some_and(Path::is_dir)
}

/// The names by which weights of a known architecture are published.
pub(super) fn published_as(name: &str) -> Vec<String> {
    let is_it = |model: &&OpenAi| architecture(model.name).is_some_and(|(known, _)| known == name);
    let openai = OPENAI
        .iter()
        .filter(is_it)
        .map(|model| model.name.to_owned());
    let runs = OPEN_CLIP.iter().filter(|(known, ..)| *known == name);
    let runs = runs.map(|(model, run, _)| format!("{model}:{run}"));
    openai.chain(runs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_names_lead_to_their_files() {
        let repository = |name: &str| Some(Published::Repository(name.into()));
        assert!(OPENAI.iter().all(|model| model.sha256.len() == 64));
        for model in &OPENAI {
            assert_eq!(
                published(model.name).unwrap(),
                Some(Published::OpenAi(model))
            );
        }
        let laion = repository("laion/CLIP-ViT-B-32-laion2B-s34B-b79K");
        assert_eq!(published("ViT-B-32:laion2b_s34b_b79k").unwrap(), laion);
        assert_eq!(published("ViT-B/32:laion2b_s34b_b79k").unwrap(), laion);
        let dfn = repository("apple/DFN2B-CLIP-ViT-B-16");
        assert_eq!(published("ViT-B-16-quickgelu:dfn2b").unwrap(), dfn);
        let siglip = "google/siglip2-base-patch16-224";
        assert_eq!(published(siglip).unwrap(), repository(siglip));
        for (_, _, name) in OPEN_CLIP {
            assert!(is_repository(name), "{name}");
        }
        for name in ["ViT-B-32", "C:/models", "a/b/c", "runs/", "nothing"] {
            assert_eq!(published(name).unwrap(), None, "{name}");
        }
        let message = published("ViT-H-14:openai").unwrap_err().to_string();
        assert!(message.contains("laion2b_s32b_b79k"), "{message}");
        let names = published_as("ViT-L-14-336");
        assert_eq!(names, ["ViT-L/14@336px", "ViT-L-14-336:openai"]);
    }
}
