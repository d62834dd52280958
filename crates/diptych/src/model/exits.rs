//! Exits: features that leave a tower before its end, or by another form of its last block. Here
//! are their names and shapes.
//!
//! Source: `forward_intermediates` of open_clip's towers, 3.3.0; for the dense forms the papers
//! that [`DenseForm`] names. Invariant: nothing is computed here; the engine and the differentiable
//! towers do that.
//!
//! `N` inputs, `L` tokens, `C` channels, `D` embedding.

use std::fmt;

use super::{ClipConfig, ImagePool, Layers};
use crate::image::Size;
use crate::{Error, Result};

/// Features of an image tower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ImageExit {
    /// Features of the whole picture, `[N, 1, D]`: those of [`crate::Clip::image_features`], but at
    /// any size of picture.
    Pooled,
    /// Every token after a block of a Vision Transformer (from 0), or the map after a stage of a
    /// ModifiedResNet: 0 is its stem, 1 to 4 are `layer1` to `layer4`.
    After {
        /// The block or stage.
        index: usize,
        /// The last step for these tokens; always [`Finish::None`] for a ModifiedResNet.
        finish: Finish,
    },
    /// Every token after the last block of a Vision Transformer in another form, then the final
    /// norm and the projection.
    Dense(DenseForm),
    /// The pooling by attention as if it attended to each position alone: a ModifiedResNet's
    /// `c_proj(v_proj(x))` without positions (MaskCLIP, arXiv 2112.01071), and SigLIP's head
    /// likewise.
    PoolValues,
}

/// Every token of texts after a block (from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextExit {
    /// The block.
    pub after: usize,
    /// The last step for these tokens.
    pub finish: Finish,
}

/// The last step for tokens that leave a tower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// Nothing.
    #[default]
    None,
    /// The tower's final layer norm.
    Norm,
    /// The final layer norm, then the projection to the embedding. A tower without a projection, as
    /// SigLIP's image tower, has the norm alone.
    Project,
}

/// The last block of a Vision Transformer in a form that keeps what each patch is about.
///
/// With `h = ln_1(x)`, its projections `q`, `k`, `v`, and the output's projection `o`:
/// `y = o(attention(q, k, v))`. If `residual`, `x` is added to `y`; then, if `mlp`, `mlp(ln_2(y))`
/// is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseForm {
    /// Replaces `softmax(q kᵀ / √d) v`.
    pub attention: DenseAttention,
    /// Whether `x` is added.
    pub residual: bool,
    /// Whether the MLP follows.
    pub mlp: bool,
}

/// A replacement of attention in the last block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DenseAttention {
    /// `v`: each token attends to itself.
    Values,
    /// `softmax(q qᵀ / √d) v`.
    Queries,
    /// `(softmax(q qᵀ / √d) + softmax(k kᵀ / √d)) v`, a sum, not a mean.
    QueriesAndKeys,
    /// `softmax(k kᵀ / √d + w) v`, where `w` of two patches `r` apart is `exp(-r² / (2 σ²))`, and 0
    /// for the class token.
    KeysNearby {
        /// σ, in patches.
        deviation: f32,
    },
}

impl Finish {
    /// All of them, by their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("none", Self::None),
        ("norm", Self::Norm),
        ("project", Self::Project),
    ];
}

impl DenseForm {
    /// The published ones, by their names.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("mask_clip", Self::MASK_CLIP),
        ("sclip", Self::SCLIP),
        ("clear_clip", Self::CLEAR_CLIP),
        ("na_clip", Self::NA_CLIP),
        ("values_alone", Self::VALUES_ALONE),
    ];

    /// MaskCLIP (arXiv 2112.01071), as its repository has it for Vision Transformers: with residual
    /// and MLP.
    pub const MASK_CLIP: Self = Self::with_all(DenseAttention::Values);

    /// SCLIP (arXiv 2312.01597).
    pub const SCLIP: Self = Self::with_all(DenseAttention::QueriesAndKeys);

    /// ClearCLIP (arXiv 2407.12442).
    pub const CLEAR_CLIP: Self = Self::alone(DenseAttention::Queries);

    /// NACLIP (arXiv 2404.08181), σ = 5.
    pub const NA_CLIP: Self = Self::alone(DenseAttention::KeysNearby { deviation: 5.0 });

    /// MaskCLIP as ClearCLIP's tables have it: the values alone.
    pub const VALUES_ALONE: Self = Self::alone(DenseAttention::Values);

    const fn with_all(attention: DenseAttention) -> Self {
        Self {
            attention,
            residual: true,
            mlp: true,
        }
    }

    const fn alone(attention: DenseAttention) -> Self {
        Self {
            attention,
            residual: false,
            mlp: false,
        }
    }
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> Option<&'static str> {
    let named = names.iter().find(|(_, named)| named == value);
    named.map(|(name, _)| *name)
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self).unwrap_or_default())
    }
}

