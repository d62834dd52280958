//! Features of positions and tokens, through the door.

use super::{Clip, Towers};
use crate::Result;
use crate::image::Pixels;
use crate::model::{FeatureMaps, ImageExit, TextExit, TokenFeatures};
use crate::text::Tokens;

impl Clip {
    /// Features of pictures `[N, 3, H, W]` of any size, at each exit, all in one pass through the
    /// tower. None is normalised.
    ///
    /// At another size than the tower's, positions are resized as open_clip does (bicubic, with
    /// antialiasing). Pixels on the right and below that fill no patch are left out; a
    /// ModifiedResNet takes multiples of 32.
    ///
    /// ```
    /// use diptych::{Clip, image::Picture, model::{Finish, ImageExit}};
    ///
    /// let clip = Clip::open("default")?;
    /// let picture = Picture::from_rgb(64, 64, vec![128; 64 * 64 * 3])?;
    /// let stage = ImageExit::After { index: 3, finish: Finish::None };
    /// let maps = clip.image_exits(&clip.preprocess().apply(&picture), &[stage, ImageExit::PoolValues])?;
    /// assert_eq!((maps[0].grid.rows, maps[1].grid.rows), (4, 2));
    /// assert_eq!(maps[1].channels, clip.config().embed_dim);
    /// # Ok::<(), diptych::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Exit`] if the tower has no such exit, or takes no such pictures; what keeps
    /// the tower's tensors from being read, if it is used for the first time.
    pub fn image_exits(&self, pixels: &Pixels, exits: &[ImageExit]) -> Result<Vec<FeatureMaps>> {
        let shape = |exit: &ImageExit| exit.shape(&self.config, pixels.size());
        let shapes = exits.iter().map(shape).collect::<Result<Vec<_>>>()?;
        let features = match &self.towers {
            Towers::Engine(engine) => engine.image_exits(pixels, exits)?,
            #[cfg(feature = "differentiable")]
            Towers::Differentiable(model) => model.image_exits_of(pixels, exits),
        };
        let maps = features.into_iter().zip(shapes);
        Ok(maps
            .map(|(values, shape)| FeatureMaps {
                values,
                prefix: shape.prefix,
                grid: shape.grid,
                channels: shape.channels,
            })
            .collect())
    }

    /// Features of every token of texts at an exit, not normalised.
    ///
    /// # Errors
    /// [`crate::Error::Exit`] if the tower has no such exit, and as [`Clip::text_features`].
    pub fn text_exit(&self, tokens: &Tokens, exit: TextExit) -> Result<TokenFeatures> {
        let channels = exit.channels(&self.config)?;
        self.check(tokens)?;
        let values = match &self.towers {
            Towers::Engine(engine) => engine.text_exit(tokens, exit, channels)?,
            #[cfg(feature = "differentiable")]
            Towers::Differentiable(model) => model.text_exit_of(tokens, exit, channels),
        };
        Ok(TokenFeatures {
            values,
            length: tokens.context_length(),
            channels,
        })
    }
}
