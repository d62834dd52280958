//! Coefficients to pixels: a plane a component, stretched to the size of the picture, and colours.

use libjpeg_turbo_rs::decode::color::{ycbcr_to_rgb_row, ycck_to_cmyk_row};
use libjpeg_turbo_rs::decode::upsample::{fancy_h2v1, fancy_h2v2_row};

use super::markers::Tables;
use super::{Component, Fault, Form};
use crate::image::picture::Mode;

/// The samples of a component, and how they are stretched.
struct Plane {
    samples: Vec<u8>,
    stride: usize,
    /// Samples across and down that belong to the picture; those beyond fill up blocks.
    width: usize,
    height: usize,
    /// Pixels of a sample, across and down.
    across: usize,
    down: usize,
}

/// The picture that the frame's blocks hold: its width, height, mode and pixels.
pub(super) fn join(tables: &Tables, form: Form) -> Result<(usize, usize, Mode, Vec<u8>), Fault> {
    let frame = tables.frame.as_ref().ok_or("there is no frame")?;
    let (width, height) = (frame.width, frame.height);
    let most = frame.most();
    let routines = libjpeg_turbo_rs::simd::detect();
    let planes: Result<Vec<Plane>, Fault> = frame
        .components
        .iter()
        .map(|component| {
            if most.0 % component.h != 0 || most.1 % component.v != 0 {
                return Err("components of sizes that do not divide each other".into());
            }
            Ok(Plane {
                samples: samples(component, routines.idct_islow),
                stride: component.columns * 8,
                width: (width * component.h).div_ceil(most.0),
                height: (height * component.v).div_ceil(most.1),
                across: most.0 / component.h,
                down: most.1 / component.v,
            })
        })
        .collect();
    let planes = planes?;
    let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
    let mode = match ids.len() {
        1 => Mode::Grey,
        3 => Mode::Rgb,
        _ => Mode::Cmyk,
    };
    let is_stored = form == Form::Stored;
    let is_ycc = !is_stored && tables.is_ycc(&ids);
    let mut data = vec![0; width * height * mode.channels()];
    let mut lines = vec![vec![0; width + 16]; planes.len()];
    for (y, out) in data.chunks_exact_mut(width * mode.channels()).enumerate() {
        for (plane, line) in planes.iter().zip(&mut lines) {
            plane.line(y, line, width, is_stored);
        }
        match (&lines[..], is_ycc) {
            ([y, cb, cr], true) => ycbcr_to_rgb_row(y, cb, cr, out, width),
            ([y, cb, cr, k], true) => ycck_to_cmyk_row(y, cb, cr, k, out, width),
            _ => {
                for (i, line) in lines.iter().enumerate() {
                    let out = out.iter_mut().skip(i).step_by(planes.len());
                    out.zip(line).for_each(|(out, value)| *out = *value);
                }
            }
        }
    }
    Ok((width, height, mode, data))
}

/// Turns a component's blocks into samples, line by line.
fn samples(component: &Component, idct: fn(&[i16; 64], &[u16; 64], &mut [u8; 64])) -> Vec<u8> {
    // Of a component that no scan has, nothing is known but grey.
    let quant = component.quant.unwrap_or([0; 64]);
    let stride = component.columns * 8;
    let mut samples = vec![0; stride * component.rows * 8];
    let mut square = [0; 64];
    for (y, band) in samples.chunks_exact_mut(8 * stride).enumerate() {
        let blocks = &component.blocks[y * component.stride..][..component.columns];
        for (x, block) in blocks.iter().enumerate() {
            idct(block, &quant, &mut square);
            for (line, values) in band.chunks_exact_mut(stride).zip(square.chunks_exact(8)) {
                line[8 * x..8 * x + 8].copy_from_slice(values);
            }
        }
    }
    samples
}

impl Plane {
    /// The samples for line `y` of the picture, `width` of them: between two neighbours where there
    /// are half as many, unless they shall only be repeated; else repeated.
    fn line(&self, y: usize, out: &mut [u8], width: usize, repeat: bool) {
        let row = y / self.down;
        let stored =
            |row: usize| &self.samples[row.min(self.height - 1) * self.stride..][..self.width];
        let near = stored(row);
        // The line on the other side of `y`; the picture's own at its edges.
        let far = match y % 2 {
            0 => stored(row.saturating_sub(1)),
            _ => stored(row + 1),
        };
        match (self.across, self.down) {
            (2, 1) if self.width > 2 && !repeat => {
                fancy_h2v1(near, self.width, out, 2 * self.width)
            }
            (2, 2) if self.width > 2 && !repeat => fancy_h2v2_row(near, far, out, self.width),
            (1, 2) if !repeat => {
                let bias = 1 + (y % 2) as u16;
                let pairs = near.iter().zip(far);
                let values =
                    pairs.map(|(&near, &far)| (u16::from(near) * 3 + u16::from(far) + bias) >> 2);
                out.iter_mut()
                    .zip(values)
                    .for_each(|(out, value)| *out = value as u8);
            }
            (1, _) => out[..width].copy_from_slice(&near[..width]),
            (across, _) => {
                let values = (0..width).map(|x| near[x / across]);
                out.iter_mut()
                    .zip(values)
                    .for_each(|(out, value)| *out = value);
            }
        }
    }
}
