//! The fast resizer against a slow, obvious one, and its edges.

use super::Random;
use crate::image::resample::{Window, resize_window};
use crate::image::{Interpolation, resize};

/// Resizes a line by the definition, in f64 weights rounded to 22 bits.
fn naive_line(line: &[u8], to: usize, interpolation: Interpolation) -> Vec<u8> {
    let scale = line.len() as f64 / to as f64;
    let stretch = scale.max(1.0);
    let radius = if interpolation == Interpolation::Bicubic {
        2.0
    } else {
        1.0
    } * stretch;
    let filter = |x: f64| match (interpolation, x.abs()) {
        (Interpolation::Bicubic, x) if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        (Interpolation::Bicubic, x) if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
        (Interpolation::Bilinear, x) if x < 1.0 => 1.0 - x,
        _ => 0.0,
    };
    (0..to)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - radius + 0.5).max(0.0) as usize;
            let end = ((centre + radius + 0.5) as usize).min(line.len());
            let weights: Vec<f64> = (first..end)
                .map(|x| filter((x as f64 - centre + 0.5) * (1.0 / stretch)))
                .collect();
            let total: f64 = weights.iter().sum();
            let fixed = weights
                .iter()
                .map(|w| (w / total * f64::from(1 << 22)).round() as i64);
            let sum: i64 = line[first..end]
                .iter()
                .zip(fixed)
                .map(|(&v, w)| i64::from(v) * w)
                .sum();
            ((sum + (1 << 21)) >> 22).clamp(0, 255) as u8
        })
        .collect()
}

/// Every channel by itself, one direction after the other.
fn naive(
    pixels: &[u8],
    from: (usize, usize),
    channels: usize,
    to: (usize, usize),
    filter: Interpolation,
) -> Vec<u8> {
    let rows_lost = from.1 as i64 - to.1 as i64;
    let rows_first = rows_lost > 0 && rows_lost > 2 * (from.0 as i64 - to.0 as i64);
    let mut out = vec![0; to.0 * to.1 * channels];
    for c in 0..channels {
        let mut plane: Vec<u8> = pixels.iter().skip(c).step_by(channels).copied().collect();
        let mut size = from;
        for columns in if rows_first {
            [false, true]
        } else {
            [true, false]
        } {
            if columns {
                plane = plane
                    .chunks_exact(size.0)
                    .flat_map(|line| naive_line(line, to.0, filter))
                    .collect();
                size.0 = to.0;
            } else {
                let lines: Vec<Vec<u8>> = (0..size.0)
                    .map(|x| {
                        naive_line(
                            &plane
                                .iter()
                                .skip(x)
                                .step_by(size.0)
                                .copied()
                                .collect::<Vec<_>>(),
                            to.1,
                            filter,
                        )
                    })
                    .collect();
                size.1 = to.1;
                plane = (0..size.1)
                    .flat_map(|y| lines.iter().map(move |line| line[y]))
                    .collect();
            }
        }
        out.iter_mut()
            .skip(c)
            .step_by(channels)
            .zip(plane)
            .for_each(|(slot, value)| *slot = value);
    }
    out
}

#[test]
fn resize_is_the_naive_sum_to_the_bit() {
    let mut random = Random(1);
    for case in 0..300 {
        let side =
            |random: &mut Random| [1 + random.below(9), 1 + random.below(60)][random.below(2)];
        let [w, h, to_w, to_h] = std::array::from_fn(|_| side(&mut random));
        let channels = 1 + case % 4;
        let pixels = random.bytes(w * h * channels);
        let filter = [Interpolation::Bicubic, Interpolation::Bilinear][random.below(2)];
        let got = resize(&pixels, (w, h), channels, (to_w, to_h), filter);
        let want = naive(&pixels, (w, h), channels, (to_w, to_h), filter);
        assert!(
            got == want,
            "{w}×{h}×{channels} to {to_w}×{to_h} {filter:?}"
        );
    }
}

#[test]
fn a_window_is_a_part_of_the_whole() {
    let mut random = Random(2);
    for (from, to) in [((40, 30), (23, 17)), ((9, 50), (8, 20)), ((5, 4), (31, 29))] {
        let pixels = random.bytes(from.0 * from.1 * 3);
        let whole = resize(&pixels, from, 3, to, Interpolation::Bicubic);
        let window = Window {
            columns: 3..7,
            rows: 2..9,
        };
        let part = resize_window(&pixels, from, 3, to, Interpolation::Bicubic, &window);
        assert_eq!(
            part,
            crate::image::crop(&whole, to, 3, (3, 2), (4, 7)).unwrap()
        );
    }
}

#[test]
fn one_colour_stays_one_colour() {
    let pixels = vec![201; 77 * 31 * 3];
    assert!(
        resize(&pixels, (77, 31), 3, (10, 50), Interpolation::Bicubic)
            .iter()
            .all(|&v| v == 201)
    );
}
