//! Pictures of fax machines: run lengths (T.4 without marks), Group 3 of one and two dimensions,
//! Group 4.
//!
//! Source: ITU-T T.4 and T.6. What becomes of codes that are none, and of lines that are too long
//! or too short, is libtiff's: the rest of the line is white, and reading goes on.

use super::super::page::Page;
use super::super::{Format, unsupported};
use super::Shape;
use super::codes::{BITS, BLACK, Code, Table, WHITE};
use crate::image::error::ImageError;

/// How lines are coded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Rle,
    Group3 { is_two_dimensional: bool },
    Group4,
}

/// Most pixels of a line: runs take far more memory than the pixels.
const MAX_WIDTH: i32 = 1 << 20;

/// The data is at its end.
struct End;

/// Lines of whole bytes, a bit a pixel, 1 where it is black.
pub(super) fn lines(
    page: &Page,
    stored: &[u8],
    shape: Shape,
    coding: Coding,
) -> Result<Vec<u8>, ImageError> {
    if page.bits != 1 || shape.samples != 1 {
        let found = format!("{} samples of {} bits as a fax", shape.samples, page.bits);
        return Err(unsupported(found));
    }
    let width = i32::try_from(shape.width).unwrap_or(i32::MAX);
    if width > MAX_WIDTH {
        return Err(unsupported(format!("lines of {width} pixels as a fax")));
    }
    let room = (shape.width + 1).next_multiple_of(32) * 2;
    let mut reader = Reader {
        bits: Bits::new(stored),
        width,
        after_end: false,
        has_ends: true,
        line: Line::new(width, room),
        above: vec![0; room],
    };
    reader.above[0] = width;
    let stride = shape.width.div_ceil(8);
    let mut out = vec![0; stride * shape.rows];
    for (y, out) in out.chunks_exact_mut(stride).enumerate() {
        let read = reader.next(coding);
        reader.draw(out);
        match read {
            Ok(true) => {}
            // The end of a page comes early in many files.
            Ok(false) | Err(End) if coding == Coding::Group4 && y > 0 => break,
            Ok(false) | Err(End) => {
                let reason = format!("the data ends at line {y} of {}", shape.rows);
                return Err(ImageError::damaged(Format::Tiff, reason));
            }
        }
        if coding == Coding::Rle {
            reader.bits.align();
        }
        reader.turn();
    }
    Ok(out)
}

/// Bits, most significant first, zeros behind the last.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where they end; beyond the last, if zeros were asked for.
    end: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            end: bytes.len() * 8,
        }
    }

    /// The next `count` bits, which stay. At the very end there are none.
    fn peek(&mut self, count: u32) -> Result<u32, End> {
        if self.end - self.at < count as usize {
            if self.end == self.at {
                return Err(End);
            }
            self.end = self.at + count as usize;
        }
        let first = self.at / 8;
        let byte = |i: usize| u32::from(self.bytes.get(first + i).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        Ok(word << (8 + self.at % 8) >> (32 - count))
    }

    fn skip(&mut self, count: u32) {
        self.at = (self.at + count as usize).min(self.end);
    }

    fn code(&mut self, table: &Table) -> Result<Code, End> {
        let (length, code) = table[self.peek(BITS)? as usize];
        self.skip(length);
        Ok(code)
    }

    /// To the next whole byte.
    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8).min(self.end);
    }
}

/// A line as it is read: runs, white first. Behind the last stand those of an earlier line, which
/// only a damaged file reaches.
struct Line {
    width: i32,
    runs: Vec<i32>,
    /// Runs of this line.
    count: usize,
    /// Pixels so far, and those of a run that is not yet closed.
    at: i32,
    open: i32,
}

impl Line {
    fn new(width: i32, room: usize) -> Self {
        Self {
            width,
            runs: vec![0; room],
            count: 0,
            at: 0,
            open: 0,
        }
    }

    /// Forgets what was read, but for the place it was in.
    fn begin(&mut self) {
        (self.count, self.at, self.open) = (0, 0, 0);
    }

    /// Adds a run, whatever it is; more than there is room for are left out.
    fn push(&mut self, run: i32) {
        if let Some(place) = self.runs.get_mut(self.count) {
            *place = run;
            self.count += 1;
        }
    }

