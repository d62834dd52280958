//! Pictures to pixels: bytes or a file in, what the image tower reads out.
//!
//! Flow: file → **`image`** → [`Pixels`] → image tower.
//! Decoding keeps the file's own mode (palette, alpha, CMYK), because the mode decides how Pillow,
//! and so CLIP's own preprocessing, resizes it. [`Preprocess`] then resizes, crops, converts to RGB
//! and normalises, in the order that the checkpoint was trained with.
//! Always read: JPEG, PNG, WebP, GIF, BMP, TIFF, and of a camera's RAW the preview; with the
//! feature `heif` HEIC and AVIF, through the system's libheif.
//! Invariant: unless [`Decode::Fast`] is asked for, the values are those of Pillow 13.0 and
//! torchvision 0.29, to the bit (`parity/pixels.py` compares, `parity/foreign.py` what Pillow does
//! not write, `parity/lenient.py` what is damaged or rare). Exceptions are 16-bit grey, see
//! [`Mode`]; HEIC and AVIF, whose pixels are libheif's; L*a*b*; and what Pillow misreads: empty
//! lines of run-length encoded BMPs, and TIFFs with planes of 16 bits, alpha beside a palette,
//! 16-bit grey that is white at zero, or constants of their own for luma and chroma. Hostile bytes
//! give an [`ImageError`], never a panic.
//!
//! ```no_run
//! # use diptych::image::{DecodeOptions, Picture, Preprocess};
//! # fn main() -> Result<(), diptych::image::ImageError> {
//! let picture = Picture::open("cat.jpg", &DecodeOptions::default())?;
//! let pixels = Preprocess::openai(224).apply(&picture); // [1, 3, 224, 224]
//! # Ok(())
//! # }
//! ```

mod budget;
mod decode;
mod encode;
mod error;
mod facts;
mod ifd;
mod metadata;
mod orient;
mod phash;
mod picture;
mod pixels;
mod preprocess;
mod resample;
mod segments;
#[cfg(test)]
mod tests;

pub use decode::{
    Animation, AnimationFrame, Decode, DecodeOptions, Decoded, Format, is_picture_extension,
    is_picture_name,
};
pub use encode::Encoding;
pub use error::ImageError;
pub use facts::Facts;
pub use phash::{Looks, NEAR, PerceptualHash};
pub use picture::{Mode, Picture, crop, flip_horizontal};
pub use pixels::{Pixels, Size};
pub use preprocess::{Order, Preprocess, ResizeMode};
pub use resample::{Interpolation, resize};
