//! Files → moments of their contents, encoded in batches that go across files.
//!
//! While one batch goes through the tower the next is read and decoded, on the same threads. Two
//! batches of views are in memory at a time, however many a content has; of a content that is not
//! at its end, at most a portion of its vectors. Invariant: files end in the order of their last
//! batches, within a batch in their own.
//!
//! `D` embedding.

use std::slice;

use diptych::image::{Pixels, Size};
use diptych::{Clip, Embeddings};
use diptych_index::{File, Id, Moment};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::read::{Opened, Reader, Skipped, skipped};
use super::walk::state;
use crate::Result;
use crate::source::{About, Reading, View};

/// Views in a batch. Twice as many pictures were no faster (ViT-B/32) and took 50 MB more.
const VIEWS: usize = 16;

/// Most views of one content in a batch while files wait to be opened: so several contents are read
/// at a time, but only a few are open.
const SHARE: usize = 4;

/// Moments of a content that are handed out before its end; or fewer, if they stand for so many
/// seconds: a run that is killed encodes no more of a film again than that and what is in its
/// batches.
const PORTION: usize = 256;
const SECONDS: f64 = 45.0;

/// A file with the result for its content.
pub(super) struct Encoded<'a> {
    pub(super) file: &'a File,
    pub(super) what: What,
}

/// Result for a file's content, or for a portion of it. A content that is handed out in portions
/// begins with a [`What::First`], and ends with a [`What::Last`] or a [`What::Skipped`].
pub(super) enum What {
    /// All of it: its moments are at least one.
    Whole(Id, About, Vec<Moment>),
    /// Its first portion; there is more.
    First(Id, About, Vec<Moment>),
    /// A further portion; there is more.
    More(Id, Vec<Moment>),
    /// The last portion, perhaps empty.
    Last(Id, Vec<Moment>),
    /// Nothing of it is to be kept; the id is that of one whose first portion was handed out.
    Skipped(Option<Id>, Skipped),
}

impl What {
    /// Whether it is the last that comes of its file.
    pub(super) fn is_end(&self) -> bool {
        !matches!(self, Self::First(..) | Self::More(..))
    }
}

/// Files on their way through the tower.
pub(super) struct Encoder<'a> {
    clip: &'a Clip,
    reader: &'a Reader<'a>,
    files: slice::Iter<'a, File>,
    /// Contents that have more views.
    open: Vec<Open<'a>>,
    /// Read and decoded, and next to be encoded.
    loaded: Vec<Loaded<'a>>,
    /// Contents that are not at their ends, by their files' paths.
    begun: FxHashMap<&'a str, Begun>,
}

/// A content that is not at its end.
struct Begun {
    /// Moments that were not handed out.
    moments: Vec<Moment>,
    /// The content's id, if others were.
    out: Option<Id>,
}

/// A content that has more views.
struct Open<'a> {
    file: &'a File,
    opened: Opened<'a>,
}

/// Views of a file that come next.
struct Loaded<'a> {
    file: &'a File,
    views: Vec<View>,
    then: Then,
    /// The content's id, if another run has stored what comes before these.
    resumed: Option<Id>,
}

/// Continuation of a content after some of its views.
enum Then {
    /// More views.
    More(Id, About),
    /// Its end.
    End(Id, About),
    /// Nothing, for a reason.
    Skipped(Skipped),
}

impl<'a> Encoder<'a> {
    pub(super) fn new(clip: &'a Clip, reader: &'a Reader<'a>, files: &'a [File]) -> Self {
        let mut encoder = Self {
            clip,
            reader,
            files: files.iter(),
            open: Vec::new(),
            loaded: Vec::new(),
            begun: FxHashMap::default(),
        };
        encoder.loaded = encoder.load();
        encoder
    }

    /// Encodes the next batch. Returns the results that are ready by then, perhaps an empty list;
    /// none after the last batch.
    ///
    /// # Errors
    /// [`crate::Error::Model`] if the model fails.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Encoded<'a>>>> {
        let now = std::mem::take(&mut self.loaded);
        if now.is_empty() {
            return Ok(None);
        }
        let clip = self.clip;
        let (rows, next) = rayon::join(|| encode(clip, &now), || self.load());
        self.loaded = next;
        let rows = rows?;
        let mut rows = rows.rows();
        let mut come = Vec::with_capacity(now.len());
        for loaded in now {
            let Loaded {
                file,
                views,
                then,
                resumed,
            } = loaded;
            let begun = self.begun.remove(&*file.path);
            let mut begun = begun.unwrap_or_else(|| Begun::after(resumed));
            let moments = views.iter().zip(&mut rows).map(|(view, row)| Moment {
                part: view.part,
                vector: row.to_vec(),
            });
            begun.moments.extend(moments);
            let (what, rest) = begun.then(then);
            if let Some(rest) = rest {
                self.begun.insert(&file.path, rest);
            }
            come.extend(what.map(|what| Encoded { file, what }));
        }
        Ok(Some(come))
    }

    /// The next batch.
    fn load(&mut self) -> Vec<Loaded<'a>> {
        let open = std::mem::take(&mut self.open);
        let even = VIEWS / open.len().max(1);
        let share = if self.files.len() > 0 {
            SHARE.min(even)
        } else {
            even
        };
        let share = share.max(1);
        let room = VIEWS.saturating_sub(open.len() * share);
        let new: Vec<&File> = self.files.by_ref().take(room).collect();
        let (reader, side) = (self.reader, self.reader.preprocess.size);
        let going_on = open.into_par_iter().map(|open| open.take(share, side));
        let begun = new.into_par_iter().map(|file| match reader.open(file) {
            Ok(opened) => {
                let resumed = opened.is_resumed.then_some(opened.id);
                let (loaded, open) = Open { file, opened }.take(1, side);
                (Loaded { resumed, ..loaded }, open)
            }
            Err(skipped) => (Loaded::of(file, Vec::new(), Then::Skipped(skipped)), None),
        });
        let (loaded, open): (Vec<Loaded>, Vec<Option<Open>>) = going_on.chain(begun).unzip();
        self.open = open.into_iter().flatten().collect();
        loaded
    }
}

