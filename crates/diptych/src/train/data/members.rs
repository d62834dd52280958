//! Members of an archive: what their names say, where links lead, and the samples they make.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::passed_over::{Reason, Tally};
use super::sample::{Place, Sample, lines};
use crate::image::is_picture_extension;

/// What a member is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Image,
    Text,
    Other,
}

impl Role {
    fn of(extension: &str) -> Self {
        if is_picture_extension(extension) {
            Self::Image
        } else if extension.eq_ignore_ascii_case("txt") {
            Self::Text
        } else {
            Self::Other
        }
    }
}

/// A member's name, as WebDataset takes it apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The last part of its path.
    pub(super) file: String,
    /// The path up to the first dot of `file`.
    pub(super) key: String,
    /// What follows that dot, in lower case; `b.jpg` of `a.b.jpg`.
    pub(super) extension: String,
    pub(super) role: Role,
}

impl Name {
    /// None for hidden files.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let file = path.file_name()?.to_string_lossy().into_owned();
        if file.starts_with('.') {
            return None;
        }
        let (stem, extension) = file.split_once('.').unwrap_or((&file, ""));
        Some(Self {
            key: path.with_file_name(stem).display().to_string(),
            extension: extension.to_ascii_lowercase(),
            role: Role::of(extension),
            file,
        })
    }
}

/// Places of the members so far, for links to them.
#[derive(Default)]
pub(super) struct Members(FxHashMap<PathBuf, Place>);

impl Members {
    pub(super) fn add(&mut self, path: &Path, place: &Place) {
        if let Some(path) = resolved(path) {
            self.0.insert(path, place.clone());
        }
    }

    /// The place that a link leads to, if it leads to a member before it. The link is then a member, too.
    pub(super) fn follow(&mut self, link: &Path, target: &Path, is_symlink: bool) -> Option<Place> {
        // A hard link names its target from the archive's root, a symbolic one from its own folder.
        let target = match link.parent() {
            Some(folder) if is_symlink && target.is_relative() => resolved(&folder.join(target)),
            _ if is_symlink => None,
            _ => resolved(target),
        };
        let place = self.0.get(&target?)?.clone();
        self.add(link, &place);
        Some(place)
    }
}

/// A path without `.` and `..`; none if it leads out of the archive.
fn resolved(path: &Path) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => resolved.push(part),
            Component::ParentDir if !resolved.pop() => return None,
            _ => {}
        }
    }
    Some(resolved)
}

/// Members of a key that are no picture and no text of it.
#[derive(Default)]
pub(super) struct Others {
    /// The first.
    first: Option<String>,
    /// The first that would be picture or text but for another dot in its name.
    first_dotted: Option<String>,
    dotted_images: usize,
    dotted_texts: usize,
}

impl Others {
    pub(super) fn add(&mut self, file: String) {
        match file.rsplit_once('.').map(|(_, last)| Role::of(last)) {
            Some(Role::Image) => self.dotted_images += 1,
            Some(Role::Text) => self.dotted_texts += 1,
            _ => {
                self.first.get_or_insert(file);
                return;
            }
        }
        self.first_dotted.get_or_insert(file);
    }

    /// How many pairs another dot costs a key that has or has not picture and text, and the first of them.
    fn lost(&self, has_image: bool, has_text: bool) -> Option<(usize, &str)> {
        let images = if has_image { 0 } else { self.dotted_images };
        let texts = if has_text { 0 } else { self.dotted_texts };
        let first = self.first_dotted.as_deref()?;
        // Picture and text of one name are one loss.
        let count = images.max(texts);
        (count > 0).then_some((count, first))
    }
}

/// A sample of which some members have been read.
#[derive(Default)]
pub(super) struct Partial {
    pub(super) key: String,
    /// Its extension and where it lies.
    pub(super) image: Option<(String, Place)>,
    pub(super) text: Option<Arc<Vec<u8>>>,
    pub(super) others: Others,
    /// Whether a member of it was passed over, so that what lacks it is not told again.
    pub(super) is_told: bool,
}

impl Partial {
    /// Whether a member is of another sample: it has another key, or is here already.
    pub(super) fn is_other(&self, name: &Name) -> bool {
        let is_here = match name.role {
            Role::Image => self.image.as_ref().is_some_and(|i| i.0 == name.extension),
            Role::Text => self.text.is_some(),
            Role::Other => false,
        };
        is_here || self.key != name.key
    }

    /// The sample, if it has picture and text; else what is passed over is counted.
    pub(super) fn finish(self, shard: &Arc<Path>, passed_over: &mut Tally) -> Option<Sample> {
        let key = self.key;
        let origin = shard.display();
        let is_told = self.is_told;
        let mut pass_over = |reason, count, what: std::fmt::Arguments| {
            if !is_told {
                passed_over.add_many(reason, count, format_args!("{origin}: {what}"));
            }
        };
        let dotted = self.others.lost(self.image.is_some(), self.text.is_some());
        match (self.image, self.text) {
            (Some((_, place)), Some(text)) => {
                let texts = match str::from_utf8(&text) {
                    Ok(text) => lines(text),
                    Err(e) => {
                        let what = format_args!("{key}.txt is not UTF-8: {e}");
                        pass_over(Reason::NotUtf8, 1, what);
                        return None;
                    }
                };
                if !texts.is_empty() {
                    return Some(Sample {
                        origin: shard.clone(),
                        key,
                        texts,
                        place,
                    });
                }
                pass_over(Reason::EmptyCaption, 1, format_args!("{key}.txt is empty"));
            }
            _ if let Some((count, file)) = dotted => pass_over(
                Reason::Dots,
                count,
                format_args!("{file}, whose key by its first dot is `{key}`"),
            ),
            (Some(_), None) => {
                let what = format_args!("picture {key} has no .txt beside it");
                pass_over(Reason::NoCaption, 1, what);
            }
            (None, Some(_)) => {
                let what = format_args!("text {key}.txt has no picture beside it");
                pass_over(Reason::NoPicture, 1, what);
            }
            (None, None) => {
                if let Some(file) = self.others.first {
                    let what = format_args!("{file} is no picture and no text");
                    pass_over(Reason::OtherFile, 1, what);
                }
            }
        }
        None
    }
}
