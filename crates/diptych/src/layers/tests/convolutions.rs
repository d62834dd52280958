//! Convolutions and filters.

use super::super::naive::{self, Kernel, Map};
use super::super::{
    Convolution, ConvolutionOptions, Fir, FirOptions, ModulatedConvolution, ModulationOptions,
    TransposedConvolution,
};
use super::{flat, hold};

/// One test: the shapes of the map and the kernel, and the convolution's options.
struct Case {
    /// `[N, H, W]`.
    map: [usize; 3],
    /// Input and output channels.
    channels: [usize; 2],
    kernel: [usize; 2],
    slide: ConvolutionOptions,
}

/// Maps that are never square, and kernels of odd and even, equal and unequal sides.
fn cases() -> Vec<Case> {
    let case = |map, channels, kernel, [stride, groups]: [usize; 2], padding| Case {
        map,
        channels,
        kernel,
        slide: ConvolutionOptions {
            stride,
            padding,
            groups,
            bias: true,
        },
    };
    vec![
        case([2, 5, 7], [3, 4], [3, 3], [1, 1], [1, 1]),
        case([1, 7, 5], [2, 5], [3, 2], [2, 1], [0, 1]),
        case([3, 6, 4], [5, 3], [1, 1], [1, 1], [0, 0]),
        case([1, 9, 5], [3, 2], [5, 4], [2, 1], [2, 1]),
        case([2, 5, 4], [4, 6], [3, 3], [1, 2], [1, 1]),
        case([2, 5, 7], [5, 5], [3, 3], [2, 5], [1, 1]),
        case([1, 4, 5], [3, 6], [2, 3], [1, 3], [1, 0]),
    ]
}

/// A kernel of the naive twin.
fn kernel(values: &[f64], shape: [usize; 4], slide: ConvolutionOptions) -> Kernel<'_> {
    Kernel {
        values,
        shape,
        stride: slide.stride,
        padding: slide.padding,
        groups: slide.groups,
    }
}

#[test]
fn convolutions_are_their_definition() {
    for case in cases() {
        let ([n, height, width], [inputs, outputs]) = (case.map, case.channels);
        let weight = [
            outputs,
            inputs / case.slide.groups,
            case.kernel[0],
            case.kernel[1],
        ];
        let shape = [n, height, width, inputs];
        let shapes: &[(&str, &[usize])] = &[
            ("layer.weight", &weight),
            ("layer.bias", &[outputs]),
            ("x", &shape),
        ];
        hold(
            &format!("convolution {shape:?} by {weight:?}"),
            shapes,
            |b| Convolution::build(b, "layer", case.slide),
            |layer, given| flat(layer.forward(given.get("x"))),
            |v| {
                let x = Map {
                    values: &v["x"],
                    shape,
                };
                let kernel = kernel(&v["layer.weight"], weight, case.slide);
                naive::convolution(x, kernel, &v["layer.bias"])
            },
        );
    }
}

#[test]
fn transposed_convolutions_are_their_definition() {
    for (i, case) in cases().into_iter().enumerate() {
        let ([n, height, width], [inputs, outputs]) = (case.map, case.channels);
        let weight = [
            inputs,
            outputs / case.slide.groups,
            case.kernel[0],
            case.kernel[1],
        ];
        // The output may be made larger only where a stride leaves room.
        let more = if case.slide.stride == 2 { i % 2 } else { 0 };
        let options = ConvolutionOptions {
            bias: i % 3 != 0,
            ..case.slide
        };
        let shape = [n, height, width, inputs];
        let bias = [outputs];
        let mut shapes: Vec<(&str, &[usize])> = vec![("layer.weight", &weight), ("x", &shape)];
        if options.bias {
            shapes.push(("layer.bias", &bias));
        }
        hold(
            &format!("transposed convolution {shape:?} by {weight:?}"),
            &shapes,
            |b| {
                let layer = TransposedConvolution::build(b, "layer", options)?;
                Ok(layer.with_output_padding(more))
            },
            |layer, given| flat(layer.forward(given.get("x"))),
            |v| {
                let x = Map {
                    values: &v["x"],
                    shape,
                };
                let kernel = kernel(&v["layer.weight"], weight, options);
                let bias = v.get("layer.bias").map_or(&[][..], |bias| bias);
                naive::transposed(x, kernel, bias, more)
            },
        );
    }
}

#[test]
fn a_modulated_input_is_a_weight_a_picture() {
    for (kernel, padding, up, demodulation) in [
        (3, 1, false, Some(1e-8)),
        (3, 0, true, Some(1e-8)),
        (1, 0, false, None),
        (2, 1, false, Some(1e-2)),
    ] {
        let (shape, weight) = ([2, 5, 4, 3], [4, 3, kernel, kernel]);
        let options = ModulationOptions {
            padding,
            up,
            demodulation,
        };
        hold(
            &format!("modulated convolution, {options:?}"),
            &[
                ("layer.weight", &weight),
                ("x", &shape),
                ("style", &[shape[0], shape[3]]),
            ],
            |b| ModulatedConvolution::build(b, "layer", options),
            |layer, given| flat(layer.forward(given.get("x"), given.get("style"))),
            |v| {
                let x = Map {
                    values: &v["x"],
                    shape,
                };
                let kernel = Kernel {
                    values: &v["layer.weight"],
                    shape: weight,
                    stride: 1,
                    padding: [padding; 2],
                    groups: 1,
                };
                naive::modulated(x, kernel, &v["style"], demodulation.map(f64::from), up)
            },
        );
    }
}

#[test]
fn filters_are_zeros_stuffed_in_and_a_convolution() {
    let shape = [2, 5, 7, 3];
    for (taps, up, down, padding, gain) in [
        (&[1.0, 3.0, 3.0, 1.0][..], 1, 1, [1, 1], 2.0),
        (&[1.0, 3.0, 3.0, 1.0], 2, 1, [2, 1], 2.0),
        (&[1.0, 3.0, 3.0, 1.0], 1, 2, [1, 1], 1.0),
        (&[1.0, 2.0, -0.5], 3, 2, [4, -1], 1.5),
        (&[1.0], 1, 2, [-1, 0], 1.0),
    ] {
        let options = FirOptions {
            up,
            down,
            padding,
            gain,
        };
        let sum: f32 = taps.iter().sum();
        let scaled: Vec<f64> = taps.iter().map(|t| f64::from(t * gain / sum)).collect();
        hold(
            &format!("filter {taps:?}, {options:?}"),
            &[("x", &shape)],
            |_| Ok(Fir::new(taps, options)),
            |layer, given| flat(layer.forward(given.get("x"))),
            |v| {
                let x = Map {
                    values: &v["x"],
                    shape,
                };
                naive::filter(x, &scaled, [up, down], padding)
            },
        );
    }
}
