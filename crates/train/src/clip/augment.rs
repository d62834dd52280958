//! Random crops, flips and colours.
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
    let jitter = augmentation.color_jitter;
    let is_grey = augmentation.gray_scale > 0.0 && rng.random_bool(augmentation.gray_scale);
    if jitter == 0.0 && !is_grey {
        return Ok(picture);
    }
    let mut factor = || 1.0 + rng.random_range(-jitter..=jitter) as f32;
    let colours = Colours {
        brightness: factor(),
        contrast: factor(),
        saturation: if is_grey { 0.0 } else { factor() },
    };
    let mut pixels = picture.into_bytes();
    colours.apply(&mut pixels);
    Ok(Picture::from_rgb(size, size, pixels)?)
}

/// Factors of a change of colours, 1 for none.
struct Colours {
    brightness: f32,
    /// From the picture's mean grey.
    contrast: f32,
    /// From each pixel's grey.
    saturation: f32,
}

impl Colours {
    /// Changes RGB pixels: brightness, then contrast, then saturation.
    fn apply(&self, pixels: &mut [u8]) {
        // ITU-R BT.601, as Pillow's grey.
        let grey = |p: [f32; 3]| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
        let bright = |p: &[u8]| [0, 1, 2].map(|c| (f32::from(p[c]) * self.brightness).min(255.0));
        let count = (pixels.len() / 3).max(1) as f32;
        let mean = pixels.chunks_exact(3).map(|p| grey(bright(p))).sum::<f32>() / count;
        for pixel in pixels.chunks_exact_mut(3) {
            let p = bright(pixel).map(|v| (mean + (v - mean) * self.contrast).clamp(0.0, 255.0));
            let own = grey(p);
            for (to, v) in pixel.iter_mut().zip(p) {
                *to = (own + (v - own) * self.saturation).round() as u8;
            }
        }
    }
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
    fn colours_are_changed_by_their_factors() {
        let changed = |brightness, contrast, saturation, pixels: &[u8]| {
            let mut pixels = pixels.to_vec();
            let colours = Colours {
                brightness,
                contrast,
                saturation,
            };
            colours.apply(&mut pixels);
            pixels
        };
        let pixels = [100, 50, 200, 10, 200, 30];
        assert_eq!(changed(1.0, 1.0, 1.0, &pixels), pixels);
        assert_eq!(
            changed(2.0, 1.0, 1.0, &pixels),
            [200, 100, 255, 20, 255, 60]
        );
        // 0.299 · 100 + 0.587 · 50 + 0.114 · 200 = 82.05, and 123.81.
        assert_eq!(changed(1.0, 1.0, 0.0, &pixels), [82, 82, 82, 124, 124, 124]);
        // The mean of both.
        assert_eq!(changed(1.0, 0.0, 1.0, &pixels), [103; 6]);
    }

    #[test]
    fn a_share_of_the_pictures_becomes_grey() {
        let picture = Picture::from_rgb(2, 2, vec![200, 100, 50, 10, 20, 30, 1, 2, 3, 90, 80, 70]);
        let picture = picture.unwrap();
        let preprocess = Preprocess::openai(8);
        let augmentation = Augmentation {
            color_jitter: 0.2,
            gray_scale: 0.25,
            ..Augmentation::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let grey = (0..400).filter(|_| {
            let picture = augment(&picture, &augmentation, &preprocess, &mut rng).unwrap();
            let mut pixels = picture.as_bytes().chunks_exact(3);
            pixels.all(|p| p[0] == p[1] && p[1] == p[2])
        });
        assert!(grey.count().abs_diff(100) < 30);
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
