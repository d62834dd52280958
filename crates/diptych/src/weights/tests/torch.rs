//! PyTorch's files, damaged and hostile.

use std::io::Write;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

/// An archive of these files, stored or not.
fn archive(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("archive/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What opening these bytes says.
fn refusal(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    fs_err::write(&path, bytes).unwrap();
    message(Checkpoint::open(&path))
}

/// A pickle of `{"weight": tensor}`, whose tensor views storage `0` by `offset`, `shape`, `strides`.
fn pickle(offset: u8, shape: [i32; 2], strides: [i32; 2]) -> Vec<u8> {
    let mut bytes = b"\x80\x02}X\x06\0\0\0weightctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    bytes.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ");
    bytes.extend([b'K', offset]);
    for pair in [shape, strides] {
        for value in pair {
            bytes.push(b'J');
            bytes.extend(value.to_le_bytes());
        }
        bytes.push(0x86);
    }
    bytes.extend(b"\x89}tRs.");
    bytes
}

const STORED: CompressionMethod = CompressionMethod::Stored;

#[test]
fn views_that_leave_their_storage_are_refused() {
    let numbers = [0u8; 16];
    let open = |offset, shape, strides| {
        let pickle = pickle(offset, shape, strides);
        refusal(&archive(
            &[("data.pkl", &pickle), ("data/0", &numbers)],
            STORED,
        ))
    };
    // Well-formed, it is a state dict of no CLIP.
    let message = open(0, [2, 2], [2, 1]);
    assert!(message.contains("to tell the architecture by"), "{message}");
    for (offset, shape, strides) in [
        (1, [2, 2], [2, 1]),
        (0, [2, 3], [3, 1]),
        (0, [2, 2], [1 << 30, 1 << 30]),
        (0, [i32::MAX, i32::MAX], [i32::MAX, i32::MAX]),
        (0, [1 << 30, 1 << 30], [0, 0]),
    ] {
        let message = open(offset, shape, strides);
        assert!(message.contains("has 4 values"), "{message}");
    }
    let message = open(0, [-1, 2], [2, 1]);
    assert!(message.contains("no whole numbers"), "{message}");
    let without = archive(&[("data.pkl", &pickle(0, [2, 2], [2, 1]))], STORED);
    assert!(refusal(&without).contains("`data/0`, which is missing"));
}

#[test]
fn nothing_in_a_pickle_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("called");
    let command = format!("touch {}", trace.display());
    let mut pickle = b"\x80\x02cposix\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    let message = refusal(&archive(&[("data.pkl", &pickle)], STORED));
    assert!(message.contains("no tensor in its state dict"), "{message}");
    assert!(!trace.exists());
}

#[test]
fn pickles_that_cannot_be_followed_say_where() {
    for (pickle, wanted) in [
        (&b"\x80\x02"[..], "bytes are wanted"),
        (b"\x80\x02.", "the stack is empty"),
        (b"\x80\x02]t.", "no mark"),
        (b"\x80\x02h\x07.", "nothing was remembered as 7"),
        (b"\x80\x02\xffN.", "opcode 0xff is unknown"),
        (b"\x80\x02X\xff\xff\xff\xffabc.", "bytes are wanted"),
        (b"\x80\x02X\x02\0\0\0\xff\xfe.", "not UTF-8"),
        (b"\x80\x02(NNNd.", "a key without a value"),
        // A list that holds itself, and a dictionary of itself.
        (b"\x80\x02]q\0h\0a.", "no tensor in its state dict"),
        (
            b"\x80\x02}q\0X\x01\0\0\0ah\0s.",
            "no tensor in its state dict",
        ),
    ] {
        let message = refusal(&archive(&[("data.pkl", pickle)], STORED));
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn archives_that_are_not_pytorchs_are_refused() {
    let message = refusal(&archive(&[("readme", b"hello")], STORED));
    assert!(message.contains("no `data.pkl`"), "{message}");
    assert!(refusal(b"PK\x03\x04 and no more").contains("not a zip archive"));
    assert!(refusal(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.").contains("before version 1.6"));
    assert!(refusal(b"P").contains("less than two bytes"));
    let big = archive(
        &[("data.pkl", b"\x80\x02}."), ("byteorder", b"big")],
        STORED,
    );
    assert!(refusal(&big).contains("big-endian"));
}

#[test]
fn mutated_archives_never_panic() {
    let golden = fs_err::read(folder("layouts/openai-vit").join("script.pt")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    // Where the archive's own bytes are, and those of its pickle: the numbers are the most of it.
    let pickle = golden.windows(8).position(|w| w == b"data.pkl").unwrap();
    for round in 0..300 {
        let mut bytes = golden.clone();
        match round % 3 {
            0 => bytes.truncate(rng.random_range(0..golden.len())),
            1 => {
                let place = pickle + rng.random_range(0..8000);
                bytes[place] ^= 1 << rng.random_range(0..8);
            }
            _ => {
                let place = golden.len() - rng.random_range(1..6000);
                bytes[place] = rng.random();
            }
        }
        fs_err::write(&path, bytes).unwrap();
        // A flipped bit in a number's mantissa opens; all else says why not.
        if let Err(error) = Checkpoint::open(&path) {
            assert!(error.to_string().contains("model.pt"), "{error}");
        }
    }
}
