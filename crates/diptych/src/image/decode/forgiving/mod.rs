//! Damaged JPEGs, read on as libjpeg reads on.
//!
//! libjpeg only warns of most faults in a scan: a code that is none counts as a zero, bits that a
//! segment lacks are zeros, blocks that a segment lacks stay grey, and a restart marker brings it
//! back in step. A picture with a flipped bit is still a picture, and Pillow opens it. What libjpeg
//! gives up at is an error here, too, and so is a file that ends too early. Besides, every sampling
//! of every component is read here. Source: `jdmarker.c`, `jdhuff.c`, `jdphuff.c`, `jdcoefct.c` and
//! `jdsample.c` of libjpeg-turbo 3.1, read for what is a fault and what follows of it. The
//! arithmetic is `libjpeg-turbo-rs`'s. Invariant: slow but whole; who wants speed asks that decoder
//! first. Incomplete progressive files are not smoothed.

mod bits;
mod blocks;
mod markers;
mod planes;
mod scan;

use markers::{Next, Stream, Tables};

use crate::image::picture::Mode;

/// Why a file is given up.
pub(super) type Fault = String;

/// The coefficients of a block, row by row.
type Block = [i16; 64];

/// One component: how it is sampled, and its blocks.
struct Component {
    id: u8,
    /// Blocks of an MCU, across and down.
    h: usize,
    v: usize,
    /// The quantisation table it names, and the one that was there at its first scan.
    table: u8,
    quant: Option<[u16; 64]>,
    /// Blocks that hold a part of the picture.
    columns: usize,
    rows: usize,
    /// Blocks in a line of `blocks`, which is filled up to whole MCUs.
    stride: usize,
    blocks: Vec<Block>,
}

/// The frame header, and the components that it announces.
struct Frame {
    progressive: bool,
    width: usize,
    height: usize,
    components: Vec<Component>,
}

impl Frame {
    /// The largest sampling factors, across and down.
    fn most(&self) -> (usize, usize) {
        let most = |factor: fn(&Component) -> usize| self.components.iter().map(factor).max();
        (most(|c| c.h).unwrap_or(1), most(|c| c.v).unwrap_or(1))
    }

    /// MCUs of a scan of all components, across and down.
    fn mcus(&self) -> (usize, usize) {
        let (h, v) = self.most();
        (self.width.div_ceil(8 * h), self.height.div_ceil(8 * v))
    }

    /// Takes memory for the blocks of each component.
    fn set_up(&mut self) {
        let (h, v) = self.most();
        let (across, down) = self.mcus();
        for component in &mut self.components {
            component.columns = (self.width * component.h).div_ceil(8 * h);
            component.rows = (self.height * component.v).div_ceil(8 * v);
            component.stride = across * component.h;
            component.blocks = vec![[0; 64]; component.stride * down * component.v];
        }
    }
}

/// The form in which components are given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Components of less resolution are stretched, and luma and chroma become RGB. Four inks come
    /// as they are stored.
    Seen,
    /// All as they are stored, those of less resolution repeated.
    Stored,
}

/// Columns, rows, mode and pixels; none of a picture that is coded in another way than by Huffman,
/// or may not be decoded.
pub(super) type Outcome = Result<Option<(usize, usize, Mode, Vec<u8>)>, Fault>;

/// Decodes a picture of 8 bits a sample.
///
/// Before memory is taken, `max_scans` says for its columns, rows and components how many scans it
/// may have, or that it may not be decoded.
pub(super) fn decode(
    bytes: &[u8],
    form: Form,
    max_scans: impl FnOnce(usize, usize, usize) -> Option<usize>,
) -> Outcome {
    let mut stream = Stream::new(bytes);
    let mut tables = Tables::default();
    let mut scan = match tables.next(&mut stream)? {
        Next::Scan(scan) => scan,
        Next::End => return Err("it ends before its first scan".into()),
        Next::Other => return Ok(None),
    };
    let frame = tables.frame.as_mut().ok_or("its first scan has no frame")?;
    let Some(max_scans) = max_scans(frame.width, frame.height, frame.components.len()) else {
        return Ok(None);
    };
    frame.set_up();
    if !frame.progressive {
        tables.add_standard();
    }

    let frame = tables.frame.as_ref().ok_or("its first scan has no frame")?;
    let many = frame.progressive || scan.components.len() < frame.components.len();
    let mut count = 1;
    loop {
        scan::read(&mut stream, &mut tables, &scan)?;
        if !many {
            break;
        }
        match tables.next(&mut stream)? {
            Next::Scan(_) if count == max_scans => {
                return Err(format!("more than {max_scans} scans"));
            }
            Next::Scan(next) => scan = next,
            Next::End => break,
            Next::Other => return Ok(None),
        }
        count += 1;
    }
    // Markers behind the pixels may still be wrong, but need not be there.
    if !many && stream.has_more() {
        match tables.next(&mut stream) {
            Ok(Next::Scan(_)) => return Err("a second scan of all components".into()),
            Err(fault) if stream.has_more() => return Err(fault),
            _ => {}
        }
    }
    planes::join(&tables, form).map(Some)
}
