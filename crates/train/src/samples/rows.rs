//! Rows of a table: lines → cells, with quotes as RFC 4180 has them, or without any.
//!
//! A quote that is not closed would take all that follows for one cell. So a row whose quotes don't
//! match costs its first line alone, and reading goes on with the line after that.

use std::collections::VecDeque;
use std::io::{self, BufRead};

/// Bytes of a row with a cell of several lines. A quote that is open for longer was never closed.
const MAX_OPEN_BYTES: usize = 1 << 20;

/// Delimiter and quotes by which a line is split into cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) delimiter: u8,
    /// Whether a cell that begins with a quote ends with one, and may hold delimiters and lines.
    pub(super) quotes: bool,
}

/// A row of cells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its first line, from 1.
    pub(super) line: usize,
    pub(super) cells: Vec<Vec<u8>>,
}

/// The line of a quote that is not closed, or closed where no cell ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadQuote {
    pub(super) line: usize,
}

/// Lines of a file, and rows made of them.
pub(super) struct Rows<R> {
    reader: R,
    /// Lines that were read and are to be read again.
    again: VecDeque<Vec<u8>>,
    /// Number of the last line.
    line: usize,
    /// Whether the name of a picture had a blank so far.
    names_have_blanks: bool,
}

/// A row whose quote is open.
struct Open {
    first: Vec<u8>,
    /// The lines after the first, to be read again if the quote is never closed.
    lines: Vec<Vec<u8>>,
    /// All of its lines.
    text: Vec<u8>,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            again: VecDeque::new(),
            line: 0,
            names_have_blanks: false,
        }
    }

    /// The next line that is not blank, as it lies in the file.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.raw_line()? {
                Some(line) if line.trim_ascii().is_empty() => {}
                line => return Ok(line),
            }
        }
    }

    /// The next row of a table whose rows have this many `fields`; `picture` finds the name in its
    /// cells.
    ///
    /// A line inside an open quote that is a row by itself shows that the quote was never closed.
    pub(super) fn next_row(
        &mut self,
        format: Format,
        fields: usize,
        picture: impl Fn(&[Vec<u8>]) -> Option<&str>,
    ) -> io::Result<Option<Result<Row, BadQuote>>> {
        let Some(first) = self.next_line()? else {
            return Ok(None);
        };
        let line = self.line;
        let mut open = Open {
            text: first.clone(),
            first,
            lines: Vec::new(),
        };
        let mut closed = 0;
        let at = loop {
            match split(without_end(&open.text), format) {
                Ok(cells) => {
                    self.names_have_blanks |= picture(&cells).is_some_and(has_blank);
                    return Ok(Some(Ok(Row { line, cells })));
                }
                Err(Quote::Misplaced(at)) => break at,
                // Each time round closes a cell and opens another. A row of more cells than fields
                // is useless, and splitting it again for each of thousands of cells
                // would take minutes.
                Err(Quote::Open(at)) if closed == fields => break at,
                Err(Quote::Open(at)) => {
                    closed += 1;
                    if !self.close(&mut open, format, fields, &picture)? {
                        break at;
                    }
                }
            }
        };
        let before = open.text[..at].iter().filter(|&&byte| byte == b'\n');
        let bad = BadQuote {
            line: line + before.count(),
        };
        self.line = line;
        for line in open.lines.into_iter().rev() {
            self.again.push_front(line);
        }
        Ok(Some(Err(bad)))
    }

    /// Adds lines to a row whose quote is open, up to one that closes it; false if none does.
    fn close(
        &mut self,
        open: &mut Open,
        format: Format,
        fields: usize,
        picture: &impl Fn(&[Vec<u8>]) -> Option<&str>,
    ) -> io::Result<bool> {
        let first = lone(without_end(&open.first), format);
        let first = picture(&first);
        let names_have_blanks = self.names_have_blanks || first.is_some_and(has_blank);
        while open.text.len() < MAX_OPEN_BYTES {
            let Some(more) = self.raw_line()? else {
                return Ok(false);
            };
            let closes = closes(&more);
            let cells = lone(without_end(&more), format);
            // `see a.png, it is nice` is no row, unless pictures have such names.
            let is_row = cells.len() >= fields
                && picture(&cells).is_some_and(|name| names_have_blanks || !has_blank(name));
            open.text.extend_from_slice(&more);
            open.lines.push(more);
            // Where pictures come last, the end of a caption and its picture look like a row, too.
            // But then the caption's first line has no picture.
            if is_row && (!closes || first.is_some()) {
                return Ok(false);
            }
            if closes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next line with its end, which is `\n`, `\r\n` or `\r`.
    fn raw_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(line) = self.again.pop_front() {
            self.line += 1;
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let is_return = end.is_some_and(|end| buffer[end] == b'\r');
            let n = end.map_or(buffer.len(), |end| end + 1);
            line.extend_from_slice(&buffer[..n]);
            self.reader.consume(n);
            if is_return && self.reader.fill_buf()?.first() == Some(&b'\n') {
                line.push(b'\n');
                self.reader.consume(1);
            }
            if end.is_some() || n == 0 {
                break;
            }
        }
        if line.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        Ok(Some(line))
    }
}

