//! Pictures seen askew, and values between pixels.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::image::Size;

/// Four corners of a picture, as (x, y) in pixels: top left, top right, bottom right, bottom left.
pub type Corners = [[f32; 2]; 4];

/// Moves the points `from` of `[N, C, H, W]` to `to`, the picture's plane with them; what lies
/// beyond it becomes `fill`, or counts as 0.
///
/// torchvision's `perspective(…, interpolation=BILINEAR, fill=…)`. With `fill`, a pixel of which
/// only the share `s` lies inside the picture is weighed by it twice: at the edge of a picture of
/// ones it becomes `s · s + (1 − s) · fill`. Corners that lie on a line have no such view, and give
/// nothing but `fill`.
pub fn perspective(
    pictures: Tensor<4>,
    from: &Corners,
    to: &Corners,
    fill: Option<f32>,
) -> Tensor<4> {
    let [n, c, height, width] = pictures.dims();
    let size = Size { height, width };
    let device = pictures.device();
    let Some(places) = places(from, to, size) else {
        return Tensor::full([n, c, height, width], fill.unwrap_or_default(), &device);
    };
    let seen = grid_sample(pictures, size, &places);
    let Some(fill) = fill else {
        return seen;
    };
    // How much of each place lies inside.
    let inside = grid_sample(Tensor::ones([1, 1, height, width], &device), size, &places);
    (seen - fill) * inside + fill
}

/// Where each pixel of a view is in the picture, as `grid_sample` wants it: `[H, W, 2]`.
///
/// Source: `_get_perspective_coeffs` and `_perspective_grid` of torchvision 0.29.
fn places(from: &Corners, to: &Corners, size: Size) -> Option<Vec<f32>> {
    let mut equations = [[0f64; 9]; 8];
    for (i, (to, from)) in to.iter().zip(from).enumerate() {
        let [[x, y], [u, v]] = [to, from].map(|point| point.map(f64::from));
        equations[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
        equations[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
    }
    let [a, b, c, d, e, f, g, h] = solved(equations)?.map(|value| value as f32);
    let (half_width, half_height) = (0.5 * size.width as f32, 0.5 * size.height as f32);
    let mut places = Vec::with_capacity(2 * size.height * size.width);
    for y in 0..size.height {
        for x in 0..size.width {
            let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
            let depth = g * x + h * y + 1.0;
            places.push((a * x + b * y + c) / half_width / depth - 1.0);
            places.push((d * x + e * y + f) / half_height / depth - 1.0);
        }
    }
    Some(places)
}

/// The solution of eight linear equations, each with its right side last; none, if there is not
/// exactly one.
fn solved(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let largest = |a: &usize, b: &usize| {
            let [a, b] = [a, b].map(|&row| rows[row][column].abs());
            a.total_cmp(&b)
        };
        let pivot = (column..8).max_by(largest)?;
        rows.swap(column, pivot);
        let pivot = rows[column];
        if pivot[column].abs() < 1e-9 {
            return None;
        }
        for (i, row) in rows.iter_mut().enumerate() {
            let factor = row[column] / pivot[column];
            if i != column && factor != 0.0 {
                row.iter_mut()
                    .zip(pivot)
                    .for_each(|(x, p)| *x -= factor * p);
            }
        }
    }
    Some(std::array::from_fn(|i| rows[i][8] / rows[i][i]))
}

/// Values of `[N, C, H, W]` between its pixels, at `places` `[H', W', 2]`: (x, y) from −1, the left
/// or upper edge, to 1, the same for all pictures. What lies beyond the picture counts as 0.
///
/// PyTorch's `grid_sample(…, mode="bilinear", padding_mode="zeros", align_corners=False)`; the
/// gradient is the pictures'.
///
/// # Panics
/// If `places` has another length.
pub fn grid_sample(pictures: Tensor<4>, size: Size, places: &[f32]) -> Tensor<4> {
    let [n, c, height, width] = pictures.dims();
    let count = size.height * size.width;
    assert_eq!(places.len(), 2 * count, "places of {size}");
    let device = pictures.device();
    let x = pictures.reshape([n * c, height * width]);
    let corners = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let sum = corners
        .into_iter()
        .map(|corner| {
            let (pixels, shares) = neighbours(places, Size { height, width }, corner);
            let pixels: Tensor<1, Int> =
                Tensor::from_data(TensorData::new(pixels, [count]), &device);
            let shares = row(shares, &device);
            x.clone().select(1, pixels) * shares
        })
        .reduce(|sum, part| sum + part);
    sum.unwrap_or_else(|| Tensor::zeros([n * c, count], &device))
        .reshape([n, c, size.height, size.width])
}

fn row(values: Vec<f32>, device: &Device) -> Tensor<2> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [1, count]), device)
}

/// Of each place one of the four pixels around it, and its share: 0 for one that is not there.
fn neighbours(places: &[f32], size: Size, (down, right): (i64, i64)) -> (Vec<i32>, Vec<f32>) {
    let along = |place: f32, len: usize, step: i64| {
        let at = ((place + 1.0) * len as f32 - 1.0) / 2.0;
        if !at.is_finite() {
            return None; // beyond the horizon
        }
        let pixel = at.floor();
        let part = at - pixel;
        let share = if step == 0 { 1.0 - part } else { part };
        let pixel = (pixel as i64).saturating_add(step);
        ((0..len as i64).contains(&pixel)).then_some((pixel, share))
    };
    let pairs = places.chunks_exact(2).map(|place| {
        let x = along(place[0], size.width, right)?;
        let y = along(place[1], size.height, down)?;
        Some(((y.0 * size.width as i64 + x.0) as i32, x.1 * y.1))
    });
    pairs.map(Option::unwrap_or_default).unzip()
}
