//! Views and their gradients against torchvision's (`parity/exits.py`).

use burn::tensor::{Tensor, TensorData};
use diptych_testing::{Golden, max_difference};

use super::{Area, crop, grid_sample, normalise, perspective, resize};
use crate::device::tested;
use crate::image::{Interpolation, Preprocess, Size};
use crate::layers::plain_values;

/// Holds a view of the golden pictures, and its gradient, to torchvision's.
#[track_caller]
fn check(name: &str, view: impl Fn(Tensor<4>) -> Tensor<4>) {
    let golden = Golden::open("exits", "views.safetensors");
    let device = tested().autodiff();
    let tensor = |name: &str| -> Tensor<4> {
        let (shape, _) = golden.tensor(name);
        Tensor::from_data(TensorData::new(golden.f32(name), shape), &device)
    };
    let pictures = tensor("pictures").require_grad();
    let seen = view(pictures.clone());
    assert_eq!(seen.dims().to_vec(), golden.tensor(name).0, "{name}");
    let sum = (seen.clone() * tensor(&format!("{name}.upstream"))).sum();
    let gradient = pictures.grad(&sum.backward()).unwrap();
    let off = max_difference(&plain_values(seen), &golden.f32(name));
    assert!(off < 1e-5, "{name}: {off}");
    let want = golden.f32(&format!("{name}.gradient"));
    let off = max_difference(&plain_values(gradient), &want);
    assert!(off < 2e-5, "{name}, gradient: {off}");
}

#[test]
fn views_are_torchvisions() {
    let size = |height, width| Size { height, width };
    let (cubic, linear) = (Interpolation::Bicubic, Interpolation::Bilinear);
    check("resize.bicubic.7.9", |x| resize(x, size(7, 9), cubic));
    check("resize.bicubic.20.17", |x| resize(x, size(20, 17), cubic));
    check("resize.bilinear.5.28", |x| resize(x, size(5, 28), linear));
    let area = |top, left, size| Area { top, left, size };
    check("crop.2.3.6.8", |x| crop(x, area(2, 3, size(6, 8))));
    check("crop.-3.5.9.15", |x| crop(x, area(-3, 5, size(9, 15))));
    let corners = [[0.0, 0.0], [13.0, 0.0], [13.0, 10.0], [0.0, 10.0]];
    let seen = [[1.0, 2.0], [12.0, 0.0], [10.0, 9.0], [2.0, 10.0]];
    check("perspective.0", |x| perspective(x, &corners, &seen, None));
    let seen = [[3.0, 1.0], [11.0, 2.0], [13.0, 8.0], [0.0, 9.0]];
    check("perspective.0.25", |x| {
        perspective(x, &corners, &seen, Some(0.25))
    });
    check("normalise", |x| normalise(x, &Preprocess::openai(11)));
}

#[test]
fn views_that_show_nothing_of_a_picture_are_empty() {
    let pictures = || Tensor::<4>::ones([1, 3, 4, 5], &tested());
    let size = Size {
        height: 2,
        width: 3,
    };
    for (top, left) in [
        (4, 0),
        (-2, 1),
        (0, 5),
        (1, -3),
        (isize::MAX, 0),
        (0, isize::MIN),
    ] {
        let seen = crop(pictures(), Area { top, left, size });
        assert_eq!(plain_values(seen), [0.0; 18], "{top}, {left}");
    }
    // Corners on a line have no perspective.
    let corners = [[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.0]];
    let line = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]];
    let seen = perspective(pictures(), &corners, &line, Some(0.5));
    assert_eq!(plain_values(seen), [0.5; 60]);
}

#[test]
fn places_that_are_no_numbers_lie_outside() {
    let picture = Tensor::<4>::ones([1, 1, 4, 4], &tested());
    let size = Size {
        height: 1,
        width: 5,
    };
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let places = [inf, 0.0, 0.0, -inf, nan, 0.0, 1e30, 0.0, 0.0, 0.0];
    let seen = plain_values(grid_sample(picture, size, &places));
    assert_eq!(seen, [0.0, 0.0, 0.0, 0.0, 1.0]);
}
