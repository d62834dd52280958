//! Running the binary, and reading what it wrote.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Outcome of a run of the binary.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    /// But for the note.
    pub(crate) stderr: String,
    /// The word on the default model, where that answered.
    pub(crate) note: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines = stderr.split_inclusive('\n');
        let is_note = |line: &&str| line.starts_with("note: the default model is small");
        let (note, stderr) = lines.partition(is_note);
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr,
            note,
        }
    }
}

/// Runs `diptych ARGS` without stdin.
pub(crate) fn diptych(args: &[&str]) -> Ran {
    diptych_with(args, b"")
}

/// Runs `diptych ARGS` with `stdin`.
pub(crate) fn diptych_with(args: &[&str], stdin: &[u8]) -> Ran {
    let mut child = start(args);
    let mut pipe = child.stdin.take().unwrap();
    // Beside the reading of stdout, or both sides would wait for each other.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = pipe.write_all(stdin); // it may stop reading early
        });
        child.wait_with_output().unwrap().into()
    })
}

/// Starts `diptych ARGS` with pipes at all ends, in the environment that the manual is written in.
pub(crate) fn start(args: &[&str]) -> Child {
    command(args).spawn().unwrap()
}

/// `diptych ARGS` as [`start`] starts it.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diptych"));
    command
        .args(args)
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        // Tests need no network.
        .env("HF_HUB_OFFLINE", "1");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Ran {
    /// Asserts success without a word on stderr; what was printed.
    pub(crate) fn ok(self) -> String {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "{self:?}");
        self.stdout
    }

    /// Asserts success; the JSON of each line.
    pub(crate) fn json(self) -> Vec<Value> {
        parse(&self.ok())
    }

    /// Asserts exit code 2, and every one of `words` in what stderr says; what was printed before.
    pub(crate) fn fails(self, words: &[&str]) -> String {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        for word in words {
            assert!(
                self.stderr.contains(word),
                "`{word}` is not in {}",
                self.stderr
            );
        }
        self.stdout
    }
}

/// The JSON of each line.
pub(crate) fn parse(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A file or folder of the golden ones.
pub(crate) fn golden(name: &str) -> String {
    let path = format!(
        "{}/../diptych/tests/golden/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    assert!(Path::new(&path).exists(), "{path}");
    path
}

/// A picture of the golden ones.
pub(crate) fn picture(name: &str) -> String {
    golden(&format!("pixels/{name}"))
}

/// A new temporary folder with these files in it.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs_err::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// The path of `name` in `folder`, as an argument.
pub(crate) fn within(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Shape (as Python spells it) and values of a `.npy` file of `<f4` in C order.
pub(crate) fn read_npy(path: &str) -> (String, Vec<f32>) {
    let bytes = fs_err::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(end.is_multiple_of(64) && bytes[end - 1] == b'\n');
    let header = std::str::from_utf8(&bytes[10..end]).unwrap().trim_end();
    let shape = header
        .strip_prefix("{'descr': '<f4', 'fortran_order': False, 'shape': ")
        .unwrap();
    let (values, rest) = bytes[end..].as_chunks::<4>();
    assert!(rest.is_empty());
    let values = values.iter().map(|v| f32::from_le_bytes(*v)).collect();
    (shape.strip_suffix(", }").unwrap().to_owned(), values)
}

/// Asserts that two lists of numbers agree to `most`.
pub(crate) fn assert_close(a: &[f32], b: &[f32], most: f32) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= most, "at {i}: {a} and {b}");
    }
}

/// The number at `key` of a JSON object.
pub(crate) fn number(object: &Value, key: &str) -> f32 {
    object[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no number `{key}` in {object}")) as f32
}
