//! Reading `.npy`: f32 arrays of versions 1 to 3, little-endian, C order.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};

/// Magic, version, and the shortest length of the header.
const FIXED: usize = 10;

/// The shape and values of an array.
pub(crate) fn read(path: &Path) -> Result<(Vec<usize>, Vec<f32>)> {
    let bytes = fs_err::read(path)?;
    parse(&bytes).with_context(|| path.display().to_string())
}

fn parse(bytes: &[u8]) -> Result<(Vec<usize>, Vec<f32>)> {
    ensure!(
        bytes.len() >= FIXED && bytes.starts_with(b"\x93NUMPY"),
        "it is not a NumPy file"
    );
    let (start, len) = match bytes[6] {
        1 => (10, usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))),
        2 | 3 if bytes.len() >= 12 => (
            12,
            u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize,
        ),
        version => bail!("its version is {version}, wanted 1 to 3"),
    };
    let rest = &bytes[start..];
    ensure!(rest.len() >= len, "its header is cut");
    let (header, data) = rest.split_at(len);
    let header = std::str::from_utf8(header).context("its header is not text")?;
    let field = |name: &str| {
        let found = header.split_once(&format!("'{name}':"));
        found
            .map(|(_, value)| value.trim_start())
            .ok_or_else(|| anyhow!("its header has no `{name}`"))
    };
    let descr = field("descr")?;
    if !descr.starts_with("'<f4'") {
        let found = descr.split(',').next().unwrap_or_default();
        bail!("its values are {found}, wanted '<f4', which is f32");
    }
    ensure!(
        field("fortran_order")?.starts_with("False"),
        "it is in Fortran's order, wanted C's"
    );
    let shape = field("shape")?;
    let sides = shape
        .strip_prefix('(')
        .and_then(|s| s.split_once(')'))
        .map(|(sides, _)| sides);
    let sides = sides
        .ok_or_else(|| anyhow!("its shape can't be read"))?
        .split(',')
        .map(str::trim);
    let shape: Vec<usize> = sides
        .filter(|side| !side.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("its shape can't be read")?;
    let count = shape
        .iter()
        .try_fold(4usize, |n, &side| n.checked_mul(side));
    ensure!(
        count == Some(data.len()),
        "it has {} bytes of values, its shape {shape:?} wants {}",
        data.len(),
        count.map_or_else(|| "more than there can be".into(), |n| n.to_string())
    );
    let values = data
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Ok((shape, values.collect()))
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

    #[test]
    fn arrays_are_read_and_others_are_refused_by_name() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
        let read = parse(&file(good, &[1.0, -2.5])).unwrap();
        assert_eq!(read, (vec![2, 1], vec![1.0, -2.5]));
        let message = |header: &str| format!("{:#}", parse(&file(header, &[1.0])).unwrap_err());
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
