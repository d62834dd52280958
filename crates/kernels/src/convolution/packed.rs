//! Convolutions for inference: the weight is packed once, batch norm is folded into it and the bias, and what follows is
//! done on the way.
//!
//! `N` pictures, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side.

use std::cell::Cell;

use rayon::prelude::*;

use super::{Convolution, pack_weight};
use crate::isa::Isa;
use crate::linear::Then;
use crate::product::{Left, Right, Rows, multiply, multiply_parallel};

/// A convolution whose weight is laid out for products in f32.
pub struct PackedConvolution {
    right: Right<f32>,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
    inputs: usize,
}

/// Positions that are worked on at a time: enough for the tiles, few enough for the cache.
const POSITIONS: usize = 448;

/// A padded copy of part of a map, and where each position's values begin in it.
#[derive(Default)]
struct Scratch {
    copy: Vec<f32>,
    starts: Vec<usize>,
}

thread_local! {
    // Taken out while it is used: a thread that waits for others may begin a second part meanwhile.
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl PackedConvolution {
    /// Packs `weight` `[O, I, K, K]`, with `bias` `[O]`; it pads by `K / 2`.
    ///
    /// # Panics
    /// If a length does not fit the others, a number is 0, or `K` even.
    pub fn new(weight: &[f32], bias: &[f32], [inputs, kernel, stride]: [usize; 3]) -> Self {
        let outputs = bias.len();
        let shape = Convolution {
            height: 1,
            width: 1,
            inputs,
            outputs,
            kernel,
            stride,
        };
        shape.check();
        assert_eq!(
            weight.len(),
            outputs * inputs * kernel * kernel,
            "weight's length"
        );
        let at = |out, input, y, x| weight[((out * inputs + input) * kernel + y) * kernel + x];
        Self {
            right: pack_weight(Isa::current(), [kernel, inputs, outputs], at),
            bias: bias.to_vec(),
            kernel,
            stride,
            inputs,
        }
    }

    /// Output channels `O`.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Output positions of so many input positions, along either side.
    pub fn out_side(&self, side: usize) -> usize {
        side.div_ceil(self.stride)
    }

    /// Convolves `x` `[N, H, W, I]` into `out` `[N, H', W', O]`.
    ///
    /// # Panics
    /// If a slice has another length than its shape says.
    pub fn apply(&self, [height, width]: [usize; 2], x: &[f32], out: &mut [f32], then: Then) {
        self.apply_with(Isa::current(), [height, width], x, out, then);
    }

    pub(crate) fn apply_with(
        &self,
        isa: Isa,
        [height, width]: [usize; 2],
        x: &[f32],
        out: &mut [f32],
        then: Then,
    ) {
        let (h_out, w_out) = (self.out_side(height), self.out_side(width));
        let (given, made) = (height * width * self.inputs, h_out * w_out * self.outputs());
        assert!(given > 0 && x.len().is_multiple_of(given), "x's length");
        let n = x.len() / given;
        assert_eq!(out.len(), n * made, "the result's length");
        if (self.kernel, self.stride) == (1, 1) {
            let left = Left::matrix(x, self.inputs);
            return multiply_parallel(isa, &left, &self.right, out, then.finish(&self.bias));
        }
        // Small pictures go together, large ones in bands of rows.
        let together = (POSITIONS / (h_out * w_out)).max(1);
        let band = (POSITIONS / w_out).clamp(1, h_out);
        let parts = n.div_ceil(together) * h_out.div_ceil(band);
        let is_alone = parts < 2 * rayon::current_num_threads();
        let pictures = out
            .par_chunks_mut(together * made)
            .zip(x.par_chunks(together * given));
        pictures.for_each(|(out, x)| {
            let bands = out.par_chunks_mut(if together > 1 {
                out.len()
            } else {
                band * w_out * self.outputs()
            });
            bands.enumerate().for_each(|(i, out)| {
                let part = Part {
                    first: i * band,
                    rows: out.len() / (w_out * self.outputs()) / (x.len() / given),
                    columns: w_out,
                };
                let mut scratch = SCRATCH.take();
                self.copy(&mut scratch, [height, width], x, &part);
                let left = Left {
                    data: &scratch.copy,
                    rows: Rows::At(&scratch.starts),
                    segments: self.kernel,
                    segment_stride: self.row_len(width),
                    steps: self.kernel * self.inputs,
                    step_stride: 1,
                };
                let finish = then.finish(&self.bias);
                match is_alone {
                    true => multiply_parallel(isa, &left, &self.right, out, finish),
                    false => multiply(isa, &left, &self.right, out, finish),
                }
                SCRATCH.set(scratch);
            });
        });
    }

    /// Values of a row of the padded copy.
    fn row_len(&self, width: usize) -> usize {
        (width + self.kernel - 1) * self.inputs
    }

    /// Copies what a part of every picture of `x` reads, with zeros around, and notes where positions begin.
    fn copy(&self, scratch: &mut Scratch, [height, width]: [usize; 2], x: &[f32], part: &Part) {
        let (pad, row_len) = (self.kernel / 2, self.row_len(width));
        let rows = (part.rows - 1) * self.stride + self.kernel;
        let Scratch { copy, starts } = scratch;
        copy.clear();
        starts.clear();
        for picture in x.chunks_exact(height * width * self.inputs) {
            let begin = copy.len();
            copy.resize(begin + rows * row_len, 0.0);
            for (row, out) in copy[begin..].chunks_exact_mut(row_len).enumerate() {
                let y = (part.first * self.stride + row).wrapping_sub(pad);
                if y < height {
                    let line = &picture[y * width * self.inputs..][..width * self.inputs];
                    out[pad * self.inputs..][..line.len()].copy_from_slice(line);
                }
            }
            for y in 0..part.rows {
                let row = begin + y * self.stride * row_len;
                starts.extend((0..part.columns).map(|x| row + x * self.stride * self.inputs));
            }
        }
    }
}

/// Rows of output positions of every picture.
struct Part {
    first: usize,
    rows: usize,
    columns: usize,
}
