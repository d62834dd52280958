//! What there is, beside what the index holds → what has to be done.

use index::{File, Id, Store, is_within};
use rustc_hash::{FxHashMap, FxHashSet};

use super::walk::Found;
use super::{Options, Shard};
use crate::Result;

/// What has to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Files that are new, or have another size or time than they had.
    pub(super) to_read: Vec<File>,
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
        roots: &[String],
        store: &dyn Store,
        options: &Options,
    ) -> Result<Self> {
        let mut held: FxHashMap<String, (u64, i64)> = FxHashMap::default();
        let mut plan = Self::default();
        let mut known = FxHashSet::default();
        store.files(&[], &mut |file, id| {
            known.extend(id);
            if roots.iter().any(|root| is_within(&file.path, root)) {
                held.insert(file.path, (file.size, file.modified));
            }
        })?;
        plan.known = known;
        let mut kept_in: FxHashSet<&str> = FxHashSet::default();
        let root_of = |path: &str| {
            roots
                .iter()
                .find(|root| is_within(path, root))
                .map(String::as_str)
        };
        for file in &found.files {
            kept_in.extend(root_of(&file.path));
            match held.remove(&file.path) {
                Some(state) if state == (file.size, file.modified) => plan.unchanged += 1,
                _ if options.shard.is_none_or(|shard| shard.has(&file.path)) => {
                    plan.to_read.push(file.clone());
                }
                _ => {}
            }
        }
        // What can't be looked into is not gone.
        let is_hidden = |path: &str| {
            found
                .unreadable
                .iter()
                .any(|(folder, _)| is_within(path, folder))
        };
        let mut emptied: FxHashSet<&str> = FxHashSet::default();
        for path in held.into_keys().filter(|path| !is_hidden(path)) {
            match root_of(&path) {
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

impl Shard {
    /// Whether a path is this shard's: by a hash (FNV-1a, 64 bits), so that every machine agrees.
    pub(super) fn has(self, path: &str) -> bool {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325, step);
        hash % self.of == self.index
    }
}
