//! Convolutions of channels-last maps, forward and backward; a linear layer is the one with `K` = 1.
//!
//! Forward and for the input's gradient nothing is gathered: a row of the left factor is read where it
//! lies in a padded copy of the map, a kernel row at a time, since the values under a kernel row follow
//! each other. The weight's gradient sums over positions, and takes a copy of the map a kernel column.
//!
//! Pictures are split among threads in parts that do not depend on the number of threads, so neither
//! do the results.

mod packed;

pub use packed::PackedConvolution;

use half::bf16;
use rayon::prelude::*;

use crate::buffer::{Rectangle, fill};
use crate::element::{Float, Rounding};
use crate::isa::Isa;
use crate::product::{Finish, Left, Right, Rows, multiply};

/// The geometry of a convolution, padded by `K / 2`, without bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Input rows `H`.
    pub height: usize,
    /// Input columns `W`.
    pub width: usize,
    /// Input channels `I`.
    pub inputs: usize,
    /// Output channels `O`.
    pub outputs: usize,
    /// Kernel side `K`, odd.
    pub kernel: usize,
    /// Input positions from one output position to the next.
    pub stride: usize,
}

/// Positions that are worked on at a time: enough for the tiles, few enough for the cache.
const POSITIONS: usize = 1024;

/// Parts that a batch is split into at least, where it has as many pictures.
const PARTS: usize = 8;

impl Convolution {
    /// Output rows.
    pub fn out_height(&self) -> usize {
        self.height.div_ceil(self.stride)
    }

    /// Output columns.
    pub fn out_width(&self) -> usize {
        self.width.div_ceil(self.stride)
    }

    /// Convolves `x` `[N, H, W, I]` with `weight` `[O, I, K, K]`, then adds `bias` `[O]`, or nothing
    /// if that is empty: `[N, H', W', O]`.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or the shape is none.
    pub fn forward(&self, rounding: Rounding, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        match rounding {
            Rounding::F32 => self.forward_as::<f32>(Isa::current(), x, weight, bias),
            Rounding::Bf16 => self.forward_as::<bf16>(Isa::current(), x, weight, bias),
        }
    }

    /// The gradient of `x`, given `grad` `[N, H', W', O]` of the output.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or the shape is none.
    pub fn input_gradient(&self, rounding: Rounding, grad: &[f32], weight: &[f32]) -> Vec<f32> {
        match rounding {
            Rounding::F32 => self.input_gradient_as::<f32>(Isa::current(), grad, weight),
            Rounding::Bf16 => self.input_gradient_as::<bf16>(Isa::current(), grad, weight),
        }
    }

    /// The gradient of `weight`, given `x` and `grad` `[N, H', W', O]` of the output.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or the shape is none.
    pub fn weight_gradient(&self, rounding: Rounding, x: &[f32], grad: &[f32]) -> Vec<f32> {
        match rounding {
            Rounding::F32 => self.weight_gradient_as::<f32>(Isa::current(), x, grad),
            Rounding::Bf16 => self.weight_gradient_as::<bf16>(Isa::current(), x, grad),
        }
    }

    pub(crate) fn forward_as<E: Float>(
        &self,
        isa: Isa,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        let c = self.flat();
        let [k, i, o] = [c.kernel, c.inputs, c.outputs];
        assert_eq!(weight.len(), o * i * k * k, "weight's length");
        assert!(bias.is_empty() || bias.len() == o, "bias's length");
        let right = pack_weight::<E>(isa, [k, i, o], |out, input, y, x| {
            weight[((out * i + input) * k + y) * k + x]
        });
        let map = Map::new::<E>(&c, i, 1);
        correlate(isa, &map, c.stride, &right, (x, o, bias))
    }

    pub(crate) fn input_gradient_as<E: Float>(
        &self,
        isa: Isa,
        grad: &[f32],
        weight: &[f32],
    ) -> Vec<f32> {
        let c = self.flat();
        let [k, i, o] = [c.kernel, c.inputs, c.outputs];
        assert_eq!(weight.len(), o * i * k * k, "weight's length");
        // The adjoint of a correlation is one with the kernel turned by half a circle, inputs and
        // outputs exchanged, over a map with zeros between the positions that a stride left out.
        let right = pack_weight::<E>(isa, [k, o, i], |input, out, y, x| {
            weight[((out * i + input) * k + k - 1 - y) * k + k - 1 - x]
        });
        let map = Map::new::<E>(&c, o, c.stride);
        correlate(isa, &map, 1, &right, (grad, i, &[]))
    }

