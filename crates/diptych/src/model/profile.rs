//! The cost of an architecture: parameters and floating-point operations of each tower.
//!
//! Flow: `ClipConfig` → **profile** → tables of models.
//! Source: open_clip's `docs/model_profile.csv`, commit 3b37473, whose convention this is. A
//! multiply-accumulate is two operations. Only matrix products and convolutions count, attention's
//! two products among them. A text fills its context; the ResNet's attention pool projects and
//! attends at every position. Our towers do less: they compute nothing after a text's end and pool
//! with one query, which saves up to 3.5 % of a ResNet's total; those of inference also leave out
//! most of the last block.
//! Invariant: a function of the configuration alone; no count overflows, whatever `ClipConfig` lets
//! in.
//!
//! `S` image side, `P` patch side, `L` tokens or positions, `W` width, `D` embedding.

use super::config::{ClipConfig, ImagePool, Layers};
use super::parameters::parameters;
use super::stages::{BottleneckShape, EXPANSION};

/// The cost of a model, tower by tower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// The image tower, for one picture.
    pub image: TowerProfile,
    /// The text tower, for one text of full context length.
    pub text: TowerProfile,
    /// Trainable parameters of both towers, and those outside of them, such as the temperature.
    pub parameters: u64,
}

/// The cost of a tower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TowerProfile {
    /// Trainable parameters; batch norm's running statistics are none.
    pub parameters: u64,
    /// Billions of floating-point operations for one input.
    pub gflops: f64,
}

impl Profile {
    /// Counts `config`'s model.
    pub fn new(config: &ClipConfig) -> Self {
        let all = parameters(config);
        let count = |wanted: &dyn Fn(&str) -> bool| -> u64 {
            let trainable = all
                .iter()
                .filter(|p| !p.name.contains(".running_") && wanted(&p.name));
            let size = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
            trainable.map(|p| size(&p.shape)).sum()
        };
        let is_image = |name: &str| name.starts_with("visual.");
        let image = match config.vision_cfg.layers {
            Layers::Vit(layers) => vit(config, layers),
            Layers::ResNet(stages) => resnet(config, stages),
        };
        Self {
            image: TowerProfile {
                parameters: count(&is_image),
                gflops: gflops(image),
            },
            text: TowerProfile {
                parameters: count(&|name| !is_image(name) && !name.starts_with("logit_")),
                gflops: gflops(text(config)),
            },
            parameters: count(&|_| true),
        }
    }

    /// Billions of floating-point operations for a picture and a text.
    pub fn gflops(&self) -> f64 {
        self.image.gflops + self.text.gflops
    }
}

/// Billions of operations in so many multiply-accumulates.
fn gflops(macs: f64) -> f64 {
    2.0 * macs / 1e9
}

/// Multiply-accumulates of a product `[rows, inputs]` · `[inputs, outputs]`. In f64: the largest
/// configuration that is let in has a count beyond `u64`.
fn product(rows: usize, inputs: usize, outputs: usize) -> f64 {
    rows as f64 * inputs as f64 * outputs as f64
}

/// Residual attention blocks over `l` tokens of width `w`.
fn transformer(layers: usize, l: usize, w: usize, mlp_width: usize) -> f64 {
    let projections = 4.0 * product(l, w, w); // query, key, value, output
    let attention = 2.0 * product(l, l, w); // Q Kᵀ and its weights times V
    let mlp = 2.0 * product(l, w, mlp_width);
    layers as f64 * (projections + attention + mlp)
}

fn text(config: &ClipConfig) -> f64 {
    let t = &config.text_cfg;
    let blocks = transformer(t.layers, t.context_length, t.width, config.text_mlp_width());
    blocks + product(1, t.width, config.embed_dim)
}

fn vit(config: &ClipConfig, layers: usize) -> f64 {
    let v = &config.vision_cfg;
    let patch = v.patch_size.unwrap_or(v.image_size);
    let patches = (v.image_size / patch).pow(2);
    let embedding = product(patches, 3 * patch * patch, v.width);
    let (w, mlp) = (v.width, config.vision_mlp_width());
    let blocks = |tokens: usize| transformer(layers, tokens, w, mlp);
    match v.pool_type {
        ImagePool::Tok => embedding + blocks(patches + 1) + product(1, w, config.embed_dim),
        ImagePool::Map => {
            // One query: it is projected, and so are keys, values and what it finds.
            let pool = 2.0 * product(1, w, w) + 2.0 * product(patches, w, w);
            let attention = 2.0 * product(1, patches, w);
            embedding + blocks(patches) + pool + attention + 2.0 * product(1, w, mlp)
        }
    }
}

