//! A film's frames, decoded by ffmpeg, one after the other.
//!
//! The pixels come on its standard output, one frame after the other without anything between; the
//! filter `showinfo` tells on its standard error when each is shown and how large it is. (A format
//! that has both, such as NUT, rounds times to the rate in the header, unless it is told not to,
//! and needs a parser; a third pipe is not there on Windows.)

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use diptych::image::Picture;

use super::Frames;
use super::graph::graph;
use super::probe::Facts;
use super::program::{FFMPEG, MAX_PIXELS, Running, command, guards, lines, named};
use super::sampling::Sampling;
use super::showinfo::{Line, Shown, TimeBase};
use crate::{Error, Result};

/// A picture of a film.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When it is shown, in seconds from the film's beginning.
    pub time: f64,
    /// Upright, in the shape in which it is shown.
    pub picture: Picture,
}

/// Longest time without a frame, beside what the sampling leaves out.
const PATIENCE: Duration = Duration::from_secs(60);

/// Seconds by which a frame's time may be off on its way through ffmpeg and back.
const ROUNDING: f64 = 0.0005;

/// Most seconds that are added to it for those.
const MOST: f64 = 3600.0;

/// Frames that are decoded and wait to be taken.
const WAITING: usize = 2;

/// The frames of a film. When it is dropped, ffmpeg ends.
pub struct Film {
    running: Running,
    come: Receiver<Come>,
    patience: Duration,
    /// Seconds from the film's beginning to the first frame that is wanted.
    begin: f64,
    /// Seconds to where ffmpeg was told to begin, from which it counts.
    seek: f64,
    /// As [`Facts::duration`].
    duration: Option<f64>,
    /// What ffmpeg complained of last.
    complaint: Option<String>,
    frames: usize,
    is_at_end: bool,
}

/// What comes from the thread that listens to ffmpeg.
enum Come {
    Frame(Frame),
    Complaint(String),
    Failed(Error),
}

impl Film {
    /// Starts to decode a film. Frames before so many seconds from its beginning are left out;
    /// those that come are the same as of the whole film. Their shorter side is made `side`, if it
    /// is longer.
    ///
    /// # Errors
    /// [`Error::NotInstalled`], and [`Error::Program`] if ffmpeg can't be started. That it can't
    /// read the film is told when a frame is asked for.
    pub fn open(
        path: &Path,
        facts: &Facts,
        sampling: Sampling,
        begin: f64,
        side: usize,
    ) -> Result<Self> {
        let seek = sampling.begin_before(begin);
        let mut asked = command(FFMPEG);
        asked.args([
            "-nostdin",
            "-hide_banner",
            "-nostats",
            "-v",
            "repeat+level+info",
        ]);
        guards(&mut asked);
        if seek > 0.0 {
            asked.args(["-ss", &seek.to_string()]);
        }
        if sampling == Sampling::Key {
            asked.args(["-skip_frame", "nokey"]);
        }
        asked.arg("-i").arg(named(path));
        asked.args(["-map", &format!("0:{}", facts.stream)]);
        asked.args([
            "-an",
            "-sn",
            "-dn",
            "-vf",
            &graph(facts, sampling, seek, side),
        ]);
        // Else it makes frames up where the rate in the header would have some.
        asked.args(["-fps_mode", "passthrough"]);
        asked.args(["-f", "rawvideo", "pipe:1"]);
        asked.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::start(FFMPEG, &mut asked)?;
        let (sender, come) = mpsc::sync_channel(WAITING);
        if let (Some(stdout), Some(stderr)) =
            (running.child.stdout.take(), running.child.stderr.take())
        {
            let said = lines(stderr);
            thread::spawn(move || listen(stdout, &said, &sender));
        }
        Ok(Self {
            running,
            come,
            patience: PATIENCE
                + Duration::try_from_secs_f64(sampling.step().min(MOST)).unwrap_or_default(),
            begin,
            seek,
            duration: facts.duration,
            complaint: None,
            frames: 0,
            is_at_end: false,
        })
    }

