//! Convolutions for inference: the weight is packed once, batch norm is folded into it and the
//! bias, and what follows is done on the way.
//!
//! `N` pictures, `H` × `W` positions, `I` input and `O` output channels, `K` kernel side.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::{Convolution, Extent};
use crate::buffer::Rectangle;
use crate::element::{Buffers, Element, Float};
use crate::int8::Codes;
use crate::isa::Isa;
use crate::linear::{Linear, Packing, Then, Weight};
use crate::product::{Finish, Left, Right, Rows as Places, multiply, multiply_parallel};
use crate::row::{Scale, encode, range};
use crate::rows::{Data, Rows};

/// A convolution whose weight is laid out for products.
pub struct PackedConvolution {
    /// The weight as a linear layer over all values under the kernel: kernel row after kernel row,
    /// each padded to whole steps.
    linear: Linear,
    kernel: usize,
    stride: usize,
    inputs: usize,
}

/// Positions that are worked on at a time: enough for the tiles, few enough for the cache.
const POSITIONS: usize = 448;

/// A padded copy of part of a map, and where each position's values begin in it.
#[derive(Default)]
struct Scratch {
    copies: Buffers,
    starts: Vec<usize>,
    coded: Coded,
}

/// A copy in eight bits. All that a part reads of one picture has one scale.
#[derive(Default)]
struct Coded {
    /// The codes of one picture.
    codes: Vec<u8>,
    copy: Vec<u8>,
    scales: Vec<Scale>,
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
    pub fn new(
        weight: &[f32],
        bias: &[f32],
        [inputs, kernel, stride]: [usize; 3],
        packing: Packing,
    ) -> Self {
        let outputs = bias.len();
        assert!(kernel % 2 == 1, "an even kernel");
        let shape = Convolution {
            kernel: Extent::square(kernel),
            padding: Extent::square(kernel / 2),
            stride,
            ..Convolution::linear(inputs, outputs)
        };
        shape.check();
        let taps = kernel * kernel;
        assert_eq!(weight.len(), outputs * inputs * taps, "weight's length");
        let linear = if kernel == 1 {
            Linear::new(weight, bias, inputs, packing)
        } else {
            let row_len = (kernel * inputs).next_multiple_of(packing.step());
            let mut rows = vec![0f32; outputs * kernel * row_len];
            let outputs = rows.par_chunks_exact_mut(kernel * row_len);
            let weights = weight.par_chunks_exact(inputs * taps);
            outputs.zip(weights).for_each(|(row, weight)| {
                for (y, line) in row.chunks_exact_mut(row_len).enumerate() {
                    let places = line.chunks_exact_mut(inputs).take(kernel);
                    for (x, place) in places.enumerate() {
                        let values = weight.chunks_exact(taps).map(|taps| taps[y * kernel + x]);
                        place.iter_mut().zip(values).for_each(|(to, v)| *to = v);
                    }
                }
            });
            Linear::new(&rows, bias, kernel * row_len, packing)
        };
        Self {
            linear,
            kernel,
            stride,
            inputs,
        }
    }

    /// Output channels `O`.
    pub fn outputs(&self) -> usize {
        self.linear.outputs()
    }

    /// Output positions of so many input positions, along either side.
    pub fn out_side(&self, side: usize) -> usize {
        side.div_ceil(self.stride)
    }

    /// Convolves `x` `[N, H, W, I]` into `out` `[N, H', W', O]`, of the same format.
    ///
    /// # Panics
    /// If one has another length than its shape says, or a format that the weight is not for.
    pub fn apply(&self, [height, width]: [usize; 2], x: &Rows, out: &mut Rows, then: Then) {
        self.apply_with(Isa::current(), [height, width], x, out, then);
    }

    pub(crate) fn apply_with(
        &self,
        isa: Isa,
        sides: [usize; 2],
        x: &Rows,
        out: &mut Rows,
        then: Then,
    ) {
        match (&x.0, &mut out.0) {
            (Data::F32(x), Data::F32(out)) => self.apply_as(isa, sides, x, out, then),
            (Data::Bf16(x), Data::Bf16(out)) => self.apply_as(isa, sides, x, out, then),
            _ => panic!("a map in two formats"),
        }
    }

