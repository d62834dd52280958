//! A kernel that slides over maps: the forward of a convolution, and the gradient of its input.
//!
//! Nothing is gathered: a row of the left factor is read where it lies in a padded copy of the map,
//! a kernel row at a time, since the values under a kernel row follow each other.

use std::ops::Range;

use rayon::prelude::*;

use super::window::{Phase, Window};
use super::{Convolution, Direction, Extent, PARTS, POSITIONS};
use crate::buffer::{Rectangle, fill};
use crate::element::Float;
use crate::isa::Isa;
use crate::product::{Finish, Left, Right, Rows, multiply, product};

/// Positions up to which a convolution with a large kernel is one product. Of more, the padded copy
/// of the maps would not stay in the cache.
const FEW_POSITIONS: usize = 2048;

/// Values of a large kernel: so many in f32 fill a core's L2 cache.
const LARGE_KERNEL: usize = 1 << 18;

/// Maps `[N, given, G · I]` to `[N, made, G · O]`.
pub(super) struct Sliding {
    rows: Vec<Phase>,
    columns: Vec<Phase>,
    given: Extent,
    made: Extent,
    /// Whether it is a linear layer: each position is mapped by itself, in one group.
    is_linear: bool,
    groups: usize,
    /// Channels of a group.
    inputs: usize,
    outputs: usize,
}

/// A kernel's values as they are given.
pub(super) struct Kernel<'a, F> {
    pub(super) values: &'a [f32],
    /// `first(group, input, [y, x])`: place of the weight from an input of the group to the
    /// group's first output, at row `y` and column `x` of the kernel.
    pub(super) first: F,
    /// Values from one output's weight to the next output's.
    pub(super) stride: usize,
}

/// A padded copy of part of a map, and where each position's values begin in it.
#[derive(Default)]
struct Copy<E> {
    values: Vec<E>,
    starts: Vec<usize>,
}

impl Sliding {
    pub(super) fn new(c: &Convolution, direction: Direction) -> Self {
        let (rows, columns) = (c.rows(), c.columns());
        let (inputs, outputs) = (c.inputs / c.groups, c.outputs / c.groups);
        match direction {
            Direction::Forward => Self {
                rows: rows.forward(),
                columns: columns.forward(),
                given: c.given(),
                made: c.output(),
                is_linear: c.is_linear(),
                groups: c.groups,
                inputs,
                outputs,
            },
            Direction::Adjoint => Self {
                rows: rows.adjoint(),
                columns: columns.adjoint(),
                given: c.output(),
                made: c.given(),
                is_linear: c.is_linear(),
                groups: c.groups,
                inputs: outputs,
                outputs: inputs,
            },
        }
    }

    /// Slides a kernel over `x`, and adds `bias` `[G · O]`, or nothing if that is empty.
    pub(super) fn apply<E: Float>(
        &self,
        isa: Isa,
        kernels: &[Right<E>],
        x: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        let given = self.given.positions() * self.groups * self.inputs;
        let n = x.len() / given.max(1);
        assert_eq!(x.len(), n * given, "the map's length");
        if let [kernel] = kernels
            && let Some(y) = self.apply_whole(isa, kernel, (x, n), bias)
        {
            return y;
        }
        let line = self.made.width * self.groups * self.outputs;
        let rows = self.rows_of_task(n);
        fill(n * self.made.height * line, rows * line, |first, out| {
            let rows = first / line..(first + out.len()) / line;
            let mut copy = Copy::default();
            let mut kernels = kernels.iter();
            for down in &self.rows {
                for across in &self.columns {
                    for group in 0..self.groups {
                        let kernel = kernels.next().expect("one a phase and group");
                        let bias = bias.get(group * self.outputs..(group + 1) * self.outputs);
                        self.copy(isa, [down, across], group, (x, rows.clone()), &mut copy);
                        let left = copy.left([down, across], self.even::<E>());
                        let finish = Finish {
                            bias: bias.unwrap_or_default(),
                            ..Finish::default()
                        };
                        if down.every == 1 && across.every == 1 {
                            let mut out = Rectangle::whole(out, self.groups * self.outputs);
                            let columns = group * self.outputs..(group + 1) * self.outputs;
                            multiply(isa, &left, kernel, out.columns_mut(columns), finish);
                        } else {
                            let mut sums = vec![0f32; copy.starts.len() * self.outputs];
                            let matrix = Rectangle::whole(&mut sums, self.outputs);
                            multiply(isa, &left, kernel, matrix, finish);
                            self.scatter([down, across], group, (&sums, rows.clone()), out);
                        }
                    }
                }
            }
        })
    }

