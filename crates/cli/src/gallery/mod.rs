//! The demo's gallery: everyday things and scenes as vector art of our own, and how they become PNG
//! files.
//!
//! Flow: a drawing's shapes → [`Drawing::svg`] → `resvg` → the bytes of a PNG file.
//! Source: drawn for this program; no picture, font or text of anyone else is in it.
//! Invariant: the same bytes on every run; a drawing is SVG without text or anything from outside,
//! on a square of 200 units, over the shared backdrops of [`scenery`]. Drawings are mended when a
//! person can't tell what they show, never because a model can't.

mod animals;
mod food;
mod places;
mod plants;
mod scenery;
mod things;
mod vehicles;

use anyhow::{Context, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Side of a rendered picture in pixels, what most CLIP models read.
pub(crate) const SIDE: u32 = 224;

/// A picture as shapes.
#[derive(Debug)]
pub(crate) struct Drawing {
    /// Name of the thing it shows, as it reads after "a".
    pub(crate) label: &'static str,
    /// SVG elements, back to front.
    shapes: &'static str,
}

/// All drawings, a group after the other.
pub(crate) fn drawings() -> impl Iterator<Item = &'static Drawing> {
    let groups = [
        animals::ANIMALS,
        vehicles::VEHICLES,
        places::PLACES,
        plants::PLANTS,
        food::FOOD,
        things::THINGS,
    ];
    groups.into_iter().flatten()
}

impl Drawing {
    /// The name of its file, without an extension.
    pub(crate) fn file_stem(&self) -> String {
        self.label.replace(' ', "-")
    }

    /// The drawing as an SVG document.
    fn svg(&self) -> String {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 200 200'>{}{}</svg>",
            scenery::DEFINITIONS,
            self.shapes
        )
    }

    /// The bytes of a PNG file of [`SIDE`] × [`SIDE`] pixels.
    ///
    /// # Errors
    /// If the drawing is not SVG, which a test rules out.
    pub(crate) fn png(&self) -> Result<Vec<u8>> {
        let drawing = || format!("cannot draw `{}`", self.label);
        let tree = Tree::from_str(&self.svg(), &Options::default()).with_context(drawing)?;
        let mut pixmap = Pixmap::new(SIDE, SIDE).with_context(drawing)?;
        let scale = SIDE as f32 / tree.size().width();
        resvg::render(
            &tree,
            Transform::from_scale(scale, scale),
            &mut pixmap.as_mut(),
        );
        pixmap.encode_png().with_context(drawing)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_and_files_are_unique() {
        let labels: BTreeSet<&str> = drawings().map(|drawing| drawing.label).collect();
        assert!(labels.len() >= 50 && labels.len() == drawings().count());
        let files: BTreeSet<String> = drawings().map(Drawing::file_stem).collect();
        assert_eq!(files.len(), labels.len());
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(
            files.iter().all(|file| file.chars().all(plain)),
            "{files:?}"
        );
    }

    #[test]
    fn every_drawing_fills_its_square_with_many_colours() {
        for drawing in drawings() {
            let pixmap = Pixmap::decode_png(&drawing.png().unwrap()).unwrap();
            let label = drawing.label;
            assert_eq!([pixmap.width(), pixmap.height()], [SIDE; 2], "{label}");
            let pixels = pixmap.pixels();
            assert!(pixels.iter().all(|pixel| pixel.is_opaque()), "{label}");
            let colours: BTreeSet<[u8; 3]> = pixels
                .iter()
                .map(|p| [p.red(), p.green(), p.blue()])
                .collect();
            assert!(colours.len() > 100, "{label}: {} colours", colours.len());
        }
    }

    #[test]
    fn each_drawing_is_another_picture_and_the_same_one_each_time() {
        let all: BTreeSet<Vec<u8>> = drawings().map(|d| d.png().unwrap()).collect();
        assert_eq!(all.len(), drawings().count());
        let again: BTreeSet<Vec<u8>> = drawings().map(|d| d.png().unwrap()).collect();
        assert!(all == again);
    }

    #[test]
    fn drawings_use_shapes_alone_and_only_what_is_there() {
        for drawing in drawings() {
            for refused in ["<text", "<image", "<script", "<style", "http", "data:"] {
                let label = drawing.label;
                assert!(!drawing.shapes.contains(refused), "{label}: {refused}");
            }
            // A reference to nothing is drawn as nothing, without an error.
            let svg = drawing.svg();
            for marker in ["href='#", "url(#"] {
                for part in svg.split(marker).skip(1) {
                    let id = part.split(['\'', ')']).next().unwrap();
                    assert!(
                        svg.contains(&format!("id='{id}'")),
                        "{}: {id}",
                        drawing.label
                    );
                }
            }
        }
    }
}
