//! One naive twin of each layer: scalar loops over its definition, summed in f64. The oracle of the
//! layers' tests.
//!
//! A gradient is the difference quotient of the forward, which in f64 is right to eight digits. So
//! no backward is written by hand here, where it could share a mistake with the one under test.
//!
//! Maps are `[N, H, W, C]`.

/// Half the step of a difference quotient.
const STEP: f64 = 1e-4;

/// The gradient of `Σ upstream · f(x)` for every value of `x`.
pub(super) fn gradient(
    x: &[f64],
    upstream: &[f64],
    mut f: impl FnMut(&[f64]) -> Vec<f64>,
) -> Vec<f64> {
    let mut x = x.to_vec();
    let mut loss = |x: &[f64]| -> f64 { f(x).iter().zip(upstream).map(|(y, u)| y * u).sum() };
    (0..x.len())
        .map(|i| {
            let value = x[i];
            x[i] = value + STEP;
            let above = loss(&x);
            x[i] = value - STEP;
            let below = loss(&x);
            x[i] = value;
            (above - below) / (2.0 * STEP)
        })
        .collect()
}

/// A map's values.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub(super) values: &'a [f64],
    pub(super) shape: [usize; 4],
}

impl Map<'_> {
    /// The value at a place, and zero outside.
    fn at(&self, n: usize, y: isize, x: isize, c: usize) -> f64 {
        let [_, height, width, channels] = self.shape;
        match (usize::try_from(y), usize::try_from(x)) {
            (Ok(y), Ok(x)) if y < height && x < width => {
                self.values[((n * height + y) * width + x) * channels + c]
            }
            _ => 0.0,
        }
    }
}

/// Values of a map `[N, H, W, C]`, one by one.
fn map(
    [n, height, width, channels]: [usize; 4],
    mut f: impl FnMut(usize, usize, usize, usize) -> f64,
) -> Vec<f64> {
    let mut values = Vec::with_capacity(n * height * width * channels);
    for n in 0..n {
        for y in 0..height {
            for x in 0..width {
                values.extend((0..channels).map(|c| f(n, y, x, c)));
            }
        }
    }
    values
}

/// A kernel `[O, I / G, K, K]`, and how it slides.
#[derive(Clone, Copy)]
pub(super) struct Kernel<'a> {
    pub(super) values: &'a [f64],
    pub(super) shape: [usize; 4],
    pub(super) stride: usize,
    pub(super) padding: [usize; 2],
    pub(super) groups: usize,
}

/// `nn.Conv2d`, with `bias` `[O]` or none.
pub(super) fn convolution(x: Map, kernel: Kernel, bias: &[f64]) -> Vec<f64> {
    let [n, height, width, _] = x.shape;
    let [outputs, inputs, kh, kw] = kernel.shape;
    let [ph, pw] = kernel.padding;
    let made = [
        (height + 2 * ph - kh) / kernel.stride + 1,
        (width + 2 * pw - kw) / kernel.stride + 1,
    ];
    map([n, made[0], made[1], outputs], |n, y, column, o| {
        let first = o / (outputs / kernel.groups) * inputs;
        let mut sum = bias.get(o).copied().unwrap_or(0.0);
        for i in 0..inputs {
            for ky in 0..kh {
                for kx in 0..kw {
                    let from_y = (y * kernel.stride + ky) as isize - ph as isize;
                    let from_x = (column * kernel.stride + kx) as isize - pw as isize;
                    let weight = kernel.values[((o * inputs + i) * kh + ky) * kw + kx];
                    sum += weight * x.at(n, from_y, from_x, first + i);
                }
            }
        }
        sum
    })
}

