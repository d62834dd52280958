//! Films made here by ffmpeg from frames of our own, and read back. Without ffmpeg nothing is
//! checked, and that is said.

#![allow(clippy::unwrap_used, reason = "a test that can't go on should panic")]
#![allow(clippy::print_stderr, reason = "a test that checks nothing says so")]

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diptych::image::Preprocess;
use diptych_film::frames::{Facts, Film, Frame, Sampling};
use diptych_film::{Error, Films};
use diptych_index::{Begun, Id, Item, Span};
use diptych_search::source::{Content, Input, Source};

const WIDTH: usize = 64;
const HEIGHT: usize = 48;

/// A folder for films, if there is an ffmpeg.
fn folder() -> Option<tempfile::TempDir> {
    let found = Command::new("ffmpeg").arg("-version").output();
    if found.is_err() {
        eprintln!("skipped: ffmpeg is not installed");
        return None;
    }
    Some(tempfile::tempdir().unwrap())
}

/// A film whose frame `i` is of the shade `shades[i]`, at a rate such as `30000/1001`.
fn film(path: PathBuf, rate: &str, shades: &[u8], options: &[&str]) -> PathBuf {
    let size = format!("{WIDTH}x{HEIGHT}");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
    command.args(["-s", &size, "-r", rate, "-i", "pipe:0"]);
    command.args(["-c:v", "mpeg4", "-q:v", "2"]).args(options);
    command.arg(&path).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for shade in shades {
        stdin.write_all(&vec![*shade; WIDTH * HEIGHT * 3]).unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    path
}

fn frames(path: &Path, sampling: Sampling, begin: f64) -> Vec<Frame> {
    let facts = Facts::of(path).unwrap();
    let film = Film::open(path, &facts, sampling, begin, 24).unwrap();
    film.map(Result::unwrap).collect()
}

fn shade(frame: &Frame) -> u8 {
    frame.picture.as_bytes()[0]
}

#[test]
fn of_each_second_the_first_frame_comes_with_its_own_time() {
    let Some(folder) = folder() else { return };
    for (rate, seconds) in [
        ("24000/1001", 1001.0 / 24_000.0),
        ("24", 1.0 / 24.0),
        ("30000/1001", 1001.0 / 30_000.0),
        ("30", 1.0 / 30.0),
        ("60000/1001", 1001.0 / 60_000.0),
    ] {
        let name = format!("{}.mp4", rate.replace('/', "-"));
        let n = (6.0 / seconds) as usize;
        // A second has one shade, and the next another.
        let second = |i: usize| (i as f64 * seconds + 1e-9).floor();
        let shades: Vec<u8> = (0..n).map(|i| 30 + 30 * second(i) as u8).collect();
        let path = film(folder.path().join(name), rate, &shades, &[]);
        let found = frames(&path, Sampling::Rate(1.0), 0.0);
        assert_eq!(found.len(), 6, "{rate}");
        for (at, frame) in found.iter().enumerate() {
            let first = (0..n).find(|i| second(*i) == at as f64).unwrap();
            let wanted = first as f64 * seconds;
            assert!(
                (frame.time - wanted).abs() < 1e-3,
                "{rate}: {} for {wanted}",
                frame.time
            );
            assert!(
                shade(frame).abs_diff(30 + 30 * at as u8) < 6,
                "{rate}: {at}"
            );
            assert_eq!((frame.picture.width(), frame.picture.height()), (32, 24));
        }
        // Begun in the middle, it goes on with the same frames.
        let rest = frames(&path, Sampling::Rate(1.0), 3.0);
        let times: Vec<i64> = rest
            .iter()
            .map(|frame| (frame.time * 1e4).round() as i64)
            .collect();
        let wanted: Vec<i64> = found[3..]
            .iter()
            .map(|frame| (frame.time * 1e4).round() as i64)
            .collect();
        assert_eq!(times, wanted, "{rate}");
    }
}

#[test]
fn key_frames_and_changes_of_picture_are_found() {
    let Some(folder) = folder() else { return };
    let shades: Vec<u8> = (0..100).map(|i| if i < 35 { 20 } else { 220 }).collect();
    let path = film(
        folder.path().join("cut.mp4"),
        "25",
        &shades,
        &["-g", "25", "-sc_threshold", "1000000000"],
    );
    let key = frames(&path, Sampling::Key, 0.0);
    let times: Vec<f64> = key.iter().map(|frame| frame.time).collect();
    assert_eq!(times, [0.0, 1.0, 2.0, 3.0]);
    let scene = Sampling::Scene {
        change: Sampling::CHANGE,
        gap: 2.0,
    };
    let times: Vec<f64> = frames(&path, scene, 0.0)
        .iter()
        .map(|frame| frame.time)
        .collect();
    assert_eq!(times, [0.0, 1.4, 3.4]);
}

#[test]
fn rotation_and_the_shape_of_pixels_are_heeded() {
    let Some(folder) = folder() else { return };
    let plain = film(folder.path().join("plain.mp4"), "10", &[90; 10], &[]);
    let turned = folder.path().join("turned.mp4");
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-display_rotation", "90", "-i"])
        .arg(&plain)
        .args(["-c", "copy"])
        .arg(&turned)
        .status()
        .unwrap();
    // An option of ffmpeg 6.
    if done.success() {
        let frame = &frames(&turned, Sampling::default(), 0.0)[0];
        assert_eq!((frame.picture.width(), frame.picture.height()), (24, 32));
    }
    let wide = film(
        folder.path().join("wide.mp4"),
        "10",
        &[90; 10],
        &["-vf", "setsar=2"],
    );
    let frame = &frames(&wide, Sampling::default(), 0.0)[0];
    assert_eq!((frame.picture.width(), frame.picture.height()), (64, 24));
}

#[test]
fn what_is_no_film_is_refused_in_words() {
    let Some(folder) = folder() else { return };
    let at = |name: &str| folder.path().join(name);
    let film = film(at("film.mp4"), "10", &[50; 20], &[]);
    let secret = film.display();
    let sound = at("sound.wav");
    // A second of silence: a head of 44 bytes and 8,000 samples of 8 bits.
    let mut wav = b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0".to_vec();
    wav.extend([128; 8000]);
    fs_err::write(&sound, wav).unwrap();
    let texts = [
        ("empty.mp4", String::new()),
        ("text.mp4", "this is no film\n".repeat(100)),
        ("list.mp4", format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n")),
        ("concat.mp4", format!("ffconcat version 1.0\nfile '{secret}'\n")),
        ("net.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n".into()),
    ];
    let mut refused = vec![sound];
    for (name, text) in texts {
        fs_err::write(at(name), text).unwrap();
        refused.push(at(name));
    }
    for path in refused {
        let error = Facts::of(&path).unwrap_err();
        assert!(
            matches!(error, Error::Refused { .. }),
            "{}: {error:?}",
            path.display()
        );
        assert!(!error.to_string().is_empty());
    }
    // Names that might be options, addresses or patterns are names.
    for name in [
        "-i.mp4",
        "concat:x.mp4",
        "http:x.mp4",
        "a%02d.mp4",
        "ü 'x'.mp4",
    ] {
        fs_err::copy(&film, at(name)).unwrap();
        assert_eq!(
            frames(&at(name), Sampling::default(), 0.0).len(),
            2,
            "{name}"
        );
    }
}

#[test]
fn a_film_that_is_cut_off_has_the_frames_before() {
    let Some(folder) = folder() else { return };
    let shades: Vec<u8> = (0..100).map(|i| i as u8 * 2).collect();
    let whole = film(
        folder.path().join("whole.mkv"),
        "10",
        &shades,
        &["-g", "10"],
    );
    let bytes = fs_err::read(&whole).unwrap();
    let cut = folder.path().join("cut.mkv");
    fs_err::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let found = frames(&cut, Sampling::default(), 0.0);
    assert!((2..9).contains(&found.len()), "{}", found.len());
}

/// The spans of a film's views.
fn spans(content: Content) -> Vec<Span> {
    let parts = content.views.map(|view| view.unwrap().part);
    parts.map(|part| part.span.unwrap()).collect()
}

#[test]
fn a_film_is_gone_on_with_after_any_of_its_moments() {
    let Some(folder) = folder() else { return };
    // Every second looks other than the one before, but for two that look the same.
    let rate = 30_000.0 / 1001.0;
    let shade = |second: u8| 20 + 40 * (second.min(5) - u8::from(second > 2));
    let shades: Vec<u8> = (0..200)
        .map(|i| shade((f64::from(i) / rate) as u8))
        .collect();
    let path = film(folder.path().join("film.mp4"), "30000/1001", &shades, &[]);
    let (films, preprocess) = (Films::default(), Preprocess::openai(16));
    let input = || Input {
        path: Cow::Borrowed(&*path),
        bytes: Vec::new(),
    };
    let payload = films.open(input(), &preprocess).unwrap().about.payload;
    let whole = spans(films.open(input(), &preprocess).unwrap());
    assert_eq!(whole.len(), 5, "{whole:?}");
    for n in 1..=whole.len() {
        let last = diptych_index::Part {
            span: Some(whole[n - 1]),
            region: None,
        };
        let item = Item {
            id: Id([0; 16]),
            taken: None,
            phash: None,
            payload: payload.clone(),
            moments: Vec::new(),
        };
        let begun = Begun {
            item,
            moments: n as u64,
            last: Some(last),
        };
        let rest = films.resume(&input(), &begun, &preprocess).unwrap();
        let rest = spans(rest.unwrap());
        assert_eq!(rest.len(), whole.len() - n, "after {n}: {rest:?}");
        for (got, wanted) in rest.iter().zip(&whole[n..]) {
            let off = (got.start - wanted.start).abs() + (got.end - wanted.end).abs();
            assert!(off < 1e-6, "after {n}: {got:?} for {wanted:?}");
        }
        let other = Films {
            sampling: Sampling::Rate(2.0),
        };
        assert!(
            other
                .resume(&input(), &begun, &preprocess)
                .unwrap()
                .is_none()
        );
    }
}
