//! Reading `.npy`: f32 and f16 arrays of versions 1 to 3, little-endian, C order.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::{NpyError, Result};

/// Magic, version, and the shortest length of the header.
const FIXED: usize = 10;

/// Bytes of a header that are believed.
const LONGEST: usize = 1 << 16;

/// The shape and values of an array.
///
/// # Errors
/// [`NpyError::Format`] if it is not one of those.
pub fn read(path: &Path) -> Result<(Vec<usize>, Vec<f32>)> {
    // A pipe does not say how long it is.
    let bytes = fs_err::read(path)?;
    let mut file = NpyReader::new(bytes.as_slice(), bytes.len() as u64, path)?;
    let shape = file.shape.clone();
    let values = file.next(shape.iter().product())?;
    Ok((shape, values))
}

/// An array that is read in parts.
#[derive(Debug)]
pub struct NpyReader<R = BufReader<fs_err::File>> {
    path: PathBuf,
    from: R,
    is_half: bool,
    shape: Vec<usize>,
}

impl NpyReader {
    /// Opens an array, and reads its header.
    ///
    /// # Errors
    /// As [`read`].
    pub fn open(path: &Path) -> Result<Self> {
        let file = fs_err::File::open(path)?;
        let len = file.metadata()?.len();
        Self::new(BufReader::new(file), len, path)
    }
}

impl<R: Read> NpyReader<R> {
    /// Reads the header; all is `len` bytes long.
    fn new(mut from: R, len: u64, path: &Path) -> Result<Self> {
        let (is_half, shape) = header(&mut from, len).map_err(|reason| NpyError::Format {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self {
            path: path.to_owned(),
            from,
            is_half,
            shape,
        })
    }

    /// The array's shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The next `n` values.
    ///
    /// # Errors
    /// If there are not so many left.
    pub fn next(&mut self, n: usize) -> Result<Vec<f32>> {
        let mut bytes = vec![0; n * if self.is_half { 2 } else { 4 }];
        self.from
            .read_exact(&mut bytes)
            .map_err(|e| NpyError::Format {
                path: self.path.clone(),
                reason: e.to_string(),
            })?;
        Ok(if self.is_half {
            let halves = bytes.as_chunks().0.iter();
            halves
                .map(|&b| half::f16::from_le_bytes(b).to_f32())
                .collect()
        } else {
            let values = bytes.as_chunks().0.iter();
            values.map(|&b| f32::from_le_bytes(b)).collect()
        })
    }
}

/// Whether values are f16, and the shape; or what is wrong.
fn header(from: &mut impl Read, of: u64) -> Result<(bool, Vec<usize>), String> {
    const CUT: &str = "its header is cut";
    const SHAPE: &str = "its shape can't be read";
    let mut fixed = [0; FIXED];
    if from.read_exact(&mut fixed).is_err() || !fixed.starts_with(b"\x93NUMPY") {
        return Err("it is not a NumPy file".into());
    }
    let (start, len) = match fixed[6] {
        1 => (FIXED, usize::from(u16::from_le_bytes([fixed[8], fixed[9]]))),
        2 | 3 => {
            let mut more = [0; 2];
            from.read_exact(&mut more).map_err(|_| CUT)?;
            let len = u32::from_le_bytes([fixed[8], fixed[9], more[0], more[1]]);
            (FIXED + 2, len as usize)
        }
        version => return Err(format!("its version is {version}, wanted 1 to 3")),
    };
    if len > LONGEST {
        return Err(format!(
            "its header has {len} bytes, wanted at most {LONGEST}"
        ));
    }
    let mut header = vec![0; len];
    from.read_exact(&mut header).map_err(|_| CUT)?;
    let header = std::str::from_utf8(&header).map_err(|_| "its header is not text")?;
    let field = |name: &str| {
        let found = header.split_once(&format!("'{name}':"));
        found
            .map(|(_, value)| value.trim_start())
            .ok_or_else(|| format!("its header has no `{name}`"))
    };
    let descr = field("descr")?;
    let is_half = descr.starts_with("'<f2'");
    if !is_half && !descr.starts_with("'<f4'") {
        let found = descr.split(',').next().unwrap_or_default();
        return Err(format!(
            "its values are {found}, wanted '<f4' or '<f2', which are f32 and f16"
        ));
    }
    if !field("fortran_order")?.starts_with("False") {
        return Err("it is in Fortran's order, wanted C's".into());
    }
    let (sides, _) = field("shape")?
        .strip_prefix('(')
        .and_then(|s| s.split_once(')'))
        .ok_or(SHAPE)?;
    let sides = sides.split(',').map(str::trim);
    let shape: Vec<usize> = sides
        .filter(|side| !side.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| SHAPE)?;
    let count = shape
        .iter()
        .try_fold(if is_half { 2 } else { 4 }, |n: usize, &side| {
            n.checked_mul(side)
        });
    let rest = of.saturating_sub((start + len) as u64);
    if count.map(|n| n as u64) != Some(rest) {
        return Err(format!(
            "it has {rest} bytes of values, its shape {shape:?} wants {}",
            count.map_or_else(|| "more than there can be".into(), |n| n.to_string())
        ));
    }
    Ok((is_half, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 1 with this header.
    fn file(header: &str, values: &[f32]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>)> {
        let mut array = NpyReader::new(bytes, bytes.len() as u64, Path::new("a.npy"))?;
        let shape = array.shape.clone();
        let values = array.next(shape.iter().product())?;
        Ok((shape, values))
    }

    #[test]
    fn arrays_are_read_and_others_are_refused_by_name() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
        let read = parse(&file(good, &[1.0, -2.5])).unwrap();
        assert_eq!(read, (vec![2, 1], vec![1.0, -2.5]));
        let halves = good.replace("<f4", "<f2").replace("(2, 1)", "(2,)");
        let read = parse(&file(&halves, &[f32::from_bits(0xc000_3c00)])).unwrap();
        assert_eq!(read, (vec![2], vec![1.0, -2.0]));
        let message = |header: &str| format!("{}", parse(&file(header, &[1.0])).unwrap_err());
        assert!(message(good).contains("has 4 bytes of values"));
        assert!(message(&good.replace("<f4", "<f8")).contains("'<f8'"));
        assert!(message(&good.replace("False", "True")).contains("Fortran"));
        assert!(message("{}").contains("`descr`"));
        let endless =
            "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }";
        assert!(message(endless).contains("more than there can be"));
        for cut in 0..file(good, &[1.0, 2.0]).len() {
            assert!(parse(&file(good, &[1.0, 2.0])[..cut]).is_err());
        }
    }
}
