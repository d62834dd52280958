//! Resizing of 8-bit pictures, the same to the last bit as Pillow's.
//!
//! Source: `Resample.c` and `Geometry.c` of Pillow 13.0 (read for the arithmetic, not copied): a
//! filter that widens with the reduction (antialiasing), one pass over columns and one over rows,
//! each rounded to 8 bits, weights in fixed point with 22 fractional bits. Up to version 12 Pillow
//! always took columns first; 13.0 takes rows first where they shrink by far more, see
//! [`rows_first`]. Invariant: integer sums only, so the order of summation is free and every CPU
//! gives the same bytes.
//!
//! Letters: a line has `in_len` pixels before and `out_len` after; output `i` is
//! `Σₖ weights[i][k] · line[first[i] + k]`.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// How new pixels are weighed from old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Cubic convolution with a = -0.5, four pixels wide at scale 1: CLIP's filter.
    Bicubic,
    /// Triangle, two pixels wide at scale 1.
    Bilinear,
}

impl Interpolation {
    /// Half of the filter's width at scale 1, in pixels.
    fn radius(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Bilinear => 1.0,
        }
    }

    /// Weight of a pixel at distance `x` from the centre.
    fn weight(self, x: f64) -> f64 {
        // Keys (1981), equation 15, with Pillow's order of operations: it decides the last bit.
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Bilinear if x < 1.0 => 1.0 - x,
            _ => 0.0,
        }
    }
}

impl Interpolation {
    /// For a line of `in_len` pixels that is resized to `out_len` with antialiasing: returns the
    /// first old pixel that the new pixel `i` is made of, and puts the shares of it and of those
    /// behind it into `shares`.
    pub(crate) fn shares(
        self,
        i: usize,
        in_len: usize,
        out_len: usize,
        shares: &mut Vec<f64>,
    ) -> usize {
        let scale = in_len as f64 / out_len as f64;
        let stretch = scale.max(1.0); // never narrower than one pixel: only reduction blurs
        let inverse = 1.0 / stretch;
        let radius = self.radius() * stretch;
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - radius + 0.5).max(0.0) as usize;
        let end = ((centre + radius + 0.5) as usize).min(in_len);
        shares.clear();
        let weight = |k| self.weight(((k + first) as f64 - centre + 0.5) * inverse);
        shares.extend((0..end - first).map(weight));
        let sum: f64 = shares.iter().sum();
        if sum != 0.0 {
            shares.iter_mut().for_each(|share| *share /= sum);
        }
        first
    }
}

/// A part of a resized picture: columns and rows of the result.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) columns: Range<usize>,
    pub(super) rows: Range<usize>,
}

/// Resizes an interleaved 8-bit picture with antialiasing, exactly as Pillow's `Image.resize`.
///
/// `pixels` is `[height, width, channels]` with `(width, height) = from`; the result is
/// `[to.1, to.0, channels]`. Channels are resized independently: premultiply alpha before, if it
/// should weigh the colours.
///
/// # Panics
/// If `pixels` does not have `from.0 * from.1 * channels` values, a size is zero, or `channels` is
/// not 1 to 4.
#[must_use]
pub fn resize(
    pixels: &[u8],
    from: (usize, usize),
    channels: usize,
    to: (usize, usize),
    interpolation: Interpolation,
) -> Vec<u8> {
    let all = Window {
        columns: 0..to.0,
        rows: 0..to.1,
    };
    resize_window(pixels, from, channels, to, interpolation, &all)
}

/// [`resize`], of which only the pixels in `window` are computed.
pub(super) fn resize_window(
    pixels: &[u8],
    from: (usize, usize),
    channels: usize,
    to: (usize, usize),
    interpolation: Interpolation,
    window: &Window,
) -> Vec<u8> {
    assert!(
        from.0 > 0 && from.1 > 0 && to.0 > 0 && to.1 > 0,
        "resize: {from:?} to {to:?}"
    );
    assert_eq!(
        pixels.len(),
        from.0 * from.1 * channels,
        "resize: {from:?} of {channels} channels"
    );
    if from == to && window.columns.len() == to.0 && window.rows.len() == to.1 {
        return pixels.to_vec();
    }
    let arch = Arch::new();
    match channels {
        1 => arch.dispatch(Passes::<1> {
            pixels,
            from,
            to,
            interpolation,
            window,
        }),
        2 => arch.dispatch(Passes::<2> {
            pixels,
            from,
            to,
            interpolation,
            window,
        }),
        3 => arch.dispatch(Passes::<3> {
            pixels,
            from,
            to,
            interpolation,
            window,
        }),
        4 => arch.dispatch(Passes::<4> {
            pixels,
            from,
            to,
            interpolation,
            window,
        }),
        _ => panic!("resize: {channels} channels, but 1 to 4 are wanted"),
    }
}

