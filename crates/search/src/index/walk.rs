//! Folders and files as asked for → those that a source knows, with sizes and times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::UNIX_EPOCH;

use diptych_files::{quoted, spell, unspell};
use diptych_index::File;
use ignore::gitignore::Gitignore;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Options;
use super::place::canonical;
use super::reach::Links;
use crate::source::{Source, is_film_name};
use crate::{Error, Result};

/// A file in a folder that says what is not to be indexed, as `.gitignore` does for git.
pub const IGNORE_FILE: &str = ".diptychignore";

/// Outcome of a walk.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// In the order of their paths, each once, whatever links lead to it.
    pub(super) files: Vec<File>,
    /// Links, and such that lead nowhere.
    pub(super) links: Links,
    /// Folders and files that can't be read: nothing is known of what is in them.
    pub(super) unreadable: Vec<(String, String)>,
    /// Links to nothing that are called as a source's files are.
    pub(super) dangling: Vec<(String, String)>,
    /// Files in folders whose kinds are passed over, [`FILMS`] and [`LOST_LINKS`].
    pub(super) skipped: BTreeMap<&'static str, usize>,
}

/// Name of a kind that is passed over: a folder of photographs has films, too, and who indexes it
/// is to know that they are not in the index.
const FILMS: &str = "films";

/// Name of links that lead nowhere and are not called as a source's files are: what they led to may
/// have been a folder.
const LOST_LINKS: &str = "links that lead nowhere";

