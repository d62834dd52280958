//! Paths → `file:` addresses.
//!
//! Source: RFC 8089, with its appendix E.2 and E.3 for Windows; RFC 3986, section 2.

use std::fmt::Write;

/// The address of an absolute path. On Windows the path begins with a drive or a host.
pub(super) fn file(path: &[u8], windows: bool) -> String {
    if !windows {
        return format!("file://{}", encode(path));
    }
    let path = String::from_utf8_lossy(path);
    // Paths without limits look like `\\?\C:\pictures` and `\\?\UNC\host\share`.
    let path = path.strip_prefix(r"\\?\").map_or_else(
        || path.replace('\\', "/"),
        |path| match path.strip_prefix(r"UNC\") {
            Some(path) => format!("//{path}").replace('\\', "/"),
            None => path.replace('\\', "/"),
        },
    );
    match path.strip_prefix("//") {
        Some(path) => format!("file://{}", encode(path.as_bytes())),
        // The drive's colon stays; there is no other in a Windows path.
        None => format!("file:///{}", encode(path.as_bytes()).replace("%3A", ":")),
    }
}

/// A path with all but unreserved characters and slashes as `%` and two digits for each byte.
fn encode(path: &[u8]) -> String {
    let mut encoded = String::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => {
                // Writing to a string can't fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_means_something_in_an_address_is_encoded() {
        for (path, address) in [
            ("/a/b-c_d.e~f.jpg", "file:///a/b-c_d.e~f.jpg"),
            ("/100 %.jpg", "file:///100%20%25.jpg"),
            ("/#1?x=2&y;z.jpg", "file:///%231%3Fx%3D2%26y%3Bz.jpg"),
            ("/<script>\"'", "file:///%3Cscript%3E%22%27"),
            ("/line\nbreak\r\t", "file:///line%0Abreak%0D%09"),
            ("/a\\b:c", "file:///a%5Cb%3Ac"),
            ("/é/猫.png", "file:///%C3%A9/%E7%8C%AB.png"),
            ("/%41", "file:///%2541"),
        ] {
            assert_eq!(file(path.as_bytes(), false), address);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_encoded_as_they_are() {
        assert_eq!(file(b"/caf\xe9.jpg", false), "file:///caf%E9.jpg");
    }

    #[test]
    fn windows_has_drives_and_hosts() {
        for (path, address) in [
            (r"C:\my photos\1#.jpg", "file:///C:/my%20photos/1%23.jpg"),
            (r"\\host\share\a.jpg", "file://host/share/a.jpg"),
            (r"\\?\D:\a.jpg", "file:///D:/a.jpg"),
            (r"\\?\UNC\host\share\a.jpg", "file://host/share/a.jpg"),
        ] {
            assert_eq!(file(path.as_bytes(), true), address);
        }
    }
}
