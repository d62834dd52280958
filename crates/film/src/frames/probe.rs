//! What `ffprobe` tells of a film before a frame of it is decoded.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::program::{FFPROBE, Running, command, guards, lines, named};
use crate::{Error, Result};

/// Longest time for looking at a file's head.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of its answer that are read; one about a film has a few thousand.
const MAX_BYTES: u64 = 1 << 20;

/// Fields that are asked for.
const ENTRIES: &str = "stream=index,codec_name,width,height,field_order,color_transfer,color_space,duration\
                       :stream_disposition=attached_pic,default:format=duration";

/// Facts of a film's stream of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its number among the streams of the file.
    pub(super) stream: usize,
    /// The name of its coding, such as `h264`.
    pub codec: String,
    /// Columns of a stored frame; rotation and the shape of pixels are not counted in.
    pub width: u64,
    /// Rows of a stored frame.
    pub height: u64,
    /// Seconds from the first moment to the last, as the file says; it may lie, or not say.
    pub duration: Option<f64>,
    /// Whether a frame is made of two fields that were taken one after the other.
    pub(super) is_interlaced: bool,
    /// Whether the lower of the two was taken first.
    pub(super) is_bottom_first: bool,
    /// Whether it is brighter than a common screen, by PQ or HLG.
    pub(super) is_hdr: bool,
    /// Whether it says how its colours are made of luma and chroma.
    pub(super) has_matrix: bool,
}

#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Times,
}

#[derive(Deserialize)]
struct Stream {
    index: usize,
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    width: u64,
    #[serde(default)]
    height: u64,
    #[serde(default)]
    field_order: String,
    #[serde(default)]
    color_transfer: String,
    #[serde(default)]
    color_space: String,
    #[serde(flatten)]
    times: Times,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Default, Deserialize)]
struct Times {
    duration: Option<String>,
}

#[derive(Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
    #[serde(default)]
    default: u8,
}

impl Facts {
    /// Asks `ffprobe` about a file.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file without pictures that move, [`Error::NotInstalled`], and what
    /// keeps the program from answering.
    pub fn of(path: &Path) -> Result<Self> {
        let mut asked = command(FFPROBE);
        asked.args(["-v", "error"]);
        guards(&mut asked);
        asked.args([
            "-select_streams",
            "v",
            "-show_entries",
            ENTRIES,
            "-of",
            "json",
        ]);
        asked.arg(named(path));
        asked.stdout(Stdio::piped()).stderr(Stdio::piped());
        let (answer, said) = answer(&mut asked)?;
        let probed: Probed = serde_json::from_slice(&answer).map_err(|_| Error::Unclear {
            program: FFPROBE,
            said: String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned(),
            wanted: "an object of JSON",
        })?;
        probed.facts().ok_or_else(|| match &*said {
            "" => Error::refused("it has no moving pictures"),
            said => Error::refused(said),
        })
    }
}

impl Probed {
    fn facts(self) -> Option<Facts> {
        let is_film = |stream: &&Stream| stream.disposition.attached_pic == 0;
        let films = || self.streams.iter().filter(is_film);
        // As ffmpeg itself chooses: the default one, else the first.
        let stream = films().find(|stream| stream.disposition.default == 1);
        let stream = stream.or_else(|| films().next())?;
        let seconds = |times: &Times| {
            let said = times.duration.as_deref()?.parse::<f64>().ok();
            said.filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        };
        Some(Facts {
            stream: stream.index,
            codec: stream.codec_name.clone(),
            width: stream.width,
            height: stream.height,
            duration: seconds(&stream.times).or_else(|| seconds(&self.format)),
            is_interlaced: matches!(&*stream.field_order, "tt" | "bb" | "tb" | "bt"),
            is_bottom_first: matches!(&*stream.field_order, "bb" | "bt"),
            is_hdr: matches!(&*stream.color_transfer, "smpte2084" | "arib-std-b67"),
            has_matrix: !matches!(&*stream.color_space, "" | "unknown"),
        })
    }
}

/// What a program writes on its two outputs, of the second the last line.
fn answer(command: &mut std::process::Command) -> Result<(Vec<u8>, String)> {
    let mut running = Running::start(FFPROBE, command)?;
    let said = running.child.stderr.take().map(|stderr| {
        let lines = lines(stderr);
        thread::spawn(move || lines.iter().filter(|line| !line.is_empty()).last())
    });
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = running.child.stdout.take() {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(MAX_BYTES).read_to_end(&mut bytes);
            let _ = sender.send(read.map(|_| bytes));
        });
    }
    let bytes = match receiver.recv_timeout(PATIENCE) {
        Ok(read) => read.map_err(|error| Error::Program {
            program: FFPROBE,
            error,
        })?,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            return Err(Error::Stalled(PATIENCE));
        }
    };
    // Its pipe is closed, or too long; dropped, it ends, and so do its lines.
    drop(running);
    let last = said.and_then(|said| said.join().ok().flatten());
    Ok((bytes, last.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(json: &str) -> Option<Facts> {
        serde_json::from_str::<Probed>(json).unwrap().facts()
    }

    #[test]
    fn the_default_stream_that_is_no_cover_is_taken() {
        let of = |streams: &str| {
            facts(&format!(
                r#"{{"streams": [{streams}], "format": {{"duration": "8.5"}}}}"#
            ))
        };
        let cover = r#"{"index": 0, "codec_name": "mjpeg", "disposition": {"attached_pic": 1, "default": 1}}"#;
        let film = r#"{"index": 2, "codec_name": "h264", "width": 64, "height": 48, "disposition": {"default": 0}}"#;
        let other = r#"{"index": 3, "codec_name": "av1", "disposition": {"default": 1}, "duration": "N/A"}"#;
        assert_eq!(of(cover), None);
        assert_eq!(of(&format!("{cover}, {film}")).unwrap().stream, 2);
        let chosen = of(&format!("{cover}, {film}, {other}")).unwrap();
        assert_eq!((chosen.stream, chosen.duration), (3, Some(8.5)));
    }

    #[test]
    fn colours_and_fields_are_told() {
        let hdr = facts(
            r#"{"streams": [{"index": 0, "color_transfer": "smpte2084", "color_space": "bt2020nc", "field_order": "progressive"}]}"#,
        )
        .unwrap();
        assert!(hdr.is_hdr && hdr.has_matrix && !hdr.is_interlaced);
        let old = facts(r#"{"streams": [{"index": 0, "field_order": "tt"}]}"#).unwrap();
        assert!(!old.is_hdr && !old.has_matrix && old.is_interlaced);
    }
}
