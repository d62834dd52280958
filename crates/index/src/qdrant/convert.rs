//! Records ⇄ points: one point a moment, and with each what has to be known to find and to show it.
//!
//! | payload | what |
//! | --- | --- |
//! | `content`, `moment`, `moments` | the content's id, which of its moments this is, and how many there are |
//! | `came` | a number that is higher the later a content came |
//! | `start`, `end` | the moment's span in seconds, if it has one |
//! | `left`, `top`, `right`, `bottom` | its region in fractions of the width and height, if it has one |
//! | `taken`, `taken_from` | seconds, and who says so, as in [`Taken`] |
//! | `phash` | as in [`Item`], in hexadecimal digits |
//! | `payload` | as in [`Item`]; integers above those of 64 bits with a sign become floats |
//! | `files` | `[{path, size, modified}]`, in order of their paths |
//! | `folders` | every folder that one of the files lies in or below |
//! | `n_files` | how many files there are; a content without one can't be found |

use std::collections::{BTreeSet, HashMap};

use qdrant_client::Payload as Fields;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vector_output::Vector;
use qdrant_client::qdrant::vectors_output::VectorsOptions;
use qdrant_client::qdrant::{PointId, PointStruct, Value, VectorOutput, VectorsOutput};
use serde_json::json;

use crate::{File, Id, Item, Moment, Part, Payload, Region, Span, Taken, TakenFrom};

pub(super) const CONTENT: &str = "content";
pub(super) const MOMENT: &str = "moment";
pub(super) const MOMENTS: &str = "moments";
pub(super) const CAME: &str = "came";
pub(super) const START: &str = "start";
pub(super) const END: &str = "end";
/// The sides of a region: left, top, right, bottom.
pub(super) const SIDES: [&str; 4] = ["left", "top", "right", "bottom"];
pub(super) const TAKEN: &str = "taken";
pub(super) const TAKEN_FROM: &str = "taken_from";
pub(super) const PHASH: &str = "phash";
pub(super) const PAYLOAD: &str = "payload";
pub(super) const FILES: &str = "files";
pub(super) const FOLDERS: &str = "folders";
pub(super) const N_FILES: &str = "n_files";
/// The paths among [`FILES`], as the server names them.
pub(super) const PATHS: &str = "files[].path";

/// Odd, so no two moments of a content meet; large, so contents whose ids are close do not meet
/// either. (2¹²⁸ / φ)
const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// The point of a content's moment. That of the first has the content's own id.
pub(super) fn point_id(id: Id, moment: usize) -> PointId {
    let steps = STEP.wrapping_mul(moment as u128);
    let id = u128::from_be_bytes(id.0).wrapping_add(steps);
    Id(id.to_be_bytes()).to_string().into()
}

/// The points of a content, with all their payload.
pub(super) fn points(item: &Item, came: i64, files: &[File]) -> Vec<PointStruct> {
    let all = of_content(item, item.moments.len(), came, files);
    let moments = item.moments.iter().enumerate();
    let point = |(number, moment)| point(item.id, number, moment, &all);
    moments.map(point).collect()
}

/// The part of the payload that all points of a content have, of which there are so many.
pub(super) fn of_content(item: &Item, moments: usize, came: i64, files: &[File]) -> Fields {
    let mut fields = links(files);
    fields.insert(CONTENT, item.id.to_string());
    fields.insert(MOMENTS, moments as i64);
    fields.insert(CAME, came);
    if let Some(taken) = item.taken {
        fields.insert(TAKEN, taken.at);
        fields.insert(TAKEN_FROM, taken.from.name());
    }
    if let Some(phash) = &item.phash {
        fields.insert(PHASH, to_hex(phash));
    }
    fields.insert(PAYLOAD, Fields::from(item.payload.clone()));
    fields
}

