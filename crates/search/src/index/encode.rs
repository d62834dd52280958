//! Files → moments of their contents, encoded in batches that go across files.
//!
//! While one batch goes through the tower the next is read and decoded, on the same threads. Two batches of views are in
//! memory at a time, however many a content has; of a content that is not at its end, its vectors.
//! Invariant: files end in the order of their last batches, within a batch in their own.
//!
//! `D` embedding.

use std::slice;

use diptych::image::Pixels;
use diptych::{Clip, Embeddings};
use diptych_index::{File, Id, Moment};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::read::{Reader, Skipped, skipped};
use super::walk::state;
use crate::Result;
use crate::source::{About, Content, Reading, View};

/// Views in a batch. Twice as many pictures were no faster (ViT-B/32) and took 50 MB more.
const VIEWS: usize = 16;

/// Of these, views of one content while files wait to be opened: so some are read at a time, and few are open.
const SHARE: usize = 4;

/// A file that has been dealt with.
pub(super) struct Encoded<'a> {
    pub(super) file: &'a File,
    /// Id of its content, all that is told of it, and its moments, at least one; or why there is none.
    pub(super) content: Result<(Id, About, Vec<Moment>), Skipped>,
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
    /// Moments of contents that are not at their ends, by their files' paths. Once an index takes a content's moments in
    /// portions, they go there instead.
    moments: FxHashMap<&'a str, Vec<Moment>>,
}

/// A content that has more views.
struct Open<'a> {
    file: &'a File,
    id: Id,
    reading: Reading,
    content: Content<'a>,
}

/// Views of a file that come next.
struct Loaded<'a> {
    file: &'a File,
    views: Vec<View>,
    /// How it ends after them; not at all, if it has more.
    end: Option<Result<(Id, About), Skipped>>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(clip: &'a Clip, reader: &'a Reader<'a>, files: &'a [File]) -> Self {
        let mut encoder = Self {
            clip,
            reader,
            files: files.iter(),
            open: Vec::new(),
            loaded: Vec::new(),
            moments: FxHashMap::default(),
        };
        encoder.loaded = encoder.load();
        encoder
    }

    /// The files that end with the next batch, perhaps none; nothing after the last.
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
        let mut ended = Vec::with_capacity(now.len());
        for Loaded { file, views, end } in now {
            let moments = views.iter().zip(&mut rows).map(|(view, row)| Moment {
                span: view.span,
                vector: row.to_vec(),
            });
            let mut moments: Vec<Moment> = moments.collect();
            if let Some(mut before) = self.moments.remove(&*file.path) {
                before.append(&mut moments);
                moments = before;
            }
            let Some(end) = end else {
                self.moments.insert(&file.path, moments);
                continue;
            };
            let content = end.and_then(|(id, about)| whole(id, about, moments));
            ended.push(Encoded { file, content });
        }
        Ok(Some(ended))
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
            Ok((id, reading, content)) => Open {
                file,
                id,
                reading,
                content,
            }
            .take(1, side),
            Err(skipped) => {
                let (views, end) = (Vec::new(), Some(Err(skipped)));
                (Loaded { file, views, end }, None)
            }
        });
        let (loaded, open): (Vec<Loaded>, Vec<Option<Open>>) = going_on.chain(begun).unzip();
        self.open = open.into_iter().flatten().collect();
        loaded
    }
}

impl<'a> Open<'a> {
    /// Takes the next views, at most so many, whose pixels have this side; and itself, if it has more.
    fn take(mut self, most: usize, side: usize) -> (Loaded<'a>, Option<Self>) {
        let (file, mut views) = (self.file, Vec::new());
        let end = loop {
            if self.content.views.size_hint().1 == Some(0) {
                break self.end();
            }
            if views.len() == most {
                let end = None;
                return (Loaded { file, views, end }, Some(self));
            }
            match self.content.views.next() {
                Some(Ok(view)) if (view.pixels.len(), view.pixels.side()) == (1, side) => {
                    views.push(view);
                }
                Some(Ok(View { pixels, .. })) => {
                    let (n, got) = (pixels.len(), pixels.side());
                    let reason =
                        format!("a view has {n} pictures of side {got}, wanted one of {side}");
                    break Err(Skipped::Bad(Some(self.id), reason));
                }
                Some(Err(error)) => break Err(skipped(self.id, &error)),
                None => break self.end(),
            }
        };
        let end = Some(end);
        (Loaded { file, views, end }, None)
    }

    /// All that is known of it at its end.
    fn end(self) -> Result<(Id, About), Skipped> {
        if self.reading == Reading::Streamed {
            // Its source read it after it was hashed.
            let path = &self.file.path;
            let now = state(path)?;
            if now != *self.file {
                let reason = format!("{path}: it changed while it was read");
                return Err(Skipped::Unreadable(reason));
            }
        }
        Ok((self.id, self.content.about))
    }
}

/// A content at its end.
fn whole(id: Id, about: About, moments: Vec<Moment>) -> Result<(Id, About, Vec<Moment>), Skipped> {
    let refuse = |reason: &str| Err(Skipped::Bad(Some(id), reason.to_owned()));
    if moments.is_empty() {
        return refuse("there is nothing in it to encode");
    }
    let mut values = moments.iter().flat_map(|moment| &moment.vector);
    if values.any(|value| !value.is_finite()) {
        return refuse("the model finds no embedding of it, but NaN");
    }
    Ok((id, about, moments))
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
