//! The gradient of a convolution's weight: a sum over positions, of a copy of the map for every
//! kernel column.

use std::ops::Range;

use rayon::prelude::*;

use super::{Convolution, Extent, PARTS, POSITIONS};
use crate::buffer::{Rectangle, fill};
use crate::element::Float;
use crate::isa::Isa;
use crate::product::{Finish, Left, Right, Rows, multiply};

/// Some pictures, and a range of the result's rows in each.
struct Part {
    pictures: Range<usize>,
    rows: Range<usize>,
}

/// Memory that one part's gradient is computed in, kept from chunk to chunk.
struct Scratch<E: Float> {
    copies: Vec<E>,
    /// The rows of the copies that are not border.
    inside: Range<usize>,
    right: Right<E>,
}

/// Some pictures, the gradients of their results, and the rows of the results that count.
#[derive(Clone)]
struct Chunk<'a> {
    x: &'a [f32],
    grad: &'a [f32],
    rows: Range<usize>,
    group: usize,
}

/// The gradient `[O, I / G, K · K]`, given `x` and that of the output.
pub(super) fn gradient<E: Float>(c: &Convolution, isa: Isa, [x, grad]: [&[f32]; 2]) -> Vec<f32> {
    let made = c.output();
    let (x_len, grad_len) = (
        c.given().positions() * c.inputs,
        made.positions() * c.outputs,
    );
    let n = x.len() / x_len;
    assert!(
        x.len() == n * x_len && grad.len() == n * grad_len,
        "lengths"
    );
    let [k, i, o] = c.products(); // taps, channels of a group
    let parts = parts(n, made.height).into_par_iter().map(|part| {
        let mut sums = vec![0f32; c.groups * k * i * o]; // [G, K · K, I, O]
        let mut scratch = Scratch::<E> {
            copies: Vec::new(),
            inside: 0..0,
            right: Right::default(),
        };
        for chunk in part.chunks(made) {
            let Part { pictures: p, rows } = chunk;
            for (group, sums) in sums.chunks_exact_mut(k * i * o).enumerate() {
                let chunk = Chunk {
                    x: &x[p.start * x_len..p.end * x_len],
                    grad: &grad[p.start * grad_len..p.end * grad_len],
                    rows: rows.clone(),
                    group,
                };
                add(c, isa, chunk, &mut scratch, sums);
            }
        }
        sums
    });
    let parts: Vec<Vec<f32>> = parts.collect();
    transpose(&parts, c.groups, [k, i, o])
}

impl Part {
    /// Parts of it that fit the cache: pictures, or rows of one.
    fn chunks(self, made: Extent) -> Vec<Self> {
        let pictures = (POSITIONS / made.positions()).max(1);
        let rows = (POSITIONS / made.width).max(1);
        let each = |first: usize, step: usize, end: usize| first..end.min(first + step);
        let firsts = self.pictures.clone().step_by(pictures);
        let chunks = firsts.flat_map(|picture| {
            let rows_of = self.rows.clone().step_by(rows);
            rows_of.map(move |row| (picture, row))
        });
        chunks
            .map(|(picture, row)| Self {
                pictures: each(picture, pictures, self.pictures.end),
                rows: each(row, rows, self.rows.end),
            })
            .collect()
    }
}

/// Splits pictures among tasks: whole ones where there are enough.
fn parts(n: usize, height: usize) -> Vec<Part> {
    if n >= PARTS {
        let each = n.div_ceil(PARTS);
        let part = |first: usize| Part {
            pictures: first..n.min(first + each),
            rows: 0..height,
        };
        return (0..n).step_by(each).map(part).collect();
    }
    let bands = PARTS.div_ceil(n.max(1));
    let each = height.div_ceil(bands);
    let part = |picture: usize, first: usize| Part {
        pictures: picture..picture + 1,
        rows: first..height.min(first + each),
    };
    (0..n)
        .flat_map(|picture| {
            (0..height)
                .step_by(each)
                .map(move |first| part(picture, first))
        })
        .collect()
}

/// Adds some pictures' share of a group's gradient, `[K · K, I, O]`.
///
/// The product sums over output positions. For every kernel column `kx` there is a copy of the map:
/// at output column `u` it has the input column `u · stride + kx − padding`, or zeros. In a copy
/// the input rows that one kernel row meets lie together.
fn add<E: Float>(
    c: &Convolution,
    isa: Isa,
    chunk: Chunk,
    scratch: &mut Scratch<E>,
    sums: &mut [f32],
) {
    // Rows of one position would fill part of a step each, so they are taken as one row.
    if c.is_linear() && c.width == 1 {
        let Range { start, end } = chunk.rows;
        let c = Convolution {
            height: 1,
            width: end - start,
            ..*c
        };
        let chunk = Chunk {
            x: &chunk.x[start * c.inputs..end * c.inputs],
            grad: &chunk.grad[start * c.outputs..end * c.outputs],
            rows: 0..1,
            ..chunk
        };
        return add_rows(&c, isa, chunk, scratch, sums);
    }
    add_rows(c, isa, chunk, scratch, sums);
}

