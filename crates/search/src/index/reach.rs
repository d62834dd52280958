//! Reach of an index: the folders and files that were named to it, and where the links below them
//! lead.
//!
//! Noted beside the index. A search in a folder also looks at the places that its links lead to. A
//! picture that was found through a link goes when the link goes, unless it lies in a folder that
//! was named itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use diptych_files::{spell, unspell};
use diptych_index::{Store, is_within};
use serde::{Deserialize, Serialize};

use super::place::names;
use super::walk::Walked;
use crate::{Error, Result};

/// Name of the note.
const NOTE: &str = "reach";

/// Links by their own places, and where they lead.
pub(super) type Links = BTreeMap<String, String>;

/// Reach of an index; its JSON is the note.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reach {
    /// Folders and files that were named.
    #[serde(rename = "roots")]
    pub(super) roots: BTreeSet<String>,
    /// The links that were found.
    #[serde(rename = "links")]
    pub(super) links: Links,
}

impl Reach {
    /// Reads the note of an index.
    pub(super) fn of(store: &dyn Store) -> Result<Self> {
        let note = store.note(NOTE)?.unwrap_or_default();
        // One that can't be read is like one that is missing: the next run notes it anew.
        Ok(serde_json::from_slice(&note).unwrap_or_default())
    }

    pub(super) fn note(&self, store: &dyn Store) -> Result<()> {
        let note = serde_json::to_vec(self).map_err(|e| Error::note(NOTE, &e))?;
        Ok(store.set_note(NOTE, &note)?)
    }

    /// Reach after a run over `roots`. `is_looked_at` says of which places all links were found.
    pub(super) fn after(
        &self,
        roots: &[PathBuf],
        found: &Walked,
        is_looked_at: impl Fn(&str) -> bool,
    ) -> Self {
        let mut after = self.clone();
        // A name with a slip in it would be looked for in every run from now on.
        let there = roots.iter().filter(|root| root.exists());
        after
            .roots
            .extend(there.map(|root| spell(root).into_owned()));
        after.links.retain(|link, _| !is_looked_at(link));
        after.links.extend(found.links.clone());
        after.trim();
        after
    }

    /// Reach without the folders and files that were named and lie in these places; and those.
    pub(super) fn without(&self, places: &[String]) -> (Self, BTreeSet<String>) {
        let mut without = self.clone();
        let is_in = |root: &String| places.iter().any(|place| is_within(root, place));
        let dropped: BTreeSet<String> = without.roots.extract_if(.., |root| is_in(root)).collect();
        if !dropped.is_empty() {
            without.trim();
        }
        (without, dropped)
    }

    /// Lets go of links in what nothing leads to any more.
    fn trim(&mut self) {
        let (_, followed) = self.follow(self.roots.iter().map(String::as_str));
        let followed = followed.into_iter();
        self.links = followed
            .map(|(link, target)| (link.into(), target.into()))
            .collect();
    }

    /// Follows the links below places, then those below their targets, and so on. Returns all
    /// targets, and all these links.
    pub(super) fn follow<'a>(
        &'a self,
        places: impl Iterator<Item = &'a str>,
    ) -> (BTreeSet<&'a str>, BTreeMap<&'a str, &'a str>) {
        let mut places: Vec<&str> = places.collect();
        let (mut targets, mut links) = (BTreeSet::new(), BTreeMap::new());
        while let Some(place) = places.pop() {
            for (link, target) in self.links_below(place) {
                links.insert(link, target);
                if targets.insert(target) {
                    places.push(target);
                }
            }
        }
        (targets, links)
    }

    /// Links at a place and below it.
    fn links_below<'a>(&'a self, place: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        // Paths that begin with `place/` sort from there up to `place0`: `0` comes next after `/`
        // (on Windows `]` after `\`).
        let next = char::from_u32(u32::from(MAIN_SEPARATOR) + 1).unwrap_or(char::MAX);
        let trimmed = place.trim_end_matches(std::path::is_separator);
        let below = format!("{trimmed}{MAIN_SEPARATOR}")..format!("{trimmed}{next}");
        let own = self.links.get_key_value(place);
        let all = own.into_iter().chain(self.links.range(below));
        all.map(|(link, target)| (link.as_str(), target.as_str()))
    }
}

/// The folders and files that were named to an index when it was made and since.
///
/// # Errors
/// If the index can't be read.
pub fn known_roots(store: &dyn Store) -> Result<Vec<PathBuf>> {
    let roots = Reach::of(store)?.roots.into_iter();
    Ok(roots.map(|root| unspell(&root).into_owned()).collect())
}

/// All places that a path stands for when an index is searched: its [`names`], and where the links
/// below it lead.
///
/// # Errors
/// As [`canonical`](super::canonical), and if the index can't be read.
pub fn places(store: &dyn Store, path: &Path) -> Result<Vec<String>> {
    let mut places = names(path).map_err(|e| Error::file(path, e))?;
    let reach = Reach::of(store)?;
    let (targets, _) = reach.follow([&*places[0]].into_iter());
    let targets: Vec<String> = targets.into_iter().map(str::to_owned).collect();
    places.extend(targets);
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this changes, indexes that people have are taken as reaching nothing.
    #[test]
    fn the_note_is_written_as_it_ever_was() {
        let reach = Reach {
            roots: ["/b".to_owned(), "/a".to_owned()].into(),
            links: [("/a/link".to_owned(), "/c".to_owned())].into(),
        };
        let note = r#"{"roots":["/a","/b"],"links":{"/a/link":"/c"}}"#;
        assert_eq!(serde_json::to_string(&reach).unwrap(), note);
        assert_eq!(serde_json::from_str::<Reach>(note).unwrap(), reach);
    }
}