/// A line without its end.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Fault of a quote, with the place where it opens.
#[derive(Debug)]
pub(super) enum Quote {
    /// The text ends before it is closed.
    Open(usize),
    /// It is closed where no cell ends.
    Misplaced(usize),
}

fn has_blank(name: &str) -> bool {
    name.contains(char::is_whitespace)
}

/// Whether a quote that is open before a line is closed in it. Two quotes in a row are a character.
fn closes(line: &[u8]) -> bool {
    let mut rest = line;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        match &rest[at + 1..] {
            [b'"', more @ ..] => rest = more,
            _ => return true,
        }
    }
    false
}

/// Cells of a line by itself. From a quote on that does not match, quotes are characters.
fn lone(line: &[u8], format: Format) -> Vec<Vec<u8>> {
    let bare = Format {
        quotes: false,
        ..format
    };
    match split(line, format) {
        Ok(cells) => cells,
        Err(Quote::Open(at) | Quote::Misplaced(at)) => {
            let mut cells = split(&line[..at], format).unwrap_or_default();
            cells.pop(); // what would lie between the delimiter and the quote
            cells.extend(split(&line[at..], bare).unwrap_or_default());
            cells
        }
    }
}

/// Cells of a row.
pub(super) fn split(text: &[u8], format: Format) -> Result<Vec<Vec<u8>>, Quote> {
    let mut cells = Vec::new();
    let mut rest = text;
    loop {
        let (cell, after) = match rest {
            [b'"', inside @ ..] if format.quotes => {
                let at = text.len() - rest.len();
                unquote(inside, format.delimiter, at)?
            }
            _ => {
                let end = rest.iter().position(|byte| *byte == format.delimiter);
                let (cell, after) = rest.split_at(end.unwrap_or(rest.len()));
                (cell.to_vec(), after)
            }
        };
        cells.push(cell);
        match after {
            [] => return Ok(cells),
            [_, more @ ..] => rest = more,
        }
    }
}

