//! Up- and downsampling by a separable filter.
//!
//! Source: `upfirdn2d` of StyleGAN2 (Karras et al., arXiv 1912.04958).

use burn::module::Module;
use burn::tensor::Tensor;

use super::ops::filter;

/// Options of a [`Fir`], the same along rows and columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FirOptions {
    /// Upsampling: positions that each value becomes, itself and then zeros. 1 by default.
    pub up: usize,
    /// Downsampling: the first of so many filtered positions is kept. 1 by default.
    pub down: usize,
    /// Zeros before the first and after the last position; a negative number cuts off as many
    /// positions. 0 by default.
    pub padding: [isize; 2],
    /// Sum that the filter's values are scaled to. 1 keeps a map's brightness; for a map that is
    /// made larger, `up` does. 1 by default.
    pub gain: f32,
}

impl Default for FirOptions {
    fn default() -> Self {
        Self {
            up: 1,
            down: 1,
            padding: [0; 2],
            gain: 1.0,
        }
    }
}

/// A separable filter, without parameters.
///
/// StyleGAN2's is `[1, 3, 3, 1]`. Its blur after a transposed convolution has padding `[1, 1]` and
/// gain 2, its upsampling of pictures `up` 2, padding `[2, 1]` and gain 2, its downsampling `down`
/// 2 and padding `[1, 1]`.
#[derive(Module, Debug)]
pub struct Fir {
    #[module(skip)]
    fir: diptych_kernels::Fir,
}

impl Fir {
    /// A filter whose values are proportional to `taps`.
    ///
    /// # Panics
    /// If they sum up to 0, or `up` or `down` is 0.
    pub fn new(taps: &[f32], options: FirOptions) -> Self {
        let sum: f32 = taps.iter().sum();
        assert!(
            sum != 0.0 && options.up > 0 && options.down > 0,
            "not a filter: {taps:?}, {options:?}"
        );
        let fir = diptych_kernels::Fir {
            taps: taps.iter().map(|t| t / sum * options.gain).collect(),
            up: options.up,
            down: options.down,
            padding: options.padding,
        };
        Self { fir }
    }

    /// Maps `[N, H, W, C]` to `[N, H', W', C]`, where `H' = (up · H + padding − taps) / down + 1`,
    /// rounded down.
    ///
    /// # Panics
    /// If the map is smaller than the filter.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        filter(x, &self.fir)
    }
}