    fn pop(&mut self) -> Option<i32> {
        self.count = self.count.checked_sub(1)?;
        Some(self.runs[self.count])
    }

    /// Closes a run with so many more pixels.
    fn close(&mut self, more: i32) {
        self.push(self.open.wrapping_add(more));
        self.at = self.at.wrapping_add(more);
        self.open = 0;
    }

    /// Whether the next run is black.
    fn is_black(&self) -> bool {
        self.count % 2 == 1
    }

    /// Brings the runs to the width of the line.
    fn clean(&mut self) {
        if self.open != 0 {
            self.close(0);
        }
        if self.at == self.width {
            return;
        }
        while self.at > self.width
            && let Some(run) = self.pop()
        {
            self.at = self.at.wrapping_sub(run);
        }
        if self.at < self.width {
            self.at = self.at.max(0);
            if self.is_black() {
                self.close(0);
            }
            self.close(self.width - self.at);
        } else if self.at > self.width {
            self.close(self.width);
            self.close(0);
        }
    }
}

struct Reader<'a> {
    bits: Bits<'a>,
    width: i32,
    /// Whether the zeros of an end of line were read, and its one was not.
    after_end: bool,
    /// Whether lines begin with an end of line.
    has_ends: bool,
    line: Line,
    /// The runs of the line above.
    above: Vec<i32>,
}

impl Reader<'_> {
    /// Reads a line; false at the mark that ends the page.
    fn next(&mut self, coding: Coding) -> Result<bool, End> {
        self.line.begin();
        let read = self.read(coding);
        self.line.clean();
        read?;
        Ok(!(coding == Coding::Group4 && self.after_end))
    }

    fn read(&mut self, coding: Coding) -> Result<(), End> {
        match coding {
            Coding::Rle => self.one_dimension(),
            Coding::Group3 { is_two_dimensional } => {
                self.find_line()?;
                if is_two_dimensional {
                    let is_one = self.bits.peek(1)?;
                    self.bits.skip(1);
                    if is_one == 0 {
                        return self.two_dimensions();
                    }
                }
                self.one_dimension()
            }
            Coding::Group4 => self.two_dimensions(),
        }
    }

    /// Over the next end of line, and all before it. Where no more comes, reading starts over and
    /// expects none.
    fn find_line(&mut self) -> Result<(), End> {
        if !self.has_ends {
            return Ok(());
        }
        if !self.after_end {
            while self.bits.peek(11)? != 0 {
                self.bits.skip(1);
            }
        }
        loop {
            match self.bits.peek(8) {
                Ok(0) => self.bits.skip(8),
                Ok(_) => break,
                Err(End) => {
                    self.bits = Bits::new(self.bits.bytes);
                    self.has_ends = false;
                    self.after_end = false;
                    return Ok(());
                }
            }
        }
        while self.bits.peek(1)? == 0 {
            self.bits.skip(1);
        }
        self.bits.skip(1);
        self.after_end = false;
        Ok(())
    }

    /// One run of a colour; false if what is there is none.
    fn run(&mut self, is_black: bool) -> Result<bool, End> {
        let table: &Table = if is_black { &BLACK } else { &WHITE };
        loop {
            match self.bits.code(table)? {
                Code::End(pixels) => {
                    self.line.close(pixels.into());
                    return Ok(true);
                }
                Code::More(pixels) => {
                    self.line.at = self.line.at.wrapping_add(pixels.into());
                    self.line.open = self.line.open.wrapping_add(pixels.into());
                }
                Code::Line => {
                    self.after_end = true;
                    return Ok(false);
                }
                Code::None => return Ok(false),
            }
        }
    }

    fn one_dimension(&mut self) -> Result<(), End> {
        loop {
            for is_black in [false, true] {
                if !self.run(is_black)? || self.line.at >= self.width {
                    return Ok(());
                }
            }
            // A pair of nothing says nothing.
            if self.line.runs[..self.line.count].ends_with(&[0, 0]) {
                self.line.count -= 2;
            }
        }
    }

    fn two_dimensions(&mut self) -> Result<(), End> {
        let mut above = Above {
            runs: std::mem::take(&mut self.above),
            next: 0,
            change: 0,
        };
        above.step();
        let read = self.modes(&mut above);
        self.above = above.runs;
        read
    }

    /// The modes of a line, each telling how it differs from the one above.
    fn modes(&mut self, above: &mut Above) -> Result<(), End> {
        while self.line.at < self.width {
            let bits = self.bits.peek(7)?;
            let (length, mode) = mode(bits);
            self.bits.skip(length);
            match mode {
                Mode::Pass => {
                    above.pass(&self.line);
                    above.step();
                    let open = above.change.wrapping_sub(self.line.at);
                    self.line.open = self.line.open.wrapping_add(open);
                    self.line.at = above.change;
                    above.step();
                }
                Mode::Horizontal => {
                    let first = self.line.is_black();
                    for is_black in [first, !first] {
                        if !self.run(is_black)? {
                            // Within a line an end is as wrong as what is no code.
                            self.after_end = false;
                            return Ok(());
                        }
                    }
                    above.pass(&self.line);
                }
                Mode::Vertical(by) => {
                    above.pass(&self.line);
                    let to = above.change.wrapping_add(by);
                    if by < 0 && to < self.line.at {
                        return Ok(());
                    }
                    self.line.close(to.wrapping_sub(self.line.at));
                    if by < 0 { above.back() } else { above.step() }
                }
                Mode::Extension => {
                    self.line.push(self.width.wrapping_sub(self.line.at));
                    return Ok(());
                }
                Mode::End => {
                    self.line.push(self.width.wrapping_sub(self.line.at));
                    self.bits.peek(4)?;
                    self.bits.skip(4);
                    self.after_end = true;
                    return Ok(());
                }
            }
        }
        if self.line.open != 0 {
            if self.line.open.wrapping_add(self.line.at) < self.width {
                // The last change is still to be said.
                if self.bits.peek(1)? == 0 {
                    return Ok(());
                }
                self.bits.skip(1);
            }
            self.line.close(0);
        }
        Ok(())
    }

    /// Makes the line the one above.
    fn turn(&mut self) {
        // A change that is none, as those who follow expect one.
        self.line.push(0);
        std::mem::swap(&mut self.above, &mut self.line.runs);
    }

    /// Draws the runs, cut to the line.
    fn draw(&mut self, out: &mut [u8]) {
        let mut x = 0;
        let count = self.line.count;
        for (i, run) in self.line.runs[..count].iter_mut().enumerate() {
            if *run < 0 || *run > self.width - x {
                *run = self.width - x;
            }
            if i % 2 == 1 {
                (x..x + *run).for_each(|x| out[x as usize / 8] |= 0x80 >> (x % 8));
            }
            x += *run;
        }
    }
}