impl fmt::Display for ImageExit {
    /// `after.3.norm`, `clear_clip`, `pooled`, …
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Pooled => f.write_str("pooled"),
            Self::PoolValues => f.write_str("pool_values"),
            Self::After { index, finish } => write!(f, "after.{index}.{finish}"),
            Self::Dense(form) => match name_of(&DenseForm::NAMES, form) {
                Some(name) => f.write_str(name),
                None => write!(f, "{form:?}"),
            },
        }
    }
}

impl fmt::Display for TextExit {
    /// `text.3.norm`
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "text.{}.{}", self.after, self.finish)
    }
}

/// The rows and columns that a picture's positions lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// From top to bottom.
    pub rows: usize,
    /// From left to right.
    pub columns: usize,
}

impl Grid {
    /// Number of positions.
    pub const fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Whether there is no position.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Weights of positions near each other, `[L, L]` with `prefix` tokens before the grid's:
    /// NACLIP's `w`.
    pub(crate) fn nearness(self, prefix: usize, deviation: f32) -> Vec<f32> {
        let l = prefix + self.len();
        let place = |token: usize| {
            let patch = token.checked_sub(prefix)?;
            Some((patch / self.columns, patch % self.columns))
        };
        let weight = |a: usize, b: usize| match (place(a), place(b)) {
            (Some(a), Some(b)) => {
                let square = a.0.abs_diff(b.0).pow(2) + a.1.abs_diff(b.1).pow(2);
                (-(square as f32) / (2.0 * deviation * deviation)).exp()
            }
            _ => 0.0,
        };
        (0..l * l).map(|i| weight(i / l, i % l)).collect()
    }
}

/// Features of positions of pictures, `[N, prefix + rows · columns, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMaps {
    /// Row by row.
    pub values: Vec<f32>,
    /// Tokens before the grid's: a class token or none.
    pub prefix: usize,
    /// Rows and columns that the positions form in the picture; they are stored row by row.
    pub grid: Grid,
    /// Features of a position, `C`.
    pub channels: usize,
}

impl FeatureMaps {
    /// Positions of a picture, prefix included.
    pub fn positions(&self) -> usize {
        self.prefix + self.grid.len()
    }

    /// The features of a picture's grid, `[rows · columns, C]`, picture by picture.
    pub fn grids(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        let pictures = self.values.chunks_exact(self.positions() * self.channels);
        pictures.map(|picture| &picture[self.prefix * self.channels..])
    }

    /// The features of each picture's class token, if it has one.
    pub fn class(&self) -> impl Iterator<Item = &[f32]> {
        let pictures = self.values.chunks_exact(self.positions() * self.channels);
        pictures.filter_map(|picture| picture.get(..self.channels).filter(|_| self.prefix > 0))
    }
}

/// Features of the tokens of texts, `[N, L, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenFeatures {
    /// Row by row. If a model reads nothing after a text's end, the features there are 0.
    pub values: Vec<f32>,
    /// Tokens of a text, `L`, padding included.
    pub length: usize,
    /// Features of a token, `C`.
    pub channels: usize,
}

/// The shape of an image tower's features at an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageShape {
    pub(crate) prefix: usize,
    pub(crate) grid: Grid,
    pub(crate) channels: usize,
}

impl ImageExit {
    /// Every exit that an image tower has for pictures of `size`, the dense forms as published.
    pub fn all(config: &ClipConfig, size: Size) -> Vec<Self> {
        let layers = match config.vision_cfg.layers {
            Layers::Vit(layers) => layers,
            Layers::ResNet(stages) => stages.len() + 1,
        };
        let after = |index| Finish::NAMES.map(|(_, finish)| Self::After { index, finish });
        let dense = DenseForm::NAMES.map(|(_, form)| Self::Dense(form));
        let all = (0..layers).flat_map(after).chain(dense);
        let all = all.chain([Self::Pooled, Self::PoolValues]);
        all.filter(|exit| exit.shape(config, size).is_ok())
            .collect()
    }

    /// Checks that a tower has this exit for pictures of `size`.
    ///
    /// # Errors
    /// [`Error::Exit`] if it has no such exit, or takes no such pictures.
    pub fn check(self, config: &ClipConfig, size: Size) -> Result<()> {
        self.shape(config, size).map(|_| ())
    }

    /// Number of blocks or stages, out of `all`, that must run for `exits`. The exit of index 0
    /// needs `first` of them: 1 in a Vision Transformer (its first block), 0 in a ModifiedResNet
    /// (its stem).
    pub(crate) fn depth(exits: &[Self], first: usize, all: usize) -> usize {
        let depths = exits.iter().map(|exit| match exit {
            Self::After { index, .. } => index + first,
            Self::Pooled | Self::Dense(_) | Self::PoolValues => all,
        });
        depths.max().unwrap_or(0)
    }