fn resnet(config: &ClipConfig, stages: [usize; 4]) -> f64 {
    let v = &config.vision_cfg;
    let mut side = v.image_size / 2;
    let half = v.width / 2;
    let convolution = |side: usize, kernel: usize, inputs: usize, outputs: usize| {
        product(side * side, kernel * kernel * inputs, outputs)
    };
    let mut macs = convolution(side, 3, 3, half)
        + convolution(side, 3, half, half)
        + convolution(side, 3, half, v.width);
    side /= 2;
    for (stage, &blocks) in stages.iter().enumerate() {
        for block in 0..blocks {
            let shape = BottleneckShape::new(stage, block, v.width);
            let (inputs, inner) = (shape.inputs, shape.inner);
            // The pool that halves the side comes after the 3×3 convolution.
            macs += convolution(side, 1, inputs, inner) + convolution(side, 3, inner, inner);
            side /= shape.stride;
            macs += convolution(side, 1, inner, inner * EXPANSION);
            if shape.downsample() {
                macs += convolution(side, 1, inputs, inner * EXPANSION);
            }
        }
    }
    let (l, w) = (side * side + 1, v.width * 32);
    let projections = 3.0 * product(l, w, w) + product(l, w, config.embed_dim);
    macs + projections + 2.0 * product(l, l, w)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::describe;

    #[test]
    fn known_architectures_cost_what_open_clip_publishes() {
        // Millions of parameters and billions of operations, image and text, from open_clip's
        // `docs/model_profile.csv`, commit 3b37473.
        let published = [
            ("RN50", 102.01, [38.32, 63.69], [12.22, 5.96]),
            ("RN101", 119.69, [56.26, 63.43], [19.54, 5.96]),
            ("RN50x4", 178.3, [87.14, 91.16], [42.56, 9.27]),
            ("RN50x16", 290.98, [167.33, 123.65], [149.39, 13.3]),
            ("RN50x64", 623.26, [420.38, 202.88], [529.11, 23.55]),
            ("ViT-B-32", 151.28, [87.85, 63.43], [8.82, 5.96]),
            ("ViT-B-16", 149.62, [86.19, 63.43], [35.13, 5.96]),
            ("ViT-L-14", 427.62, [303.97, 123.65], [162.03, 13.3]),
            ("ViT-L-14-336", 427.94, [304.29, 123.65], [381.92, 13.3]),
        ];
        // Both are rounded to a hundredth there.
        let check = |what: &str, got: f64, want: f64| {
            assert!(
                (got - want).abs() < 0.0051,
                "{what}: {got}, published {want}"
            );
        };
        for (name, total, parameters, gflops) in published {
            let profile = Profile::new(&describe(name).unwrap().config);
            check(name, profile.parameters as f64 / 1e6, total);
            for (i, tower) in [profile.image, profile.text].into_iter().enumerate() {
                check(name, tower.parameters as f64 / 1e6, parameters[i]);
                check(name, tower.gflops, gflops[i]);
            }
            assert_eq!(profile.gflops(), profile.image.gflops + profile.text.gflops);
        }
    }

    #[test]
    fn the_largest_configuration_has_a_finite_cost() {
        let most = 1 << 20;
        let context = 1 << 16;
        for (layers, size) in [("4096", 1 << 8), ("[4096,4096,4096,4096]", 1 << 13)] {
            let json = format!(
                r#"{{"embed_dim":{most},"vision_cfg":{{"image_size":{size},"layers":{layers},"width":{most},"patch_size":1,"mlp_ratio":64}},
                    "text_cfg":{{"context_length":{context},"vocab_size":{most},"width":{most},"heads":1,"layers":4096,"mlp_ratio":64}}}}"#
            );
            let config =
                ClipConfig::from_json("c.json", serde_json::from_str(&json).unwrap()).unwrap();
            let profile = Profile::new(&config);
            assert!(profile.gflops().is_finite());
            assert!(
                profile.gflops() * 1e9 > u64::MAX as f64,
                "more than u64 holds"
            );
            let towers = profile
                .image
                .parameters
                .checked_add(profile.text.parameters);
            assert_eq!(
                towers.unwrap() + 1,
                profile.parameters,
                "and the temperature"
            );
        }
    }
}
