//! Names of files as text: one form that loses nothing, for indexes and JSON, and one that people
//! read.
//!
//! A file's name is bytes. What of them is UTF-8 is spelled as it is; every other byte as the
//! character NUL and its two hexadecimal digits, `caf␀e9.jpg`. No name has a NUL, so no two files
//! share a spelling, and nearly all are spelled as they are called. In JSON the NUL is `\u0000`. In
//! lists of a name a line the bytes stand as they are, but for line ends, which are spelled so,
//! too. Source of the quotes: GNU ls, `--quoting-style=shell-escape`.
//! Invariant: `unspell(&spell(path)) == path`, on Unix; elsewhere what is no Unicode is spelled
//! with U+FFFD, and is lost.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The spelling of a path.
#[must_use]
pub fn spell(path: &Path) -> Cow<'_, str> {
    if let Some(text) = path.to_str() {
        return text.into();
    }
    if cfg!(not(unix)) {
        return path.to_string_lossy();
    }
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string can't fail.
            let _ = write!(text, "\0{byte:02x}");
        }
    }
    text.into()
}

/// The path that is spelled so.
#[must_use]
pub fn unspell(text: &str) -> Cow<'_, Path> {
    #[cfg(unix)]
    if text.contains('\0') {
        use std::os::unix::ffi::OsStringExt;
        return Cow::Owned(std::ffi::OsString::from_vec(bytes(text.as_bytes())).into());
    }
    Cow::Borrowed(Path::new(text))
}

/// The bytes that are spelled so; a NUL that no byte follows stands for itself.
#[cfg(unix)]
fn bytes(text: &[u8]) -> Vec<u8> {
    let mut parts = text.split(|byte| *byte == 0);
    let mut bytes: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        let digit = |at: usize| char::from(*part.get(at)?).to_digit(16);
        match digit(0).zip(digit(1)) {
            Some((high, low)) => {
                bytes.push((16 * high + low) as u8);
                bytes.extend(&part[2..]);
            }
            None => {
                bytes.push(0);
                bytes.extend(part);
            }
        }
    }
    bytes
}

/// A line of a list, without its end, that stands for a name of these bytes.
#[must_use]
pub fn to_line(name: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'\n' => line.extend(b"\x000a"),
            b'\r' => line.extend(b"\x000d"),
            byte => line.push(byte),
        }
    }
    line
}

/// The path that a line of a list stands for, spelled or byte for byte.
#[must_use]
pub fn from_line(line: &[u8]) -> PathBuf {
    #[cfg(unix)]
    let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes(line));
    #[cfg(not(unix))]
    let path = String::from_utf8_lossy(line).into_owned();
    path.into()
}

/// A path for people to read, who may paste it into a shell: one that a terminal would obey, or
/// that is not UTF-8, in the shell's quotes, `'two'$'\n''lines.jpg'`; any other as it is, also with
/// spaces.
#[must_use]
pub fn quoted(path: &Path) -> Cow<'_, str> {
    match path.to_str() {
        Some(text) if !text.contains(char::is_control) => text.into(),
        _ => quote(path.as_os_str().as_encoded_bytes()).into(),
    }
}

fn quote(bytes: &[u8]) -> String {
    let mut quoted = Quoted {
        text: "'".into(),
        is_escaping: false,
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                quoted.escape(c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                quoted.put(c);
            }
        }
        quoted.escape(chunk.invalid());
    }
    quoted.text + "'"
}

/// A word in quotes, the last of them open: `'…`, or `$'…` for what is escaped.
struct Quoted {
    text: String,
    is_escaping: bool,
}

impl Quoted {
    fn put(&mut self, c: char) {
        if c == '\'' {
            self.text.push_str("'\\''");
        } else {
            if self.is_escaping {
                self.text.push_str("''");
            }
            self.text.push(c);
        }
        self.is_escaping = false;
    }

    fn escape(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !self.is_escaping {
                self.text.push_str("'$'");
                self.is_escaping = true;
            }
            let short = b"\x07a\x08b\x0cf\nn\rr\tt\x0bv".chunks_exact(2);
            match short.into_iter().find(|pair| pair[0] == *byte) {
                Some(pair) => self.text.extend(['\\', char::from(pair[1])]),
                None => {
                    // Writing to a string can't fail.
                    let _ = write!(self.text, "\\{byte:03o}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn of(bytes: &[u8]) -> &Path {
        use std::os::unix::ffi::OsStrExt;
        Path::new(std::ffi::OsStr::from_bytes(bytes))
    }

    #[cfg(unix)]
    #[test]
    fn every_name_is_what_its_spelling_stands_for() {
        for (name, spelled) in [
            (&b"/naive/\xe7\x8c\xab.jpg"[..], "/naive/猫.jpg"),
            (b"caf\xe9.jpg", "caf\0e9.jpg"),
            (b"\xff\xfe\n\x1b", "\0ff\0fe\n\u{1b}"),
            (b"\xe7\x8c", "\0e7\08c"),
            (b"", ""),
        ] {
            assert_eq!(spell(of(name)), spelled);
            assert_eq!(*unspell(spelled), *of(name));
        }
        let all: Vec<u8> = (1..=255).flat_map(|a| [a, 0x80, b'/', a]).collect();
        assert_eq!(*unspell(&spell(of(&all))), *of(&all));
    }

    #[cfg(unix)]
    #[test]
    fn every_name_is_what_its_line_stands_for() {
        for name in [&b"plain"[..], b"two\nlines\r", b"caf\xe9\r\n", b""] {
            let line = to_line(name);
            assert!(!line.contains(&b'\n') && !line.ends_with(b"\r"));
            assert_eq!(from_line(&line), of(name));
        }
        // As `jq -r .path` has it.
        assert_eq!(from_line(b"caf\x00e9"), of(b"caf\xe9"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_spelling_is_no_name() {
        for text in ["\0", "a\0zz", "\0+1", "\0é", "\u{0}4"] {
            assert!(unspell(text).as_os_str().as_encoded_bytes().contains(&0));
        }
    }

    #[test]
    fn plain_names_are_shown_as_they_are() {
        for name in ["/a b/it's (1).jpg", "naïve 猫", "", "$HOME"] {
            assert_eq!(quoted(Path::new(name)), name);
        }
    }

    /// `LC_ALL=C.UTF-8 ls --quoting-style=shell-escape`, GNU coreutils 9.
    #[cfg(unix)]
    #[test]
    fn other_names_are_quoted_as_ls_does() {
        for (name, shown) in [
            (&b"\nx"[..], r"''$'\n''x'"),
            (b"x\n", r"'x'$'\n'"),
            (b"\x1b[31mred.jpg", r"''$'\033''[31mred.jpg'"),
            (b"'\n'", r"''\'''$'\n'\'''"),
            (b"1\x011", r"'1'$'\001''1'"),
            (b"c1\xc2\x9b.jpg", r"'c1'$'\302\233''.jpg'"),
            (b"caf\xe9.jpg", r"'caf'$'\351''.jpg'"),
            (b"tab\tbell\x07.jpg", r"'tab'$'\t''bell'$'\a''.jpg'"),
            (b"\x7f.jpg", r"''$'\177''.jpg'"),
            (b"\xc3(\xff\xfe", r"''$'\303''('$'\377\376'"),
        ] {
            assert_eq!(quoted(of(name)), shown);
        }
    }
}
