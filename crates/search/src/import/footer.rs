//! The schema in a Parquet file's footer, looked through before the crate `parquet` (60.1) builds
//! it.
//!
//! The crate follows a schema by recursion, so one that is nested some thousand deep overflows the
//! stack, and takes memory for as many children as a group announces; neither can be caught.
//! Source: `parquet.thrift` of Apache Parquet 2.11; Thrift's compact protocol.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::thrift::{BINARY, Compact, I32, LIST, MAX_DEPTH, Result, STRUCT, ensure};

/// Bytes of a footer; those of the largest tables have some ten millions.
const MAX_BYTES: u64 = 1 << 28;

/// Length of the footer and magic number, at the end of the file.
const TAIL: u64 = 8;

/// Refuses a file whose schema can't be built.
pub(super) fn check(file: &mut File) -> Result<()> {
    let said = |error: std::io::Error| error.to_string();
    let length = file.seek(SeekFrom::End(0)).map_err(said)?;
    ensure!(length >= TAIL, "it has {length} bytes, wanted Parquet");
    let mut tail = [0; TAIL as usize];
    file.seek(SeekFrom::Start(length - TAIL)).map_err(said)?;
    file.read_exact(&mut tail).map_err(said)?;
    let [a, b, c, d, magic @ ..] = tail;
    ensure!(magic == *b"PAR1", "it does not end as Parquet does");
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    ensure!(
        footer <= (length - TAIL).min(MAX_BYTES),
        "its footer has {footer} bytes, which is too many"
    );
    let mut bytes = vec![0; footer as usize];
    file.seek(SeekFrom::Start(length - TAIL - footer))
        .map_err(said)?;
    file.read_exact(&mut bytes).map_err(said)?;
    file.rewind().map_err(said)?;
    Compact(&bytes).metadata()
}

impl Compact<'_> {
    /// Goes through `FileMetaData`.
    fn metadata(&mut self) -> Result<()> {
        let mut last = 0;
        while let Some((id, kind)) = self.field(&mut last)? {
            if id == 2 {
                ensure!(kind == LIST, "its schema is no list");
                self.schema()?;
            } else {
                self.skip(kind, 0)?;
            }
        }
        Ok(())
    }

    /// Goes through the schema: its elements in the order of their tree, each with the number of
    /// its children.
    fn schema(&mut self) -> Result<()> {
        let (elements, kind) = self.list()?;
        ensure!(kind == STRUCT, "its schema is no list of elements");
        // Children still to come, of every group that is open; and of all of them, beginning with
        // the root.
        let mut open: Vec<u64> = Vec::new();
        let mut awaited = 1u64;
        for i in 0..elements {
            let children = self.children()?;
            let left = elements - i - 1;
            ensure!(
                children <= left,
                "a group of its schema announces {children} children, and {left} elements follow"
            );
            // Memory is taken for the children of every group in turn, so all of them have to be
            // there.
            awaited = awaited.saturating_sub(1) + children;
            ensure!(
                awaited <= left,
                "groups of its schema announce {awaited} more children, and {left} elements follow"
            );
            if let Some(missing) = open.last_mut() {
                *missing = missing.saturating_sub(1);
            }
            if children > 0 {
                open.push(children);
                ensure!(
                    open.len() <= MAX_DEPTH,
                    "its schema is more than {MAX_DEPTH} levels deep"
                );
                continue;
            }
            while open.last() == Some(&0) {
                open.pop();
            }
        }
        Ok(())
    }

    /// Goes through a `SchemaElement`; how many children it has.
    fn children(&mut self) -> Result<u64> {
        let (mut last, mut children) = (0, None);
        while let Some((id, kind)) = self.field(&mut last)? {
            // The crate does not look at the kinds of fields that it knows.
            let wanted = match id {
                1..=3 | 5..=9 => I32,
                4 => BINARY,
                10 => STRUCT,
                _ => kind,
            };
            ensure!(kind == wanted, "field {id} of its schema is of kind {kind}");
            if id == 5 {
                let number = self.zigzag()?;
                ensure!(
                    children.is_none(),
                    "an element of its schema counts its children twice"
                );
                children =
                    Some(u64::try_from(number).map_err(|_| "a group has fewer than no children")?);
            } else {
                self.skip(kind, 0)?;
            }
        }
        Ok(children.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file of a footer alone, with a schema of these elements, each with a number of children.
    fn parquet(children: &[u32]) -> File {
        let varint = |mut value: u32| {
            let mut bytes = Vec::new();
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let mut footer = vec![0x15, 2, 0x19, 0xfc]; // version 1, and a long list of structs
        footer.extend(varint(children.len() as u32));
        for &count in children {
            footer.extend([0x35, 0, 0x18, 1, b'a']); // required, and a name
            if count > 0 {
                footer.push(0x15);
                footer.extend(varint(2 * count));
            }
            footer.push(0);
        }
        footer.extend([0x16, 0, 0x19, 0x0c, 0]); // no rows, no groups of rows
        file(&footer)
    }

    /// A file of this footer alone.
    fn file(footer: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(footer).unwrap();
        file.write_all(&(footer.len() as u32).to_le_bytes())
            .unwrap();
        file.write_all(b"PAR1").unwrap();
        file
    }

    fn refusal(children: &[u32]) -> String {
        check(&mut parquet(children)).unwrap_err()
    }

    #[test]
    fn schemas_of_some_levels_pass_and_deep_ones_do_not() {
        // A root of two groups, the first with a group of its own.
        check(&mut parquet(&[2, 2, 1, 0, 0, 1, 0])).unwrap();
        // Any number of groups beside each other is no depth.
        let flat: Vec<u32> = std::iter::once(5000).chain([1, 0].repeat(5000)).collect();
        check(&mut parquet(&flat)).unwrap();
        check(&mut parquet(&[&[1; 64][..], &[0]].concat())).unwrap();
        let too_deep = "its schema is more than 64 levels deep";
        assert_eq!(refusal(&[&[1; 65][..], &[0]].concat()), too_deep);
        assert_eq!(refusal(&[&[1; 10_000][..], &[0]].concat()), too_deep);
    }

    #[test]
    fn a_group_has_no_more_children_than_there_are_elements() {
        assert_eq!(
            refusal(&[1_000_000_000, 0]),
            "a group of its schema announces 1000000000 children, and 1 elements follow"
        );
    }

    #[test]
    fn groups_do_not_share_their_children() {
        // Each level announces all that follow: memory for the square of the elements.
        assert_eq!(
            refusal(&[4, 3, 2, 1, 0]),
            "groups of its schema announce 6 more children, and 3 elements follow"
        );
    }

    #[test]
    fn a_field_beyond_the_largest_number_is_refused() {
        // The greatest number in full, an integer as its value, and a field one further.
        let greatest = [&[0x05, 0xfe][..], &[0xff; 8], &[1, 0, 0x15, 0, 0]].concat();
        assert_eq!(
            check(&mut file(&greatest)).unwrap_err(),
            "a field's number is too large"
        );
    }
}
