//! Members of an archive: what their names say, where links lead, and the samples they make.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::boxes::things;
use super::passed_over::{Reason, Tally};
use super::sample::{Location, Sample, lines};
use diptych::image::is_picture_extension;
use diptych_files::MAX_FILE_BYTES;

/// Bytes of a plain shard read at once. Small, because headers lie far apart.
pub(super) const HEADER_BYTES: usize = 1 << 12;

/// What says what is in the pictures of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// `KEY.txt`, a text a line; a picture is a sample.
    #[default]
    Texts,
    /// `KEY.json`, which has boxes with a class each, `{"boxes": [[left, top, right, bottom,
    /// "class"], …], "size": [width, height]}` in pixels: a box is a sample. Those that a list
    /// `difficult` marks with 1, in the order of the boxes, and those whose longer side is below
    /// 24 pixels are left out.
    Boxes,
}

impl Labels {
    /// What their files' names end in.
    fn extension(self) -> &'static str {
        match self {
            Self::Texts => "txt",
            Self::Boxes => "json",
        }
    }
}

/// Purpose of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Image,
    Text,
    Other,
}

impl Role {
    fn of(extension: &str, labels: Labels) -> Self {
        if is_picture_extension(extension) {
            Self::Image
        } else if extension.eq_ignore_ascii_case(labels.extension()) {
            Self::Text
        } else {
            Self::Other
        }
    }
}

/// A member's name, as WebDataset takes it apart.
pub(super) struct Name<'a> {
    /// The last part of its path.
    pub(super) file: Cow<'a, str>,
    /// The path up to the first dot of `file`.
    pub(super) key: String,
    pub(super) role: Role,
}

impl<'a> Name<'a> {
    /// None for hidden files.
    pub(super) fn of(path: &'a Path, labels: Labels) -> Option<Self> {
        let file = path.file_name()?.to_string_lossy();
        if file.starts_with('.') {
            return None;
        }
        let (stem, extension) = file.split_once('.').unwrap_or((&file, ""));
        Some(Self {
            key: path.with_file_name(stem).display().to_string(),
            role: Role::of(extension, labels),
            file,
        })
    }

    /// The part after the first dot; `b.jpg` of `a.b.jpg`.
    pub(super) fn extension(&self) -> &str {
        self.file
            .split_once('.')
            .map_or("", |(_, extension)| extension)
    }
}

/// Places of the members so far, for links to them.
pub(super) struct Members {
    /// None until the first link: few archives have any, and most have many members.
    known: Option<FxHashMap<PathBuf, Location>>,
}

impl Members {
    /// Members of a plain shard, which are found when a link asks for them.
    pub(super) fn found_later() -> Self {
        Self { known: None }
    }

    /// Members of a gzipped shard, of which each is kept as it is met.
    pub(super) fn kept() -> Self {
        let known = Some(FxHashMap::default());
        Self { known }
    }

    pub(super) fn add(&mut self, path: &Path, location: &Location) {
        // What is too large as a member is too large through a link.
        let is_too_large = matches!(location, Location::Range { len, .. } if *len > MAX_FILE_BYTES);
        if let Some(known) = &mut self.known
            && let Some(path) = resolved(path)
            && !is_too_large
        {
            known.insert(path, location.clone());
        }
    }

    /// Finds the members of a plain shard of `shard_len` bytes that lie before the byte `end`.
    pub(super) fn find(&mut self, shard: &Path, shard_len: u64, end: u64) -> io::Result<()> {
        if self.known.is_some() {
            return Ok(());
        }
        self.known = Some(FxHashMap::default());
        let file = io::BufReader::with_capacity(HEADER_BYTES, fs_err::File::open(shard)?);
        let mut archive = tar::Archive::new(file);
        archive.set_ignore_zeros(true);
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            if entry.raw_header_position() >= end {
                break;
            }
            if entry.header().entry_type().is_file() {
                self.add(&entry.path()?, &location_of(&entry, shard_len));
            }
        }
        Ok(())
    }

    /// The location that a link leads to, if it leads to a member before it. The link is then a
    /// member, too.
    pub(super) fn follow(
        &mut self,
        link: &Path,
        target: &Path,
        is_symlink: bool,
    ) -> Option<Location> {
        // A hard link names its target from the archive's root, a symbolic one from its own folder.
        let target = match link.parent() {
            Some(folder) if is_symlink && target.is_relative() => resolved(&folder.join(target)),
            _ if is_symlink => None,
            _ => resolved(target),
        };
        let location = self.known.as_ref()?.get(&target?)?.clone();
        self.add(link, &location);
        Some(location)
    }
}

