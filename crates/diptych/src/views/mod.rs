//! Pictures as tensors, and what an image tower sees of them: resized, cropped, seen askew,
//! normalised; each with its gradient, so that what is drawn or generated can be moved towards a
//! text.
//!
//! Source: `resize`, `crop`, `perspective` and `normalize` of torchvision 0.29 on tensors
//! (`transforms.v2.functional`). Invariant: which view is taken is the caller's choice; nothing
//! here is random.
//!
//! `N` pictures, `C` channels (red, green, blue), `H` rows, `W` columns.

mod perspective;
#[cfg(test)]
mod tests;

pub use perspective::{Corners, grid_sample, perspective};

use burn::tensor::{Device, Tensor, TensorData};

use crate::image::{Interpolation, Preprocess, Size};

/// A rectangle of a picture. It may reach beyond the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// The first row.
    pub top: isize,
    /// The first column.
    pub left: isize,
    /// Rows and columns.
    pub size: Size,
}

/// Resizes `[N, C, H, W]` with antialiasing: `resize(…, antialias=True)`.
///
/// # Panics
/// If a side is 0.
pub fn resize(pictures: Tensor<4>, to: Size, interpolation: Interpolation) -> Tensor<4> {
    let [n, c, height, width] = pictures.dims();
    let device = pictures.device();
    let rows = shares(interpolation, height, to.height, &device); // [H', H]
    let columns = shares(interpolation, width, to.width, &device); // [W', W]
    let x = pictures
        .reshape([n * c * height, width])
        .matmul(columns.transpose()); // [N C H, W']
    let x = x.reshape([n * c, height, to.width]);
    rows.unsqueeze::<3>()
        .matmul(x) // [N C, H', W']
        .reshape([n, c, to.height, to.width])
}

/// The share of each old place in each new one, `[to, from]`.
fn shares(interpolation: Interpolation, from: usize, to: usize, device: &Device) -> Tensor<2> {
    let mut matrix = vec![0f32; to * from];
    let mut exact = Vec::new();
    for (i, row) in matrix.chunks_exact_mut(from).enumerate() {
        let first = interpolation.shares(i, from, to, &mut exact);
        for (value, share) in row[first..].iter_mut().zip(&exact) {
            *value = *share as f32;
        }
    }
    Tensor::from_data(TensorData::new(matrix, [to, from]), device)
}

/// Cuts an area out of `[N, C, H, W]`; what lies beyond the picture is 0.
pub fn crop(pictures: Tensor<4>, area: Area) -> Tensor<4> {
    let [_, _, height, width] = pictures.dims();
    let x = cut(pictures, 2, area.top, area.size.height, height);
    cut(x, 3, area.left, area.size.width, width)
}

/// Takes `count` places of a dimension of `len`, from `first` on; those that are not there are 0.
fn cut(x: Tensor<4>, dim: usize, first: isize, count: usize, len: usize) -> Tensor<4> {
    let inside = |place: isize| place.clamp(0, len as isize) as usize;
    let (begin, end) = (inside(first), inside(first.saturating_add_unsigned(count)));
    let zeros = |count: usize| {
        let mut shape = x.dims();
        shape[dim] = count;
        Tensor::zeros(shape, &x.device())
    };
    if begin == end {
        return zeros(count);
    }
    let kept = end - begin;
    let before = if first < 0 {
        first.unsigned_abs().min(count)
    } else {
        0
    };
    let parts = [
        (before > 0).then(|| zeros(before)),
        Some(x.clone().narrow(dim, begin, kept)),
        (before + kept < count).then(|| zeros(count - before - kept)),
    ];
    Tensor::cat(parts.into_iter().flatten().collect(), dim)
}

/// Normalises `[N, 3, H, W]` with values from 0 to 1 for a model's image tower: `(x − mean) / std`,
/// channel by channel.
pub fn normalise(pictures: Tensor<4>, preprocess: &Preprocess) -> Tensor<4> {
    let device = pictures.device();
    let channels = |values: [f32; 3]| {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
    };
    (pictures - channels(preprocess.mean)) / channels(preprocess.std)
}
