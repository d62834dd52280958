//! Files that there are, beside those that the index holds → the work to be done.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use diptych_files::{spell, unspell};
use diptych_index::{File, Id, Store};
use rustc_hash::{FxHashMap, FxHashSet};

use super::reach::Reach;
use super::walk::Walked;
use super::{Options, Shard};
use crate::Result;
use crate::source::Source;

/// Work to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Files that are new, then those that have changed in size or time. The order matters where
    /// `a.jpg` was renamed to `b.jpg` and another picture is now called `a.jpg`: `b.jpg` is found
    /// to be known while its content is still there.
    pub(super) to_read: Vec<File>,
    /// The paths of the latter, which may take a content's last file from it.
    pub(super) changed: FxHashSet<String>,
    /// Files of the index that are gone.
    pub(super) gone: Vec<Gone>,
    /// Files that are as they were, and have a content.
    pub(super) unchanged: usize,
    /// Files that are as they were when they were refused.
    pub(super) refused: usize,
    /// Folders in which nothing is left of what the index holds, so that they may just not be
    /// there now.
    pub(super) emptied: Vec<String>,
    /// The contents of the index.
    pub(super) known: FxHashSet<Id>,
    /// Reach of the index from now on.
    pub(super) reach: Reach,
    /// Whether that is to be noted.
    pub(super) is_new_reach: bool,
}

impl Plan {
    pub(super) fn new(
        found: &Walked,
        roots: &[PathBuf],
        store: &dyn Store,
        sources: &[&dyn Source],
        options: &Options,
    ) -> Result<Self> {
        let may_take = |reason: &str| sources.iter().any(|source| source.may_take(reason));
        let refused = store.refused()?.into_iter();
        let taken: FxHashSet<String> = refused
            .filter(|(_, reason)| options.retry || may_take(reason))
            .map(|(file, _)| file.path)
            .collect();
        let before = Reach::of(store)?;
        let roots_spelled: Vec<Cow<str>> = roots.iter().map(|root| spell(root)).collect();
        let own = Folders::new(&roots_spelled);
        let hidden = Folders::new(found.unreadable.iter().map(|(place, _)| place));
        let readable = roots_spelled.iter().map(|root| &**root);
        let (led_to, _) = before.follow(readable.filter(|root| hidden.of(root).is_none()));
        // Places that links lead to are looked through, too. Files below other named folders are
        // left for runs over those folders to take out.
        let targets = found.links.values().map(String::as_str);
        let linked = Folders::new(targets.chain(led_to));
        let others = Folders::new(before.roots.iter().filter(|root| own.of(root).is_none()));
        let root_of = |path: &str| own.of(path).or_else(|| linked.of(path));
        let is_others = |path: &str| own.of(path).is_none() && others.of(path).is_some();
        let mut held: FxHashMap<String, Held> = FxHashMap::default();
        let mut plan = Self::default();
        let mut elsewhere: FxHashSet<PathBuf> = FxHashSet::default();
        store.files(&[], &mut |file, id| {
            plan.known.extend(id);
            if root_of(&file.path).is_some() {
                let state = Held {
                    state: (file.size, file.modified),
                    is_refused: id.is_none(),
                    is_tried: taken.contains(&file.path),
                };
                held.insert(file.path, state);
            } else if let Some(folder) = Path::new(&file.path).parent()
                && !elsewhere.contains(folder)
            {
                elsewhere.insert(folder.to_owned());
            }
        })?;
        // With a shard the other name may be all that the index has of another part's file.
        if options.shard.is_none() {
            plan.gone = other_names(store, elsewhere, found)?;
        }
        let mut kept_in: FxHashSet<&str> = FxHashSet::default();
        // A folder of links alone is not empty.
        kept_in.extend(found.links.keys().filter_map(|link| own.of(link)));
        let mut changed = Vec::new();
        for file in &found.files {
            kept_in.extend(root_of(&file.path));
            match held.remove(&file.path) {
                Some(held) if held.is_settled(file) => {
                    if held.is_refused {
                        plan.refused += 1
                    } else {
                        plan.unchanged += 1
                    }
                }
                _ if options.shard.is_some_and(|shard| !shard.has(&file.path)) => {}
                Some(_) => changed.push(file.clone()),
                None => plan.to_read.push(file.clone()),
            }
        }
        plan.changed = changed.iter().map(|file| file.path.clone()).collect();
        plan.to_read.append(&mut changed);
        // A folder without any picture may be a disc that is not mounted.
        let may_be_away = |root: &str| !kept_in.contains(root) && !options.forget_emptied;
        plan.reach = before.after(roots, found, |link| {
            let root = own.of(link).or_else(|| linked.of(link));
            root.is_some_and(|root| !may_be_away(root)) && hidden.of(link).is_none()
        });
        let reached = plan.reach.roots.iter().chain(plan.reach.links.values());
        let reached = Folders::new(reached);
        let mut emptied: FxHashSet<&str> = FxHashSet::default();
        // What can't be looked into is not gone.
        for (path, Held { is_refused, .. }) in held {
            if hidden.of(&path).is_some() || is_others(&path) {
                continue;
            }
            match root_of(&path) {
                // Nothing leads there any more.
                Some(_) if reached.of(&path).is_none() => plan.gone.push(Gone { path, is_refused }),
                Some(root) if may_be_away(root) && root != path => {
                    emptied.insert(root);
                }
                _ => plan.gone.push(Gone { path, is_refused }),
            }
        }
        plan.emptied = emptied.into_iter().map(str::to_owned).collect();
        plan.emptied.sort_unstable();
        plan.gone.sort_unstable();
        plan.is_new_reach = plan.reach != before;
        Ok(plan)
    }
}

