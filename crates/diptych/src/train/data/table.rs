//! Tables of pictures and captions: CSV or TSV, with a line of column names.
//!
//! Rows of the same picture become one sample of several captions, because each of them is true of it.
//! A row that can't be used costs that row.

use std::path::Path;
use std::sync::Arc;

use csv::ByteRecord;
use rustc_hash::FxHashMap;

use super::Found;
use super::sample::{Place, Sample, lines};
use crate::{Error, Result};

/// Names of the column of pictures, likeliest first.
const IMAGE: &[&str] = &["image", "path", "filepath"];

/// Names of the column of captions, likeliest first.
const TEXT: &[&str] = &["caption", "text", "title"];

/// A table, and how it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    pub(super) path: &'a Path,
    /// What the pictures' paths are relative to.
    pub(super) base: &'a Path,
    /// The column of pictures, if it has none of the usual names.
    pub(super) image_column: Option<&'a str>,
    /// The column of captions, if it has none of the usual names.
    pub(super) text_column: Option<&'a str>,
}

impl Table<'_> {
    /// Reads the rows.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Shard`] if a column is missing or no row can be used.
    pub(super) fn read(&self) -> Result<Found> {
        let broken = |reason: String| Error::Shard {
            path: self.path.to_owned(),
            reason,
        };
        let extension = self.path.extension().and_then(|e| e.to_str());
        let tabs = extension.is_some_and(|e| matches!(&*e.to_ascii_lowercase(), "tsv" | "tab"));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(if tabs { b'\t' } else { b',' })
            // Files of tabs know no quotes: one in a caption is a quote.
            .quoting(!tabs)
            .flexible(true)
            .from_reader(fs_err::File::open(self.path).map_err(Error::Io)?);
        let header = reader.byte_headers().map_err(|e| broken(e.to_string()))?;
        let image = column(header, self.image_column, IMAGE).map_err(broken)?;
        let text = column(header, self.text_column, TEXT).map_err(broken)?;

        let mut rows = Rows {
            table: self,
            origin: self.path.into(),
            of: FxHashMap::default(),
            found: Found::default(),
        };
        let mut record = ByteRecord::new();
        // As a spreadsheet counts, the header included; a caption may have several lines of the file.
        let mut row = 1;
        // An error of the reader is one of the disk: rows of any shape are read.
        while reader
            .read_byte_record(&mut record)
            .map_err(|e| broken(e.to_string()))?
        {
            row += 1;
            if let Err(reason) = rows.add(&record, image, text) {
                let error = broken(format!("row {row}: {reason}"));
                rows.found.skipped.push(error.to_string());
            }
        }
        rows.found.or_none(self.path)
    }
}

/// The table while it is read.
struct Rows<'a> {
    table: &'a Table<'a>,
    origin: Arc<Path>,
    /// Where the sample of a picture is.
    of: FxHashMap<String, usize>,
    found: Found,
}

impl Rows<'_> {
    fn add(&mut self, record: &ByteRecord, image: usize, text: usize) -> Result<(), String> {
        let cell = |i: usize, what: &str| {
            let bytes = record.get(i).unwrap_or_default();
            let cell =
                std::str::from_utf8(bytes).map_err(|e| format!("the {what} is not UTF-8: {e}"))?;
            match cell.trim() {
                "" => Err(format!("it has no {what}")),
                cell => Ok(cell.to_owned()),
            }
        };
        let (image, text) = (cell(image, "picture")?, cell(text, "caption")?);
        // A caption may have several lines; here it is one text.
        let text = lines(&text).join(" ");
        let samples = &mut self.found.samples;
        match self.of.get(&image) {
            Some(&at) => samples[at].texts.push(text),
            None => {
                self.of.insert(image.clone(), samples.len());
                samples.push(Sample {
                    origin: self.origin.clone(),
                    place: Place::File(self.table.base.join(&image)),
                    key: image,
                    texts: vec![text],
                });
            }
        }
        Ok(())
    }
}

/// The column that is asked for, or else the first of the usual names that there is.
fn column(header: &ByteRecord, asked: Option<&str>, usual: &[&str]) -> Result<usize, String> {
    let names: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect();
    let at = |wanted: &str| {
        names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(wanted))
    };
    let found = match asked {
        Some(name) => at(name),
        None => usual.iter().find_map(|name| at(name)),
    };
    found.ok_or_else(|| {
        let wanted = asked.map_or_else(|| usual.join("`, `"), str::to_owned);
        let names = names.join("`, `");
        format!("its columns are `{names}`, wanted `{wanted}`")
    })
}
