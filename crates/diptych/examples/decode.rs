//! Decodes pictures named on stdin, a path a line, and prints one JSON object each: what
//! `parity/folder.py` compares.
//!
//! `{"path", "width", "height", "sha256"}` of the pixels as RGB, not turned upright; or `{"path",
//! "error"}`. With a directory as argument the pixels are written there, too, as `SHA256.rgb`.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use diptych::image::{DecodeOptions, ImageError, Picture};
use sha2::{Digest, Sha256};

fn main() -> std::io::Result<()> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let mut stdout = std::io::stdout().lock();
    for line in std::io::stdin().lock().split(b'\n') {
        let file = diptych_files::from_line(&line?);
        let path = diptych_files::spell(&file);
        let line = match decode(&file) {
            Ok(picture) => {
                let digest = Sha256::digest(picture.as_bytes());
                let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                if let Some(directory) = &directory {
                    save(directory, &sha256, &picture)?;
                }
                let (width, height) = (picture.width(), picture.height());
                serde_json::json!({"path": path, "width": width, "height": height, "sha256": sha256})
            }
            Err(error) => serde_json::json!({"path": path, "error": error.to_string()}),
        };
        writeln!(stdout, "{line}")?;
        stdout.flush()?;
    }
    Ok(())
}

/// The picture of a file, as RGB, as it is stored.
fn decode(path: &Path) -> Result<Picture, ImageError> {
    let options = DecodeOptions {
        orient: false,
        ..DecodeOptions::default()
    };
    Picture::open(path, &options).map(|picture| picture.to_rgb())
}

fn save(directory: &Path, name: &str, picture: &Picture) -> std::io::Result<()> {
    fs_err::create_dir_all(directory)?;
    fs_err::write(directory.join(format!("{name}.rgb")), picture.as_bytes())
}