/// Both passes for a picture of `C` channels, compiled once for every set of CPU features.
struct Passes<'a, const C: usize> {
    pixels: &'a [u8],
    from: (usize, usize),
    to: (usize, usize),
    interpolation: Interpolation,
    window: &'a Window,
}

impl<const C: usize> WithSimd for Passes<'_, C> {
    type Output = Vec<u8>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<u8> {
        let Self {
            pixels,
            from,
            to,
            interpolation,
            window,
        } = self;
        let columns = Weights::new(from.0, to.0, interpolation, window.columns.clone());
        let rows = Weights::new(from.1, to.1, interpolation, window.rows.clone());
        if rows_first(from, to) {
            // Only the columns that the second pass will read.
            let reach = columns.reach();
            let low = squeeze_rows(pixels, from.0 * C, reach.start * C..reach.end * C, &rows);
            return squeeze_columns::<C>(&low, reach.len(), &columns.shifted(reach.start));
        }
        // Only the lines that the second pass will read.
        let reach = rows.reach();
        let lines = &pixels[reach.start * from.0 * C..reach.end * from.0 * C];
        let narrow = squeeze_columns::<C>(lines, from.0, &columns);
        let stride = window.columns.len() * C;
        squeeze_rows(&narrow, stride, 0..stride, &rows.shifted(reach.start))
    }
}

/// Whether rows are resized before columns; the rounding in between makes it part of the result.
fn rows_first(from: (usize, usize), to: (usize, usize)) -> bool {
    let lost = |from: usize, to: usize| from as i128 - to as i128;
    let (columns, rows) = (lost(from.0, to.0), lost(from.1, to.1));
    rows > 0 && rows > 2 * columns
}

/// Picks the nearest pixel for each new one, as Pillow's `NEAREST`: pixel `i` comes from
/// `⌊(i + ½) · from / to⌋`.
pub(super) fn nearest_window(
    pixels: &[u8],
    from: (usize, usize),
    to: (usize, usize),
    window: &Window,
) -> Vec<u8> {
    let columns = nearest_indices(from.0, to.0, window.columns.clone());
    let rows = nearest_indices(from.1, to.1, window.rows.clone());
    let mut out = Vec::with_capacity(columns.len() * rows.len());
    for y in rows {
        let line = &pixels[y * from.0..(y + 1) * from.0];
        out.extend(columns.iter().map(|&x| line[x]));
    }
    out
}

fn nearest_indices(from: usize, to: usize, wanted: Range<usize>) -> Vec<usize> {
    // Pillow adds the step up instead of multiplying; the sum's rounding errors are part of the
    // result.
    let step = from as f64 / to as f64;
    let mut at = step * 0.5;
    let mut indices = Vec::with_capacity(wanted.len());
    for i in 0..wanted.end {
        if i >= wanted.start {
            indices.push((at as usize).min(from - 1));
        }
        at += step;
    }
    indices
}

/// Fractional bits of a weight: 32, less 8 of the pixel, less 2 for sums beyond 0..=1.
const PRECISION: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (PRECISION - 1);

/// Fixed point back to a pixel. The half for rounding is already in the sum.
#[inline(always)]
fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The weights of one direction.
struct Weights {
    /// First input pixel of each output pixel.
    first: Vec<usize>,
    /// Weights of each output pixel: the `i`-th are `weights[ends[i - 1]..ends[i]]`.
    ends: Vec<usize>,
    weights: Vec<i32>,
}

impl Weights {
    fn new(
        in_len: usize,
        out_len: usize,
        interpolation: Interpolation,
        wanted: Range<usize>,
    ) -> Self {
        let mut table = Self {
            first: Vec::new(),
            ends: Vec::new(),
            weights: Vec::new(),
        };
        let mut exact = Vec::new();
        for i in wanted {
            let first = interpolation.shares(i, in_len, out_len, &mut exact);
            table.weights.extend(exact.iter().map(|&share| {
                let fixed = share * f64::from(1u32 << PRECISION);
                (if share < 0.0 {
                    fixed - 0.5
                } else {
                    fixed + 0.5
                }) as i32
            }));
            table.first.push(first);
            table.ends.push(table.weights.len());
        }
        table
    }

    /// The same weights for a line that begins at pixel `start`.
    fn shifted(mut self, start: usize) -> Self {
        self.first.iter_mut().for_each(|first| *first -= start);
        self
    }