    /// [`Sliding::apply`] as one product, which threads split by columns, too, or none where that
    /// does not pay. It pays for linear layers, and for few positions with a large kernel, which
    /// each thread would otherwise read as a whole.
    fn apply_whole<E: Float>(
        &self,
        isa: Isa,
        kernel: &Right<E>,
        (x, n): (&[f32], usize),
        bias: &[f32],
    ) -> Option<Vec<f32>> {
        let ([down], [across]) = (&self.rows[..], &self.columns[..]) else {
            return None;
        };
        if (down.every, across.every) != (1, 1) {
            return None;
        }
        let finish = Finish {
            bias,
            ..Finish::default()
        };
        if self.is_linear && self.even::<E>() == self.inputs {
            let x = E::rounded(isa, x);
            return Some(product(isa, &Left::matrix(&x, self.inputs), kernel, finish));
        }
        let rows = n * self.made.height;
        let taps = down.taps.len() * across.taps.len();
        let is_large = taps * self.inputs * self.outputs >= LARGE_KERNEL;
        (is_large && rows * self.made.width <= FEW_POSITIONS).then(|| {
            let mut copy = Copy::default();
            self.copy(isa, [down, across], 0, (x, 0..rows), &mut copy);
            let left = copy.left([down, across], self.even::<E>());
            product(isa, &left, kernel, finish)
        })
    }

    /// Rows of the result, over all pictures, that one task makes: whole pictures where there are
    /// enough.
    fn rows_of_task(&self, n: usize) -> usize {
        let Extent { height, width } = self.made;
        if n >= PARTS {
            let pictures = POSITIONS / (height * width);
            return pictures.clamp(1, n.div_ceil(PARTS)) * height;
        }
        let share = (n * height).div_ceil(PARTS);
        share.clamp(1, (POSITIONS / width).max(1))
    }

    /// Channels of a group in the copy: `inputs`, rounded up to whole steps.
    fn even<E: Float>(&self) -> usize {
        self.inputs.next_multiple_of(E::STEP)
    }

    /// The right factors: for every phase of rows, of columns, and every group.
    pub(super) fn pack<E: Float>(
        &self,
        isa: Isa,
        kernel: &Kernel<impl Fn(usize, usize, [usize; 2]) -> usize + Sync>,
    ) -> Vec<Right<E>> {
        if self.is_linear {
            return vec![self.pack_linear(isa, kernel)];
        }
        let even = self.even::<E>();
        let mut kernels = Vec::new();
        for down in &self.rows {
            for across in &self.columns {
                let taps = down.taps.len() * across.taps.len();
                for group in 0..self.groups {
                    let mut rows = vec![0f32; taps * even * self.outputs];
                    let places = rows.par_chunks_exact_mut(self.outputs).enumerate();
                    places.with_min_len(even).for_each(|(place, row)| {
                        let (tap, input) = (place / even, place % even);
                        if input < self.inputs {
                            let y = down.taps[tap / across.taps.len()];
                            let x = across.taps[tap % across.taps.len()];
                            let values = &kernel.values[(kernel.first)(group, input, [y, x])..];
                            let values = values.iter().step_by(kernel.stride);
                            row.iter_mut()
                                .zip(values)
                                .for_each(|(to, from)| *to = *from);
                        }
                    });
                    let steps = taps * even / E::STEP;
                    kernels.push(Right::pack(isa, [steps, self.outputs], |k| {
                        rows.get(k * self.outputs..(k + 1) * self.outputs)
                    }));
                }
            }
        }
        kernels
    }

