//! Things in pictures by their boxes: the `KEY.json` of a shard for detection, each box of which is
//! a sample.

use serde::Deserialize;

use diptych::image::Picture;

/// Boxes whose longer side has fewer pixels are left out: too little to learn a thing from.
const LEAST_SIDE: f64 = 24.0;

/// Sides of what is cut out around a box, by the longer side of the box.
const AROUND: f64 = 1.2;

/// Boxes of one picture, in its pixels.
#[derive(Deserialize)]
struct Boxes {
    /// Left, top, right, bottom, and the class.
    boxes: Vec<(f64, f64, f64, f64, String)>,
    /// Width and height of the picture.
    size: [usize; 2],
    /// Whether each is hard to tell by itself (VOC's mark), in the order of the boxes.
    #[serde(default)]
    difficult: Vec<u8>,
}

/// A rectangle of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    /// Width and height of the picture that it is of.
    of: [usize; 2],
}

/// A thing: the number of its box from 0, its class, and the part of the picture that shows it.
pub(super) type Thing = (usize, String, Region);

/// The things of a picture; in place of one whose box can't be used, why not, in words. Boxes that
/// are marked as difficult and small ones are left out.
///
/// # Errors
/// In words, if it is no JSON of boxes.
pub(super) fn things(json: &str) -> Result<Vec<Result<Thing, String>>, String> {
    let Boxes {
        boxes,
        size,
        difficult,
    } = serde_json::from_str(json).map_err(|e| format!("has no boxes: {e}"))?;
    let is_difficult = |number: usize| difficult.get(number).is_some_and(|&mark| mark != 0);
    let things = boxes.into_iter().enumerate();
    let things = things.filter(|(number, _)| !is_difficult(*number));
    let things = things.filter_map(|(number, (left, top, right, bottom, class))| {
        let (width, height) = (right - left, bottom - top);
        let [w, h] = size.map(|side| side as f64);
        let is_inside = left >= 0.0 && top >= 0.0 && right <= w && bottom <= h;
        if !(width > 0.0 && height > 0.0 && is_inside) || class.trim().is_empty() {
            let shown = format!("[{left}, {top}, {right}, {bottom}] of `{class}` in {w} × {h}");
            return Some(Err(format!("box {number} is {shown}")));
        }
        let longer = width.max(height);
        (longer >= LEAST_SIDE).then(|| {
            let region =
                Region::around([left + right, top + bottom].map(|n| n / 2.0), longer, size);
            Ok((number, class, region))
        })
    });
    Ok(things.collect())
}

impl Region {
    /// The square around a thing, moved and cut so that it lies in the picture.
    fn around(centre: [f64; 2], longer: f64, of: [usize; 2]) -> Self {
        let side = (longer * AROUND).round() as usize;
        let along = |i: usize| {
            let length = side.min(of[i]);
            let start = (centre[i] - length as f64 / 2.0).round().max(0.0) as usize;
            (start.min(of[i] - length), length)
        };
        let ((left, width), (top, height)) = (along(0), along(1));
        Self {
            left,
            top,
            width,
            height,
            of,
        }
    }

    /// Cuts it out.
    ///
    /// # Errors
    /// In words, if it is of a picture of another size.
    pub(super) fn cut(&self, picture: &Picture) -> Result<Picture, String> {
        let [width, height] = self.of;
        if [picture.width(), picture.height()] != self.of {
            let (w, h) = (picture.width(), picture.height());
            return Err(format!(
                "it is {w} × {h}, and its boxes are of {width} × {height}"
            ));
        }
        let cut = picture.crop(self.left, self.top, self.width, self.height);
        cut.map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_cut_out_with_some_of_what_is_around_it() {
        let json = r#"{"boxes": [
            [100, 100, 200, 150, "dog"], [0, 0, 30, 60.5, "cat"], [10, 0, 310, 240, "sofa"],
            [5, 5, 20, 25, "cup"], [40, 40, 90, 90, "bird"], [300, 5, 321, 50, "car"],
            [30, 30, 30, 90, "bus"]],
            "size": [320, 240], "difficult": [0, 0, 0, 0, 1, 0, 0]}"#;
        let things = things(json).unwrap();
        let of = |left, top, width, height| Region {
            left,
            top,
            width,
            height,
            of: [320, 240],
        };
        let used: Vec<&Thing> = things.iter().flatten().collect();
        assert_eq!(
            used,
            [
                &(0, "dog".into(), of(90, 65, 120, 120)),
                &(1, "cat".into(), of(0, 0, 73, 73)),
                &(2, "sofa".into(), of(0, 0, 320, 240)),
            ]
        );
        let refused: Vec<&String> = things.iter().filter_map(|t| t.as_ref().err()).collect();
        assert_eq!(
            refused,
            [
                "box 5 is [300, 5, 321, 50] of `car` in 320 × 240",
                "box 6 is [30, 30, 30, 90] of `bus` in 320 × 240",
            ]
        );
    }

    #[test]
    fn a_region_is_of_its_picture_alone() {
        let picture = Picture::from_rgb(4, 2, (0..24).collect()).unwrap();
        let region = |of| Region {
            left: 1,
            top: 0,
            width: 2,
            height: 1,
            of,
        };
        let cut = region([4, 2]).cut(&picture).unwrap();
        assert_eq!(cut.as_bytes(), [3, 4, 5, 6, 7, 8]);
        let error = region([4, 3]).cut(&picture).unwrap_err();
        assert_eq!(error, "it is 4 × 2, and its boxes are of 4 × 3");
    }

    #[test]
    fn what_has_no_boxes_says_so() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"boxes": [[1, 2, 3, 4]], "size": [5, 6]}"#,
        ] {
            let error = things(json).unwrap_err();
            assert!(error.starts_with("has no boxes: "), "{error}");
        }
    }
}
