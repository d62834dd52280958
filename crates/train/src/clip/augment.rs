//! Random crops and flips.
//!
//! Source: torchvision's `RandomResizedCrop`: ten tries, then the largest centred crop whose sides
//! are 3:4 to 4:3.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::run_file::Augmentation;
use crate::Result;
use diptych::image::{Picture, Preprocess};

/// The widest and, inverted, the narrowest crop.
const MAX_RATIO: f64 = 4.0 / 3.0;

/// A random crop of `min_scale` to all of the area, resized to the model's side, then mirrored or
/// not.
pub(super) fn augment(
    picture: &Picture,
    augmentation: &Augmentation,
    preprocess: &Preprocess,
    rng: &mut ChaCha8Rng,
) -> Result<Picture> {
    let picture = picture.to_rgb();
    let (width, height) = (picture.width(), picture.height());
    let [left, top, w, h] = (0..10)
        .find_map(|_| random_crop(width, height, augmentation.min_scale, rng))
        .unwrap_or_else(|| centre_crop(width, height));
    let size = preprocess.size;
    let crop = picture.crop(left, top, w, h)?;
    let mut picture = crop.resize(size, size, preprocess.interpolation);
    if augmentation.flip && rng.random() {
        picture.flip_horizontal();
    }
    Ok(picture)
}

/// Left, top, width and height of a random crop, if the one drawn fits.
fn random_crop(
    width: usize,
    height: usize,
    min_scale: f64,
    rng: &mut ChaCha8Rng,
) -> Option<[usize; 4]> {
    let part = (width * height) as f64 * rng.random_range(min_scale..=1.0);
    let ratio = rng.random_range(-MAX_RATIO.ln()..=MAX_RATIO.ln()).exp();
    let w = (part * ratio).sqrt().round() as usize;
    let h = (part / ratio).sqrt().round() as usize;
    let fits = (1..=width).contains(&w) && (1..=height).contains(&h);
    fits.then(|| {
        [
            rng.random_range(0..=width - w),
            rng.random_range(0..=height - h),
            w,
            h,
        ]
    })
}

/// The largest centred crop within the ratios; all of the picture, if it is.
fn centre_crop(width: usize, height: usize) -> [usize; 4] {
    let ratio = width as f64 / height as f64;
    let (w, h) = if ratio > MAX_RATIO {
        ((height as f64 * MAX_RATIO).round() as usize, height)
    } else if ratio < 1.0 / MAX_RATIO {
        (width, (width as f64 * MAX_RATIO).round() as usize)
    } else {
        (width, height)
    };
    let (w, h) = (w.clamp(1, width), h.clamp(1, height));
    [(width - w) / 2, (height - h) / 2, w, h]
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn pictures_too_wide_or_high_for_a_random_crop_give_their_middle() {
        assert_eq!(centre_crop(150, 100), [8, 0, 133, 100]);
        assert_eq!(centre_crop(100, 150), [0, 8, 100, 133]);
        assert_eq!(centre_crop(110, 100), [0, 0, 110, 100]);
        assert_eq!(centre_crop(1, 500), [0, 249, 1, 1]);
    }

    #[test]
    fn random_crops_lie_inside_and_keep_their_share() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut found = 0;
        for _ in 0..1000 {
            if let Some([left, top, w, h]) = random_crop(120, 90, 0.5, &mut rng) {
                assert!(left + w <= 120 && top + h <= 90);
                assert!((w * h) as f64 > 0.48 * 120.0 * 90.0);
                let ratio = w as f64 / h as f64;
                assert!((0.72..1.39).contains(&ratio), "{ratio}");
                found += 1;
            }
        }
        assert!(found > 500, "{found} of 1,000 fit");
    }
}