/// The cell that a quote at `at` has opened, and what follows it: nothing or a delimiter.
fn unquote(inside: &[u8], delimiter: u8, at: usize) -> Result<(Vec<u8>, &[u8]), Quote> {
    let mut cell = Vec::new();
    let mut rest = inside;
    loop {
        let end = rest.iter().position(|byte| *byte == b'"');
        let end = end.ok_or(Quote::Open(at))?;
        cell.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        if let [b'"', more @ ..] = rest {
            cell.push(b'"');
            rest = more;
            continue;
        }
        // Spaces before a delimiter are common, and belong to no cell.
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        let after = &rest[spaces..];
        return match after.first() {
            Some(byte) if *byte != delimiter => Err(Quote::Misplaced(at)),
            _ => Ok((cell, after)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Format = Format {
        delimiter: b',',
        quotes: true,
    };

    fn first_cell(cells: &[Vec<u8>]) -> Option<&str> {
        let name = str::from_utf8(cells.first()?).ok()?;
        name.ends_with(".png").then_some(name)
    }

    /// Rows as `line: cell|cell`, and faults as `line!`; a row is told by a name that ends in
    /// `.png`.
    fn rows(text: &[u8]) -> Vec<String> {
        // A small buffer, so that lines and their ends are cut anywhere.
        let mut rows = Rows::new(io::BufReader::with_capacity(3, text));
        let mut found = Vec::new();
        while let Some(row) = rows.next_row(CSV, 2, first_cell).unwrap() {
            found.push(match row {
                Ok(Row { line, cells }) => {
                    let cells: Vec<_> = cells.iter().map(|c| String::from_utf8_lossy(c)).collect();
                    format!("{line}: {}", cells.join("|"))
                }
                Err(BadQuote { line }) => format!("{line}!"),
            });
        }
        found
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_own_line() {
        assert_eq!(
            rows(b"1.png,one\n2.png,\"two\n3.png,three\n4.png,\"f, our\"\n"),
            ["1: 1.png|one", "2!", "3: 3.png|three", "4: 4.png|f, our"]
        );
        // The next quote would close it.
        assert_eq!(
            rows(b"2.png,\"two\n3.png,\"three\"\n\"4.png\",four\n"),
            ["1!", "2: 3.png|three", "3: 4.png|four"]
        );
        // Nothing tells but the end of the file.
        assert_eq!(rows(b"2,\"two\n3,three\n"), ["1!", "2: 3|three"]);
        // The quote opens in the second line of a row, which is no row by itself either.
        assert_eq!(
            rows(b"\"1\n.png\",\"one\n3,three\n"),
            ["2!", "2!", "3: 3|three"]
        );
        let long = [b"1,\"".as_slice(), &b"x\n".repeat(MAX_OPEN_BYTES)].concat();
        assert_eq!(rows(&long)[..2], ["1!", "2: x"]);
    }

    #[test]
    fn a_row_inside_a_quote_is_a_row_whatever_quotes_it_has() {
        assert_eq!(
            rows(b"0.png,\"open\n1.png,a board of 5\"\n2.png,two\n"),
            ["1!", "2: 1.png|a board of 5\"", "3: 2.png|two"]
        );
        assert_eq!(
            rows(b"0.png,\"open\n1.png,\"\n2.png,two\n"),
            ["1!", "2!", "3: 2.png|two"]
        );
        assert_eq!(
            rows(b"0.png,\"open\n1.png,closed\",y\n2.png,two\n"),
            ["1!", "2: 1.png|closed\"|y", "3: 2.png|two"]
        );
        assert_eq!(
            rows(b"0.png,\"open,x\n1.png,\",y\n2.png,two\n"),
            ["1!", "2!", "3: 2.png|two"]
        );
        // A name in a sentence has blanks before it. Where other names have some, it may be a row.
        assert_eq!(
            rows(b"0.png,\"first\nsee a.png, it is nice\nend\"\n1.png,two\n"),
            ["1: 0.png|first\nsee a.png, it is nice\nend", "4: 1.png|two"]
        );
        assert_eq!(
            rows(b"0 0.png,zero\n1.png,\"open\n2 2.png,two\"\n"),
            ["1: 0 0.png|zero", "2!", "3: 2 2.png|two\""]
        );
    }

    #[test]
    fn an_open_quote_is_given_up_after_as_many_cells_as_there_are_fields() {
        /// Lines to be read again once the first row was refused.
        fn again(line: &[u8]) -> usize {
            let text = [b"0.png,\"open\n".as_slice(), &line.repeat(40_000)].concat();
            let mut rows = Rows::new(text.as_slice());
            let row = rows.next_row(CSV, 2, first_cell).unwrap();
            assert!(matches!(row, Some(Err(_))), "{row:?}");
            rows.again.len()
        }
        assert_eq!(again(b"1.png,\"\"\n"), 1);
        // Each line closes a cell and opens another.
        assert_eq!(again(b"\",\"\n"), 2);
        // Two quotes in a row close nothing, and ask for no look at what came before.
        assert!(!closes(b"a \"\"b\"\" c\n"));
        assert!(closes(b"\"\"\"\n"));
    }

    #[test]
    fn cells_of_several_lines_and_any_end_of_lines_are_read() {
        assert_eq!(
            rows(b"a,\"one\r\ntwo\"\r\n\r\nb,c\rd,\"e\" \n\n f ,"),
            ["1: a|one\r\ntwo", "4: b|c", "5: d|e", "7:  f |"]
        );
        assert_eq!(
            rows(b"\"a \"\"b\"\" c\",7\" nails"),
            ["1: a \"b\" c|7\" nails"]
        );
        assert_eq!(rows(b"\"a\"b,c\nd"), ["1!", "2: d"]);
    }

    #[test]
    fn well_formed_tables_are_read_as_the_csv_crate_reads_them() {
        // Every table of six pieces.
        const PIECES: [&str; 6] = ["a", "\"b\"", "\"c,\n\"\"d\"\"\"", ",", "\n", "\r\n"];
        let mut compared = 0;
        for number in 0..PIECES.len().pow(6) {
            let pieces = (0..6).map(|i| PIECES[number / PIECES.len().pow(i) % PIECES.len()]);
            let text: String = pieces.collect();
            let mut table = Rows::new(text.as_bytes());
            let mut ours = Vec::new();
            while let Some(row) = table.next_row(CSV, PIECES.len(), |_| None).unwrap() {
                ours.push(row.map(|row| row.cells));
            }
            let Ok(ours) = ours.into_iter().collect::<Result<Vec<_>, _>>() else {
                continue; // the crate's mercy on quotes that don't match is what we don't want
            };
            let mut theirs = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let theirs: Vec<Vec<Vec<u8>>> = theirs
                .byte_records()
                .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
                .collect();
            assert_eq!(ours, theirs, "{text:?}");
            compared += 1;
        }
        assert!(compared > 10_000, "{compared}");
    }
}