/// Looks in folders, given by canonical paths, for files that a source knows by their names, and
/// takes files that are named themselves whatever they are called.
pub(super) fn walk(
    roots: &[PathBuf],
    sources: &[&dyn Source],
    options: &Options,
) -> Result<Walked> {
    let mut found = Walked::default();
    let folders = Arc::new(Mutex::new(Folders::default()));
    for root in roots {
        match diptych_files::metadata(root) {
            Ok(meta) if meta.is_dir() => folder(root, sources, options, &folders, &mut found)?,
            Ok(_) => file(root, &mut found),
            Err(error) => {
                let path = spell(root).into_owned();
                found.unreadable.push((path, error.to_string()));
            }
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.files.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

/// The folders that were looked into, each once, whatever links lead there: folders that link to
/// each other have no end.
#[derive(Default)]
struct Folders {
    /// Their places, by the names that they were found under: a file that is no link lies where
    /// its folder does.
    places: FxHashMap<PathBuf, PathBuf>,
    seen: FxHashSet<PathBuf>,
    links: Links,
}

impl Folders {
    /// Returns the canonical place of an entry of a walk; a link is noted.
    fn place(&mut self, entry: &DirEntry) -> std::io::Result<PathBuf> {
        let above = entry
            .path()
            .parent()
            .and_then(|above| self.places.get(above));
        let own = above.map(|above| above.join(entry.file_name()));
        match own {
            Some(own) if !entry.path_is_symlink() => Ok(own),
            own => {
                let place = canonical(entry.path())?;
                self.links.extend(own.map(|own| link(&own, &place)));
                Ok(place)
            }
        }
    }

    /// Whether a folder is to be looked into. One that is nowhere is, so that the walk says why.
    fn enter(&mut self, entry: &DirEntry) -> bool {
        let Ok(place) = self.place(entry) else {
            return true;
        };
        let is_new = self.seen.insert(place.clone());
        self.places.insert(entry.path().to_owned(), place);
        is_new
    }
}

fn folder(
    root: &Path,
    sources: &[&dyn Source],
    options: &Options,
    folders: &Arc<Mutex<Folders>>,
    found: &mut Walked,
) -> Result<()> {
    let mut excluded = OverrideBuilder::new(root);
    for pattern in &options.exclude {
        // What `ignore` calls an override is wanted, unless it is negated.
        excluded
            .add(&format!("!{pattern}"))
            .map_err(|e| Error::Pattern {
                pattern: pattern.clone(),
                reason: e.to_string(),
            })?;
    }
    let excluded = excluded.build().map_err(|e| Error::Pattern {
        pattern: options.exclude.join(" "),
        reason: e.to_string(),
    })?;
    lock(folders)
        .places
        .insert(root.to_owned(), root.to_owned());
    if !lock(folders).seen.insert(root.to_owned()) {
        return Ok(());
    }
    let is_named = |path: &Path| sources.iter().any(|source| source.has_name(path));
    let enters = folders.clone();
    let walk = looking_through(root, options.hidden)
        .overrides(excluded.clone())
        .filter_entry(move |entry| !is_folder(entry) || lock(&enters).enter(entry))
        .build();
    for entry in walk {
        let entry = match entry {
            Ok(entry) if is_folder(&entry) => continue,
            Ok(entry) if !is_named(entry.path()) => {
                if is_film_name(entry.path()) {
                    *found.skipped.entry(FILMS).or_default() += 1;
                }
                continue;
            }
            Ok(entry) => entry,
            Err(error) => {
                if let Some(link) = unreadable(&error, root, found)
                    && !is_left_out(&link, root, options, &excluded)
                {
                    dangling(&link, is_named(&link), found);
                }
                continue;
            }
        };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        match lock(folders).place(&entry) {
            Ok(place) => file(&place, found),
            Err(error) => {
                let path = spell(entry.path()).into_owned();
                found.unreadable.push((path, error.to_string()));
            }
        }
    }
    found.links.append(&mut lock(folders).links);
    Ok(())
}

/// A walk through a folder as all commands look through one: links are followed, and
/// [`IGNORE_FILE`] is heeded.
pub(super) fn looking_through(root: &Path, hidden: bool) -> WalkBuilder {
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(false)
        .hidden(!hidden)
        .add_custom_ignore_filename(IGNORE_FILE)
        .follow_links(true);
    walk
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir())
}

fn lock(folders: &Mutex<Folders>) -> MutexGuard<'_, Folders> {
    folders.lock().unwrap_or_else(|e| e.into_inner())
}

/// A link as it is noted.
fn link(own: &Path, target: &Path) -> (String, String) {
    (spell(own).into_owned(), spell(target).into_owned())
}

/// Notes what can't be read; a link to a folder above it is no fault, and was followed once.
/// Returns a link that leads nowhere.
fn unreadable(error: &ignore::Error, root: &Path, found: &mut Walked) -> Option<PathBuf> {
    let mut inner = error;
    let mut path = root.to_owned();
    loop {
        match inner {
            ignore::Error::Loop { .. } => return None,
            ignore::Error::WithPath { path: of, err } => {
                path.clone_from(of);
                inner = err;
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
                inner = err;
            }
            _ => break,
        }
    }
    // A link that leads nowhere hides nothing, but what it led to may be in the index.
    let is_dangling = path.is_symlink() && !path.exists();
    if is_dangling {
        let own = path.parent().and_then(|above| canonical(above).ok());
        let own = own
            .zip(path.file_name())
            .map(|(above, name)| above.join(name));
        let target = fs_err::read_link(&path).ok().zip(path.parent());
        let target = target.and_then(|(target, above)| canonical(&above.join(target)).ok());
        // Where its folder is not there, either, a disc may not be mounted.
        let target = target.filter(|target| target.parent().is_some_and(Path::is_dir));
        let noted = own.zip(target).map(|(own, target)| link(&own, &target));
        found.links.extend(noted);
        Some(path)
    } else {
        // By its place, as the index knows what is in it.
        let place = canonical(&path).unwrap_or(path);
        let place = spell(&place).into_owned();
        found.unreadable.push((place, inner.to_string()));
        None
    }
}

/// Tells of a link that leads nowhere.
fn dangling(link: &Path, is_named: bool, found: &mut Walked) {
    if !is_named {
        *found.skipped.entry(LOST_LINKS).or_default() += 1;
        return;
    }
    let own = canonical(link.parent().unwrap_or(link)).unwrap_or_default();
    let own = own.join(link.file_name().unwrap_or_default());
    let target = fs_err::read_link(link).unwrap_or_default();
    let reason = format!("it is a link to {}, which is not there", quoted(&target));
    found.dangling.push((spell(&own).into_owned(), reason));
}

/// Whether something below a root is left out. The walk itself does not ask that of what it can't
/// look at.
fn is_left_out(path: &Path, root: &Path, options: &Options, excluded: &Override) -> bool {
    let name = path.file_name().unwrap_or_default();
    if name.as_encoded_bytes().starts_with(b".") && !options.hidden {
        return true;
    }
    if excluded.matched(path, false).is_ignore() {
        return true;
    }
    let folders = path.ancestors().skip(1);
    let mut folders = folders.take_while(|folder| folder.starts_with(root));
    // The nearest file that speaks of it decides.
    let decision = folders.find_map(|folder| {
        let (rules, _) = Gitignore::new(folder.join(IGNORE_FILE));
        let decision = rules.matched(path, false);
        (!decision.is_none()).then(|| decision.is_ignore())
    });
    decision.unwrap_or(false)
}

fn file(path: &Path, found: &mut Walked) {
    let path = spell(path);
    match state(&path) {
        Ok(file) => found.files.push(file),
        Err(error) => found
            .unreadable
            .push((path.into_owned(), error.to_string())),
    }
}

/// A file as it is now, by its path as an index spells it.
pub(crate) fn state(path: &str) -> std::io::Result<File> {
    let meta = diptych_files::metadata(unspell(path))?;
    Ok(File {
        path: path.to_owned(),
        size: meta.len(),
        modified: nanoseconds(&meta),
    })
}

/// Time of a file's last change, in nanoseconds since 1970 began.
fn nanoseconds(meta: &std::fs::Metadata) -> i64 {
    let since = meta
        .modified()
        .map(|time| match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
        });
    since.unwrap_or(0)
}
