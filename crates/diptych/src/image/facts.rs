//! What a camera wrote beside a picture: when, where and with what it was taken.
//!
//! Source: EXIF 2.32 (CIPA DC-008), by the crate `kamadak-exif`.

use std::io::Cursor;

use exif::{Exif, In, Reader, Tag, Value};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::guarded;

/// What a picture's EXIF block tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// When it was taken, in seconds since 1970 began. A time without an offset from UTC is taken for UTC: cameras mostly
    /// write none.
    pub taken: Option<i64>,
    /// Degrees north and east.
    pub place: Option<(f64, f64)>,
    /// Maker and model of the camera.
    pub camera: Option<String>,
}

impl Facts {
    /// Reads the EXIF block of a file's bytes: JPEG, PNG, TIFF, WebP or HEIF. What is not there or damaged is left out.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let read = || {
            let mut reader = Reader::new();
            reader.continue_on_error(true);
            let exif = reader.read_from_container(&mut Cursor::new(bytes));
            let exif = exif.or_else(|error| error.distill_partial_result(|_| {}));
            exif.map(|exif| Self {
                taken: taken(&exif),
                place: place(&exif),
                camera: camera(&exif),
            })
        };
        // A picture is not refused for what is written beside it.
        guarded(|| read().unwrap_or_default()).unwrap_or_default()
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
    const TIMES: [(Tag, Tag); 3] = [
        (Tag::DateTimeOriginal, Tag::OffsetTimeOriginal),
        (Tag::DateTimeDigitized, Tag::OffsetTimeDigitized),
        (Tag::DateTime, Tag::OffsetTime),
    ];
    TIMES.into_iter().find_map(|(time, offset)| {
        let mut at = exif::DateTime::from_ascii(text(exif, time)?.as_bytes()).ok()?;
        if let Some(offset) = text(exif, offset) {
            // One that can't be read is like one that is missing.
            let _ = at.parse_offset(offset.as_bytes());
        }
        let signed = |value: u8| i8::try_from(value).ok();
        let (month, day) = (signed(at.month)?, signed(at.day)?);
        let (hour, minute, second) = (signed(at.hour)?, signed(at.minute)?, signed(at.second)?);
        let year = i16::try_from(at.year).ok()?;
        let civil = DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?;
        let utc = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
        Some(utc - 60 * i64::from(at.offset.unwrap_or(0)))
    })
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
        // date -u -d 2024-02-29T11:30:05 +%s
        assert_eq!(facts.taken, Some(1_709_206_205));
        assert_eq!(facts.camera.as_deref(), Some("Maker Model 7"));
        let (north, east) = facts.place.unwrap();
        assert!(
            (north - 52.5).abs() < 1e-9 && (east + 13.26).abs() < 1e-9,
            "{north} {east}"
        );
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
