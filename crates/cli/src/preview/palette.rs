//! A picture in few colours: the colour cube is cut where its pixels differ most.
//!
//! Source: after Wu, "Color Quantization by Dynamic Programming and Principal Analysis" (1992): the
//! part with the greatest squared error is cut across the channel that has most of it. Cuts are at
//! the mean, which is near the best place and found in one pass.
//!
//! Invariant: a picture of no more colours than asked for keeps them all.

use std::ops::Range;

/// Colours, and for each pixel the place of its own.
pub(super) struct Reduced {
    pub(super) colours: Vec<[u8; 3]>,
    pub(super) indices: Vec<u8>,
}

/// Most colours, as an index is a byte.
const MOST: usize = 256;

/// Reduces pixels to at most 256 colours.
pub(super) fn reduce(pixels: &[[u8; 3]]) -> Reduced {
    // Parts are ranges of this, which is reordered as they are cut.
    let mut members: Vec<usize> = (0..pixels.len()).collect();
    let mut parts = vec![Part::new(pixels, &members, 0..pixels.len())];
    while parts.len() < MOST {
        let errors = parts.iter().enumerate();
        let worst = errors.max_by(|(_, a), (_, b)| a.error.total_cmp(&b.error));
        let Some((worst, part)) = worst.filter(|(_, part)| part.error > 0.0) else {
            break;
        };
        let (low, high) = part.cut(pixels, &mut members);
        parts[worst] = Part::new(pixels, &members, low);
        parts.push(Part::new(pixels, &members, high));
    }
    let mut indices = vec![0; pixels.len()];
    for (part, index) in parts.iter().zip(0..=u8::MAX) {
        for &member in &members[part.range.clone()] {
            indices[member] = index;
        }
    }
    let colours = parts.iter().map(|part| part.mean).collect();
    Reduced { colours, indices }
}

/// Pixels that share a colour.
struct Part {
    range: Range<usize>,
    mean: [u8; 3],
    /// The channel that differs most, and the sum of squared differences from its mean.
    channel: usize,
    error: f64,
}

impl Part {
    fn new(pixels: &[[u8; 3]], members: &[usize], range: Range<usize>) -> Self {
        let (mut sums, mut squares) = ([0u64; 3], [0u64; 3]);
        for &member in &members[range.clone()] {
            for (channel, &value) in pixels[member].iter().enumerate() {
                sums[channel] += u64::from(value);
                squares[channel] += u64::from(value).pow(2);
            }
        }
        let n = range.len().max(1) as u64;
        // In whole numbers, so that equal pixels have no error at all.
        let error = |c: usize| {
            let n_squared = u128::from(n) * u128::from(squares[c]) - u128::from(sums[c]).pow(2);
            n_squared as f64 / n as f64
        };
        let errors = [error(0), error(1), error(2)];
        let channel = (1..3).fold(0, |most, c| if errors[c] > errors[most] { c } else { most });
        Self {
            range,
            mean: sums.map(|sum| ((sum + n / 2) / n) as u8),
            channel,
            error: errors[channel],
        }
    }

    /// Cuts at the mean; neither side is empty where the pixels differ.
    fn cut(&self, pixels: &[[u8; 3]], members: &mut [usize]) -> (Range<usize>, Range<usize>) {
        let members = &mut members[self.range.clone()];
        let n = members.len().max(1);
        let value = |member: usize| pixels[member][self.channel];
        // Rounded down, unlike `mean`: the greatest value has to be above it.
        let sum: u64 = members.iter().map(|&m| u64::from(value(m))).sum();
        let middle = (sum / n as u64) as u8;
        members.sort_unstable_by_key(|&m| value(m) > middle);
        let at = self.range.start + members.partition_point(|&m| value(m) <= middle);
        (self.range.start..at, at..self.range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As varied as a photo, the same each time.
    fn noise(n: usize) -> Vec<[u8; 3]> {
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..n).map(|_| [byte(), byte(), byte()]).collect()
    }

    #[test]
    fn few_colours_are_kept() {
        let colours = noise(MOST);
        let pixels: Vec<[u8; 3]> = (0..5000).map(|i| colours[i * i % MOST]).collect();
        let reduced = reduce(&pixels);
        for (pixel, index) in pixels.iter().zip(&reduced.indices) {
            assert_eq!(*pixel, reduced.colours[usize::from(*index)]);
        }
    }

    #[test]
    fn many_colours_become_256_near_ones() {
        let pixels = noise(20_000);
        let reduced = reduce(&pixels);
        assert_eq!(reduced.colours.len(), MOST);
        let pairs = pixels.iter().zip(&reduced.indices);
        let errors = pairs.map(|(pixel, index)| {
            let colour = reduced.colours[usize::from(*index)];
            let squared = |c: usize| f64::from(pixel[c].abs_diff(colour[c])).powi(2);
            (0..3).map(squared).sum::<f64>()
        });
        // Halves of halves, eight times, are boxes of 32 × 32 × 64 levels: what even noise would
        // get.
        let mean = errors.sum::<f64>() / pixels.len() as f64;
        let boxes = (32.0 * 32.0 + 32.0 * 32.0 + 64.0 * 64.0) / 12.0;
        assert!(mean < boxes, "{mean}");
    }

    #[test]
    fn a_single_pixel_is_a_palette() {
        let reduced = reduce(&[[9, 8, 7]]);
        assert_eq!(
            (reduced.colours, reduced.indices),
            (vec![[9, 8, 7]], vec![0])
        );
    }
}
