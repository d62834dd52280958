//! Files with the same content, and pictures that are nearly the same.
//!
//! Flow: contents of an index → `pairs` whose embeddings and perceptual hashes are near → groups around the best picture of
//! each → `present`: files that are there, each once, whatever names it has.
//! Invariant: who deletes all files of a group but its keeper loses no picture: a file is in a group because it is not the
//! keeper itself under another name, and is as it was when it was indexed.

mod pairs;
mod present;
mod threshold;

use std::ops::ControlFlow;

use index::{File, Payload, Store, is_within};
use rustc_hash::FxHashSet;
use serde::Serialize;

use self::pairs::{Content, Pairs};
use self::present::Present;
pub use self::threshold::{FALLBACK, NearThreshold};
use crate::image::{Looks, PerceptualHash};
use crate::tasks::index::{HEIGHT, WIDTH};
use crate::{Embeddings, Result};

/// Which duplicates are looked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sought {
    /// Least cosine of near duplicates, as [`NearThreshold`] measures it; none, if only equal files are looked for.
    pub threshold: Option<f32>,
    /// Only among files in these folders or below; among all, if there is none.
    pub within: Vec<String>,
}

/// Groups of files.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Duplicates {
    /// Files that are equal to the byte, largest groups first.
    pub exact: Vec<Group>,
    /// Files whose pictures are nearly the same, largest groups first; equal ones among them are listed here, too.
    pub near: Vec<Group>,
    /// Files left out because they are gone or have changed since they were indexed.
    pub stale: usize,
    /// Contents that were not compared, since nothing of how they look is known and their files can't be read.
    pub unseen: usize,
    /// Whether it was stopped before its end, so that near ones are missing.
    pub interrupted: bool,
}

/// Files that are duplicates of one of them, the keeper.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Lowest cosine of any two of its pictures; 1 where they are equal.
    pub cosine: f32,
    /// The keeper first: that with most pixels, of such that with most bytes, of such the oldest; then the others by the same
    /// rule. Every other is near to the keeper itself.
    pub copies: Vec<Copy>,
}

/// A file of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Copy {
    /// Its path, one of them if it has several.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Columns and rows of the picture, if they are known.
    pub pixels: Option<(u64, u64)>,
    /// When it was changed, in nanoseconds since 1970 began.
    #[serde(skip)]
    modified: i64,
}

impl Copy {
    fn new(file: &File, pixels: Option<(u64, u64)>) -> Self {
        Self {
            path: file.path.clone(),
            size: file.size,
            pixels,
            modified: file.modified,
        }
    }

    /// What copies are ordered by, the one to be kept first.
    fn rank(&self) -> (std::cmp::Reverse<(u64, u64)>, i64, &str) {
        let area = self.pixels.map_or(0, |(width, height)| width * height);
        (
            std::cmp::Reverse((area, self.size)),
            self.modified,
            &self.path,
        )
    }
}

/// Finds groups among the contents of an index. Every picture is compared with every other, in memory; `watch` is told how
/// many have been, and of how many.
///
/// Near duplicates are pictures whose embeddings have a cosine of at least the threshold, and whose perceptual hashes are of
/// one picture.
///
/// # Errors
/// If the index can't be read.
pub fn duplicates(
    store: &dyn Store,
    sought: &Sought,
    watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Duplicates> {
    let mut rows = Embeddings::empty(store.model().dim);
    let mut contents: Vec<Content> = Vec::new();
    store.each(&mut |item, mut files| {
        files.retain(|file| is_sought(&file.path, &sought.within));
        // Films are compared by their parts, not as a whole.
        if let ([moment], false) = (&item.moments[..], files.is_empty()) {
            rows.push(&moment.vector);
            let hash = item.phash.as_deref().and_then(PerceptualHash::from_bytes);
            let looks = hash.map(|hash| Looks::from(&hash));
            contents.push(Content::new(files, pixels(&item.payload), looks));
        }
        ControlFlow::Continue(())
    })?;
    let mut present = Present::default();
    let mut found = Duplicates::default();
    for content in contents.iter().filter(|content| content.files.len() > 1) {
        found.exact.extend(group(&[content], 1.0, &mut present));
    }
    if let Some(threshold) = sought.threshold {
        let pairs = Pairs::find(&rows, &contents, threshold, watch);
        found.unseen = contents
            .iter()
            .filter(|content| content.is_unseen())
            .count();
        found.interrupted = pairs.interrupted;
        for members in pairs.around_keepers(&contents) {
            let cosine = lowest(&rows, &members);
            let members: Vec<&Content> = members.iter().map(|&row| &contents[row]).collect();
            found.near.extend(group(&members, cosine, &mut present));
        }
    }
    found.stale = present.stale();
    for groups in [&mut found.exact, &mut found.near] {
        groups.sort_by(|a, b| {
            let sizes = b.copies.len().cmp(&a.copies.len());
            sizes.then_with(|| a.copies[0].path.cmp(&b.copies[0].path))
        });
    }
    Ok(found)
}

fn is_sought(path: &str, within: &[String]) -> bool {
    within.is_empty() || within.iter().any(|folder| is_within(path, folder))
}

/// Columns and rows that a payload tells of.
fn pixels(payload: &Payload) -> Option<(u64, u64)> {
    let number = |key| payload.get(key)?.as_u64();
    number(WIDTH).zip(number(HEIGHT))
}

/// The files of contents that are there, each once; none, if that leaves one alone.
fn group(contents: &[&Content], cosine: f32, present: &mut Present) -> Option<Group> {
    let files = contents.iter().flat_map(|content| &content.files);
    let files: Vec<&File> = files.collect();
    let there: FxHashSet<&str> = present.of(&files).collect();
    let mut copies = Vec::new();
    for content in contents {
        let files = content
            .files
            .iter()
            .filter(|file| there.contains(&*file.path));
        copies.extend(files.map(|file| Copy::new(file, content.pixels)));
    }
    copies.sort_by(|a, b| a.rank().cmp(&b.rank()));
    (copies.len() > 1).then_some(Group { cosine, copies })
}

/// The lowest cosine of any two rows.
fn lowest(rows: &Embeddings, members: &[usize]) -> f32 {
    let row = |i: usize| &rows.as_slice()[i * rows.dim()..][..rows.dim()];
    let mut lowest = 1.0f32;
    for (at, &a) in members.iter().enumerate() {
        for &b in &members[at + 1..] {
            let product: f32 = row(a).iter().zip(row(b)).map(|(a, b)| a * b).sum();
            lowest = lowest.min(product);
        }
    }
    lowest
}
