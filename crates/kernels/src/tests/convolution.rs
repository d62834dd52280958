//! Convolutions of any geometry, filters and modulated maps against their definitions, on every
//! instruction set.

use half::bf16;
use proptest::prelude::*;

use super::{check, close, values};
use crate::convolution::{Convolution, Extent};
use crate::fir::Fir;
use crate::modulate::{modulate, modulate_backward};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_geometry_is_its_definition(
        n in 1..11usize, height in 1..8usize, width in 1..8usize, stride in 1..4usize,
        kernel in (1..5usize, 1..5usize), padding in (0..3usize, 0..3usize),
        groups in 1..4usize, inputs in 1..6usize, outputs in 1..20usize,
    ) {
        let c = Convolution {
            height: height.max(kernel.0.saturating_sub(2 * padding.0)),
            width: width.max(kernel.1.saturating_sub(2 * padding.1)),
            kernel: Extent { height: kernel.0, width: kernel.1 },
            padding: Extent { height: padding.0, width: padding.1 },
            stride,
            groups,
            ..Convolution::linear(groups * inputs, groups * outputs)
        };
        check::<f32>(c, n);
        // Channels by themselves are never rounded.
        if groups == 1 || inputs + outputs > 2 {
            check::<bf16>(c, n);
        }
    }

    #[test]
    fn depthwise_convolutions_are_their_definition(
        n in 1..11usize, height in 1..8usize, width in 1..8usize, stride in 1..4usize,
        kernel in (1..5usize, 1..5usize), padding in (0..3usize, 0..3usize), channels in 2..150usize,
    ) {
        let c = Convolution {
            height: height.max(kernel.0.saturating_sub(2 * padding.0)),
            width: width.max(kernel.1.saturating_sub(2 * padding.1)),
            kernel: Extent { height: kernel.0, width: kernel.1 },
            padding: Extent { height: padding.0, width: padding.1 },
            stride,
            groups: channels,
            ..Convolution::linear(channels, channels)
        };
        check::<f32>(c, n);
    }

    #[test]
    fn filters_are_their_definition(
        n in 1..4usize, height in 1..8usize, width in 1..8usize, channels in 1..20usize,
        taps in 1..7usize, up in 1..4usize, down in 1..4usize, padding in (-1..4isize, -1..4isize),
    ) {
        let fir = Fir { taps: values(taps, 5).into(), up, down, padding: [padding.0, padding.1] };
        let fits = |side: usize| (side * up) as isize + padding.0 + padding.1 >= taps as isize;
        prop_assume!(fits(height) && fits(width));
        let map = Extent { height, width };
        let made = fir.output(map);
        let x = values(n * map.positions() * channels, 1);
        let grad = values(n * made.positions() * channels, 2);
        let mut output = vec![0f64; grad.len()];
        let mut grad_x = vec![0f64; x.len()];
        // Zeros are stuffed between values and around them; the filter is turned.
        let source = |place: usize, tap: usize, side: usize| {
            let place = (place * down + tap) as isize - padding.0;
            let is_there = place >= 0 && place % up as isize == 0 && place / (up as isize) < side as isize;
            is_there.then(|| place as usize / up)
        };
        for place in 0..n * made.positions() {
            let (row, column) = (place / made.width, place % made.width);
            let (picture, row) = (row / made.height, row % made.height);
            for tap in 0..taps * taps {
                let (ky, kx) = (tap / taps, tap % taps);
                if let (Some(y), Some(x_at)) = (source(row, ky, height), source(column, kx, width)) {
                    let factor = f64::from(fir.taps[taps - 1 - ky]) * f64::from(fir.taps[taps - 1 - kx]);
                    for c in 0..channels {
                        let from = ((picture * height + y) * width + x_at) * channels + c;
                        output[place * channels + c] += factor * f64::from(x[from]);
                        grad_x[from] += factor * f64::from(grad[place * channels + c]);
                    }
                }
            }
        }
        close(&fir.forward(map, channels, &x), &output, 2 * taps * taps);
        close(&fir.backward(map, channels, &grad), &grad_x, 2 * taps * taps);
    }

    #[test]
    fn modulated_maps_are_their_definition(n in 1..4usize, positions in 1..200usize, c in 1..200usize) {
        let (x, factors) = (values(n * positions * c, 1), values(n * c, 2));
        let grad = values(x.len(), 3);
        let factor = |i: usize| f64::from(factors[i / (positions * c) * c + i % c]);
        let want: Vec<f64> = x.iter().enumerate().map(|(i, x)| f64::from(*x) * factor(i)).collect();
        close(&modulate(c, &x, &factors), &want, 1);
        let (of_x, of_factors) = modulate_backward(c, &x, &factors, &grad);
        let want: Vec<f64> = grad.iter().enumerate().map(|(i, g)| f64::from(*g) * factor(i)).collect();
        close(&of_x, &want, 1);
        let mut want = vec![0f64; n * c];
        for (i, (x, g)) in x.iter().zip(&grad).enumerate() {
            want[i / (positions * c) * c + i % c] += f64::from(*x) * f64::from(*g);
        }
        close(&of_factors, &want, positions);
    }
}

#[test]
fn large_maps_of_few_pictures_are_split_by_rows() {
    let c = Convolution {
        height: 70,
        width: 33,
        kernel: Extent::square(3),
        padding: Extent::square(1),
        stride: 2,
        ..Convolution::linear(3, 5)
    };
    check::<f32>(c, 1);
    check::<bf16>(Convolution { stride: 1, ..c }, 3);
}