    pub(crate) fn weight_gradient_as<E: Float>(
        &self,
        isa: Isa,
        x: &[f32],
        grad: &[f32],
    ) -> Vec<f32> {
        let c = self.flat();
        let [k, i, o] = [c.kernel, c.inputs, c.outputs];
        let (x_len, grad_len) = (c.height * c.width * i, c.out_height() * c.out_width() * o);
        let n = x.len() / x_len.max(1);
        assert!(
            x.len() == n * x_len && grad.len() == n * grad_len,
            "lengths"
        );
        let part = n.div_ceil(PARTS).max(1);
        let chunk = (POSITIONS / (c.out_height() * c.out_width())).clamp(1, part);
        let parts: Vec<Vec<f32>> = x
            .par_chunks(part * x_len)
            .zip(grad.par_chunks(part * grad_len))
            .map(|(x, grad)| {
                let mut sum = vec![0f32; k * k * i * o]; // [K, K, I, O]
                let mut scratch = Scratch::default();
                let chunks = x.chunks(chunk * x_len).zip(grad.chunks(chunk * grad_len));
                for (x, grad) in chunks {
                    c.add_weight_gradient::<E>(isa, [x, grad], &mut scratch, &mut sum);
                }
                sum
            })
            .collect();
        transpose(&parts, [k * k, i, o])
    }

    /// Adds some pictures' share of the weight's gradient, `[K, K, I, O]`.
    ///
    /// The summed dimension is positions. For every kernel column there is a copy of the map in steps
    /// of output positions: row by row, the rows that a kernel row meets together.
    fn add_weight_gradient<E: Float>(
        &self,
        isa: Isa,
        [x, grad]: [&[f32]; 2],
        scratch: &mut Scratch<E>,
        sum: &mut [f32],
    ) {
        // The pictures of a linear layer are single positions: taken as one row, none is half a step.
        let c = if [self.height, self.width, self.kernel, self.stride] == [1; 4] {
            Self {
                width: x.len() / self.inputs,
                ..*self
            }
        } else {
            *self
        };
        let [k, i, o, s] = [c.kernel, c.inputs, c.outputs, c.stride];
        let (h_out, w_out) = (c.out_height(), c.out_width());
        let n = x.len() / (c.height * c.width * i);
        let steps = w_out.div_ceil(E::STEP); // of an output row
        let row_len = steps * i * E::STEP;
        // Rows that a kernel row meets are `s` apart: those of one remainder lie together.
        let rows = (c.height + k - 1).div_ceil(s);
        let picture_len = s * rows * row_len;
        let zeros = vec![0f32; i];
        // Borders are zeros, and stay so from one chunk to the next.
        let copies = &mut scratch.copies;
        if copies.len() != k * n * picture_len {
            copies.clear();
            copies.resize(k * n * picture_len, E::default());
        }
        for (place, out) in copies.chunks_exact_mut(row_len).enumerate() {
            let (rest, row) = (place / rows, place % rows);
            let (rest, remainder) = (rest / s, rest % s);
            let (kx, picture) = (rest / n, rest % n);
            let y = (row * s + remainder).wrapping_sub(k / 2);
            if y >= c.height {
                continue; // padding
            }
            let line = &x[(picture * c.height + y) * c.width * i..][..c.width * i];
            let at = |x_out: usize| {
                let x = (x_out * s + kx).wrapping_sub(k / 2);
                if x < c.width && x_out < w_out {
                    &line[x * i..(x + 1) * i]
                } else {
                    &zeros
                }
            };
            for (step, out) in out.chunks_exact_mut(i * E::STEP).enumerate() {
                let rows = [0, E::STEP - 1].map(|half| at(step * E::STEP + half));
                E::interleave(isa, rows, out);
            }
        }
        let mut starts = Vec::with_capacity(k * k * i);
        for ky in 0..k {
            for kx in 0..k {
                let first = kx * n * picture_len + (ky % s * rows + ky / s) * row_len;
                starts.extend((0..i).map(|channel| first + channel * E::STEP));
            }
        }
        let left = Left {
            data: copies,
            rows: Rows::At(&starts),
            segments: n,
            segment_stride: picture_len,
            steps: h_out * steps,
            step_stride: i * E::STEP,
        };
        let right = &mut scratch.right;
        right.repack(isa, [n * h_out * steps, o], |place| {
            let (line, x) = (place / (steps * E::STEP), place % (steps * E::STEP));
            (x < w_out).then(|| &grad[(line * w_out + x) * o..][..o])
        });
        let add = Finish {
            accumulate: true,
            ..Finish::default()
        };
        multiply(isa, &left, right, Rectangle::whole(sum, o), add);
    }