    /// What ffmpeg complained of last, such as a damaged frame; of a film that was read to its end
    /// it says whether that is the end.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// Nothing after the last frame, or why none has come.
    fn stop(&mut self) -> Option<Result<Frame>> {
        self.is_at_end = true;
        let status = match self.running.child.wait() {
            Ok(status) => status,
            Err(error) => {
                let program = FFMPEG;
                return Some(Err(Error::Program { program, error }));
            }
        };
        // What is damaged at its end still has its frames before.
        if status.success() || self.frames > 0 {
            return None;
        }
        let said = self.complaint.as_deref().unwrap_or_default();
        Some(Err(Error::of_end(FFMPEG, said, status)))
    }
}

impl Frames for Film {
    fn end(&self) -> Option<f64> {
        self.duration
    }
}

impl Iterator for Film {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_at_end {
            return None;
        }
        loop {
            match self.come.recv_timeout(self.patience) {
                Ok(Come::Frame(frame)) => {
                    self.frames += 1;
                    let time = self.seek + frame.time;
                    if self.begin > 0.0 && time < self.begin - ROUNDING {
                        continue;
                    }
                    return Some(Ok(Frame { time, ..frame }));
                }
                Ok(Come::Complaint(complaint)) => self.complaint = Some(complaint),
                Ok(Come::Failed(error)) => {
                    self.is_at_end = true;
                    return Some(Err(error));
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.is_at_end = true;
                    let _ = self.running.child.kill();
                    return Some(Err(Error::Stalled(self.patience)));
                }
                Err(RecvTimeoutError::Disconnected) => return self.stop(),
            }
        }
    }
}

/// Hands over what ffmpeg writes, until it ends or nobody wants more.
fn listen(mut stdout: ChildStdout, said: &Receiver<String>, sender: &SyncSender<Come>) {
    let (mut time_base, mut next) = (None, 0);
    for line in said {
        let come = match Line::of(&line) {
            Line::TimeBase(told) => {
                (time_base, next) = (Some(told), 0);
                continue;
            }
            // Where a line is lost, pictures would get the times of others.
            Line::Shown(shown) if shown.number != next => Come::Failed(Error::Unclear {
                program: FFMPEG,
                said: line,
                wanted: "a line for every frame",
            }),
            Line::Shown(shown) => {
                next += 1;
                match frame(&mut stdout, time_base, &shown) {
                    Ok(Some(frame)) => Come::Frame(frame),
                    Ok(None) => continue,
                    Err(error) => Come::Failed(error),
                }
            }
            Line::TooLarge => Come::Failed(Error::refused(format!(
                "a frame of it has more than {} megapixels",
                MAX_PIXELS / 1_000_000
            ))),
            Line::Complaint(complaint) => Come::Complaint(complaint),
            Line::Other => continue,
        };
        let is_last = matches!(come, Come::Failed(_));
        if sender.send(come).is_err() || is_last {
            return;
        }
    }
}

/// Reads the frame that was announced; none, if ffmpeg ended before it wrote all of it.
fn frame(
    stdout: &mut ChildStdout,
    time_base: Option<TimeBase>,
    shown: &Shown,
) -> Result<Option<Frame>> {
    let mut pixels = vec![0; shown.width * shown.height * 3];
    match stdout.read_exact(&mut pixels) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => {
            let program = FFMPEG;
            return Err(Error::Program { program, error });
        }
        Ok(()) => {}
    }
    let time_base = time_base.ok_or_else(|| Error::Unclear {
        program: FFMPEG,
        said: "a frame".to_owned(),
        wanted: "the unit of its time before",
    })?;
    // Without a time it can't be said where it is.
    let Some(pts) = shown.pts else {
        return Ok(None);
    };
    let time = time_base.seconds(pts);
    let picture = Picture::from_rgb(shown.width, shown.height, pixels)?;
    Ok(Some(Frame { time, picture }))
}