    fn apply_as<F: Float>(
        &self,
        isa: Isa,
        [height, width]: [usize; 2],
        x: &[F],
        out: &mut [F],
        then: Then,
    ) {
        let (h_out, w_out) = (self.out_side(height), self.out_side(width));
        let (given, made) = (height * width * self.inputs, h_out * w_out * self.outputs());
        assert!(given > 0 && x.len().is_multiple_of(given), "x's length");
        let n = x.len() / given;
        assert_eq!(out.len(), n * made, "the result's length");
        if (self.kernel, self.stride) == (1, 1) {
            return self.linear.apply_as(isa, x, out, then);
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
                    isa,
                    map: [height, width],
                    first: i * band,
                    rows: out.len() / (w_out * self.outputs()) / (x.len() / given),
                    columns: w_out,
                    is_alone,
                };
                let mut scratch = SCRATCH.take();
                self.apply_part(&part, &mut scratch, x, out, then);
                SCRATCH.set(scratch);
            });
        });
    }

    /// Convolves a part of some pictures.
    fn apply_part<F: Float>(
        &self,
        part: &Part,
        scratch: &mut Scratch,
        x: &[F],
        out: &mut [F],
        then: Then,
    ) {
        let Scratch {
            copies,
            starts,
            coded,
        } = scratch;
        starts.clear();
        let finish = then.finish(&self.linear.bias);
        let [height, width] = part.map;
        let line = width * self.inputs;
        let read = self.read(part);
        let pictures = x.chunks_exact(height * line);
        let pictures = pictures.map(|x| &x[read.start * line..read.end * line]);
        match (F::right(&self.linear.weight), &self.linear.weight) {
            (Some(right), _) => {
                let copy = F::buffer(copies);
                copy.clear();
                pictures.for_each(|x| self.copy(part, x, F::default(), copy, starts));
                self.multiply(part, (copy, starts), right, out, finish);
            }
            (None, Weight::Int8(weights)) => {
                let Coded {
                    codes,
                    copy,
                    scales,
                } = coded;
                copy.clear();
                scales.clear();
                for x in pictures {
                    codes.resize(x.len(), 0);
                    let scale = range(part.isa, x, f32::INFINITY).scale();
                    encode(part.isa, scale, x, codes);
                    self.copy(part, codes, scale.zero as u8, copy, starts);
                    scales.resize(starts.len(), scale);
                }
                let finish = Finish {
                    codes: Some(Codes::of_rows(scales, weights)),
                    ..finish
                };
                self.multiply(part, (copy, starts), weights.right(), out, finish);
            }
            _ => panic!("a weight for activations in another packing"),
        }
    }

    /// The rows of the map that a part reads.
    fn read(&self, part: &Part) -> Range<usize> {
        let pad = self.kernel / 2;
        let first = (part.first * self.stride).saturating_sub(pad);
        let end = (part.first + part.rows - 1) * self.stride + self.kernel - pad;
        first..end.min(part.map[0])
    }

    /// Values of a row of the padded copy.
    fn row_len(&self, part: &Part) -> usize {
        (part.map[1] + self.kernel - 1) * self.inputs
    }

    /// Adds the rows that a part reads of a picture to the copy, with `zero` around, and notes
    /// where positions begin.
    fn copy<T: Copy>(
        &self,
        part: &Part,
        x: &[T],
        zero: T,
        copy: &mut Vec<T>,
        starts: &mut Vec<usize>,
    ) {
        let (pad, row_len) = (self.kernel / 2, self.row_len(part));
        let line = part.map[1] * self.inputs;
        let read = self.read(part);
        let begin = copy.len();
        for row in 0..(part.rows - 1) * self.stride + self.kernel {
            let y = (part.first * self.stride + row).wrapping_sub(pad);
            let start = copy.len();
            copy.resize(start + row_len, zero);
            if read.contains(&y) {
                let from = &x[(y - read.start) * line..][..line];
                copy[start + pad * self.inputs..][..line].copy_from_slice(from);
            }
        }
        for y in 0..part.rows {
            let row = begin + y * self.stride * row_len;
            starts.extend((0..part.columns).map(|x| row + x * self.stride * self.inputs));
        }
    }

    fn multiply<E: Element, O: Float>(
        &self,
        part: &Part,
        (copy, starts): (&mut Vec<E>, &[usize]),
        right: &Right<E>,
        out: &mut [O],
        finish: Finish,
    ) {
        // The last step under a kernel row may reach beyond it, where weights are zero.
        copy.resize(copy.len() + E::STEP - 1, E::default());
        let left = Left {
            data: copy,
            rows: Places::At(starts),
            segments: self.kernel,
            segment_stride: self.row_len(part),
            steps: (self.kernel * self.inputs).div_ceil(E::STEP),
            step_stride: E::STEP,
        };
        if part.is_alone {
            multiply_parallel(part.isa, &left, right, out, finish)
        } else {
            let out = Rectangle::whole(out, self.outputs());
            multiply(part.isa, &left, right, out, finish);
        }
    }
}

/// A band of output rows, the same in each of some pictures.
struct Part {
    isa: Isa,
    /// Rows and columns of a picture.
    map: [usize; 2],
    first: usize,
    rows: usize,
    columns: usize,
    /// Whether there are too few parts for all threads, so that they share this part's product.
    is_alone: bool,
}
