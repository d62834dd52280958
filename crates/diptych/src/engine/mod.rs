//! The towers for inference on the CPU: the same named tensors as [`crate::model`]'s, laid out for
//! `kernels`, and less work.
//!
//! Flow: `Pixels`, `Tokens` → **engine** → features, before normalisation.
//! It leaves out only work that the result does not depend on: padding and tokens after a text's
//! end, repeated beginnings of texts (`tree`), and in the last block all tokens but those that are
//! read. Batch norm is folded into the convolutions.
//! Each tower is built when it is first asked for, tensor by tensor, and memory for a call is kept
//! for the next.
//! Invariant: no autodiff, no device, no strings, no file but through [`Source`]; the towers of
//! [`crate::model`] are its oracle.
//!
//! `N` inputs, `S` image side, `L` tokens, `W` width, `D` embedding.

mod loader;
mod precision;
mod resnet;
#[cfg(test)]
mod tests;
mod text;
mod transformer;
mod tree;
mod vit;

pub use precision::Precision;

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::image::Pixels;
use crate::model::{ClipConfig, ImageExit, Layers, Source, TextExit};
use crate::text::Tokens;
use crate::{Error, Result};

use loader::Loader;
use precision::Formats;
use resnet::ResNet;
use text::TextTower;
use transformer::Workspace;
use vit::Vit;

/// Both towers of a model, and where their tensors come from.
pub struct Engine {
    config: ClipConfig,
    precision: Precision,
    source: Mutex<Box<dyn Source + Send>>,
    image: OnceLock<ImageTower>,
    text: OnceLock<TextTower>,
    workspaces: Mutex<Vec<Workspace>>,
}

#[allow(clippy::large_enum_variant, reason = "there is one in a model")]
enum ImageTower {
    Vit(Vit),
    ResNet(ResNet),
}

impl Engine {
    /// An engine for `config`'s model; no tensor is read yet.
    pub fn new(
        config: ClipConfig,
        precision: Precision,
        source: impl Source + Send + 'static,
    ) -> Self {
        Self {
            precision: precision.resolve(&config),
            config,
            source: Mutex::new(Box::new(source)),
            image: OnceLock::new(),
            text: OnceLock::new(),
            workspaces: Mutex::default(),
        }
    }

    /// The precision that it computes in; [`Precision::Auto`] is replaced by the one it stands for.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Image features `[N, D]` of pixels `[N, 3, S, S]`, not normalised.
    ///
    /// # Errors
    /// [`Error::Size`] if `S` is not the tower's; the source's error, if the image tower's tensors
    /// are read now.
    pub fn image_features(&self, pixels: &Pixels) -> Result<Vec<f32>> {
        let (got, want) = (pixels.size(), self.config.vision_cfg.size());
        if got != want {
            return Err(Error::Size { got, want });
        }
        let (tower, formats) = self.image_tower()?;
        let mut features = Vec::with_capacity(pixels.len() * self.config.embed_dim);
        self.with_workspace(formats, |workspace| match tower {
            ImageTower::Vit(tower) => tower.encode(pixels, workspace, &mut features),
            ImageTower::ResNet(tower) => tower.encode(pixels, workspace, &mut features),
        });
        Ok(features)
    }

    /// The features of pixels `[N, 3, H, W]` at each exit, row by row.
    ///
    /// # Errors
    /// The source's error, if the image tower's tensors are read now.
    ///
    /// # Panics
    /// If the tower has no such exit, or takes no such pictures: see [`ImageExit::shape`].
    pub(crate) fn image_exits(
        &self,
        pixels: &Pixels,
        exits: &[ImageExit],
    ) -> Result<Vec<Vec<f32>>> {
        let (tower, formats) = self.image_tower()?;
        let mut features = vec![Vec::new(); exits.len()];
        self.with_workspace(formats, |workspace| match tower {
            ImageTower::Vit(tower) => tower.exits(pixels, exits, workspace, &mut features),
            ImageTower::ResNet(tower) => tower.exits(pixels, exits, workspace, &mut features),
        });
        Ok(features)
    }

    fn image_tower(&self) -> Result<(&ImageTower, Formats)> {
        let width = self.config.vision_cfg.width;
        let formats = self.precision.formats(&self.config, width);
        let tower = self.built(&self.image, formats, |loader, config| {
            Ok(match config.vision_cfg.layers {
                Layers::Vit(layers) => ImageTower::Vit(Vit::load(loader, config, layers)?),
                Layers::ResNet(stages) => ImageTower::ResNet(ResNet::load(loader, config, stages)?),
            })
        })?;
        Ok((tower, formats))
    }

    /// Text features `[N, D]`, not normalised.
    ///
    /// # Errors
    /// The source's error, if the text tower's tensors are read now.
    ///
    /// # Panics
    /// If the tokens are not the model's: an id beyond its vocabulary, a row that is longer than
    /// its context or, where padding is read, not padded to it.
    pub fn text_features(&self, tokens: &Tokens) -> Result<Vec<f32>> {
        let (tower, formats) = self.text_tower()?;
        Ok(self.with_workspace(formats, |workspace| tower.encode(tokens, workspace)))
    }

    /// The features `[N, L, C]` of every token at an exit that the tower has.
    ///
    /// # Errors
    /// As [`Engine::text_features`].
    ///
    /// # Panics
    /// As [`Engine::text_features`].
    pub(crate) fn text_exit(
        &self,
        tokens: &Tokens,
        exit: TextExit,
        channels: usize,
    ) -> Result<Vec<f32>> {
        let (tower, formats) = self.text_tower()?;
        Ok(self.with_workspace(formats, |workspace| {
            tower.exit(tokens, exit, channels, workspace)
        }))
    }

    fn text_tower(&self) -> Result<(&TextTower, Formats)> {
        let width = self.config.text_cfg.width;
        let formats = self.precision.formats(&self.config, width).of_texts();
        Ok((self.built(&self.text, formats, TextTower::load)?, formats))
    }

    /// The tower in `place`, which `build` makes if there is none yet.
    ///
    /// A lock is held meanwhile, so `build` must not share work with other threads: they may all be
    /// waiting for it.
    fn built<'a, T>(
        &self,
        place: &'a OnceLock<T>,
        formats: Formats,
        build: impl FnOnce(&mut Loader, &ClipConfig) -> Result<T>,
    ) -> Result<&'a T> {
        if let Some(tower) = place.get() {
            return Ok(tower);
        }
        // A source that panicked has lost nothing: it only reads.
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tower) = place.get() {
            return Ok(tower); // by the thread that was faster
        }
        let tower = build(&mut Loader::new(&mut **source, formats), &self.config)?;
        Ok(place.get_or_init(|| tower))
    }

    /// Calls `f` with memory that an earlier call used, if there is any for these formats.
    fn with_workspace<R>(&self, formats: Formats, f: impl FnOnce(&mut Workspace) -> R) -> R {
        let workspaces = || {
            self.workspaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let take = |kept: &mut Vec<Workspace>| {
            let place = kept.iter().rposition(|w| w.is_for(formats))?;
            Some(kept.swap_remove(place))
        };
        let found = take(&mut workspaces());
        let mut workspace = found.unwrap_or_else(|| Workspace::new(formats));
        let result = f(&mut workspace);
        workspaces().push(workspace);
        result
    }
}