/// The changes of the line above.
struct Above {
    runs: Vec<i32>,
    next: usize,
    /// The first change right of where the line is, or the one before or behind it.
    change: i32,
}

impl Above {
    fn run(&self, i: usize) -> i32 {
        self.runs.get(i).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        self.change = self.change.wrapping_add(self.run(self.next));
        self.next += 1;
    }

    fn back(&mut self) {
        self.next = self.next.saturating_sub(1);
        self.change = self.change.wrapping_sub(self.run(self.next));
    }

    /// To the first change of the other colour right of where the line is; at its start the first
    /// change is right, too.
    fn pass(&mut self, line: &Line) {
        while line.count > 0
            && self.change <= line.at
            && self.change < line.width
            && self.next < self.runs.len()
        {
            self.step();
            self.step();
        }
    }
}

/// The modes that two-dimensional codes stand for: table 4 of T.4.
enum Mode {
    Pass,
    Horizontal,
    Vertical(i32),
    Extension,
    End,
}

/// The mode that seven bits begin with, and its length.
fn mode(bits: u32) -> (u32, Mode) {
    match bits {
        0b100_0000.. => (1, Mode::Vertical(0)),
        0b011_0000.. => (3, Mode::Vertical(1)),
        0b010_0000.. => (3, Mode::Vertical(-1)),
        0b001_0000.. => (3, Mode::Horizontal),
        0b000_1000.. => (4, Mode::Pass),
        0b000_0110.. => (6, Mode::Vertical(2)),
        0b000_0100.. => (6, Mode::Vertical(-2)),
        0b000_0011 => (7, Mode::Vertical(3)),
        0b000_0010 => (7, Mode::Vertical(-3)),
        0b000_0001 => (7, Mode::Extension),
        0 => (7, Mode::End),
    }
}
