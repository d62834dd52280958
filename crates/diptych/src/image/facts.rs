//! Facts that a camera wrote beside a picture: when, where and with what it was taken.
//!
//! Source: EXIF 2.32 (CIPA DC-008), by the crate `kamadak-exif`.

use std::io::Cursor;
use std::sync::LazyLock;

use exif::{Exif, In, Reader, Tag, Value};
use jiff::civil::{Date, DateTime, Time};
use regex::Regex;

use super::Format;
use super::metadata::Metadata;
use crate::guarded;

/// Facts from a picture's EXIF block, or from its XMP.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// When it was taken by the clock on the wall there, in seconds since 1970 began by that
    /// clock. An offset from UTC, which few cameras write, is not taken off: the day of a
    /// picture is the one that its photographer had.
    pub taken: Option<i64>,
    /// Degrees north and east.
    pub place: Option<(f64, f64)>,
    /// Maker and model of the camera.
    pub camera: Option<String>,
}

impl Facts {
    /// Reads the EXIF block of a file's bytes (JPEG, PNG, TIFF, WebP or HEIF), and of XMP the time,
    /// where EXIF has none. What is not there or damaged is left out.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        // A picture is not refused for what is written beside it.
        guarded(|| Self::read(bytes)).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Self {
        let Some(format) = Format::of(bytes) else {
            return Self::default();
        };
        let metadata = Metadata::of(bytes, format);
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        let exif = match metadata.exif {
            Some(block) => reader.read_raw(block.into_owned()),
            None => reader.read_from_container(&mut Cursor::new(bytes)),
        };
        let exif = exif.or_else(|error| error.distill_partial_result(|_| {}));
        let in_xmp = || taken_in_xmp(metadata.xmp.as_deref()?);
        let mut facts = exif.map_or_else(
            |_| Self::default(),
            |exif| Self {
                taken: taken(&exif),
                place: place(&exif),
                camera: camera(&exif),
            },
        );
        facts.taken = facts.taken.or_else(in_xmp);
        facts
    }
}

/// The text of a tag, without the zeros and blanks that pad it.
fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let field = exif.get_field(tag, In::PRIMARY)?;
    let Value::Ascii(parts) = &field.value else {
        return None;
    };
    let text = String::from_utf8_lossy(parts.first()?);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn taken(exif: &Exif) -> Option<i64> {
    let times = [Tag::DateTimeOriginal, Tag::DateTimeDigitized, Tag::DateTime];
    let mut found = times.into_iter().filter_map(|tag| text(exif, tag));
    found.find_map(|time| wall_clock(&time))
}

/// The time in XMP, as an attribute or an element: of the exposure, of an editor's making, of the
/// original on paper or film.
fn taken_in_xmp(xmp: &[u8]) -> Option<i64> {
    static TIMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let names = [
            "exif:DateTimeOriginal",
            "exif:DateTimeDigitized",
            "xmp:CreateDate",
            "photoshop:DateCreated",
        ];
        let patterns =
            names.map(|name| Regex::new(&format!(r#"{name}(?:\s*=\s*["']|>\s*)([0-9][^"'<]*)"#)));
        patterns.into_iter().flatten().collect()
    });
    let text = String::from_utf8_lossy(xmp);
    let mut found = TIMES
        .iter()
        .filter_map(|time| Some(time.captures(&text)?.get(1)?.as_str()));
    found.find_map(wall_clock)
}

/// Seconds since 1970 began of a time as programs write it: EXIF's `2024:05:01 08:00:00`, ISO
/// 8601's `2024-05-01T08:00:00Z`, with `/`, without seconds, or a date alone, which is its first
/// second.
fn wall_clock(text: &str) -> Option<i64> {
    let mut rest = text;
    let year = number(&mut rest, 4).filter(|year| *year >= 1000)?;
    let (month, day) = (small(&mut rest)?, small(&mut rest)?);
    let date = Date::new(year, month, day).ok()?;
    // What follows an offset's sign, or the point before a fraction, is no time of day.
    let mut rest = rest.split(['+', '-', '.', 'Z', 'z']).next()?;
    let mut part = || small(&mut rest).unwrap_or(0);
    let (hour, minute, second) = (part(), part(), part().min(59));
    // A day is known, though its time may be one that no clock shows.
    let time = Time::new(hour, minute, second, 0).unwrap_or(Time::midnight());
    Some(seconds(date.to_datetime(time)))
}

/// Seconds since 1970 began, by the clock that shows this time.
fn seconds(civil: DateTime) -> i64 {
    civil
        .duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0))
        .as_secs()
}

/// The next number in a text, of so many digits at the most.
fn number(rest: &mut &str, digits: usize) -> Option<i16> {
    let from = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let found = from.bytes().take(digits).take_while(u8::is_ascii_digit);
    let (number, after) = from.split_at(found.count());
    *rest = after;
    number.parse().ok()
}

fn small(rest: &mut &str) -> Option<i8> {
    i8::try_from(number(rest, 2)?).ok()
}

fn place(exif: &Exif) -> Option<(f64, f64)> {
    let degrees = |value: Tag, reference: Tag, negative: &str, limit: f64| {
        let field = exif.get_field(value, In::PRIMARY)?;
        let Value::Rational(parts) = &field.value else {
            return None;
        };
        let [degrees, minutes, seconds] = parts.get(..3)? else {
            return None;
        };
        let sum = degrees.to_f64() + minutes.to_f64() / 60.0 + seconds.to_f64() / 3600.0;
        let is_negative = text(exif, reference)?.eq_ignore_ascii_case(negative);
        let sum = if is_negative { -sum } else { sum };
        (sum.is_finite() && sum.abs() <= limit).then_some(sum)
    };
    let north = degrees(Tag::GPSLatitude, Tag::GPSLatitudeRef, "S", 90.0)?;
    let east = degrees(Tag::GPSLongitude, Tag::GPSLongitudeRef, "W", 180.0)?;
    Some((north, east))
}