/// A file of the index that is gone.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gone {
    pub(super) path: String,
    /// Whether it could not be indexed when it was there.
    pub(super) is_refused: bool,
}

/// A file as the index has it.
struct Held {
    /// Bytes, and when it was changed.
    state: (u64, i64),
    is_refused: bool,
    /// Whether it was refused, and is tried again though it has not changed.
    is_tried: bool,
}

impl Held {
    /// Whether a file is as it was, and so is what becomes of it.
    fn is_settled(&self, file: &File) -> bool {
        self.state == (file.size, file.modified) && !self.is_tried
    }
}

/// Finds files that this run found by their place, but that the index has under another name.
/// Their folder is a link: it became one later, or was one when places were not yet canonical.
fn other_names(
    store: &dyn Store,
    folders: FxHashSet<PathBuf>,
    found: &Walked,
) -> Result<Vec<Gone>> {
    // An index of another machine may hold relative names.
    let absolute = folders.into_iter().filter(|folder| folder.is_absolute());
    let place = |folder: PathBuf| {
        let there = dunce::canonicalize(unspell(folder.to_str()?)).ok()?;
        let place = PathBuf::from(spell(&there).into_owned());
        (place != folder).then_some((folder, place))
    };
    let places: FxHashMap<PathBuf, PathBuf> = absolute.filter_map(place).collect();
    let mut names = Vec::new();
    if places.is_empty() {
        return Ok(names);
    }
    let files: FxHashSet<&Path> = found.files.iter().map(|file| file.path.as_ref()).collect();
    store.files(&[], &mut |file, id| {
        let path = Path::new(&file.path);
        let place = path.parent().and_then(|folder| places.get(folder));
        let place = place
            .zip(path.file_name())
            .map(|(place, name)| place.join(name));
        if place.is_some_and(|place| files.contains(&*place)) {
            names.push(Gone {
                path: file.path,
                is_refused: id.is_none(),
            });
        }
    })?;
    Ok(names)
}

/// Folders, and files, that something may lie in.
struct Folders(FxHashSet<Box<str>>);

impl Folders {
    fn new(folders: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self(
            folders
                .into_iter()
                .map(|folder| folder.as_ref().into())
                .collect(),
        )
    }

    /// The one that a path is or lies below.
    fn of(&self, path: &str) -> Option<&str> {
        let mut above = Path::new(path).ancestors();
        above
            .find_map(|folder| self.0.get(folder.to_str()?))
            .map(|folder| &**folder)
    }
}

impl Shard {
    /// Whether a path is this shard's: by a hash, so that every machine agrees.
    pub(super) fn has(self, path: &str) -> bool {
        diptych::fnv1a(path) % self.of == self.index
    }
}