/// Where a member lies in a plain shard.
pub(super) fn location_of<R: Read>(entry: &tar::Entry<'_, R>, shard_len: u64) -> Location {
    Location::Range {
        offset: entry.raw_file_position(),
        len: entry.size(),
        shard_len,
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
    pub(super) fn add(&mut self, file: &str, labels: Labels) {
        match file
            .rsplit_once('.')
            .map(|(_, last)| Role::of(last, labels))
        {
            Some(Role::Image) => self.dotted_images += 1,
            Some(Role::Text) => self.dotted_texts += 1,
            _ => {
                self.first.get_or_insert_with(|| file.to_owned());
                return;
            }
        }
        self.first_dotted.get_or_insert_with(|| file.to_owned());
    }
}

/// A sample of which some members have been read.
#[derive(Default)]
pub(super) struct Partial {
    pub(super) key: String,
    /// Its extension and where it lies.
    pub(super) image: Option<(String, Location)>,
    pub(super) text: Option<Arc<Vec<u8>>>,
    pub(super) others: Others,
    /// Whether a member of it was passed over, so that what lacks it is not told again.
    pub(super) has_loss: bool,
}

impl Partial {
    /// Whether a member is of another sample: it has another key, or is here already.
    pub(super) fn is_other(&self, name: &Name) -> bool {
        let is_here = match name.role {
            Role::Image => {
                let image = self.image.as_ref();
                image.is_some_and(|(known, _)| known.eq_ignore_ascii_case(name.extension()))
            }
            Role::Text => self.text.is_some(),
            Role::Other => false,
        };
        is_here || self.key != name.key
    }

    /// Number of pairs that another dot in their names costs.
    fn dotted(&self) -> usize {
        // With a picture or a text of its own, a key lacks no other.
        let images = self.image.is_none().then_some(self.others.dotted_images);
        let texts = self.text.is_none().then_some(self.others.dotted_texts);
        // Picture and text of one name are one loss.
        images.max(texts).unwrap_or_default()
    }

    /// The samples, if it has picture and text; else what is passed over is counted.
    pub(super) fn finish(
        self,
        shard: &Arc<Path>,
        labels: Labels,
        passed_over: &mut Tally,
    ) -> Vec<Sample> {
        let dotted = self.dotted();
        let kind = labels.extension();
        let key = self.key;
        let origin = shard.display();
        let has_loss = self.has_loss;
        let mut pass_over = |reason, count, what: std::fmt::Arguments| {
            if !has_loss {
                passed_over.add_many(reason, count, format_args!("{origin}: {what}"));
            }
        };
        match (self.image, self.text) {
            (Some((_, location)), Some(text)) => {
                let text = match str::from_utf8(&text) {
                    Ok(text) => text,
                    Err(e) => {
                        let what = format_args!("{key}.{kind} is not UTF-8: {e}");
                        pass_over(Reason::NotUtf8, 1, what);
                        return Vec::new();
                    }
                };
                let sample = |key: String, texts, region| Sample {
                    origin: shard.clone(),
                    key,
                    texts,
                    location: location.clone(),
                    region,
                };
                if labels == Labels::Boxes {
                    let things = things(text).unwrap_or_else(|reason| vec![Err(reason)]);
                    let things = things.into_iter().filter_map(|thing| {
                        let refused = |reason: &String| {
                            let what = format_args!("{key}.{kind}: {reason}");
                            pass_over(Reason::Box, 1, what);
                        };
                        let (number, class, region) = thing.inspect_err(refused).ok()?;
                        let key = format!("{key}#{number}");
                        Some(sample(key, vec![class], Some(region)))
                    });
                    return things.collect();
                }
                let texts = lines(text);
                if !texts.is_empty() {
                    return vec![sample(key, texts, None)];
                }
                pass_over(
                    Reason::EmptyCaption,
                    1,
                    format_args!("{key}.{kind} is empty"),
                );
            }
            _ if dotted > 0 => {
                let file = self.others.first_dotted.unwrap_or_default();
                let what = format_args!("{file}, whose key by its first dot is `{key}`");
                pass_over(Reason::Dots, dotted, what);
            }
            (Some(_), None) => {
                let what = format_args!("picture {key} has no .{kind} beside it");
                pass_over(Reason::NoCaption, 1, what);
            }
            (None, Some(_)) => {
                let what = format_args!("text {key}.{kind} has no picture beside it");
                pass_over(Reason::NoPicture, 1, what);
            }
            (None, None) => {
                if let Some(file) = self.others.first {
                    let what = format_args!("{file} is no picture and no text");
                    pass_over(Reason::OtherFile, 1, what);
                }
            }
        }
        Vec::new()
    }
}
