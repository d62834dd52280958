//! Average pooling of channels-last maps, forward and backward.
//!
//! `N` pictures, `H` × `W` positions, `C` channels, `S` side of the squares that are averaged.

use rayon::prelude::*;

use crate::buffer::fill;
use crate::element::Float;
use crate::isa::Isa;
use crate::rows::{Data, Rows};
use crate::vectorised::vectorised;

/// A pooling of `S` × `S` squares that do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AveragePool {
    /// Rows `H`, a multiple of `S`.
    pub height: usize,
    /// Columns `W`, a multiple of `S`.
    pub width: usize,
    /// Channels `C`.
    pub channels: usize,
    /// Side `S`.
    pub side: usize,
}

impl AveragePool {
    /// Averages `x` `[N, H, W, C]`: `[N, H / S, W / S, C]`.
    ///
    /// # Panics
    /// If `x` is not whole pictures, or the squares do not fill them.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let picture = self.picture_len();
        assert!(x.len().is_multiple_of(picture), "x's length");
        let pooled = picture / (self.side * self.side);
        fill(x.len() / (self.side * self.side), pooled, |first, out| {
            let x = &x[first / pooled * picture..][..picture];
            average(Isa::current(), *self, x, out);
        })
    }

    /// [`AveragePool::forward`] of activations, into others of the same format, which take the
    /// result's size.
    ///
    /// # Panics
    /// If `x` is not whole pictures, the squares do not fill them, or the formats differ.
    pub fn forward_into(&self, x: &Rows, out: &mut Rows) {
        let picture = self.picture_len();
        assert!(x.len().is_multiple_of(picture), "x's length");
        out.resize(x.len() / (self.side * self.side));
        match (&x.0, &mut out.0) {
            (Data::F32(x), Data::F32(out)) => self.forward_as(x, out),
            (Data::Bf16(x), Data::Bf16(out)) => self.forward_as(x, out),
            _ => panic!("activations in two formats"),
        }
    }

    /// Averages a row of squares at a time.
    fn forward_as<F: Float>(&self, x: &[F], out: &mut [F]) {
        let isa = Isa::current();
        let band = self.side * self.width * self.channels;
        let made = self.width / self.side * self.channels;
        let rows = x.par_chunks_exact(band).zip(out.par_chunks_exact_mut(made));
        rows.for_each_init(
            || (vec![0f32; band], vec![0f32; made]),
            |(given, sums), (x, out)| {
                F::widen(isa, x, given);
                sums.fill(0.0);
                average(isa, *self, given, sums);
                F::narrow(isa, sums, out);
            },
        );
    }

    /// The gradient of `x`, given that of the output.
    ///
    /// # Panics
    /// If `grad` is not whole pictures, or the squares do not fill them.
    pub fn backward(&self, grad: &[f32]) -> Vec<f32> {
        let picture = self.picture_len();
        let pooled = picture / (self.side * self.side);
        assert!(grad.len().is_multiple_of(pooled), "grad's length");
        fill(grad.len() / pooled * picture, picture, |first, out| {
            let grad = &grad[first / picture * pooled..][..pooled];
            spread(Isa::current(), *self, grad, out);
        })
    }

    fn picture_len(&self) -> usize {
        let side = self.side;
        assert!(
            side > 0 && self.height.is_multiple_of(side) && self.width.is_multiple_of(side),
            "not a pooling: {self:?}"
        );
        assert!(
            self.height > 0 && self.width > 0 && self.channels > 0,
            "not a pooling: {self:?}"
        );
        self.height * self.width * self.channels
    }
}

vectorised! {
    fn average(pool: AveragePool, x: &[f32], out: &mut [f32]) {
        let AveragePool { width, channels: c, side, .. } = pool;
        let share = 1.0 / (side * side) as f32;
        for (y, line) in x.chunks_exact(width * c).enumerate() {
            let row = &mut out[y / side * (width / side) * c..];
            for (x, values) in line.chunks_exact(c).enumerate() {
                let out = &mut row[x / side * c..][..c];
                for i in 0..c {
                    out[i] += values[i] * share;
                }
            }
        }
    }
}

vectorised! {
    fn spread(pool: AveragePool, grad: &[f32], out: &mut [f32]) {
        let AveragePool { width, channels: c, side, .. } = pool;
        let share = 1.0 / (side * side) as f32;
        for (y, line) in out.chunks_exact_mut(width * c).enumerate() {
            let row = &grad[y / side * (width / side) * c..];
            for (x, out) in line.chunks_exact_mut(c).enumerate() {
                let grad = &row[x / side * c..][..c];
                for i in 0..c {
                    out[i] = grad[i] * share;
                }
            }
        }
    }
}