/// `nn.ConvTranspose2d`: `kernel` is `[I, O / G, K, K]`, `bias` `[O]` or none.
pub(super) fn transposed(x: Map, kernel: Kernel, bias: &[f64], more: usize) -> Vec<f64> {
    let [n, height, width, inputs] = x.shape;
    let [_, each, kh, kw] = kernel.shape;
    let [ph, pw] = kernel.padding;
    let s = kernel.stride;
    let made = [
        (height - 1) * s + kh + more - 2 * ph,
        (width - 1) * s + kw + more - 2 * pw,
    ];
    let outputs = each * kernel.groups;
    let of_group = inputs / kernel.groups;
    map([n, made[0], made[1], outputs], |n, y, column, o| {
        let mut sum = bias.get(o).copied().unwrap_or(0.0);
        for from_y in 0..height {
            for from_x in 0..width {
                let (Some(ky), Some(kx)) = (
                    (y + ph).checked_sub(from_y * s).filter(|k| *k < kh),
                    (column + pw).checked_sub(from_x * s).filter(|k| *k < kw),
                ) else {
                    continue;
                };
                for i in 0..of_group {
                    let i = o / each * of_group + i;
                    let weight = kernel.values[((i * each + o % each) * kh + ky) * kw + kx];
                    sum += weight * x.at(n, from_y as isize, from_x as isize, i);
                }
            }
        }
        sum
    })
}

/// StyleGAN2's modulated convolution as its paper states it: each picture has its own weight.
pub(super) fn modulated(
    x: Map,
    kernel: Kernel,
    style: &[f64],
    demodulation: Option<f64>,
    up: bool,
) -> Vec<f64> {
    let [n, height, width, inputs] = x.shape;
    let [outputs, _, kh, kw] = kernel.shape;
    let taps = kh * kw;
    let scale = ((inputs * taps) as f64).sqrt().recip();
    let picture = height * width * inputs;
    let each = |n: usize| {
        let mut weight = vec![0.0; outputs * inputs * taps];
        for o in 0..outputs {
            let row = o * inputs * taps..(o + 1) * inputs * taps;
            for i in 0..inputs {
                for tap in 0..taps {
                    let place = (o * inputs + i) * taps + tap;
                    weight[place] = scale * style[n * inputs + i] * kernel.values[place];
                }
            }
            if let Some(epsilon) = demodulation {
                let squares: f64 = weight[row.clone()].iter().map(|w| w * w).sum();
                weight[row]
                    .iter_mut()
                    .for_each(|w| *w /= (squares + epsilon).sqrt());
            }
        }
        let x = Map {
            values: &x.values[n * picture..][..picture],
            shape: [1, height, width, inputs],
        };
        if !up {
            let kernel = Kernel {
                values: &weight,
                ..kernel
            };
            return convolution(x, kernel, &[]);
        }
        let mut exchanged = vec![0.0; weight.len()]; // [I, O, K, K]
        for (place, value) in weight.iter().enumerate() {
            let (o, i, tap) = (place / taps / inputs, place / taps % inputs, place % taps);
            exchanged[(i * outputs + o) * taps + tap] = *value;
        }
        let kernel = Kernel {
            values: &exchanged,
            shape: [inputs, outputs, kh, kw],
            stride: 2,
            padding: [0; 2],
            groups: 1,
        };
        transposed(x, kernel, &[], 0)
    };
    (0..n).flat_map(each).collect()
}

/// `upfirdn2d`: inserts zeros, convolves with the filter along both sides, and keeps every
/// `down`-th position.
pub(super) fn filter(
    x: Map,
    taps: &[f64],
    [up, down]: [usize; 2],
    [before, after]: [isize; 2],
) -> Vec<f64> {
    let [n, height, width, channels] = x.shape;
    let t = taps.len();
    let made =
        |side: usize| ((side * up) as isize + before + after - t as isize) as usize / down + 1;
    let stuffed = |n: usize, y: isize, column: isize, c: usize| {
        let up = up as isize;
        if y % up == 0 && column % up == 0 {
            x.at(n, y / up, column / up, c)
        } else {
            0.0
        }
    };
    map(
        [n, made(height), made(width), channels],
        |n, y, column, c| {
            let mut sum = 0.0;
            for ky in 0..t {
                for kx in 0..t {
                    let from_y = (y * down + ky) as isize - before;
                    let from_x = (column * down + kx) as isize - before;
                    sum += taps[t - 1 - ky] * taps[t - 1 - kx] * stuffed(n, from_y, from_x, c);
                }
            }
            sum
        },
    )
}