/// The point of a moment, with what all of its content have.
pub(super) fn point(id: Id, number: usize, moment: &Moment, of_content: &Fields) -> PointStruct {
    let mut fields = of_content.clone();
    fields.insert(MOMENT, number as i64);
    insert_part(&mut fields, &moment.part);
    PointStruct::new(point_id(id, number), moment.vector.clone(), fields)
}

pub(super) fn insert_part(fields: &mut Fields, part: &Part) {
    if let Some(span) = part.span {
        fields.insert(START, span.start);
        fields.insert(END, span.end);
    }
    if let Some(region) = part.region {
        let sides = [region.left, region.top, region.right, region.bottom];
        let sides = SIDES.into_iter().zip(sides);
        sides.for_each(|(side, value)| fields.insert(side, value));
    }
}

/// The part that a payload tells of.
pub(super) fn part(fields: &HashMap<String, Value>) -> Part {
    let number = |key: &str| float(fields.get(key));
    let region = match SIDES.map(number) {
        [Some(left), Some(top), Some(right), Some(bottom)] => Some(Region {
            left,
            top,
            right,
            bottom,
        }),
        _ => None,
    };
    let span = number(START).zip(number(END));
    Part {
        span: span.map(|(start, end)| Span { start, end }),
        region,
    }
}

/// The part of the payload that says which files have a content.
pub(super) fn links(files: &[File]) -> Fields {
    let folders: BTreeSet<&str> = files.iter().flat_map(|f| folders(&f.path)).collect();
    Fields::from([
        (FILES, json!(files).into()),
        (FOLDERS, json!(folders).into()),
        (N_FILES, (files.len() as i64).into()),
    ])
}

/// The folders that a path lies in or below, as [`folder`] writes them.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    let separators = path.match_indices(std::path::is_separator);
    separators.map(|(at, _)| root_or(&path[..at]))
}

/// A folder as it is looked for, so that a path lies in it or below just if it is among
/// [`folders`], or is the path itself: what [`crate::is_within`] says.
pub(super) fn folder(folder: &str) -> &str {
    root_or(folder.trim_end_matches(std::path::is_separator))
}

/// A word that nobody loses on the way, for the folder that has none.
fn root_or(folder: &str) -> &str {
    match folder {
        "" => "/",
        folder => folder,
    }
}

/// The payload of a point, as far as it was asked for.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub(super) id: Id,
    pub(super) moment: usize,
    pub(super) moments: usize,
    pub(super) came: i64,
    pub(super) part: Part,
    pub(super) taken: Option<Taken>,
    pub(super) phash: Option<Vec<u8>>,
    pub(super) payload: Payload,
    /// In order of their paths.
    pub(super) files: Vec<File>,
}

impl Record {
    /// None for a point that is not one of ours.
    pub(super) fn read(mut fields: HashMap<String, Value>) -> Option<Self> {
        let number = |key: &str| integer(fields.get(key));
        Some(Self {
            id: text(fields.get(CONTENT))?.parse().ok()?,
            moment: usize::try_from(number(MOMENT).unwrap_or(0)).ok()?,
            moments: usize::try_from(number(MOMENTS).unwrap_or(1)).ok()?,
            came: number(CAME).unwrap_or(0),
            part: part(&fields),
            taken: number(TAKEN).map(|at| Taken {
                at,
                from: TakenFrom::named(text(fields.get(TAKEN_FROM)).unwrap_or_default()),
            }),
            phash: text(fields.get(PHASH)).and_then(from_hex),
            payload: match fields.remove(PAYLOAD).map(Into::into) {
                Some(serde_json::Value::Object(payload)) => payload,
                _ => Payload::new(),
            },
            files: match fields.remove(FILES) {
                Some(files) => serde_json::from_value(files.into()).ok()?,
                None => Vec::new(),
            },
        })
    }

    /// The content, with these moments.
    pub(super) fn into_item(self, moments: Vec<Moment>) -> (Item, Vec<File>) {
        let item = Item {
            id: self.id,
            taken: self.taken,
            phash: self.phash,
            payload: self.payload,
            moments,
        };
        (item, self.files)
    }
}

pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    match value?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Bytes as a payload can have them: in hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
    bytes.iter().flat_map(digits).collect()
}

/// The bytes that hexadecimal digits stand for.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

pub(super) fn integer(value: Option<&Value>) -> Option<i64> {
    match value?.kind.as_ref()? {
        Kind::IntegerValue(value) => Some(*value),
        _ => None,
    }
}

fn float(value: Option<&Value>) -> Option<f64> {
    match value?.kind.as_ref()? {
        Kind::DoubleValue(value) => Some(*value),
        // Where a float without a fraction has become one on the way.
        Kind::IntegerValue(value) => Some(*value as f64),
        _ => None,
    }
}

/// The vector of a point, if it was asked for.
pub(super) fn vector(vectors: Option<VectorsOutput>) -> Option<Vec<f32>> {
    let VectorsOptions::Vector(VectorOutput { vector, .. }) = vectors?.vectors_options? else {
        return None;
    };
    match vector? {
        Vector::Dense(dense) => Some(dense.data),
        Vector::Sparse(_) | Vector::MultiDense(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::is_within;

    fn record(item: &Item, files: &[File]) -> Option<Record> {
        let point = points(item, 7, files).into_iter().nth(1)?;
        Record::read(point.payload)
    }

    #[test]
    fn a_point_tells_all_of_a_moment() {
        let moment = |start: f64| Moment {
            part: Part {
                region: Some(Region {
                    left: 0.0,
                    top: 0.125,
                    right: 1.0,
                    bottom: 0.3,
                }),
                ..Part::during(start, 2.5)
            },
            vector: vec![1.0, 0.0],
        };
        let payload = json!({"a": [1, 2.5, null], "b": {"c": "d", "e": true}});
        let item = Item {
            id: Id([9; 16]),
            taken: Some(Taken {
                at: -5,
                from: TakenFrom::File,
            }),
            phash: Some(vec![0, 9, 255]),
            payload: payload.as_object().unwrap().clone(),
            moments: vec![moment(0.0), moment(1.0)],
        };
        let file = |path: &str| File {
            path: path.into(),
            size: u64::from(u32::MAX) + 1,
            modified: 1_700_000_000_123_456_789,
        };
        let files = [file("/a/b"), file("/a/c/d")];
        let want = Record {
            id: item.id,
            moment: 1,
            moments: 2,
            came: 7,
            part: item.moments[1].part,
            taken: item.taken,
            phash: item.phash.clone(),
            payload: item.payload.clone(),
            files: files.to_vec(),
        };
        assert_eq!(record(&item, &files), Some(want));
    }

    #[test]
    fn a_point_of_somebody_else_is_no_record() {
        let read = |fields: serde_json::Value| {
            Record::read(Fields::try_from(fields).unwrap().into()).map(|record| record.moment)
        };
        let content = "00000000000000000000000000000001";
        assert_eq!(read(json!({"content": content})), Some(0));
        assert_eq!(read(json!({})), None);
        assert_eq!(read(json!({"content": "cat"})), None);
        assert_eq!(read(json!({"content": content, "moment": -1})), None);
        assert_eq!(read(json!({"content": content, "files": [1]})), None);
    }

    #[test]
    fn moments_of_neighbouring_contents_are_different_points() {
        let mut ids = std::collections::HashSet::new();
        for content in 0..100u128 {
            for moment in 0..100 {
                let id = Id(content.to_be_bytes());
                assert!(ids.insert(format!("{:?}", point_id(id, moment))));
            }
        }
        assert_eq!(point_id(Id([0xab; 16]), 0), PointId::from("ab".repeat(16)));
    }

    proptest! {
        #[test]
        fn a_path_has_just_the_folders_that_it_is_within(path in "[ab/]{1,8}", within in "[ab/]{0,6}") {
            let wanted = folder(&within);
            let listed = folders(&path).any(|folder| folder == wanted) || path == wanted;
            prop_assert_eq!(listed, is_within(&path, &within));
        }
    }
}
