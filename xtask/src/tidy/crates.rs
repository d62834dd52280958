//! Rules on manifests: which crate may use which.
//!
//! `cli → server → diptych → index → kernels`, each using only those to its right.

use super::Violation;
use super::repo::{Crate, Repo};

/// A workspace member's place: what it may use here, and what it must not use from elsewhere.
struct Place {
    folder: &'static str,
    /// Folders of this workspace that it may depend on, in tests too.
    may_use: &'static [&'static str],
    /// Libraries that would bring in what the crate must not know; its tests may use them.
    must_not_use: &'static [&'static str],
}

const PLACES: &[Place] = &[
    Place {
        folder: "crates/cli",
        may_use: &[
            "crates/server",
            "crates/diptych",
            "crates/index",
            "crates/kernels",
        ],
        must_not_use: &["axum"],
    },
    Place {
        folder: "crates/server",
        may_use: &["crates/diptych", "crates/index", "crates/kernels"],
        must_not_use: &["anyhow", "clap", "indicatif"],
    },
    Place {
        folder: "crates/diptych",
        may_use: &["crates/index", "crates/kernels"],
        must_not_use: &["anyhow", "clap", "indicatif", "axum"],
    },
    Place {
        folder: "crates/index",
        may_use: &["crates/kernels"],
        must_not_use: &["anyhow", "clap", "indicatif", "axum", "burn", "image"],
    },
    Place {
        folder: "crates/kernels",
        may_use: &[],
        must_not_use: &["anyhow", "clap", "indicatif", "axum", "burn", "image"],
    },
    Place {
        folder: "xtask",
        may_use: &[],
        must_not_use: &["burn", "clap"],
    },
];

/// A crate depends only on crates to its right in the chain.
pub(super) fn chain(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &repo.crates {
        let manifest = manifest(member);
        let Some(place) = place(member) else {
            let message =
                "has no place in the crate chain; give it one in xtask/src/tidy/crates.rs";
            violations.push(Violation::new(&manifest, 0, message));
            continue;
        };
        for folder in member
            .dependencies
            .iter()
            .filter_map(|dependency| dependency.folder.as_deref())
        {
            if !place.may_use.contains(&folder) {
                let message =
                    format!("depends on {folder}, which is not to its right in the crate chain");
                violations.push(Violation::new(&manifest, 0, message));
            }
        }
    }
    violations
}

/// A crate's own code does not use what [`PLACES`] forbids it.
pub(super) fn forbidden(repo: &Repo) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &repo.crates {
        let must_not_use = place(member).map_or(&[][..], |place| place.must_not_use);
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

fn place(member: &Crate) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.folder == member.folder)
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
    fn a_crate_may_use_those_to_its_right_only() {
        assert!(chain(&repo("crates/cli", inner("crates/diptych"))).is_empty());
        let found = chain(&repo("crates/diptych", inner("crates/cli")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/diptych/Cargo.toml");
        assert_eq!(
            chain(&repo("crates/kernels", inner("crates/index"))).len(),
            1
        );
        assert_eq!(chain(&repo("crates/cli", inner("xtask"))).len(), 1);
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(chain(&repo("crates/new", outer("serde"))).len(), 1);
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