    /// Checks the geometry, so that sizes computed from it do not wrap.
    ///
    /// # Panics
    /// If it is none: a side or a number of channels is 0, the kernel even, the stride 0, or a picture
    /// larger than any memory.
    fn check(&self) {
        let sides = [
            self.height,
            self.width,
            self.inputs,
            self.outputs,
            self.stride,
        ];
        assert!(
            sides.iter().all(|&side| side > 0) && self.kernel % 2 == 1,
            "not a convolution: {self:?}"
        );
        let factors = [
            self.height.saturating_add(self.kernel),
            self.width.saturating_add(self.kernel),
            self.inputs.max(self.outputs).saturating_add(1),
            self.kernel.saturating_mul(self.kernel),
            self.inputs.min(self.outputs).saturating_add(1),
        ];
        let size = factors
            .iter()
            .try_fold(1usize, |size, &f| size.checked_mul(f));
        assert!(
            size.is_some_and(|size| size < 1 << 48),
            "too large: {self:?}"
        );
    }

    /// A linear layer's positions as pictures of their own, so that they are split evenly.
    fn flat(self) -> Self {
        self.check();
        match (self.kernel, self.stride) {
            (1, 1) => Self {
                height: 1,
                width: 1,
                ..self
            },
            _ => self,
        }
    }
}