/// Shifts and scales values to mean 0 and variance 1.
fn normalised(values: &[f64], epsilon: f64) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    let deviation = (variance + epsilon).sqrt();
    values.iter().map(|v| (v - mean) / deviation).collect()
}

/// Normalises the values of each set, which `of(n, c)` numbers, then scales and shifts by channel.
fn norm(
    x: Map,
    [weight, bias]: [&[f64]; 2],
    epsilon: f64,
    of: impl Fn(usize, usize) -> usize,
) -> Vec<f64> {
    let [_, height, width, channels] = x.shape;
    let set = |place: usize| of(place / (height * width * channels), place % channels);
    let mut sets: Vec<Vec<usize>> = Vec::new();
    for place in 0..x.values.len() {
        let set = set(place);
        sets.resize(sets.len().max(set + 1), Vec::new());
        sets[set].push(place);
    }
    let mut out = vec![0.0; x.values.len()];
    for places in sets {
        let values: Vec<f64> = places.iter().map(|&place| x.values[place]).collect();
        for (place, value) in places.into_iter().zip(normalised(&values, epsilon)) {
            out[place] = value * weight[place % channels] + bias[place % channels];
        }
    }
    out
}

/// `nn.GroupNorm`.
pub(super) fn group_norm(x: Map, parameters: [&[f64]; 2], groups: usize, epsilon: f64) -> Vec<f64> {
    let each = x.shape[3] / groups;
    norm(x, parameters, epsilon, |n, c| n * groups + c / each)
}

/// `nn.BatchNorm2d` by the batch's own statistics.
pub(super) fn batch_norm(x: Map, parameters: [&[f64]; 2], epsilon: f64) -> Vec<f64> {
    norm(x, parameters, epsilon, |_, c| c)
}

/// `nn.LayerNorm` of rows.
pub(super) fn layer_norm(x: &[f64], [weight, bias]: [&[f64]; 2], epsilon: f64) -> Vec<f64> {
    let rows = x.chunks_exact(weight.len());
    rows.flat_map(|row| {
        let values = normalised(row, epsilon).into_iter().enumerate();
        values.map(|(i, v)| v * weight[i] + bias[i])
    })
    .collect()
}

/// `x Wᵀ + b` of rows, with `weight` `[O, I]` and `bias` `[O]` or none.
pub(super) fn linear(x: &[f64], weight: &[f64], bias: &[f64], inputs: usize) -> Vec<f64> {
    let outputs = weight.len() / inputs;
    let rows = x.chunks_exact(inputs);
    rows.flat_map(|row| {
        (0..outputs).map(move |o| {
            let products = row.iter().zip(&weight[o * inputs..][..inputs]);
            products.map(|(x, w)| x * w).sum::<f64>() + bias.get(o).copied().unwrap_or(0.0)
        })
    })
    .collect()
}

/// softmax(q kᵀ / √d) v of queries `[N, Q, W]`, keys and values `[N, L, W]`, head by head; the
/// `i`-th query sees the first `reach(i)` keys.
pub(super) fn attention(
    [queries, keys, values]: [&[f64]; 3],
    [n, width, heads]: [usize; 3],
    reach: impl Fn(usize) -> usize,
) -> Vec<f64> {
    let (q, l, d) = (
        queries.len() / n / width,
        keys.len() / n / width,
        width / heads,
    );
    map([n, q, heads, d], |n, i, h, column| {
        let query = &queries[(n * q + i) * width + h * d..][..d];
        let row = |rows: &'_ [f64], j: usize| -> Vec<f64> {
            rows[(n * l + j) * width + h * d..][..d].to_vec()
        };
        let scores: Vec<f64> = (0..reach(i))
            .map(|j| {
                let products = query.iter().zip(row(keys, j));
                (products.map(|(q, k)| q * k).sum::<f64>() / (d as f64).sqrt()).exp()
            })
            .collect();
        let total: f64 = scores.iter().sum();
        let shares = scores.iter().enumerate();
        shares
            .map(|(j, s)| s / total * row(values, j)[column])
            .sum()
    })
}
