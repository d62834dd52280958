//! Convolutions of channels-last maps: plain, in groups, transposed, modulated.
//!
//! Sources: `nn.Conv2d` and `nn.ConvTranspose2d` of PyTorch; Karras et al., StyleGAN2, arXiv
//! 1912.04958, section 2.2.
//!
//! `N` inputs, `H` × `W` positions, `I` input and `O` output channels, `K` kernel sides (any, also
//! two), `G` groups.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Builder;
use super::ops::{Products, Slide, convolution, modulate, reciprocal_root, transposed_convolution};
use crate::Error;

/// Stride, padding, groups and bias of a convolution. The default is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionOptions {
    /// Input positions from one output position to the next, along both sides. In a transposed
    /// convolution: output positions from one input position to the next. 1 by default.
    pub stride: usize,
    /// Rows of zeros above and below, and columns of zeros left and right. A transposed
    /// convolution instead cuts as many off its output. 0 by default.
    pub padding: [usize; 2],
    /// Parts that the channels are split into, each with a kernel of its own. With as many groups
    /// as channels, each channel is convolved by itself. 1 by default.
    pub groups: usize,
    /// Whether a bias is added to each output channel. True by default.
    pub bias: bool,
}

impl Default for ConvolutionOptions {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: [0; 2],
            groups: 1,
            bias: true,
        }
    }
}

impl ConvolutionOptions {
    fn slide(self) -> Slide {
        Slide {
            stride: self.stride,
            padding: self.padding,
            groups: self.groups,
        }
    }

    fn bias(self, b: &mut Builder, path: &str) -> Result<Option<Param<Tensor<1>>>, Error> {
        if self.bias {
            b.param(format!("{path}.bias")).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// A convolution.
#[derive(Module, Debug)]
pub struct Convolution {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    slide: Slide,
    #[module(skip)]
    products: Products,
}

impl Convolution {
    /// The layer of `path.weight` `[O, I / G, K, K]` and, if it has one, `path.bias` `[O]`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, options: ConvolutionOptions) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: options.bias(b, path)?,
            slide: options.slide(),
            products: b.products(&format!("{path}.weight")),
        })
    }

    /// Maps `[N, H, W, I]` to `[N, H', W', O]`, where `H' = (H + 2 padding − K) / stride + 1`,
    /// rounded down.
    ///
    /// # Panics
    /// If the map has other channels or is smaller than the kernel.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        convolution(x, self.weight.val(), bias, self.slide, &self.products)
    }
}

/// A transposed convolution: the adjoint of a convolution, which makes maps larger.
#[derive(Module, Debug)]
pub struct TransposedConvolution {
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    slide: Slide,
    #[module(skip)]
    more: usize,
    #[module(skip)]
    products: Products,
}

impl TransposedConvolution {
    /// The layer of `path.weight` `[I, O / G, K, K]` and, if it has one, `path.bias` `[O]`.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, options: ConvolutionOptions) -> Result<Self, Error> {
        Ok(Self {
            weight: b.param(format!("{path}.weight"))?,
            bias: options.bias(b, path)?,
            slide: options.slide(),
            more: 0,
            products: b.products(&format!("{path}.weight")),
        })
    }

    /// Makes the output larger by so many rows below and columns on the right, fewer than the
    /// stride: PyTorch's `output_padding`.
    pub fn with_output_padding(mut self, more: usize) -> Self {
        self.more = more;
        self
    }

    /// Maps `[N, H, W, I]` to `[N, H', W', O]`, where
    /// `H' = (H − 1) · stride − 2 padding + K + output padding`.
    ///
    /// # Panics
    /// If the map has other channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        let weight = self.weight.val();
        transposed_convolution(x, weight, bias, self.slide, self.more, &self.products)
    }
}

/// Options of a [`ModulatedConvolution`]. The default is StyleGAN2's for a layer that keeps the
/// map's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModulationOptions {
    /// Zeros on each side of the map; not used if `up` is set. 1 by default.
    pub padding: usize,
    /// Whether the map is made larger, by a transposed convolution of stride 2 without padding:
    /// `H' = 2 H + K − 2`. A [`Fir`] has to follow. False by default.
    ///
    /// [`Fir`]: super::Fir
    pub up: bool,
    /// The ε in `√(Σ w'² + ε)`, by which an output channel is divided. With none there is no
    /// division, as in StyleGAN2's layers that make pixels. 1e-8 by default.
    pub demodulation: Option<f32>,
}

impl Default for ModulationOptions {
    fn default() -> Self {
        Self {
            padding: 1,
            up: false,
            demodulation: Some(1e-8),
        }
    }
}

/// StyleGAN2's convolution, whose weight a style scales for each picture:
/// `w'[o, i, k] = scale · style[i] · w[o, i, k]`, divided by `√(Σ w'² + ε)` over `i` and `k`.
///
/// The input is scaled instead of the weight, and the output divided, so that all pictures are
/// convolved with one weight: the same numbers, and much less work than a weight a picture.
#[derive(Module, Debug)]
pub struct ModulatedConvolution {
    weight: Param<Tensor<4>>,
    #[module(skip)]
    scale: f64,
    #[module(skip)]
    options: ModulationOptions,
    #[module(skip)]
    products: Products,
}

impl ModulatedConvolution {
    /// The layer of `path.weight` `[O, I, K, K]`; `scale` is `1 / √(I K²)`, the equalised learning
    /// rate's.
    ///
    /// # Errors
    /// If the source can't give a tensor, or gives one with another number of dimensions.
    pub fn build(b: &mut Builder, path: &str, options: ModulationOptions) -> Result<Self, Error> {
        let weight: Param<Tensor<4>> = b.param(format!("{path}.weight"))?;
        let [_, inputs, height, width] = weight.dims();
        Ok(Self {
            weight,
            scale: ((inputs * height * width) as f64).sqrt().recip(),
            options,
            products: b.products(&format!("{path}.weight")),
        })
    }

    /// Maps `[N, H, W, I]` and styles `[N, I]` to `[N, H', W', O]`.
    ///
    /// # Panics
    /// If the map or the styles have other channels, or there is not one style for each picture.
    pub fn forward(&self, x: Tensor<4>, style: Tensor<2>) -> Tensor<4> {
        let weight = self.weight.val(); // [O, I, K, K]
        let style = style * self.scale; // [N, I]
        let x = modulate(x, style.clone()); // [N, H, W, I]
        let slide = Slide {
            stride: if self.options.up { 2 } else { 1 },
            padding: [if self.options.up {
                0
            } else {
                self.options.padding
            }; 2],
            groups: 1,
        };
        let y = if self.options.up {
            let weight = weight.clone().swap_dims(0, 1); // [I, O, K, K]
            transposed_convolution(x, weight, None, slide, 0, &self.products)
        } else {
            convolution(x, weight.clone(), None, slide, &self.products)
        };
        let Some(epsilon) = self.options.demodulation else {
            return y;
        };
        let [outputs, inputs, height, width] = weight.dims();
        let squares: Tensor<2> = weight
            .square()
            .reshape([outputs, inputs, height * width])
            .sum_dim(2)
            .reshape([outputs, inputs]);
        let sums = style.square().matmul(squares.transpose()); // [N, O]
        modulate(y, reciprocal_root(sums + epsilon))
    }
}
