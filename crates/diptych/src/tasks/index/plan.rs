//! What there is, beside what the index holds → what has to be done.

use std::path::{Path, PathBuf};

use index::{File, Id, Store};
use rustc_hash::{FxHashMap, FxHashSet};

use super::place::canonical;
use super::walk::Found;
use super::{Options, Shard};
use crate::Result;

/// What has to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Files that are new, then those that have another size or time than they had: so a picture that was renamed before
    /// its name was given to another is found while its content is still there.
    pub(super) to_read: Vec<File>,
    /// The paths of the latter, which may take a content's last file from it.
    pub(super) changed: FxHashSet<String>,
    /// Files of the index that are gone.
    pub(super) gone: Vec<String>,
    /// Files that are as they were.
    pub(super) unchanged: usize,
    /// Folders in which nothing is left of what the index holds, so that they may just not be there now.
    pub(super) emptied: Vec<String>,
    /// The contents of the index.
    pub(super) known: FxHashSet<Id>,
}

impl Plan {
    pub(super) fn new(
        found: &Found,
        roots: &[PathBuf],
        store: &dyn Store,
        options: &Options,
    ) -> Result<Self> {
        let own = roots.iter().map(|root| root.to_string_lossy().into());
        // What links lead to was looked through, too.
        let linked = found.links.values().map(|target| target.as_str().into());
        let roots = Folders(own.chain(linked).collect());
        let hidden = found
            .unreadable
            .iter()
            .map(|(folder, _)| folder.as_str().into());
        let hidden = Folders(hidden.collect());
        let mut held: FxHashMap<String, Option<(u64, i64)>> = FxHashMap::default();
        let mut plan = Self::default();
        let mut known = FxHashSet::default();
        let mut elsewhere: FxHashSet<PathBuf> = FxHashSet::default();
        store.files(&[], &mut |file, id| {
            known.extend(id);
            if roots.of(&file.path).is_some() {
                let state = (file.size, file.modified);
                let is_as_it_was = id.is_some() || !options.retry;
                held.insert(file.path, is_as_it_was.then_some(state));
            } else if let Some(folder) = Path::new(&file.path).parent()
                && !elsewhere.contains(folder)
            {
                elsewhere.insert(folder.to_owned());
            }
        })?;
        // A folder that is now a link, or was indexed by one before places were canonical, has the same files under two names.
        let aliases: Vec<String> = match options.shard {
            // Their own names may be another part's.
            Some(_) => Vec::new(),
            None => elsewhere
                .into_iter()
                .filter(|folder| {
                    let place = canonical(folder).ok().filter(|place| place != folder);
                    let place = place.as_ref().and_then(|place| place.to_str());
                    place.is_some_and(|at| roots.of(at).is_some() && hidden.of(at).is_none())
                })
                .filter_map(|folder| folder.into_os_string().into_string().ok())
                .collect(),
        };
        if !aliases.is_empty() {
            let aliases: FxHashSet<&Path> = aliases.iter().map(Path::new).collect();
            store.files(&[], &mut |file, _| {
                let above = Path::new(&file.path).parent();
                if above.is_some_and(|above| aliases.contains(above)) {
                    plan.gone.push(file.path);
                }
            })?;
        }
        plan.known = known;
        let mut kept_in: FxHashSet<&str> = FxHashSet::default();
        // A folder of links alone is not empty.
        kept_in.extend(found.links.keys().filter_map(|link| roots.of(link)));
        let mut changed = Vec::new();
        for file in &found.files {
            kept_in.extend(roots.of(&file.path));
            match held.remove(&file.path) {
                Some(Some(state)) if state == (file.size, file.modified) => plan.unchanged += 1,
                _ if options.shard.is_some_and(|shard| !shard.has(&file.path)) => {}
                Some(_) => changed.push(file.clone()),
                None => plan.to_read.push(file.clone()),
            }
        }
        plan.changed = changed.iter().map(|file| file.path.clone()).collect();
        plan.to_read.append(&mut changed);
        // What can't be looked into is not gone.
        let mut emptied: FxHashSet<&str> = FxHashSet::default();
        for path in held.into_keys().filter(|path| hidden.of(path).is_none()) {
            match roots.of(&path) {
                // A folder without any picture may be a disc that is not mounted.
                Some(root)
                    if !kept_in.contains(root) && root != path && !options.forget_emptied =>
                {
                    emptied.insert(root);
                }
                _ => plan.gone.push(path),
            }
        }
        plan.emptied = emptied.into_iter().map(str::to_owned).collect();
        plan.emptied.sort_unstable();
        plan.gone.sort_unstable();
        Ok(plan)
    }
}

/// Folders, and files, that something may lie in.
struct Folders(FxHashSet<Box<str>>);

impl Folders {
    /// The one that a path is or lies below.
    fn of(&self, path: &str) -> Option<&str> {
        let mut above = Path::new(path).ancestors();
        above
            .find_map(|folder| self.0.get(folder.to_str()?))
            .map(|folder| &**folder)
    }
}

impl Shard {
    /// Whether a path is this shard's: by a hash (FNV-1a, 64 bits), so that every machine agrees.
    pub(super) fn has(self, path: &str) -> bool {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325, step);
        hash % self.of == self.index
    }
}