fn add_rows<E: Float>(
    c: &Convolution,
    isa: Isa,
    chunk: Chunk,
    scratch: &mut Scratch<E>,
    sums: &mut [f32],
) {
    let [_, i, o] = c.products();
    let (s, made) = (c.stride, c.output());
    let (inputs, outputs) = (chunk.group * i, chunk.group * o);
    let n = chunk.x.len() / (c.height * c.width * c.inputs);
    let steps = made.width.div_ceil(E::STEP); // of an output row
    let row_len = steps * i * E::STEP;
    let down = c.rows().window().band(chunk.rows.clone());
    // A kernel row meets every `s`-th row, so rows of the same remainder by `s` lie together.
    let rows = down.span().div_ceil(s);
    let picture_len = s * rows * row_len;
    let zeros = vec![0f32; i];
    // Borders are zeros, and stay so from one chunk to the next.
    let (copies, inside) = (&mut scratch.copies, down.inside());
    if copies.len() != c.kernel.width * n * picture_len || scratch.inside != inside {
        copies.clear();
        copies.resize(c.kernel.width * n * picture_len, E::default());
        scratch.inside = inside.clone();
    }
    for (place, out) in copies.chunks_exact_mut(row_len).enumerate() {
        let (rest, row) = (place / rows, place % rows);
        let (rest, remainder) = (rest / s, rest % s);
        let (kx, picture) = (rest / n, rest % n);
        let place = row * s + remainder;
        if !inside.contains(&place) {
            continue; // padding
        }
        let y = picture * c.height + down.input(place);
        let line = &chunk.x[y * c.width * c.inputs..][..c.width * c.inputs];
        let at = |u: usize| {
            // A place before the first column wraps to a huge number, which is not below `c.width`.
            let x = (u * s + kx).wrapping_sub(c.padding.width);
            if x < c.width && u < made.width {
                let first = x * c.inputs + inputs;
                &line[first..first + i]
            } else {
                &zeros
            }
        };
        for (step, out) in out.chunks_exact_mut(i * E::STEP).enumerate() {
            let rows = [0, E::STEP - 1].map(|half| at(step * E::STEP + half));
            E::interleave(isa, rows, out);
        }
    }
    let mut starts = Vec::with_capacity(c.kernel.positions() * i);
    for ky in 0..c.kernel.height {
        for kx in 0..c.kernel.width {
            let first = kx * n * picture_len + (ky % s * rows + ky / s) * row_len;
            starts.extend((0..i).map(|channel| first + channel * E::STEP));
        }
    }
    let left = Left {
        data: copies,
        rows: Rows::At(&starts),
        segments: n,
        segment_stride: picture_len,
        steps: chunk.rows.len() * steps,
        step_stride: i * E::STEP,
    };
    let right = &mut scratch.right;
    let (height, first) = (chunk.rows.len(), chunk.rows.start);
    right.repack(isa, [n * height * steps, o], |place| {
        let (line, x) = (place / (steps * E::STEP), place % (steps * E::STEP));
        let line = if height == made.height {
            line
        } else {
            line / height * made.height + first + line % height
        };
        let position = line * made.width + x;
        (x < made.width).then(|| &chunk.grad[position * c.outputs + outputs..][..o])
    });
    let finish = Finish {
        accumulate: true,
        ..Finish::default()
    };
    multiply(isa, &left, right, Rectangle::whole(sums, o), finish);
}

/// Adds up parts `[G, K · K, I, O]`, in order, and lays them out as `[G · O, I, K · K]`.
fn transpose(parts: &[Vec<f32>], groups: usize, [taps, inputs, outputs]: [usize; 3]) -> Vec<f32> {
    /// Outputs that one task takes: a cache line.
    const OUTPUTS: usize = 16;
    let row = inputs * taps; // of an output
    let add_up = |group: usize, first: usize, out: &mut [f32]| {
        let count = out.len() / row;
        for tap in 0..taps {
            for input in 0..inputs {
                let place = ((group * taps + tap) * inputs + input) * outputs + first;
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
    };
    if groups == 1 {
        return fill(outputs * row, OUTPUTS * row, |first, out| {
            add_up(0, first / row, out);
        });
    }
    fill(groups * outputs * row, outputs * row, |first, out| {
        let group = first / (outputs * row);
        for (i, out) in out.chunks_mut(OUTPUTS * row).enumerate() {
            add_up(group, i * OUTPUTS, out);
        }
    })
}
