//! Markers: the bytes of a file, its tables, its frame, the heads of its scans.

use libjpeg_turbo_rs::common::quant_table::ZIGZAG_ORDER;
use libjpeg_turbo_rs::common::tables;

use super::bits::Codes;
use super::{Component, Fault, Frame};

/// Where each coefficient of a scan belongs in its block. Runs that leave the block end in its last
/// place.
pub(super) fn place(k: usize) -> usize {
    ZIGZAG_ORDER.get(k).copied().unwrap_or(63)
}

/// A file, read byte by byte.
pub(super) struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
    /// A marker that was met and not yet followed; no data is read past it.
    pub(super) marker: Option<u8>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            // Past the start of image.
            at: 2,
            marker: None,
        }
    }

    pub(super) fn has_more(&self) -> bool {
        self.marker.is_some() || self.at < self.bytes.len()
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = self.bytes.get(self.at).ok_or("it ends too early")?;
        self.at += 1;
        Ok(*byte)
    }

    fn short(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    /// The next byte of a scan; none at a marker.
    pub(super) fn data(&mut self) -> Result<Option<u8>, Fault> {
        if self.marker.is_some() {
            return Ok(None);
        }
        let byte = self.byte()?;
        if byte != 0xff {
            return Ok(Some(byte));
        }
        let mut code = 0xff;
        while code == 0xff {
            code = self.byte()?;
        }
        if code == 0 {
            return Ok(Some(0xff));
        }
        self.marker = Some(code);
        Ok(None)
    }

    /// The next marker, over all that is none.
    pub(super) fn find_marker(&mut self) -> Result<u8, Fault> {
        if let Some(marker) = self.marker {
            return Ok(marker);
        }
        loop {
            while self.byte()? != 0xff {}
            let mut code = 0xff;
            while code == 0xff {
                code = self.byte()?;
            }
            if code != 0 {
                self.marker = Some(code);
                return Ok(code);
            }
        }
    }

    /// Bytes of a segment behind its length; one that leaves the file ends it.
    fn segment(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.short()?.checked_sub(2);
        self.take(length.ok_or("a segment that is shorter than its length")?)
    }

    /// Bytes of a segment that the pixels do not depend on; one with a length that can't be is
    /// empty.
    fn aside(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.short()?.saturating_sub(2);
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let bytes = self.bytes.get(self.at..self.at + length);
        self.at += length;
        bytes.ok_or_else(|| "it ends too early".into())
    }
}

/// The head of a scan.
pub(super) struct Scan {
    /// Indices of its components, each with its tables for DC and for AC.
    pub(super) components: Vec<(usize, u8, u8)>,
    /// The first and the last coefficient: Ss and Se.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The bits that earlier scans left open, and those that this one does: Ah, which is 0 for the
    /// first, and Al.
    pub(super) high: u32,
    pub(super) low: u32,
}

/// The place that the markers led to.
pub(super) enum Next {
    Scan(Scan),
    End,
    /// Arithmetic coding, lossless coding, more than 8 bits.
    Other,
}

/// A table of codes as it is stored.
type Stored = ([u8; 17], [u8; 256]);

/// Tables and frame, as the markers so far have them.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) frame: Option<Frame>,
    pub(super) restart_interval: usize,
    quant: [Option<[u16; 64]>; 4],
    dc: [Option<Stored>; 4],
    ac: [Option<Stored>; 4],
    is_jfif: bool,
    /// Adobe's word for how the colours were transformed.
    pub(super) adobe: Option<u8>,
}

impl Tables {
    /// Follows the markers up to the next scan or the end.
    pub(super) fn next(&mut self, stream: &mut Stream) -> Result<Next, Fault> {
        loop {
            let marker = stream.find_marker()?;
            stream.marker = None;
            match marker {
                0xc0..=0xc2 => {
                    if !self.start_frame(stream.segment()?, marker == 0xc2)? {
                        return Ok(Next::Other);
                    }
                }
                0xc3 | 0xc9..=0xcc => return Ok(Next::Other),
                0xc4 => self.huffman(stream.segment()?)?,
                0xd9 => return Ok(Next::End),
                0xda => return self.start_scan(stream.segment()?).map(Next::Scan),
                0xdb => self.quantisation(stream.segment()?)?,
                0xdd => match stream.segment()? {
                    [high, low] => {
                        self.restart_interval = usize::from(*high) << 8 | usize::from(*low)
                    }
                    _ => return Err("a restart interval of another length".into()),
                },
                0xe0 => {
                    let segment = stream.aside()?;
                    self.is_jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0");
                }
                0xee => {
                    if let Some([_, _, _, _, _, _, transform, ..]) =
                        stream.aside()?.strip_prefix(b"Adobe".as_slice())
                    {
                        self.adobe = Some(*transform);
                    }
                }
                0x01 | 0xd0..=0xd7 => {}
                0xdc | 0xe1..=0xef | 0xfe => {
                    stream.aside()?;
                }
                _ => return Err(format!("an unexpected marker {marker:#04x}")),
            }
        }
    }

    /// Whether colours are luma and chroma, where there are three or four components.
    pub(super) fn is_ycc(&self, ids: &[u8]) -> bool {
        match ids {
            [_, _, _] if self.is_jfif => true,
            [_, _, _] => match self.adobe {
                Some(transform) => transform != 0,
                None => ids != b"RGB",
            },
            _ => self.adobe.is_some_and(|transform| transform != 0),
        }
    }