    /// The shape of its features for pictures of `size`.
    ///
    /// # Errors
    /// [`Error::Exit`] if the tower has no such exit, or takes no such pictures.
    pub(crate) fn shape(self, config: &ClipConfig, size: Size) -> Result<ImageShape> {
        let refuse = |reason: String| Error::Exit {
            exit: self.to_string(),
            reason,
        };
        let tower = Tower::new(config, size).map_err(refuse)?;
        let shape = |channels| ImageShape {
            prefix: tower.prefix,
            grid: tower.grid,
            channels,
        };
        let vision = &config.vision_cfg;
        let dim = config.embed_dim;
        match (self, vision.layers) {
            (Self::Pooled, _) => Ok(ImageShape {
                prefix: 0,
                grid: Grid {
                    rows: 1,
                    columns: 1,
                },
                channels: dim,
            }),
            (Self::After { index, finish }, Layers::Vit(layers)) if index < layers => {
                Ok(shape(match finish {
                    Finish::None | Finish::Norm => vision.width,
                    Finish::Project => dim,
                }))
            }
            (Self::After { .. }, Layers::Vit(layers)) => {
                Err(refuse(format!("this tower has blocks 0 to {}", layers - 1)))
            }
            (
                Self::After {
                    index: index @ ..=4,
                    finish: Finish::None,
                },
                Layers::ResNet(_),
            ) => {
                // Each stage but the first halves the stem's map, which is of a quarter of the
                // picture.
                let scale = 8 >> (index.max(1) - 1);
                Ok(ImageShape {
                    prefix: 0,
                    grid: Grid {
                        rows: tower.grid.rows * scale,
                        columns: tower.grid.columns * scale,
                    },
                    channels: match index {
                        0 => vision.width,
                        stage => (vision.width * 4) << (stage - 1),
                    },
                })
            }
            (Self::After { .. }, Layers::ResNet(_)) => Err(refuse(
                "a ModifiedResNet has a stem (0) and stages 1 to 4, and no final norm".into(),
            )),
            (Self::Dense(_), Layers::ResNet(_)) => Err(refuse(
                "a ModifiedResNet has no blocks with attention; its dense features are `PoolValues`"
                    .into(),
            )),
            (Self::Dense(form), Layers::Vit(_)) => match form.attention {
                DenseAttention::KeysNearby { deviation }
                    if !(deviation > 0.0 && deviation.is_finite()) =>
                {
                    Err(refuse("the deviation is to be more than 0".into()))
                }
                _ => Ok(shape(dim)),
            },
            (Self::PoolValues, Layers::Vit(_)) if vision.pool_type == ImagePool::Tok => {
                Err(refuse(
                    "this tower pools by its class token, not by attention; its dense features are `Dense`"
                        .into(),
                ))
            }
            (Self::PoolValues, _) => Ok(shape(dim)),
        }
    }
}

/// The last map of a tower.
struct Tower {
    prefix: usize,
    grid: Grid,
}

/// Pixels that a position of a ModifiedResNet's last map stands for, along either side.
pub(crate) const RESNET_STRIDE: usize = 32;

impl Tower {
    fn new(config: &ClipConfig, Size { height, width }: Size) -> Result<Self, String> {
        let vision = &config.vision_cfg;
        let (prefix, side) = match vision.layers {
            Layers::Vit(_) => {
                let side = vision.patch_size.unwrap_or(vision.image_size);
                (usize::from(vision.pool_type == ImagePool::Tok), side)
            }
            Layers::ResNet(_) => (0, RESNET_STRIDE),
        };
        let grid = Grid {
            rows: height / side,
            columns: width / side,
        };
        if grid.is_empty() {
            return Err(format!(
                "pictures of {width}×{height} are smaller than {side}×{side}"
            ));
        }
        let is_resnet = matches!(vision.layers, Layers::ResNet(_));
        if is_resnet && (height % side, width % side) != (0, 0) {
            return Err(format!(
                "pictures are {width}×{height}, wanted multiples of {side}"
            ));
        }
        Ok(Self { prefix, grid })
    }
}

impl TextExit {
    /// Features of a token.
    ///
    /// # Errors
    /// [`Error::Exit`] if the tower has no such block.
    pub fn channels(self, config: &ClipConfig) -> Result<usize> {
        let text = &config.text_cfg;
        if self.after >= text.layers {
            return Err(Error::Exit {
                exit: self.to_string(),
                reason: format!("this tower has blocks 0 to {}", text.layers - 1),
            });
        }
        Ok(match self.finish {
            Finish::None | Finish::Norm => text.width,
            Finish::Project => config.embed_dim,
        })
    }
}
