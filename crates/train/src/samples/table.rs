//! Tables of pictures and captions: CSV or TSV, with a line of column names.
//!
//! Rows of the same picture become one sample of several captions, because each of them is true of
//! it. A row that can't be used costs that row. One that has another number of fields than its
//! header is not used: a comma that should have been quoted cuts its caption.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Found;
use super::passed_over::{Reason, Tally};
use super::rows::{BadQuote, Format, Row, Rows, split, without_end};
use super::sample::{Sample, lines};
use crate::{Error, Result};
use diptych::image::is_picture_name;

/// Names of the column of pictures, likeliest first.
const IMAGE: &[&str] = &["image", "path", "filepath"];

/// Names of the column of captions, likeliest first.
const TEXT: &[&str] = &["caption", "text", "title"];

/// Bytes of a file read at once.
const BUFFER_BYTES: usize = 1 << 16;

/// A table, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The `.csv` or `.tsv` file.
    pub path: PathBuf,
    /// The folder that the pictures' paths are relative to.
    pub base: PathBuf,
    /// The column of pictures, if it is not `image`, `path` or `filepath`.
    pub image_column: Option<String>,
    /// The column of captions, if it is not `caption`, `text` or `title`.
    pub text_column: Option<String>,
}

/// Format and columns, as a table's first line has them.
#[derive(Clone, Copy)]
struct Header {
    format: Format,
    fields: usize,
    image: usize,
    text: usize,
}

impl Header {
    /// The name in a row's picture column, if it is a picture's.
    fn picture<'a>(&self, cells: &'a [Vec<u8>]) -> Option<&'a str> {
        let name = str::from_utf8(cells.get(self.image)?).ok()?;
        let name = name.trim().trim_matches('"');
        is_picture_name(name.as_ref()).then_some(name)
    }
}

impl Table {
    /// Reads the rows.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Data`] if a column is missing or no row can be
    /// used.
    pub(super) fn read(&self) -> Result<Found> {
        let file = fs_err::File::open(&self.path).map_err(Error::Io)?;
        let mut rows = Rows::new(BufReader::with_capacity(BUFFER_BYTES, file));
        let first = rows.next_line().map_err(Error::Io)?.unwrap_or_default();
        let header = self.header(&first).map_err(|reason| Error::Data {
            path: self.path.clone(),
            reason,
        })?;
        let mut samples = Samples {
            table: self,
            origin: self.path.as_path().into(),
            of: FxHashMap::default(),
            found: Found::default(),
        };
        while let Some(row) = rows
            .next_row(header.format, header.fields, |cells| header.picture(cells))
            .map_err(|e| Error::io(&self.path, e))?
        {
            match row {
                Ok(row) => samples.add(&row, header),
                Err(BadQuote { line }) => samples.pass_over(
                    Reason::Quotes,
                    line,
                    "a quote that begins a field is not closed, or not at its end",
                ),
            }
        }
        samples.found.or_none(&self.path)
    }

    /// Finds the columns, and what separates them: in a file named for tabs a tab, else what makes
    /// columns of the right names.
    fn header(&self, line: &[u8]) -> Result<Header, String> {
        if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") {
            return Err("it is UTF-16, wanted UTF-8".into());
        }
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let extension = self.path.extension().and_then(|e| e.to_str());
        let tabs = extension.is_some_and(|e| matches!(&*e.to_ascii_lowercase(), "tsv" | "tab"));
        // Files named for tabs know no quotes: one in a caption is a quote. open_clip's tables are
        // named for commas and have tabs; they are written by pandas, which quotes either
        // way.
        let delimiters: &[u8] = if tabs { b"\t" } else { b",\t" };
        let mut refused: Option<(usize, String)> = None;
        for &delimiter in delimiters {
            let format = Format {
                delimiter,
                quotes: !tabs,
            };
            let cells = split(without_end(line), format)
                .map_err(|_| "line 1: a quote is not closed".to_owned())?;
            let columns = column(&cells, self.image_column.as_deref(), IMAGE)
                .and_then(|image| Ok((image, column(&cells, self.text_column.as_deref(), TEXT)?)));
            match columns {
                Ok((image, text)) => {
                    return Ok(Header {
                        format,
                        fields: cells.len(),
                        image,
                        text,
                    });
                }
                // The separator that makes most columns is likely to be the file's.
                Err(reason) if refused.as_ref().is_none_or(|(n, _)| cells.len() > *n) => {
                    let tabs = if delimiter == b'\t' {
                        " (separated by tabs)"
                    } else {
                        ""
                    };
                    refused = Some((cells.len(), reason + tabs));
                }
                Err(_) => {}
            }
        }
        let reason = refused.map_or_else(String::new, |(_, reason)| reason);
        let semicolons = if line.contains(&b';') {
            "; semicolons don't separate columns, commas or tabs do"
        } else {
            ""
        };
        Err(reason + semicolons)
    }
}

/// A table's samples while it is read.
struct Samples<'a> {
    table: &'a Table,
    origin: Arc<Path>,
    /// Where the sample of a picture is.
    of: FxHashMap<String, usize>,
    found: Found,
}

impl Samples<'_> {
    fn add(&mut self, row: &Row, header: Header) {
        let fields = row.cells.len();
        if fields != header.fields {
            let wanted = header.fields;
            let what = format_args!("it has {fields} fields, its header {wanted}");
            return self.pass_over(Reason::Fields, row.line, what);
        }
        let cell = |i: usize| str::from_utf8(&row.cells[i]).map(str::trim);
        let (image, text) = match (cell(header.image), cell(header.text)) {
            (Err(e), _) | (_, Err(e)) => {
                let what = format_args!("it is not UTF-8: {e}");
                return self.pass_over(Reason::NotUtf8, row.line, what);
            }
            (Ok(""), _) => return self.pass_over(Reason::NoPicture, row.line, "it has no picture"),
            (_, Ok("")) => {
                return self.pass_over(Reason::EmptyCaption, row.line, "it has no caption");
            }
            (Ok(image), Ok(text)) => (image, text),
        };
        // A caption may have several lines; here it is one text.
        let text = lines(text).join(" ");
        let samples = &mut self.found.samples;
        if let Some(&at) = self.of.get(image) {
            return samples[at].texts.push(text);
        }
        self.of.insert(image.to_owned(), samples.len());
        samples.push(Sample::in_file(
            self.origin.clone(),
            image.to_owned(),
            vec![text],
            self.table.base.join(image),
        ));
    }

    fn pass_over(&mut self, reason: Reason, line: usize, what: impl std::fmt::Display) {
        let place = self.table.path.display();
        let passed_over: &mut Tally = &mut self.found.passed_over;
        passed_over.add(reason, format_args!("{place}: line {line}: {what}"));
    }
}

/// The column that is asked for, or else the first of the usual names that there is.
fn column(header: &[Vec<u8>], asked: Option<&str>, usual: &[&str]) -> Result<usize, String> {
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