    /// First input pixel and weights of each output pixel.
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.first
            .iter()
            .zip(starts.zip(&self.ends))
            .map(|(&first, (start, &end))| (first, &self.weights[start..end]))
    }

    /// The input pixels that any output pixel reads.
    fn reach(&self) -> Range<usize> {
        let start = self.first.iter().copied().min().unwrap_or(0);
        let end = self
            .iter()
            .map(|(first, weights)| first + weights.len())
            .max()
            .unwrap_or(0);
        start..end
    }
}

/// Pixels whose products are summed side by side.
const LANES: usize = 8;

/// The pass over columns: every line of `width` pixels gets `columns.first.len()` pixels.
#[inline(always)]
fn squeeze_columns<const C: usize>(pixels: &[u8], width: usize, columns: &Weights) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() / width * columns.first.len());
    let blocks = Blocks::new(columns, width, C);
    for line in pixels.chunks_exact(width * C) {
        // Loops, not closures: those would be compiled without the CPU features of this function.
        if let Some(blocks) = &blocks {
            for (at, weights) in blocks.iter() {
                out.extend_from_slice(&block_sums::<C>(&line[at..], weights));
            }
        } else {
            for (first, weights) in columns.iter() {
                out.extend_from_slice(&plain_sums::<C>(&line[first * C..], weights));
            }
        }
    }
    out
}

/// One pixel: the sum of `weights` times the pixels that `line` begins with.
#[inline(always)]
fn plain_sums<const C: usize>(line: &[u8], weights: &[i32]) -> [u8; C] {
    let mut sums = [HALF; C];
    for (pixel, &weight) in line.as_chunks::<C>().0.iter().zip(weights) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += i32::from(value) * weight;
        }
    }
    sums.map(clip)
}

/// [`plain_sums`] in the form that compilers turn into vector instructions: values and weights are
/// read one after the other, whatever channel they belong to, into `LANES · C` sums.
#[inline(always)]
fn block_sums<const C: usize>(line: &[u8], weights: &[i32]) -> [u8; C] {
    let mut lanes = [[0i32; LANES]; C];
    let (values, weights) = (line.as_chunks::<LANES>().0, weights.as_chunks::<LANES>().0);
    for (values, weights) in values
        .as_chunks::<C>()
        .0
        .iter()
        .zip(weights.as_chunks::<C>().0)
    {
        for c in 0..C {
            for i in 0..LANES {
                lanes[c][i] += i32::from(values[c][i]) * weights[c][i];
            }
        }
    }
    let mut sums = [HALF; C];
    for lanes in lanes.as_flattened().as_chunks::<C>().0 {
        for c in 0..C {
            sums[c] += lanes[c];
        }
    }
    let mut pixel = [0; C];
    for c in 0..C {
        pixel[c] = clip(sums[c]);
    }
    pixel
}

/// Weights for [`block_sums`]: each repeated for every channel, in whole blocks of `LANES` pixels.
/// Blocks are filled with zeros, and begin early enough to end within the line.
struct Blocks {
    /// First value of each output pixel, and the end of its weights.
    places: Vec<(usize, usize)>,
    weights: Vec<i32>,
}

impl Blocks {
    /// `None` if a line of `width` pixels has no room for the blocks.
    fn new(columns: &Weights, width: usize, channels: usize) -> Option<Self> {
        let mut blocks = Self {
            places: Vec::with_capacity(columns.first.len()),
            weights: Vec::new(),
        };
        for (first, weights) in columns.iter() {
            let length = weights.len().next_multiple_of(LANES);
            let start = first.min(width.checked_sub(length)?);
            let at = blocks.weights.len() + (first - start) * channels;
            blocks
                .weights
                .resize(blocks.weights.len() + length * channels, 0);
            for (slots, &weight) in blocks.weights[at..].chunks_exact_mut(channels).zip(weights) {
                slots.fill(weight);
            }
            blocks.places.push((start * channels, blocks.weights.len()));
        }
        Some(blocks)
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let starts = std::iter::once(0).chain(self.places.iter().map(|place| place.1));
        self.places
            .iter()
            .zip(starts)
            .map(|(&(at, end), start)| (at, &self.weights[start..end]))
    }
}

/// The pass over rows, of the `part` of each line of `stride` values.
#[inline(always)]
fn squeeze_rows(pixels: &[u8], stride: usize, part: Range<usize>, rows: &Weights) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.first.len() * part.len());
    let mut sums = vec![0i32; part.len()];
    for (first, weights) in rows.iter() {
        sums.fill(HALF);
        for (line, &weight) in pixels[first * stride..].chunks_exact(stride).zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(&line[part.clone()]) {
                *sum += i32::from(value) * weight;
            }
        }
        let at = out.len();
        out.resize(at + sums.len(), 0);
        for (value, &sum) in out[at..].iter_mut().zip(&sums) {
            *value = clip(sum);
        }
    }
    out
}