    /// The right factor of a linear layer: its matrix or the transpose of that, without a copy
    /// between.
    fn pack_linear<E: Float>(
        &self,
        isa: Isa,
        kernel: &Kernel<impl Fn(usize, usize, [usize; 2]) -> usize>,
    ) -> Right<E> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        if kernel.stride == 1 {
            let row = |k: usize| kernel.values.get(k * outputs..(k + 1) * outputs);
            return Right::pack(isa, [inputs.div_ceil(E::STEP), outputs], row);
        }
        Right::pack_transposed(isa, kernel.values, [inputs, outputs])
    }

    /// The parts of some rows of the result, over all pictures: each picture and its rows.
    fn pictures(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let height = self.made.height;
        (rows.start / height..rows.end.div_ceil(height)).map(move |picture| {
            let first = picture * height;
            let start = rows.start.max(first) - first;
            (picture, start..rows.end.min(first + height) - first)
        })
    }

    /// Copies the values of a group's channels that some rows of the result read.
    fn copy<E: Float>(
        &self,
        isa: Isa,
        [down, across]: [&Phase; 2],
        group: usize,
        (x, rows): (&[f32], Range<usize>),
        copy: &mut Copy<E>,
    ) {
        let len = self.given.positions() * self.groups * self.inputs;
        let line = Line {
            width: self.given.width,
            channels: self.groups * self.inputs,
            taken: group * self.inputs..(group + 1) * self.inputs,
            even: self.even::<E>(),
        };
        let row_len = across.window.span() * line.even;
        let band = |rows| down.window.band(down.among(rows));
        let spans = self
            .pictures(rows.clone())
            .map(|(_, rows)| band(rows).span());
        copy.clear(spans.sum::<usize>() * row_len);
        let mut begin = 0;
        for (picture, rows) in self.pictures(rows) {
            let windows = [band(rows), across.window];
            copy.add(isa, windows, &line, &x[picture * len..][..len], begin);
            begin += windows[0].span() * row_len;
        }
    }

    /// Puts a phase's values of a group where they belong among some rows of the result.
    fn scatter(
        &self,
        [down, across]: [&Phase; 2],
        group: usize,
        (mut sums, rows): (&[f32], Range<usize>),
        out: &mut [f32],
    ) {
        let channels = self.groups * self.outputs;
        let line = self.made.width * channels;
        for (picture, within) in self.pictures(rows.clone()) {
            for t in down.among(within) {
                let row = picture * self.made.height + down.start + t * down.every - rows.start;
                let out = &mut out[row * line..][..line];
                for u in 0..across.window.count {
                    let place = (across.start + u * across.every) * channels;
                    let (values, rest) = sums.split_at(self.outputs);
                    out[place + group * self.outputs..][..self.outputs].copy_from_slice(values);
                    sums = rest;
                }
            }
        }
    }
}

/// The layout of a map's rows, and the channels that are taken from them.
struct Line {
    width: usize,
    channels: usize,
    taken: Range<usize>,
    /// Channels of the copy.
    even: usize,
}

impl<E: Float> Copy<E> {
    /// Becomes `len` zeros, with no positions yet.
    fn clear(&mut self, len: usize) {
        self.starts.clear();
        if self.values.is_empty() {
            // The allocator's own zeros, which are not written twice.
            self.values = vec![E::default(); len];
        } else {
            self.values.clear();
            self.values.resize(len, E::default());
        }
    }

    /// Copies a picture, or a band of it, to the place `begin`, where zeros are left as a border,
    /// and notes where its positions begin.
    fn add(
        &mut self,
        isa: Isa,
        [rows, columns]: [Window; 2],
        line: &Line,
        x: &[f32],
        begin: usize,
    ) {
        let even = line.even;
        let row_len = columns.span() * even;
        let copy = &mut self.values[begin..];
        let is_dense = line.channels == even && line.taken.len() == even;
        let (inside, across) = (rows.inside(), columns.inside());
        let line_len = line.width * line.channels;
        if is_dense && across == (0..line.width) && columns.span() == line.width {
            if !inside.is_empty() {
                let from = &x[rows.input(inside.start) * line_len..][..inside.len() * line_len];
                E::narrow(isa, from, &mut copy[inside.start * row_len..][..from.len()]);
            }
        } else if !across.is_empty() {
            for y in inside {
                let first = rows.input(y) * line.width + columns.input(across.start);
                let from = &x[first * line.channels..][..across.len() * line.channels];
                let to = &mut copy[y * row_len + across.start * even..][..across.len() * even];
                if is_dense {
                    E::narrow(isa, from, to);
                    continue;
                }
                let positions = from.chunks_exact(line.channels);
                for (from, to) in positions.zip(to.chunks_exact_mut(even)) {
                    E::narrow(isa, &from[line.taken.clone()], &mut to[..line.taken.len()]);
                }
            }
        }
        for t in 0..rows.count {
            let row = begin + t * rows.step * row_len;
            self.starts
                .extend((0..columns.count).map(|u| row + u * columns.step * even));
        }
    }

    /// The left factor, a row each position.
    fn left(&self, [down, across]: [&Phase; 2], even: usize) -> Left<'_, E> {
        Left {
            data: &self.values,
            rows: Rows::At(&self.starts),
            // Without columns there is nothing to read of a row.
            segments: down.taps.len() * usize::from(!across.taps.is_empty()),
            segment_stride: across.window.span() * even,
            steps: across.taps.len() * even / E::STEP,
            step_stride: E::STEP,
        }
    }
}
