//! PyTorch's files, damaged and hostile.

use super::*;

/// An archive of these files, stored as they are; nobody reads its checksums.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, contents) in files {
        let name = format!("archive/{name}");
        let place = bytes.len() as u32;
        let sizes = [0, contents.len() as u32, contents.len() as u32]
            .map(u32::to_le_bytes)
            .concat();
        let lengths = [name.len() as u16, 0].map(u16::to_le_bytes).concat();
        let common = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes, &lengths].concat();
        bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), contents].concat());
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10]].concat());
        directory.extend(place.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = (files.len() as u16).to_le_bytes();
    let place = [directory.len() as u32, bytes.len() as u32]
        .map(u32::to_le_bytes)
        .concat();
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &place, &[0, 0]].concat();
    [bytes, directory, end].concat()
}

/// The error's message when these bytes are opened.
fn refusal(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pt");
    fs_err::write(&path, bytes).unwrap();
    message(Checkpoint::open(&path))
}

/// A pickle of `{"weight": tensor}`, whose tensor views storage `0` by `offset`, `shape`,
/// `strides`.
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

#[test]
fn views_that_leave_their_storage_are_refused() {
    let numbers = [0u8; 16];
    let open = |offset, shape, strides| {
        let pickle = pickle(offset, shape, strides);
        refusal(&archive(&[("data.pkl", &pickle), ("data/0", &numbers)]))
    };
    // Well-formed, it is a state dict of no CLIP.
    let message = open(0, [2, 2], [2, 1]);
    assert!(message.contains("no CLIP: "), "{message}");
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
    let without = archive(&[("data.pkl", &pickle(0, [2, 2], [2, 1]))]);
    assert!(refusal(&without).contains("`data/0`, which is missing"));
}

/// `{"weight": tensor, …}` with more entries.
fn with_entries(entries: &[u8]) -> Vec<u8> {
    let tensor = pickle(0, [2, 2], [2, 1]);
    let first = tensor.len() - 2; // before SETITEM and STOP
    [b"\x80\x02}(", &tensor[3..first], entries, b"u."].concat()
}

#[test]
fn what_would_be_called_is_named_where_it_is_needed() {
    // As a state dict's entry beside a tensor it is left alone: the tensors are no CLIP's.
    let entries = b"X\x07\0\0\0ln_postcposix\nsystem\nX\x02\0\0\0ls\x85R";
    let numbers = [0u8; 16];
    let bytes = archive(&[("data.pkl", &with_entries(entries)), ("data/0", &numbers)]);
    let message = refusal(&bytes);
    assert!(message.contains("no CLIP: "), "{message}");
    // Alone, it is what is wrong.
    let alone = b"\x80\x02}X\x01\0\0\0acposix\nsystem\nX\x02\0\0\0ls\x85Rs.";
    let message = refusal(&archive(&[("data.pkl", alone)]));
    assert!(
        message.contains("`a` is made by `posix.system`, which is not run"),
        "{message}"
    );
}

#[test]
fn pickles_that_would_fill_the_memory_are_refused() {
    let many = |opcode: u8, count: usize| [b"\x80\x02N", &vec![opcode; count][..], b"."].concat();
    let key = [b"X\x80\x96\x98\0".to_vec(), vec![b'k'; 10_000_000]].concat();
    // A list that is appended to itself, again and again, through the memo.
    let mut lists = b"\x80\x02]q\0".to_vec();
    for _ in 0..300_000 {
        lists.extend(b"(h\0h\0h\0h\0e");
    }
    lists.push(b'.');
    let mut deep = b"\x80\x02".to_vec();
    for _ in 0..1000 {
        deep.extend(b"}X\x01\0\0\0a");
    }
    deep.push(b'N');
    deep.extend(vec![b's'; 1000]);
    deep.push(b'.');
    for (pickle, wanted) in [
        (many(b'2', 3_000_000), "values on its stack"),
        (many(b'(', 3_000_000), "marks"),
        (many(0x94, 3_000_000), "values in its memo"),
        (many(b'N', 3_000_000), "values"),
        (lists, "containers hold more"),
        (deep, "deep"),
        (
            [b"\x80\x02}", &key[..], b"Ns."].concat(),
            "wanted at most 4194304",
        ),
    ] {
        let message = refusal(&archive(&[("data.pkl", &pickle)]));
        assert!(message.contains(wanted), "{message}");
    }
    // A thousand tensors of the same million numbers.
    let mut entries = Vec::new();
    let tensor = pickle(0, [1000, 1000], [1000, 1]);
    let value = &tensor[b"\x80\x02}X\x06\0\0\0weight".len()..tensor.len() - 2];
    for i in 0..1000 {
        let name = format!("w{i:05}");
        entries.extend([b"X\x06\0\0\0", name.as_bytes(), value].concat());
    }
    let pickle = [b"\x80\x02}(", &entries[..], b"u."].concat();
    let numbers = vec![0; 4_000_000];
    let message = refusal(&archive(&[("data.pkl", &pickle), ("data/0", &numbers)]));
    assert!(message.contains("several share their numbers"), "{message}");
}

#[test]
fn directories_of_archives_are_bounded_and_whole() {
    let good = archive(&[("data.pkl", b"\x80\x02}.")]);
    let end = good.len() - 22;
    let changed = |at: usize, new: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        refusal(&bytes)
    };
    let message = changed(end + 12, &u32::MAX.to_le_bytes());
    assert!(message.contains("wanted at most"), "{message}");
    assert!(changed(end + 16, &u32::MAX.to_le_bytes()).contains("cut off"));
    // The entry's place, and its size.
    let entry = good.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    assert!(changed(entry + 42, &u32::MAX.to_le_bytes()).contains("does not lie within"));
    let sizes = [0xffff_ff00u32; 2].map(u32::to_le_bytes).concat();
    assert!(changed(entry + 20, &sizes).contains("does not lie within"));
    let twice = archive(&[("data.pkl", b"\x80\x02}."), ("data.pkl", b"\x80\x02}.")]);
    assert!(refusal(&twice).contains("two files"));
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
        (b"\x80\x02cposix\xff\nx\n.", "not UTF-8"),
        (b"\x80\x02(NNNd.", "a key without a value"),
        // A list that holds itself, and a dictionary of itself.
        (b"\x80\x02]q\0h\0a.", "no tensor in it"),
        (b"\x80\x02}q\0X\x01\0\0\0ah\0s.", "no tensor in it"),
    ] {
        let message = refusal(&archive(&[("data.pkl", pickle)]));
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn archives_that_are_not_pytorchs_are_refused() {
    let message = refusal(&archive(&[("readme", b"hello")]));
    assert!(message.contains("no `data.pkl`"), "{message}");
    assert!(refusal(b"PK\x03\x04 and no more").contains("not a zip archive"));
    assert!(refusal(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.").contains("bytes are wanted"));
    assert!(refusal(b"P").contains("less than four bytes"));
    let big = archive(&[("data.pkl", b"\x80\x02}."), ("byteorder", b"big")]);
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
