//! Files with the same content, and pictures that are nearly the same.
//!
//! Flow: contents of an index → `present`: their files that are there, each once, whatever names it
//! has → the better ones first → `groups` around the best picture of each, of contents whose
//! embeddings and perceptual hashes are near. Invariant: who deletes all files of a group but its
//! keeper loses no picture: a file is in a group because it is not the keeper itself under another
//! name, and is as it was when it was indexed.

mod groups;
mod present;
mod threshold;

use std::cmp::Reverse;
use std::ops::ControlFlow;

use diptych_index::{File, Payload, Store, is_within};
use serde::Serialize;

use self::groups::Compared;
pub use self::threshold::{FALLBACK, NearThreshold};
use crate::Result;
use crate::source::{HEIGHT, WIDTH};
use diptych::Embeddings;
use diptych::image::{DecodeOptions, Looks, PerceptualHash};

/// Which duplicates are looked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sought {
    /// Least cosine of near duplicates, as [`NearThreshold`] measures it; none, if only equal
    /// files are looked for.
    pub threshold: Option<f32>,
    /// Only among files in these folders or below; among all, if there is none.
    pub within: Vec<String>,
    /// Options for decoding pictures of which the index does not know how they look.
    pub decode: DecodeOptions,
}

/// Groups of files.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Duplicates {
    /// Files that are equal to the byte, largest groups first.
    pub exact: Vec<Group>,
    /// Files whose pictures are nearly the same, largest groups first; equal ones among them are
    /// listed here, too.
    pub near: Vec<Group>,
    /// Files left out because they are gone or have changed since they were indexed.
    pub stale: usize,
    /// Contents that were not compared, since nothing of how they look is known and their files
    /// can't be read.
    pub unseen: usize,
    /// Whether it was stopped before its end, so that near ones are missing.
    pub interrupted: bool,
}

/// Files that are duplicates of one of them, the keeper.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Lowest cosine of any two of its pictures; 1 where they are equal.
    pub cosine: f32,
    /// The keeper first: that with most pixels, of such that with most bytes, of such the oldest;
    /// then the others by the same rule. Every other is near to the keeper itself.
    pub members: Vec<Member>,
}

/// A file of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Its path as the index spells it, one of them if it has several.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Columns and rows of the picture, if they are known.
    pub pixels: Option<(u64, u64)>,
    /// Whether it is not there, and nothing else of the index is: one of another machine, or of a
    /// disc that is away.
    pub gone: bool,
    /// When it was changed, in nanoseconds since 1970 began.
    #[serde(skip)]
    modified: i64,
}

impl Member {
    fn new(file: &File, pixels: Option<(u64, u64)>) -> Self {
        Self {
            path: file.path.clone(),
            size: file.size,
            pixels,
            gone: false,
            modified: file.modified,
        }
    }

    /// Order of files, the one to be kept first.
    fn rank(&self) -> (Reverse<(u64, u64)>, i64, &str) {
        let area = self
            .pixels
            .map_or(0, |(width, height)| width.saturating_mul(height));
        (Reverse((area, self.size)), self.modified, &self.path)
    }
}

/// Finds groups among the contents of an index. Every picture is compared with every other, in
/// memory; `watch` is told how many have been, and of how many.
///
/// Near duplicates are pictures whose embeddings have a cosine of at least the threshold, and whose
/// perceptual hashes are of one picture.
///
/// # Errors
/// [`crate::Error::Index`] if the index can't be read or has a vector of another width than its
/// own.
pub fn duplicates(
    store: &dyn Store,
    sought: &Sought,
    watch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Duplicates> {
    let dim = store.model().dim;
    let (mut contents, mut of_parts) = (Vec::new(), Vec::new());
    store.each(&mut |mut item, mut files| {
        files.retain(|file| is_sought(&file.path, &sought.within));
        let size = pixels(&item.payload);
        // A content of many parts is compared with no other as a whole, but its files are equal.
        if item.moments.len() > 1 && files.len() > 1 {
            of_parts.push(Compared::new(files, size, Vec::new(), None));
        } else if item.moments.len() == 1 && !files.is_empty() {
            let hash = item.phash.as_deref().and_then(PerceptualHash::from_bytes);
            let looks = hash.map(|hash| Looks::from(&hash));
            let vector = std::mem::take(&mut item.moments[0].vector);
            contents.push(Compared::new(files, size, vector, looks));
        }
        ControlFlow::Continue(())
    })?;
    let mut found = Duplicates {
        stale: present::keep_present(store, [&mut contents, &mut of_parts])?,
        ..Duplicates::default()
    };
    // The best first, so that whatever is in no group yet when its turn comes is a keeper.
    contents.sort_by(|a, b| a.best().rank().cmp(&b.best().rank()));
    let equal = contents
        .iter()
        .chain(&of_parts)
        .filter(|content| content.members.len() > 1);
    found.exact = equal.map(|content| group(&[content], 1.0)).collect();
    if let Some(threshold) = sought.threshold {
        let mut rows = Embeddings::empty(dim);
        for content in &mut contents {
            rows.push(&std::mem::take(&mut content.vector))?;
        }
        let (groups, interrupted) =
            groups::find(&rows, &contents, (threshold, &sought.decode), watch);
        found.interrupted = interrupted;
        found.unseen = contents
            .iter()
            .filter(|content| content.is_unseen())
            .count();
        let groups = groups.iter().map(|members| {
            let contents: Vec<&Compared> = members.iter().map(|&row| &contents[row]).collect();
            group(&contents, groups::lowest_cosine(&rows, members))
        });
        found.near = groups.collect();
    }
    for groups in [&mut found.exact, &mut found.near] {
        groups.sort_by(|a, b| {
            let sizes = b.members.len().cmp(&a.members.len());
            sizes.then_with(|| a.members[0].path.cmp(&b.members[0].path))
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

fn group(contents: &[&Compared], cosine: f32) -> Group {
    let members = contents.iter().flat_map(|content| content.members.clone());
    let mut members: Vec<Member> = members.collect();
    members.sort_by(|a, b| a.rank().cmp(&b.rank()));
    Group { cosine, members }
}
