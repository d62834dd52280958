//! Times the kernels of the layers, as `run.py` asks for them: a line of JSON in, the seconds of
//! one pass out.
//!
//! A request has the fields of `cases.json`; `{"limit": threads}` asks for what the machine's
//! arithmetic can do, in GFLOP/s.

use std::io::{BufRead, Write};
use std::time::Instant;

use diptych_kernels::{
    Convolution, Extent, Fir, Packing, Rounding, limit_gops, modulate, modulate_backward,
};
use serde_json::Value;

/// The command's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const F32: Rounding = Rounding::F32;

fn main() {
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let answer = match request["limit"].as_u64() {
            Some(threads) => limit_gops(threads as usize, Packing::F32),
            None => measure(&request),
        };
        println!("{answer}");
        std::io::stdout().flush().expect("stdout");
    }
}

/// The least seconds of a pass while `seconds` go by; the first, which is not counted, fills
/// memory.
fn measure(request: &Value) -> f64 {
    let case = Case::new(request);
    let is_backward = request["pass"] == "backward";
    let pass = || {
        let began = Instant::now();
        let kept = case.pass(is_backward);
        let took = began.elapsed().as_secs_f64();
        std::hint::black_box(kept);
        took
    };
    pass();
    let (began, seconds) = (Instant::now(), request["seconds"].as_f64().unwrap_or(1.0));
    let mut least = f64::INFINITY;
    while began.elapsed().as_secs_f64() < seconds {
        least = least.min(pass());
    }
    least
}

/// A layer, and what goes through it.
struct Case {
    kind: String,
    shape: Convolution,
    fir: Fir,
    x: Vec<f32>,
    weight: Vec<f32>,
    style: Vec<f32>,
    /// The output's gradient.
    grad: Vec<f32>,
}

impl Case {
    fn new(request: &Value) -> Self {
        let number = |name: &str| request[name].as_u64().unwrap_or(0) as usize;
        let at = |name: &str, i: usize| request[name][i].as_i64().unwrap_or(0);
        let [n, height, width, channels] = [0, 1, 2, 3].map(|i| at("x", i) as usize);
        let kind = request["kind"].as_str().expect("a kind").to_owned();
        let kernel = Extent {
            height: at("kernel", 0) as usize,
            width: at("kernel", 1) as usize,
        };
        let padding = Extent::square(number("pad"));
        let fir = Fir {
            taps: [1.0, 3.0, 3.0, 1.0].map(|t: f32| t / 8.0).into(),
            up: number("up").max(1),
            down: number("down").max(1),
            padding: [at("padding", 0) as isize, at("padding", 1) as isize],
        };
        let is_up = kind == "transposed" || kind == "modulated up";
        let outputs = number("outputs");
        let side = |side: usize, kernel: usize| (side - 1) * 2 + kernel;
        let shape = Convolution {
            height: if is_up {
                side(height, kernel.height)
            } else {
                height
            },
            width: if is_up {
                side(width, kernel.width)
            } else {
                width
            },
            kernel,
            padding,
            stride: number("stride").max(1),
            groups: number("groups").max(1),
            ..if is_up {
                Convolution::linear(outputs, channels)
            } else {
                Convolution::linear(channels, outputs)
            }
        };
        let made = match kind.as_str() {
            "fir" => fir.output(Extent { height, width }).positions() * channels,
            _ if is_up => shape.height * shape.width * outputs,
            _ => shape.output().positions() * outputs,
        };
        let weight = shape.outputs * shape.inputs / shape.groups * kernel.positions();
        Self {
            x: values(n * height * width * channels),
            weight: values(weight),
            style: values(n * channels.max(outputs)),
            grad: values(n * made),
            kind,
            shape,
            fir,
        }
    }

    /// One pass forward and, if it is asked for, the gradients of all inputs.
    fn pass(&self, is_backward: bool) -> Vec<Vec<f32>> {
        let (c, x, w, g) = (&self.shape, &self.x[..], &self.weight[..], &self.grad[..]);
        let mut kept = Vec::new();
        match self.kind.as_str() {
            "convolution" => {
                kept.push(c.forward(F32, x, w, &[]));
                if is_backward {
                    kept.push(c.input_gradient(F32, g, w));
                    kept.push(c.weight_gradient(F32, x, g));
                }
            }
            "transposed" => {
                kept.push(c.transposed(F32, x, w, &[]));
                if is_backward {
                    kept.push(c.forward(F32, g, w, &[]));
                    kept.push(c.weight_gradient(F32, g, x));
                }
            }
            "modulated" | "modulated up" => self.modulated(is_backward, &mut kept),
            "fir" => {
                let (map, channels) = (self.map(), self.shape.inputs);
                kept.push(self.fir.forward(map, channels, x));
                if is_backward {
                    kept.push(self.fir.backward(map, channels, g));
                }
            }
            kind => panic!("a case of kind {kind}"),
        }
        kept
    }

    fn map(&self) -> Extent {
        Extent {
            height: self.shape.height,
            width: self.shape.width,
        }
    }

    /// The input's channels times a style, a convolution, and the output's times a factor. What the
    /// factor's gradient does to the style and the weight is small, and left out.
    fn modulated(&self, is_backward: bool, kept: &mut Vec<Vec<f32>>) {
        let (c, w) = (&self.shape, &self.weight[..]);
        let is_up = self.kind == "modulated up";
        let (inputs, outputs) = if is_up {
            (c.outputs, c.inputs)
        } else {
            (c.inputs, c.outputs)
        };
        let n = self.style.len() / inputs.max(outputs);
        let (style, factors) = (&self.style[..n * inputs], &self.style[..n * outputs]);
        let x = modulate(inputs, &self.x, style);
        let y = if is_up {
            c.transposed(F32, &x, w, &[])
        } else {
            c.forward(F32, &x, w, &[])
        };
        kept.push(modulate(outputs, &y, factors));
        if is_backward {
            let (of_y, of_factors) = modulate_backward(outputs, &y, factors, &self.grad);
            let of_x = if is_up {
                kept.push(c.weight_gradient(F32, &of_y, &x));
                c.forward(F32, &of_y, w, &[])
            } else {
                kept.push(c.weight_gradient(F32, &x, &of_y));
                c.input_gradient(F32, &of_y, w)
            };
            let (of_x, of_style) = modulate_backward(inputs, &self.x, style, &of_x);
            kept.extend([of_factors, of_x, of_style]);
        }
    }
}

/// Deterministic values in −1 … 1.
fn values(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