impl<'a> Loaded<'a> {
    fn of(file: &'a File, views: Vec<View>, then: Then) -> Self {
        Self {
            file,
            views,
            then,
            resumed: None,
        }
    }
}

impl<'a> Open<'a> {
    /// Takes the next views, at most so many, whose pixels have this side; and itself, if it has
    /// more.
    fn take(mut self, most: usize, side: usize) -> (Loaded<'a>, Option<Self>) {
        let (file, id, mut views) = (self.file, self.opened.id, Vec::new());
        let then = loop {
            if self.opened.content.views.size_hint().1 == Some(0) {
                break self.end();
            }
            if views.len() == most {
                let then = Then::More(id, self.opened.content.about.clone());
                return (Loaded::of(file, views, then), Some(self));
            }
            match self.opened.content.views.next() {
                // An index takes none such, and nothing that comes with one.
                Some(Ok(view)) if !view.part.is_possible() => {
                    let reason = format!("a view of {:?}, which is no part of anything", view.part);
                    break Then::Skipped(Skipped::Bad(Some(id), reason.into()));
                }
                Some(Ok(view))
                    if (view.pixels.len(), view.pixels.size()) == (1, Size::square(side)) =>
                {
                    views.push(view);
                }
                Some(Ok(View { pixels, .. })) => {
                    let (n, got) = (pixels.len(), pixels.size());
                    let reason =
                        format!("a view has {n} pictures of {got}, wanted one of {side}×{side}");
                    break Then::Skipped(Skipped::Bad(Some(id), reason.into()));
                }
                Some(Err(error)) => break Then::Skipped(skipped(id, &error)),
                None => break self.end(),
            }
        };
        (Loaded::of(file, views, then), None)
    }

    fn end(self) -> Then {
        if self.opened.reading == Reading::Streamed {
            // Its source read it after it was hashed.
            let path = &self.file.path;
            let reason = match state(path) {
                Ok(now) if now == *self.file => None,
                Ok(_) => Some(format!("{path}: it changed while it was read")),
                Err(error) => Some(error.to_string()),
            };
            if let Some(reason) = reason {
                return Then::Skipped(Skipped::Unreadable(reason));
            }
        }
        Then::End(self.opened.id, self.opened.content.about)
    }
}

impl Begun {
    /// One whose first moments another run has handed out, if there is an id.
    fn after(resumed: Option<Id>) -> Self {
        Self {
            moments: Vec::new(),
            out: resumed,
        }
    }

    /// Whether enough has come for a portion.
    fn is_portion(&self) -> bool {
        let span = |moment: &Moment| moment.part.span;
        let first = self.moments.first().and_then(span);
        let last = self.moments.last().and_then(span);
        let seconds = first.zip(last).map(|(first, last)| last.end - first.start);
        self.moments.len() >= PORTION || seconds.is_some_and(|seconds| seconds >= SECONDS)
    }

    /// Returns the result to hand out now, if there is one, and the rest to keep for later, if
    /// there is any.
    fn then(mut self, then: Then) -> (Option<What>, Option<Self>) {
        let refuse =
            |id, reason: &str| Then::Skipped(Skipped::Bad(Some(id), reason.to_owned().into()));
        let then = match then {
            Then::More(id, _) | Then::End(id, _) if self.has_nan() => {
                refuse(id, "the model finds no embedding of it, but NaN")
            }
            Then::End(id, _) if self.moments.is_empty() && self.out.is_none() => {
                refuse(id, "there is nothing in it to encode")
            }
            then => then,
        };
        match then {
            Then::More(..) if !self.is_portion() => (None, Some(self)),
            Then::More(id, about) => {
                let moments = std::mem::take(&mut self.moments);
                let what = match self.out.replace(id) {
                    Some(_) => What::More(id, moments),
                    None => What::First(id, about, moments),
                };
                (Some(what), Some(self))
            }
            Then::End(id, _) if self.out.is_some() => (Some(What::Last(id, self.moments)), None),
            Then::End(id, about) => (Some(What::Whole(id, about, self.moments)), None),
            Then::Skipped(skipped) => (Some(What::Skipped(self.out, skipped)), None),
        }
    }

    fn has_nan(&self) -> bool {
        let mut values = self.moments.iter().flat_map(|moment| &moment.vector);
        values.any(|value| !value.is_finite())
    }
}

/// The embeddings of all views, `[N, D]`, in order.
fn encode(clip: &Clip, loaded: &[Loaded]) -> Result<Embeddings> {
    let views = loaded.iter().flat_map(|loaded| &loaded.views);
    let pixels = Pixels::concat(clip.preprocess().size, views.map(|view| &view.pixels))?;
    if pixels.is_empty() {
        return Ok(Embeddings::empty(clip.config().embed_dim)); // no tower is read for nothing
    }
    Ok(clip.encode_images(&pixels)?)
}
