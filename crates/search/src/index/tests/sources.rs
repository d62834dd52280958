//! Sources beside pictures: contents of many moments, across batches and beside others.

use std::sync::atomic::{AtomicUsize, Ordering};

use diptych::image::{Decode, Pixels, Preprocess};
use diptych_index::{Begun, Part};

use super::*;
use crate::index::Decoding;
use crate::source::{About, Content, Input, Reading, Source, SourceError, View};

/// A toy of an animation: `ANIM`, then a byte a frame, which is its shade; one of 255 is damaged,
/// and 254 is no one frame.
struct Animations {
    reading: Reading,
    /// Frames that were made.
    made: AtomicUsize,
}

impl Animations {
    fn new(reading: Reading) -> Self {
        Self {
            reading,
            made: AtomicUsize::new(0),
        }
    }
}

impl Source for Animations {
    fn has_name(&self, path: &Path) -> bool {
        path.extension().is_some_and(|e| e == "anim")
    }

    fn has_start(&self, start: &[u8]) -> bool {
        start.starts_with(b"ANIM")
    }

    fn reading(&self) -> Reading {
        self.reading
    }

    fn open<'a>(
        &'a self,
        input: Input<'a>,
        preprocess: &'a Preprocess,
    ) -> Result<Content<'a>, SourceError> {
        let bytes = match self.reading {
            Reading::Whole => input.bytes,
            Reading::Streamed => {
                assert!(input.bytes.is_empty());
                fs_err::read(input.path)?
            }
        };
        let frames = bytes.into_iter().skip(4).enumerate();
        let views = frames.map(|(at, shade)| {
            if shade == 255 {
                let reason = format!("frame {at} is damaged");
                return Err(SourceError::Content { reason });
            }
            self.made.fetch_add(1, Ordering::Relaxed);
            let rgb = [shade, shade.wrapping_mul(7), 255 - shade].repeat(64);
            let picture = Picture::from_rgb(8, 8, rgb).map_err(SourceError::from)?;
            let start = at as f64;
            let mut pixels = preprocess.apply(&picture);
            if shade == 254 {
                pixels.push(&pixels.clone())?;
            }
            Ok(View {
                part: Part::during(start, start + if shade == 253 { -1.0 } else { 1.0 }),
                pixels,
            })
        });
        Ok(Content {
            about: About {
                payload: [("frames".to_owned(), "some".into())].into_iter().collect(),
                ..About::default()
            },
            views: Box::new(views),
        })
    }

    fn resume<'a>(
        &'a self,
        input: &Input<'a>,
        begun: &Begun,
        preprocess: &'a Preprocess,
    ) -> Result<Option<Content<'a>>, SourceError> {
        assert_eq!(self.reading, Reading::Streamed);
        let input = Input {
            path: input.path.clone(),
            bytes: Vec::new(),
        };
        let mut content = self.open(input, preprocess)?;
        content.views = Box::new(content.views.skip(begun.moments as usize));
        Ok(Some(content))
    }
}

impl Album {
    fn run_both(&self, store: &Local, animations: &Animations) -> Report {
        let sources: [&dyn Source; 2] = [&Pictures::default(), animations];
        let roots = [self.pictures()];
        let report = index(
            &self.clip,
            store,
            &sources,
            &roots,
            &Options::default(),
            &mut |_| ControlFlow::Continue(()),
        );
        let report = report.unwrap();
        assert_eq!(store.verify().unwrap().problems, [""; 0]);
        report
    }