/// Adds up parts `[K·K, I, O]` of a weight's gradient, in order, and lays it out as `[O, I, K·K]`.
fn transpose(parts: &[Vec<f32>], [taps, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    /// Outputs that one task takes: a cache line.
    const OUTPUTS: usize = 16;
    fill(
        outputs * inputs * taps,
        OUTPUTS * inputs * taps,
        |first, out| {
            let first = first / (inputs * taps);
            let count = out.len() / (inputs * taps);
            for tap in 0..taps {
                for input in 0..inputs {
                    let place = (tap * inputs + input) * outputs + first;
                    let mut sums = [0f32; OUTPUTS];
                    for part in parts {
                        for (sum, value) in sums.iter_mut().zip(&part[place..place + count]) {
                            *sum += value;
                        }
                    }
                    for (o, sum) in sums[..count].iter().enumerate() {
                        out[(o * inputs + input) * taps + tap] = *sum;
                    }
                }
            }
        },
    )
}

/// What one part's weight gradient is computed in, kept from chunk to chunk.
struct Scratch<E: Float> {
    copies: Vec<E>,
    right: Right<E>,
}

impl<E: Float> Default for Scratch<E> {
    fn default() -> Self {
        Self {
            copies: Vec::new(),
            right: Right::default(),
        }
    }
}

/// Packs a kernel whose value for an output and input channel and a place is `at(out, input, y, x)`.
fn pack_weight<E: Float>(
    isa: Isa,
    [kernel, inputs, outputs]: [usize; 3],
    at: impl Fn(usize, usize, usize, usize) -> f32,
) -> Right<E> {
    let even = inputs.next_multiple_of(E::STEP);
    let mut rows = vec![0f32; kernel * kernel * even * outputs];
    for (place, row) in rows.chunks_exact_mut(outputs).enumerate() {
        let (tap, input) = (place / even, place % even);
        if input < inputs {
            for (out, value) in row.iter_mut().enumerate() {
                *value = at(out, input, tap / kernel, tap % kernel);
            }
        }
    }
    let steps = kernel * kernel * even / E::STEP;
    Right::pack(isa, [steps, outputs], |k| {
        rows.get(k * outputs..(k + 1) * outputs)
    })
}

/// A map that a kernel slides over, and its padded copy.
struct Map {
    /// Rows and columns that the kernel's centre may take.
    height: usize,
    width: usize,
    /// Rows and columns of the values given; each is `spread` from the next.
    given_height: usize,
    given_width: usize,
    spread: usize,
    channels: usize,
    /// Channels of the copy: whole steps.
    even: usize,
    kernel: usize,
}

impl Map {
    fn new<E: Float>(c: &Convolution, channels: usize, spread: usize) -> Self {
        Self {
            height: c.height,
            width: c.width,
            given_height: c.height.div_ceil(spread),
            given_width: c.width.div_ceil(spread),
            spread,
            channels,
            even: channels.next_multiple_of(E::STEP),
            kernel: c.kernel,
        }
    }

    /// Values of a row of the copy.
    fn row_len(&self) -> usize {
        (self.width + self.kernel - 1) * self.even
    }

    /// Values of a picture of the copy.
    fn copy_len(&self) -> usize {
        (self.height + self.kernel - 1) * self.row_len()
    }

    /// Values of a picture as given.
    fn given_len(&self) -> usize {
        self.given_height * self.given_width * self.channels
    }

    /// Copies pictures, with a border of zeros.
    fn copy<E: Float>(&self, isa: Isa, x: &[f32]) -> Vec<E> {
        let pad = self.kernel / 2;
        let mut copy = vec![E::default(); x.len() / self.given_len() * self.copy_len()];
        let whole = self.kernel == 1 && self.spread == 1 && self.even == self.channels;
        if whole {
            E::narrow(isa, x, &mut copy);
            return copy;
        }
        let pictures = copy.chunks_exact_mut(self.copy_len());
        for (copy, x) in pictures.zip(x.chunks_exact(self.given_len())) {
            for (y, line) in x.chunks_exact(self.given_width * self.channels).enumerate() {
                let row = &mut copy[(y * self.spread + pad) * self.row_len()..];
                let row = &mut row[pad * self.even..];
                if self.spread == 1 && self.even == self.channels {
                    E::narrow(isa, line, &mut row[..line.len()]);
                    continue;
                }
                for (x, values) in line.chunks_exact(self.channels).enumerate() {
                    let place = x * self.spread * self.even;
                    E::narrow(isa, values, &mut row[place..place + self.channels]);
                }
            }
        }
        copy
    }
}

/// Slides a packed kernel over `x` and adds `bias`: `[N, H', W', outputs]`.
fn correlate<E: Float>(
    isa: Isa,
    map: &Map,
    stride: usize,
    right: &Right<E>,
    (x, outputs, bias): (&[f32], usize, &[f32]),
) -> Vec<f32> {
    let (h_out, w_out) = (map.height.div_ceil(stride), map.width.div_ceil(stride));
    let n = x.len() / map.given_len().max(1);
    assert_eq!(x.len(), n * map.given_len(), "the map's length");
    let chunk = (POSITIONS / (h_out * w_out)).clamp(1, n.div_ceil(PARTS).max(1));
    let mut starts = Vec::with_capacity(chunk * h_out * w_out);
    for picture in 0..chunk {
        for y in 0..h_out {
            let row = picture * map.copy_len() + y * stride * map.row_len();
            starts.extend((0..w_out).map(|x| row + x * stride * map.even));
        }
    }
    let picture = h_out * w_out * outputs;
    fill(n * picture, chunk * picture, |first, out| {
        let pictures = first / picture..(first + out.len()) / picture;
        let x = &x[pictures.start * map.given_len()..pictures.end * map.given_len()];
        let copy = map.copy::<E>(isa, x);
        let left = Left {
            data: &copy,
            rows: Rows::At(&starts[..out.len() / outputs]),
            segments: map.kernel,
            segment_stride: map.row_len(),
            steps: map.kernel * map.even / E::STEP,
            step_stride: E::STEP,
        };
        let finish = Finish {
            bias,
            ..Finish::default()
        };
        multiply(isa, &left, right, Rectangle::whole(out, outputs), finish);
    })
}