    /// Puts the tables of Annex K where there are none, as frames of Motion JPEG want it.
    pub(super) fn add_standard(&mut self) {
        let stored = |bits: &[u8; 17], values: &[u8]| {
            let mut all = [0; 256];
            all[..values.len()].copy_from_slice(values);
            (*bits, all)
        };
        let [dc0, dc1, ..] = &mut self.dc;
        let [ac0, ac1, ..] = &mut self.ac;
        dc0.get_or_insert_with(|| stored(&tables::DC_LUMINANCE_BITS, &tables::DC_LUMINANCE_VALUES));
        dc1.get_or_insert_with(|| {
            stored(&tables::DC_CHROMINANCE_BITS, &tables::DC_CHROMINANCE_VALUES)
        });
        ac0.get_or_insert_with(|| stored(&tables::AC_LUMINANCE_BITS, &tables::AC_LUMINANCE_VALUES));
        ac1.get_or_insert_with(|| {
            stored(&tables::AC_CHROMINANCE_BITS, &tables::AC_CHROMINANCE_VALUES)
        });
    }

    /// The Huffman codes of DC, or of AC.
    pub(super) fn codes(&self, is_dc: bool, index: u8) -> Result<Codes, Fault> {
        let tables = if is_dc { &self.dc } else { &self.ac };
        let table = tables.get(usize::from(index)).and_then(Option::as_ref);
        let (counts, values) = table.ok_or_else(|| format!("no table of codes {index}"))?;
        Codes::new(counts, values, is_dc)
    }

    /// The quantisation table that is there now.
    pub(super) fn quant(&self, index: u8) -> Result<[u16; 64], Fault> {
        let table = self.quant.get(usize::from(index)).copied().flatten();
        table.ok_or_else(|| format!("no quantisation table {index}"))
    }

    /// Whether the frame is one that is read here.
    fn start_frame(&mut self, segment: &[u8], progressive: bool) -> Result<bool, Fault> {
        if self.frame.is_some() {
            return Err("a second frame".into());
        }
        let &[precision, h0, h1, w0, w1, count, ref rest @ ..] = segment else {
            return Err("a frame header that is too short".into());
        };
        let height = usize::from(u16::from_be_bytes([h0, h1]));
        let width = usize::from(u16::from_be_bytes([w0, w1]));
        if height == 0 || width == 0 || count == 0 {
            return Err(format!(
                "a frame of {width}×{height} pixels and {count} components"
            ));
        }
        if rest.len() != 3 * usize::from(count) {
            return Err("a frame header of another length".into());
        }
        let components = rest
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[id, sampling, table]| Component {
                id,
                h: usize::from(sampling >> 4),
                v: usize::from(sampling & 15),
                table,
                quant: None,
                columns: 0,
                rows: 0,
                stride: 0,
                blocks: Vec::new(),
            });
        let components: Vec<Component> = components.collect();
        let is_sampling = |factor| (1..=4).contains(&factor);
        if !components
            .iter()
            .all(|c| is_sampling(c.h) && is_sampling(c.v))
        {
            return Err("sampling factors that can't be".into());
        }
        self.frame = Some(Frame {
            progressive,
            width,
            height,
            components,
        });
        Ok(precision == 8 && matches!(count, 1 | 3 | 4))
    }

    fn start_scan(&self, segment: &[u8]) -> Result<Scan, Fault> {
        let frame = self.frame.as_ref().ok_or("a scan before the frame")?;
        let (&count, rest) = segment.split_first().ok_or("an empty scan header")?;
        let count = usize::from(count);
        if !(1..=4).contains(&count) || rest.len() != 2 * count + 3 {
            return Err("a scan header of another length".into());
        }
        let (named, rest) = rest.split_at(2 * count);
        let mut components: Vec<(usize, u8, u8)> = Vec::with_capacity(count);
        for &[id, tables] in named.as_chunks::<2>().0 {
            // Components may share an id; each place is then taken once.
            let mut known = frame.components.iter().enumerate().take(4);
            let found = known.find(|(i, c)| c.id == id && *i >= components.len());
            let (index, _) = found.ok_or_else(|| format!("a scan of a component {id}"))?;
            if components.iter().any(|(known, ..)| *known == index) {
                return Err(format!("a scan that names component {id} twice"));
            }
            components.push((index, tables >> 4, tables & 15));
        }
        Ok(Scan {
            components,
            first: usize::from(rest[0]),
            last: usize::from(rest[1]),
            high: u32::from(rest[2] >> 4),
            low: u32::from(rest[2] & 15),
        })
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while segment.len() > 16 {
            let index = segment[0];
            let mut counts = [0; 17];
            counts[1..].copy_from_slice(&segment[1..17]);
            let count = counts.iter().map(|&count| usize::from(count)).sum();
            let values = segment[17..]
                .get(..count)
                .filter(|values| values.len() <= 256);
            let values = values.ok_or("a table of codes that is too long")?;
            let mut all = [0; 256];
            all[..count].copy_from_slice(values);
            let tables = if index & 0x10 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            let table = tables.get_mut(usize::from(index & !0x10));
            *table.ok_or_else(|| format!("a table of codes {index}"))? = Some((counts, all));
            segment = &segment[17 + count..];
        }
        match segment {
            [] => Ok(()),
            _ => Err("tables of codes of another length".into()),
        }
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let Some((&head, rest)) = segment.split_first() {
            let size = if head >> 4 == 0 { 1 } else { 2 };
            let values = rest
                .get(..64 * size)
                .ok_or("a quantisation table that is too short")?;
            let mut table = [0u16; 64];
            for (k, value) in values.chunks_exact(size).enumerate() {
                table[place(k)] = value
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u16::from(byte));
            }
            let index = head & 15;
            let slot = self.quant.get_mut(usize::from(index));
            *slot.ok_or_else(|| format!("a quantisation table {index}"))? = Some(table);
            segment = &rest[64 * size..];
        }
        Ok(())
    }
}
