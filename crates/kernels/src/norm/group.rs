//! Group norm: each picture's groups of channels by their own statistics, forward and backward.
//!
//! Source: Wu & He, arXiv 1803.08494, with PyTorch's conventions: ε inside the root, the biased
//! variance. The backward takes the statistics anew.
//!
//! `N` pictures, `P` positions, `C` channels, `G` groups.

use super::{NormGradients, Wide, add, add_gradients, add_squares, affine, input_gradients};
use crate::buffer::{fill, fill_and};
use crate::isa::Isa;

/// The shape of a group norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    /// Positions `P` of a picture.
    pub positions: usize,
    /// Groups `G`, which divide the channels.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

/// A picture's statistics, for each channel its group's.
struct Statistics {
    mean: Vec<f32>,
    /// 1 / √(variance + ε).
    inverse: Vec<f32>,
}

impl GroupNorm {
    /// Normalises `x` `[N, P, C]`, then scales and shifts it by `weight` and `bias`, both `[C]`.
    ///
    /// # Panics
    /// If `x` is not whole pictures of `weight`'s channels, `bias` has another length, or the
    /// groups do not divide them.
    pub fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        self.forward_with(Isa::current(), x, [weight, bias])
    }

    /// The gradients, given `x` and that of the output.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub fn backward(&self, x: &[f32], weight: &[f32], grad: &[f32]) -> NormGradients {
        self.backward_with(Isa::current(), [x, grad], weight)
    }

    pub(crate) fn forward_with(
        &self,
        isa: Isa,
        x: &[f32],
        [weight, bias]: [&[f32]; 2],
    ) -> Vec<f32> {
        let c = weight.len();
        assert_eq!(bias.len(), c, "lengths");
        let (wide, picture) = (self.wide(c), self.picture(x, c));
        fill(x.len(), picture, |first, y| {
            let x = &x[first..first + picture];
            let Statistics { mean, inverse } = self.statistics(isa, &wide, x, c);
            // y = x · scale + shift
            let scale: Vec<f32> = (0..c).map(|i| weight[i] * inverse[i]).collect();
            let shift: Vec<f32> = (0..c).map(|i| bias[i] - mean[i] * scale[i]).collect();
            let [scale, shift] = [scale, shift].map(|v| wide.repeat(&v));
            affine(isa, x, &scale, &shift, f32::NEG_INFINITY, y);
        })
    }

    pub(crate) fn backward_with(
        &self,
        isa: Isa,
        [x, grad]: [&[f32]; 2],
        weight: &[f32],
    ) -> NormGradients {
        let c = weight.len();
        assert_eq!(grad.len(), x.len(), "lengths");
        let (wide, picture) = (self.wide(c), self.picture(x, c));
        let values = (self.positions * c / self.groups) as f32;
        let floor = f32::NEG_INFINITY; // no ReLU follows
        let (of_x, parts) = fill_and(x.len(), picture, |first, out| {
            let [x, grad] = [x, grad].map(|v| &v[first..first + picture]);
            let Statistics { mean, inverse } = self.statistics(isa, &wide, x, c);
            let means = wide.repeat(&mean);
            // Σ g and Σ g (x − mean), over positions
            let mut sums = [vec![0f32; wide.width], vec![0f32; wide.width]];
            let [beta, gamma] = &mut sums;
            add_gradients(isa, [x, x, grad], &means, floor, [beta, gamma]);
            let [beta, gamma] = sums.map(|sums| wide.total([&sums].into_iter()));
            // dx = (γ g − mean(γ g) − x̂ mean(γ g x̂)) / σ = g · gain + (x − mean) · slope + offset
            let of_group = |sums: &[f32]| -> Vec<f32> {
                let products: Vec<f32> = (0..c).map(|i| weight[i] * sums[i]).collect();
                self.spread(&products, c, |sum| sum as f32 / values)
            };
            let (of_g, of_products) = (of_group(&beta), of_group(&gamma));
            let gain: Vec<f32> = (0..c).map(|i| weight[i] * inverse[i]).collect();
            let slope: Vec<f32> = (0..c)
                .map(|i| -inverse[i].powi(3) * of_products[i])
                .collect();
            let offset: Vec<f32> = (0..c).map(|i| -inverse[i] * of_g[i]).collect();
            let [gain, slope, offset] = [gain, slope, offset].map(|v| wide.repeat(&v));
            let terms = [&gain[..], &slope, &offset, &means];
            input_gradients(isa, [x, x, grad], terms, floor, out);
            // dγ = Σ g x̂
            let gamma: Vec<f32> = (0..c).map(|i| gamma[i] * inverse[i]).collect();
            [gamma, beta]
        });
        let mut totals = [vec![0f64; c], vec![0f64; c]];
        for part in parts {
            for (total, part) in totals.iter_mut().zip(part) {
                std::iter::zip(total, part).for_each(|(t, v)| *t += f64::from(v));
            }
        }
        let [weight, bias] = totals.map(|t| t.into_iter().map(|t| t as f32).collect());
        NormGradients {
            x: of_x,
            weight,
            bias,
        }
    }

    fn wide(&self, channels: usize) -> Wide {
        assert!(
            self.positions > 0 && self.groups > 0 && channels > 0,
            "not a group norm: {self:?}"
        );
        assert!(channels.is_multiple_of(self.groups), "groups");
        Wide::new(channels, self.positions)
    }

    /// Values of a picture.
    fn picture(&self, x: &[f32], channels: usize) -> usize {
        let picture = self.positions * channels;
        assert!(x.len().is_multiple_of(picture), "x's length");
        picture
    }

    fn statistics(&self, isa: Isa, wide: &Wide, x: &[f32], c: usize) -> Statistics {
        let values = (self.positions * c / self.groups) as f64;
        let sums = wide.sums(x, |x, sums| add(isa, x, sums));
        let mean = self.spread(&sums, c, |sum| (sum / values) as f32);
        // About the mean, in a second pass: the difference of two sums would cancel.
        let means = wide.repeat(&mean);
        let sums = wide.sums(x, |x, sums| add_squares(isa, x, &means, sums));
        let inverse = self.spread(&sums, c, |sum| {
            1.0 / ((sum / values) as f32 + self.epsilon).sqrt()
        });
        Statistics { mean, inverse }
    }

    /// For each channel, `f` of the sum over its group.
    fn spread(&self, sums: &[f32], channels: usize, f: impl Fn(f64) -> f32) -> Vec<f32> {
        let each = channels / self.groups;
        let groups = sums.chunks_exact(each).map(|group| {
            let sum = group.iter().map(|v| f64::from(*v)).sum();
            f(sum)
        });
        groups
            .flat_map(|value| std::iter::repeat_n(value, each))
            .collect()
    }
}
