//! Rules on manifests: which crate may use which.
//!
//! The house has floors: ground, core, shared rooms, uses, doors. A crate uses what stands below
//! it. A use never uses another use: the doors join them. Among the shared rooms `train` may use
//! `evaluate`, never the reverse.

use super::Violation;
use super::repo::{Crate, Repo};

/// A floor of the house, the lowest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Floor {
    Ground,
    Core,
    Shared,
    Use,
    Door,
}

/// A workspace member's place: its floor, and what it must not use from elsewhere.
struct Place {
    folder: &'static str,
    floor: Floor,
    /// Folders on its own floor that it may use.
    beside: &'static [&'static str],
    /// Libraries that would bring in what the crate must not know; its tests may use them.
    must_not_use: &'static [&'static str],
}

/// Libraries that a crate without an interface must not use.
const NO_TERMINAL: &[&str] = &["anyhow", "clap", "indicatif", "axum", "tokio", "rusqlite"];
/// Libraries that the ground must not use.
const NO_MODEL: &[&str] = &["anyhow", "clap", "indicatif", "axum", "burn", "image"];

const fn place(folder: &'static str, floor: Floor, must_not_use: &'static [&'static str]) -> Place {
    Place {
        folder,
        floor,
        beside: &[],
        must_not_use,
    }
}

const PLACES: &[Place] = &[
    place("crates/cli", Floor::Door, &["axum"]),
    place(
        "crates/server",
        Floor::Door,
        &["anyhow", "clap", "indicatif"],
    ),
    place("crates/film", Floor::Use, NO_TERMINAL),
    place("crates/describe", Floor::Use, NO_TERMINAL),
    place("crates/draw", Floor::Use, NO_TERMINAL),
    place("crates/detect", Floor::Use, NO_TERMINAL),
    place("crates/edit", Floor::Use, NO_TERMINAL),
    // The web is asked for many pages at once.
    place(
        "crates/gather",
        Floor::Use,
        &["anyhow", "clap", "indicatif", "axum"],
    ),
    place("crates/search", Floor::Shared, NO_TERMINAL),
    Place {
        beside: &["crates/evaluate"],
        ..place("crates/train", Floor::Shared, NO_TERMINAL)
    },
    place("crates/evaluate", Floor::Shared, NO_TERMINAL),
    place("crates/diptych", Floor::Core, NO_TERMINAL),
    Place {
        beside: &["crates/kernels", "crates/files"],
        ..place("crates/index", Floor::Ground, NO_MODEL)
    },
    place("crates/default-model", Floor::Ground, NO_MODEL),
    place("crates/files", Floor::Ground, NO_MODEL),
    place("crates/kernels", Floor::Ground, NO_MODEL),
];

/// The folder of helpers that every crate's tests may use, and nothing else may.
const TESTING: &str = "crates/testing";

/// A crate depends only on what stands below it, and on what stands beside it where [`PLACES`] says
/// so.
pub(super) fn floors(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &repo.crates {
        let manifest = manifest(member);
        let Some(floor) = floor(&member.folder) else {
            let message = "has no place in the house; give it one in xtask/src/tidy/crates.rs";
            violations.push(Violation::new(&manifest, 0, message));
            continue;
        };
        for dependency in &member.dependencies {
            let Some(folder) = dependency.folder.as_deref() else {
                continue;
            };
            let is_allowed = if folder == TESTING {
                dependency.is_dev
            } else {
                let beside = found(&member.folder).map_or(&[][..], |place| place.beside);
                beside.contains(&folder) || self::floor(folder).is_some_and(|below| below < floor)
            };
            if !is_allowed {
                let message =
                    format!("depends on {folder}, which does not stand below it in the house");
                violations.push(Violation::new(&manifest, 0, message));
            }
        }
    }
    violations
}

/// The floor of a crate, chores and test helpers included.
fn floor(folder: &str) -> Option<Floor> {
    match folder {
        // They use nothing of the house.
        TESTING | "xtask" => Some(Floor::Ground),
        folder => found(folder).map(|place| place.floor),
    }
}

/// A crate's own code does not use what [`PLACES`] forbids it.
pub(super) fn forbidden(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &repo.crates {
        let must_not_use = found(&member.folder).map_or(&[][..], |place| place.must_not_use);
        for dependency in member
            .dependencies
            .iter()
            .filter(|dependency| !dependency.is_dev)
        {
            if must_not_use.contains(&dependency.name.as_str()) {
                let message = format!(
                    "depends on {}, which this crate must not know",
                    dependency.name
                );
                violations.push(Violation::new(&manifest(member), 0, message));
            }
        }
    }
    violations
}

fn found(folder: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.folder == folder)
}

fn manifest(member: &Crate) -> String {
    format!("{}/Cargo.toml", member.folder)
}

#[cfg(test)]
mod tests {
    use super::super::repo::Dependency;
    use super::*;

    fn repo(folder: &str, dependency: Dependency) -> Repo {
        let member = Crate {
            folder: folder.to_owned(),
            dependencies: vec![dependency],
        };
        Repo {
            crates: vec![member],
            ..Repo::default()
        }
    }

    fn inner(folder: &str) -> Dependency {
        Dependency {
            name: "x".to_owned(),
            folder: Some(folder.to_owned()),
            is_dev: false,
        }
    }

    fn outer(name: &str) -> Dependency {
        Dependency {
            name: name.to_owned(),
            folder: None,
            is_dev: false,
        }
    }

    #[test]
    fn a_crate_may_use_what_stands_below_it_only() {
        let uses = |folder: &str, other: &str| floors(&repo(folder, inner(other))).is_empty();
        assert!(uses("crates/cli", "crates/film") && uses("crates/film", "crates/search"));
        assert!(uses("crates/search", "crates/index") && uses("crates/diptych", "crates/kernels"));
        let found = floors(&repo("crates/diptych", inner("crates/search")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/diptych/Cargo.toml");
        assert!(!uses("crates/film", "crates/draw"), "a use of another use");
        assert!(!uses("crates/kernels", "crates/index") && uses("crates/index", "crates/kernels"));
        assert!(
            uses("crates/train", "crates/evaluate") && !uses("crates/evaluate", "crates/train")
        );
    }

    #[test]
    fn test_helpers_are_for_tests() {
        assert_eq!(floors(&repo("crates/train", inner(TESTING))).len(), 1);
        let dev = Dependency {
            is_dev: true,
            ..inner(TESTING)
        };
        assert!(floors(&repo("crates/train", dev)).is_empty());
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(floors(&repo("crates/new", outer("serde"))).len(), 1);
    }

    #[test]
    fn libraries_do_not_use_what_they_must_not_know() {
        assert_eq!(forbidden(&repo("crates/diptych", outer("anyhow"))).len(), 1);
        assert_eq!(forbidden(&repo("crates/kernels", outer("image"))).len(), 1);
        assert!(forbidden(&repo("crates/cli", outer("anyhow"))).is_empty());
    }

    #[test]
    fn tests_may_use_any_library() {
        let dependency = Dependency {
            is_dev: true,
            ..outer("anyhow")
        };
        assert!(forbidden(&repo("crates/diptych", dependency)).is_empty());
    }
}
