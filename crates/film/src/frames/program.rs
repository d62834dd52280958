//! `ffmpeg` and `ffprobe`: their command lines for a file that may be hostile.
//!
//! Arguments are a list, never a line for a shell. The file is named with `file:` before it, so
//! that no name is an option or an address. Formats are listed: without a list, a text named
//! `a.mp4` that is a playlist opens other files (`-protocol_whitelist file` alone does not hinder
//! it; found with ffmpeg 5.1). Source: <https://ffmpeg.org/ffmpeg-formats.html>.

use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::{Error, Result};

pub(super) const FFMPEG: &str = "ffmpeg";
pub(super) const FFPROBE: &str = "ffprobe";

/// Formats that hold a film themselves, and name no other file. A demultiplexer of ffmpeg's is
/// taken by any of its names.
const FORMATS: &str = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,gif,apng,ogg,asf,mxf,h264,hevc,ivf,dv,m4v,rm,nut,wtv,yuv4mpegpipe";

/// Streams of a file that are looked at.
const MAX_STREAMS: &str = "64";

/// Bytes of one piece of memory that a decoder may ask for.
const MAX_ALLOC: &str = "1073741824";

/// Pixels of a frame: twice 8K.
pub(super) const MAX_PIXELS: u64 = 1 << 26;

/// Bytes of a line of a program's standard error that are kept; the rest is dropped.
const MAX_LINE_BYTES: usize = 4096;

/// A program on its own, with nothing to read but what its arguments name.
pub(super) fn command(program: &'static str) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        // Would make it write a file where it runs, and colour its lines.
        .env_remove("FFREPORT")
        .env_remove("AV_LOG_FORCE_COLOR")
        .env("AV_LOG_FORCE_NOCOLOR", "1");
    command
}

/// What both programs have to be told before a file is opened.
pub(super) fn guards(command: &mut Command) {
    let max_pixels = MAX_PIXELS.to_string();
    command.args([
        "-protocol_whitelist",
        "file,pipe",
        "-format_whitelist",
        FORMATS,
        "-max_streams",
        MAX_STREAMS,
        "-max_pixels",
        &max_pixels,
    ]);
    command.args(["-max_alloc", MAX_ALLOC]);
}

/// A file's name that can only be a file's name.
pub(super) fn named(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// A program that runs, and is killed when this is dropped.
pub(super) struct Running {
    pub(super) program: &'static str,
    pub(super) child: Child,
}

impl Running {
    pub(super) fn start(program: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NotInstalled { program },
            _ => Error::Program { program, error },
        })?;
        Ok(Self { program, child })
    }

    /// All that it writes on its standard output.
    pub(super) fn output(mut self) -> Result<String> {
        let program = self.program;
        let mut text = String::new();
        if let Some(stdout) = &mut self.child.stdout {
            let read = stdout.read_to_string(&mut text);
            read.map_err(|error| Error::Program { program, error })?;
        }
        Ok(text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for one that has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that a program writes on its standard error, as they come. They are read on a thread
/// of their own, since a program whose pipe is full waits.
pub(super) fn lines(stderr: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut rest = stderr;
        let (mut line, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            let n = match rest.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            for &byte in &piece[..n] {
                if byte == b'\n' || byte == b'\r' {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    line.clear();
                    if !text.is_empty() && sender.send(text).is_err() {
                        return;
                    }
                } else if line.len() < MAX_LINE_BYTES {
                    line.push(byte);
                }
            }
        }
        let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
    });
    receiver
}
