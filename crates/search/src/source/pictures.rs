//! Pictures as a source: one view each, of all of it.

use std::path::Path;

use diptych::image::{
    DecodeOptions, Decoded, Facts, Format, ImageError, PerceptualHash, Preprocess, is_picture_name,
};
use diptych::{Clip, Embeddings};
use diptych_index::{Part, Payload, Store, Taken, TakenFrom};

use super::{About, Content, Input, Reading, Source, SourceError, View};
use crate::Result;
use crate::index::Decoding;

/// Keys of a picture's columns and rows among what is told of it.
pub(crate) const WIDTH: &str = "width";
pub(crate) const HEIGHT: &str = "height";

/// Pictures, in every format that is read.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    /// Options for decoding them.
    pub decode: DecodeOptions,
}

impl Source for Pictures {
    fn has_name(&self, path: &Path) -> bool {
        is_picture_name(path)
    }

    fn has_start(&self, start: &[u8]) -> bool {
        diptych::guarded(|| Format::of(start).is_some()).unwrap_or(false)
    }

    fn reading(&self) -> Reading {
        Reading::Whole
    }

    fn may_take(&self, reason: &str) -> bool {
        refused_above(reason).is_some_and(|limit| self.decode.max_megapixels > limit)
    }

    fn open<'a>(
        &'a self,
        input: Input<'a>,
        preprocess: &'a Preprocess,
    ) -> Result<Content<'a>, SourceError> {
        let mut about = told(&input.bytes);
        let look = |decoded: &Decoded| {
            let (width, height) = decoded.full;
            about.phash = Some(PerceptualHash::of(&decoded.picture).to_bytes());
            about.payload.insert(WIDTH.into(), width.into());
            about.payload.insert(HEIGHT.into(), height.into());
        };
        let (pixels, ()) = preprocess.load_and(&input.bytes, &self.decode, look)?;
        let view = View {
            part: Part::default(),
            pixels,
        };
        Ok(Content {
            about,
            views: Box::new(std::iter::once(Ok(view))),
        })
    }
}

impl From<ImageError> for SourceError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Read(error) => Self::Unreadable(error),
            ImageError::NotBuilt { feature, .. } => Self::NotBuilt {
                reason: error.to_string(),
                feature,
            },
            error => Self::Content {
                reason: error.to_string(),
            },
        }
    }
}

/// The limit in megapixels that a picture was above, if it was refused for that: read from the
/// reason as an index keeps it.
pub fn refused_above(reason: &str) -> Option<u32> {
    let (_, limit) = reason
        .strip_suffix(" megapixels allowed")?
        .rsplit_once(' ')?;
    limit.parse().ok()
}

/// All that the bytes of a picture's file tell without being decoded.
pub(crate) fn told(bytes: &[u8]) -> About {
    let facts = Facts::of(bytes);
    let mut payload = Payload::new();
    if let Some(camera) = &facts.camera {
        payload.insert("camera".into(), camera.as_str().into());
    }
    if let Some((latitude, longitude)) = facts.place {
        payload.insert("latitude".into(), latitude.into());
        payload.insert("longitude".into(), longitude.into());
    }
    let exif = |at| Taken {
        at,
        from: TakenFrom::Exif,
    };
    About {
        taken: facts.taken.map(exif),
        phash: None,
        payload,
    }
}

/// The embedding of a picture's file, `[1, D]`. How much of it is decoded is as with the pictures
/// of the index, all else as `options` say.
///
/// # Errors
/// [`crate::Error::Model`] if it is no picture or the model fails, and if the index can't be read.
pub fn embedding(
    store: &dyn Store,
    clip: &Clip,
    path: &Path,
    options: &DecodeOptions,
) -> Result<Embeddings> {
    let options = DecodeOptions {
        decode: Decoding::of(store)?.decode,
        ..options.clone()
    };
    let pixels = clip.preprocess().load(path, &options)?;
    Ok(clip.encode_images(&pixels)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_for_size_tells_its_limit() {
        let error = ImageError::TooLarge {
            format: Format::Png,
            width: 3000,
            height: 2000,
            max_megapixels: 5,
        };
        assert_eq!(refused_above(&error.to_string()), Some(5));
        assert_eq!(refused_above("not a picture"), None);
    }
}