fn camera(exif: &Exif) -> Option<String> {
    let maker = text(exif, Tag::Make);
    match (maker, text(exif, Tag::Model)) {
        // Many models bear their maker's name already.
        (Some(maker), Some(model)) if !model.starts_with(&maker) => {
            Some(format!("{maker} {model}"))
        }
        (maker, model) => model.or(maker),
    }
}

#[cfg(test)]
mod tests {
    use exif::experimental::Writer;
    use exif::{Field, Rational};

    use super::*;
    use crate::image::{Encoding, Picture};

    /// A JPEG with these fields in its EXIF block.
    fn jpeg(fields: &[(Tag, Value)]) -> Vec<u8> {
        let fields: Vec<Field> = fields
            .iter()
            .map(|(tag, value)| Field {
                tag: *tag,
                ifd_num: In::PRIMARY,
                value: value.clone(),
            })
            .collect();
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        let mut block = Cursor::new(b"Exif\0\0".to_vec());
        block.set_position(6);
        let mut tiff = Cursor::new(Vec::new());
        writer.write(&mut tiff, false).unwrap();
        let mut block = block.into_inner();
        block.extend(tiff.into_inner());
        let picture = Picture::from_rgb(8, 8, vec![90; 192]).unwrap();
        let plain = Encoding::Jpeg.encode(&picture).unwrap();
        let length = u16::try_from(block.len() + 2).unwrap().to_be_bytes();
        [&plain[..2], &[0xff, 0xe1], &length, &block, &plain[2..]].concat()
    }

    fn ascii(text: &str) -> Value {
        Value::Ascii(vec![text.as_bytes().to_vec()])
    }

    fn degrees(parts: [u32; 3]) -> Value {
        Value::Rational(parts.map(|num| Rational { num, denom: 10 }).to_vec())
    }

    #[test]
    fn a_camera_tells_when_where_and_what_it_is() {
        let fields = [
            (Tag::DateTimeOriginal, ascii("2024:02:29 13:30:05")),
            (Tag::OffsetTimeOriginal, ascii("+02:00")),
            (Tag::Make, ascii("Maker ")),
            (Tag::Model, ascii("Model 7\0")),
            (Tag::GPSLatitude, degrees([520, 300, 0])),
            (Tag::GPSLatitudeRef, ascii("N")),
            (Tag::GPSLongitude, degrees([130, 150, 360])),
            (Tag::GPSLongitudeRef, ascii("W")),
        ];
        let facts = Facts::of(&jpeg(&fields));
        // date -u -d 2024-02-29T13:30:05 +%s
        assert_eq!(facts.taken, Some(1_709_213_405));
        assert_eq!(facts.camera.as_deref(), Some("Maker Model 7"));
        let (north, east) = facts.place.unwrap();
        assert!(
            (north - 52.5).abs() < 1e-9 && (east + 13.26).abs() < 1e-9,
            "{north} {east}"
        );
    }

    #[test]
    fn times_are_read_in_every_spelling_and_stay_on_their_day() {
        // date -u -d 2024-05-01T08:00 +%s
        let morning = 1_714_550_400;
        for (text, want) in [
            ("2024:05:01 08:00:00", morning),
            ("2024:05:01 08:00:00+12:00", morning),
            ("2024-05-01T08:00:00Z", morning),
            ("2024-05-01T08:00:00-05:00", morning),
            ("2024-05-01T08:00+12:00", morning),
            ("2024-05-01T08:00:00.123+02:00", morning),
            ("2024/05/01 08:00", morning),
            ("2024:5:1 8:00", morning),
            ("20240501T080000", morning),
            ("2024:05:01 08:00:60", morning + 59),
            ("2024-05-01", morning - 8 * 3600),
            ("2024:05:01   :  :  ", morning - 8 * 3600),
            ("2024:05:01 24:00:00", morning - 8 * 3600),
            ("2024-05-01+12:00", morning - 8 * 3600),
            ("1969:12:31 23:59:59", -1),
        ] {
            let facts = Facts::of(&jpeg(&[(Tag::DateTimeOriginal, ascii(text))]));
            assert_eq!(facts.taken, Some(want), "{text}");
        }
        for text in [
            "",
            "2024",
            "2024-05",
            "2024:13:01 08:00:00",
            "2023-02-29",
            "24:05:01",
            "May",
        ] {
            let facts = Facts::of(&jpeg(&[(Tag::DateTimeOriginal, ascii(text))]));
            assert_eq!(facts.taken, None, "{text}");
        }
        // The next field, where one says nothing.
        let fields = [
            (Tag::DateTimeOriginal, ascii("0000:00:00 00:00:00")),
            (Tag::DateTime, ascii("2024-05-01T08:00:00Z")),
        ];
        assert_eq!(Facts::of(&jpeg(&fields)).taken, Some(morning));
    }

    #[test]
    fn what_can_not_be_is_left_out() {
        let fields = [
            (Tag::DateTimeOriginal, ascii("0000:00:00 00:00:00")),
            (Tag::Model, ascii("Model 7")),
            (Tag::GPSLatitude, degrees([5200, 0, 0])),
            (Tag::GPSLatitudeRef, ascii("N")),
        ];
        let facts = Facts::of(&jpeg(&fields));
        assert_eq!((facts.taken, facts.place), (None, None));
        assert_eq!(facts.camera.as_deref(), Some("Model 7"));
        assert_eq!(Facts::of(b"no picture"), Facts::default());
        assert_eq!(Facts::of(&jpeg(&fields)[..40]), Facts::default());
    }
}
