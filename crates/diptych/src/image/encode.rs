//! [`Picture`] to bytes: what a training set is stored as.

use libjpeg_turbo_rs::{Encoder, PixelFormat};

use super::Format;
use super::error::ImageError;
use super::picture::{Mode, Picture};
use super::preprocess::shortest;
use super::resample::Interpolation;
use crate::guarded;

/// Quality of JPEGs: training sees no difference to more, and files grow fast above it.
const JPEG_QUALITY: u8 = 90;

/// How a picture is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JPEG of quality 90, colours at half the resolution, as Pillow writes it.
    #[default]
    Jpeg,
    /// PNG, without loss.
    Png,
    /// WebP, without loss.
    WebP,
}

impl Encoding {
    /// The file extension.
    #[must_use]
    pub fn extension(self) -> &'static str {
        Format::from(self).extension()
    }

    /// Writes a picture as RGB.
    ///
    /// # Errors
    /// [`ImageError::Encode`] if a side is longer than the format allows.
    pub fn encode(self, picture: &Picture) -> Result<Vec<u8>, ImageError> {
        let rgb = match picture.mode() {
            Mode::Rgb => picture,
            _ => &picture.to_rgb(),
        };
        let (width, height) = (rgb.width(), rgb.height());
        let written = guarded(|| match self {
            Self::Jpeg => jpeg(rgb),
            Self::Png => png(rgb),
            Self::WebP => webp(rgb),
        });
        let written = written.unwrap_or_else(|_| Err("the encoder gave up".into()));
        written.map_err(|reason| ImageError::Encode {
            format: self.into(),
            width,
            height,
            reason,
        })
    }
}

impl From<Encoding> for Format {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Jpeg => Self::Jpeg,
            Encoding::Png => Self::Png,
            Encoding::WebP => Self::WebP,
        }
    }
}

impl Format {
    /// The usual file extension.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Avif => "avif",
            Self::Bmp => "bmp",
            Self::Gif => "gif",
            Self::Heif => "heic",
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Raw => "raw",
            Self::Tiff => "tif",
            Self::WebP => "webp",
        }
    }
}

impl Picture {
    /// The picture in RGB with its shorter side `side`, resized as Pillow does; none if that side
    /// is no longer than that already.
    ///
    /// RGB comes first, as when a batch is made.
    #[must_use]
    pub fn shrunk(&self, side: usize, interpolation: Interpolation) -> Option<Self> {
        let (width, height) = (self.width(), self.height());
        if side == 0 || width.min(height) <= side {
            return None;
        }
        let (width, height) = shortest(width, height, side);
        Some(self.to_rgb().resize(width, height, interpolation))
    }
}

fn jpeg(rgb: &Picture) -> Result<Vec<u8>, String> {
    Encoder::new(rgb.as_bytes(), rgb.width(), rgb.height(), PixelFormat::Rgb)
        .quality(JPEG_QUALITY)
        .encode()
        .map_err(|e| e.to_string())
}

fn png(rgb: &Picture) -> Result<Vec<u8>, String> {
    let (width, height) = sides(rgb)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(rgb.as_bytes()));
    written.map_err(|e| e.to_string())?;
    Ok(bytes)
}

fn webp(rgb: &Picture) -> Result<Vec<u8>, String> {
    let (width, height) = sides(rgb)?;
    let mut bytes = Vec::new();
    image_webp::WebPEncoder::new(&mut bytes)
        .encode(rgb.as_bytes(), width, height, image_webp::ColorType::Rgb8)
        .map_err(|e| e.to_string())?;
    Ok(bytes)
}

/// Width and height as the encoders count them.
fn sides(picture: &Picture) -> Result<(u32, u32), String> {
    let side = |n: usize| u32::try_from(n).map_err(|e| e.to_string());
    Ok((side(picture.width())?, side(picture.height())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::DecodeOptions;

    /// A smooth picture, as JPEG likes them.
    fn gradient(width: usize, height: usize) -> Picture {
        let pixel = |i: usize| {
            let (x, y) = (i % width * 255 / width, i / width * 255 / height);
            [x as u8, y as u8, ((x + y) / 2) as u8]
        };
        let data = (0..width * height).flat_map(pixel).collect();
        Picture::from_rgb(width, height, data).unwrap()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for (width, height) in [(1, 1), (7, 5), (33, 64), (200, 120)] {
            let picture = gradient(width, height);
            for (encoding, most) in [
                (Encoding::Png, 0),
                (Encoding::WebP, 0),
                (Encoding::Jpeg, 40),
            ] {
                let bytes = encoding.encode(&picture).unwrap();
                assert_eq!(Format::of(&bytes), Some(encoding.into()));
                let read = Picture::decode(&bytes, &DecodeOptions::default()).unwrap();
                assert_eq!((read.width(), read.height()), (width, height));
                let pairs = read.as_bytes().iter().zip(picture.as_bytes());
                let worst = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(
                    worst <= most,
                    "{encoding:?} of {width}×{height}: off by {worst}"
                );
            }
        }
    }

    #[test]
    fn a_side_that_a_format_has_no_room_for_is_refused() {
        let wide = gradient(70_000, 1);
        for encoding in [Encoding::Jpeg, Encoding::WebP] {
            let message = encoding.encode(&wide).unwrap_err().to_string();
            assert!(message.contains("70000×1"), "{message}");
        }
    }

    #[test]
    fn pictures_shrink_to_their_shorter_side_and_never_grow() {
        let size = |width, height, side| {
            let small = gradient(width, height).shrunk(side, Interpolation::Bicubic);
            small.map(|p| (p.width(), p.height()))
        };
        assert_eq!(size(200, 120, 60), Some((100, 60)));
        assert_eq!(size(33, 100, 10), Some((10, 30)));
        assert_eq!(size(60, 200, 60), None);
        assert_eq!(size(30, 20, 60), None);
        let want = gradient(200, 120).resize(100, 60, Interpolation::Bicubic);
        assert_eq!(
            gradient(200, 120).shrunk(60, Interpolation::Bicubic),
            Some(want)
        );
    }
}