    /// A run that is stopped once so many frames were made.
    fn run_until(&self, store: &Local, animations: &Animations, made: usize) {
        let sources: [&dyn Source; 1] = [animations];
        let mut stop = |_| {
            if animations.made.load(Ordering::Relaxed) > made {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let (options, roots) = (Options::default(), [self.pictures()]);
        let report = index(&self.clip, store, &sources, &roots, &options, &mut stop).unwrap();
        assert!(report.interrupted);
    }

    fn animate(&self, name: &str, shades: &[u8]) {
        self.write(name, &[b"ANIM", shades].concat());
    }

    /// The embedding of a picture of this shade.
    fn embedding(&self, shade: u8) -> Vec<f32> {
        let rgb = [shade, shade.wrapping_mul(7), 255 - shade].repeat(64);
        let picture = Picture::from_rgb(8, 8, rgb).unwrap();
        let pixels: Pixels = self.clip.preprocess().apply(&picture);
        let embedding = self.clip.encode_images(&pixels).unwrap();
        embedding.as_slice().to_vec()
    }
}

#[test]
fn contents_of_many_moments_are_indexed_beside_pictures() {
    for reading in [Reading::Whole, Reading::Streamed] {
        let album = Album::new();
        (0..40).for_each(|i| album.draw(&format!("{i:02}.png"), 5 * i));
        // More than two portions.
        let shades: Vec<u8> = (0..600).map(|i| (i % 250) as u8).collect();
        album.animate("long.anim", &shades);
        album.animate("a copy.anim", &shades);
        (0..9).for_each(|i| album.animate(&format!("short {i}.anim"), &[i, 20 + i, 40 + i]));
        album.animate("still.anim", &[7]);
        album.animate("empty.anim", &[]);
        album.animate("damaged.anim", &[1, 2, 3, 4, 5, 6, 255, 8]);
        album.animate("damaged copy.anim", &[1, 2, 3, 4, 5, 6, 255, 8]);
        let late = [vec![1; 300], vec![255, 8]].concat();
        album.animate("late damage.anim", &late);
        album.animate("double.anim", &[1, 254, 3]);
        album.animate("backwards.anim", &[1, 253, 3]);
        // Told by its first bytes, not by its name.
        album.animate("no picture.png", &[30, 31]);
        let store = album.store("index");
        let animations = Animations::new(reading);
        let report = album.run_both(&store, &animations);
        assert_eq!(counts(&report), [52, 1, 0, 0]);
        let mut failed: Vec<(&str, &str)> = report
            .failed
            .iter()
            .map(|f| (f.path.rsplit('/').next().unwrap(), &*f.reason))
            .collect();
        failed.sort_unstable();
        assert_eq!(
            failed,
            [
                (
                    "backwards.anim",
                    "a view of Part { span: Some(Span { start: 1.0, end: 0.0 }), region: None }, which is no part of \
                     anything",
                ),
                ("damaged copy.anim", "frame 6 is damaged"),
                ("damaged.anim", "frame 6 is damaged"),
                (
                    "double.anim",
                    "a view has 2 pictures of 64×64, wanted one of 64×64"
                ),
                ("empty.anim", "there is nothing in it to encode"),
                ("late damage.anim", "frame 300 is damaged"),
            ]
        );
        assert_eq!(store.status().unwrap().vectors, 40 + 600 + 27 + 1 + 2);
        let mut long = None;
        let each = store.each(&mut |item, files| {
            if files.iter().any(|file| file.path.ends_with("long.anim")) {
                assert_eq!(files.len(), 2);
                long = Some(item);
            }
            ControlFlow::Continue(())
        });
        each.unwrap();
        let long = long.unwrap();
        assert_eq!(long.payload["frames"], "some");
        assert_eq!(long.taken.unwrap().from, TakenFrom::File);
        for (at, moment) in long.moments.iter().enumerate() {
            let span = moment.part.span.unwrap();
            assert_eq!((span.start, span.end), (at as f64, at as f64 + 1.0));
            let wanted = album.embedding(shades[at]);
            let off = moment
                .vector
                .iter()
                .zip(&wanted)
                .map(|(a, b)| (a - b).abs());
            assert!(off.fold(0.0, f32::max) < 1e-5, "moment {at}");
        }
        let again = album.run_both(&store, &animations);
        assert_eq!((counts(&again), again.refused), ([0, 0, 0, 53], 6));
        // Of many parts each, the two are equal.
        let sought = crate::query::Sought::default();
        let equal =
            crate::query::duplicates(&store, &sought, &mut |_, _| ControlFlow::Continue(()));
        let equal = equal.unwrap().exact;
        assert_eq!((equal.len(), equal[0].members.len()), (1, 2));
        assert!(equal[0].members[0].path.ends_with(".anim"));
        // By one source alone it is another folder.
        let pictures = album.store("of pictures alone");
        assert_eq!(counts(&album.run(&pictures)), [40, 0, 0, 0]);
    }
}

#[test]
fn a_content_of_many_moments_is_stopped_within_and_no_more_are_made_than_two_batches_ahead() {
    let album = Album::new();
    let shades = [9].repeat(10_000);
    album.animate("endless.anim", &shades);
    let store = album.store("index");
    let animations = Animations::new(Reading::Streamed);
    let sources: [&dyn Source; 1] = [&animations];
    let mut calls = 0;
    let mut stop = |_| {
        calls += 1;
        if calls == 5 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = Options::default();
    let roots = [album.pictures()];
    let report = index(&album.clip, &store, &sources, &roots, &options, &mut stop).unwrap();
    assert!(report.interrupted);
    assert!(animations.made.load(Ordering::Relaxed) <= 7 * 16);
    assert_eq!(store.status().unwrap().contents, 0);
}

#[test]
fn what_was_begun_waits_where_a_run_stops_and_a_source_that_cannot_resume_begins_anew() {
    let album = Album::new();
    let shades: Vec<u8> = (0..900).map(|i| (i % 250) as u8).collect();
    album.animate("long.anim", &shades);
    let store = album.store("index");
    let animations = Animations::new(Reading::Whole);
    album.run_until(&store, &animations, 500);
    let status = store.status().unwrap();
    assert_eq!((status.contents, status.vectors), (0, 0));
    assert_eq!(store.verify().unwrap().problems, [""; 0]);
    let report = album.run_both(&store, &animations);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    assert_eq!(store.status().unwrap().vectors, 900);
}

#[test]
fn a_run_goes_on_within_a_content_where_another_stopped() {
    let album = Album::new();
    let shades: Vec<u8> = (0..900).map(|i| (i % 250) as u8).collect();
    album.animate("long.anim", &shades);
    album.animate("a copy.anim", &shades);
    let store = album.store("index");
    let animations = Animations::new(Reading::Streamed);
    album.run_until(&store, &animations, 500);
    let content = [b"ANIM", &shades[..]].concat();
    let id = crate::index::read::id(&content);
    let begun = store.begun(id).unwrap().unwrap();
    assert!((400..600).contains(&begun.moments), "{}", begun.moments);
    let report = album.run_both(&store, &animations);
    assert_eq!(counts(&report), [1, 1, 0, 0]);
    assert_eq!(store.begun(id).unwrap(), None);
    let moments = store.item(id).unwrap().unwrap().moments;
    let starts: Vec<usize> = moments
        .iter()
        .map(|moment| moment.part.span.unwrap().start as usize)
        .collect();
    assert_eq!(starts, (0..900).collect::<Vec<_>>());
}

#[test]
fn an_index_of_another_model_is_refused() {
    let album = Album::new();
    album.draw("a.png", 1);
    let other = Model {
        fingerprint: "other".into(),
        ..album.model()
    };
    let store = Local::create(album.folder.path().join("other"), &other).unwrap();
    let options = Options::default();
    let go_on = &mut |_| ControlFlow::Continue(());
    let roots = [album.pictures()];
    let refused = index(
        &album.clip,
        &store,
        &[&Pictures::default()],
        &roots,
        &options,
        go_on,
    );
    assert!(matches!(
        refused,
        Err(Error::Index(diptych_index::Error::Model { .. }))
    ));
}

#[test]
fn how_pictures_were_decoded_is_kept_and_a_mixture_is_known() {
    let album = Album::new();
    album.draw("a.png", 1);
    let of = |decode, is_mixed| Decoding { decode, is_mixed };
    let store = album.store("index");
    assert_eq!(Decoding::of(&store).unwrap(), of(Decode::Fast, false));
    // As long as it has nothing, what is asked for last is its own.
    Decoding::add(&store, None).unwrap();
    Decoding::add(&store, Some(Decode::Exact)).unwrap();
    album.run(&store);
    assert_eq!(Decoding::of(&store).unwrap(), of(Decode::Exact, false));
    assert_eq!(
        Decoding::add(&store, None).unwrap(),
        of(Decode::Exact, false)
    );
    // One of other pictures is added.
    let other = album.store("other");
    album.run(&other);
    merge(&store, &other, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(Decoding::of(&other).unwrap(), of(Decode::Fast, true));
    let mixed = Decoding::add(&store, Some(Decode::Fast)).unwrap();
    assert_eq!(mixed, of(Decode::Exact, true));
    let new = album.store("new");
    merge(&store, &new, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(Decoding::of(&new).unwrap(), of(Decode::Exact, true));
}

#[test]
fn a_file_that_is_too_long_to_be_read_whole_is_refused() {
    let album = Album::new();
    album.animate("long.anim", &[]);
    let path = album.path("long.anim");
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    // No byte of it is on the disk, nor is it read.
    file.set_len(diptych_files::MAX_FILE_BYTES + 1).unwrap();
    let store = album.store("index");
    let report = album.run_both(&store, &Animations::new(Reading::Whole));
    let reason = "the file has more than 2147483648 bytes, which no picture needs";
    assert_eq!(report.failed[0].reason, reason);
    assert_eq!(store.refused().unwrap().len(), 1);
}
