//! Which index a command means, and opening it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use diptych::Clip;
use diptych::weights::{DEFAULT_MODEL, Parts};
use diptych_index::{Local, Model, Store};
use diptych_search::{check_model, model_of};

use crate::args::{AddressArgs, ModelArgs};
use crate::output::hinted;

/// Schemes of the address of an index on a server.
const SERVERS: [&str; 2] = ["qdrant://", "qdrants://"];

/// Address of an index.
#[derive(Clone, Debug)]
pub(super) enum Address {
    File(PathBuf),
    Server(String),
}

impl Address {
    /// The one that was named, or the user's own.
    pub(super) fn new(args: &AddressArgs) -> Result<Self> {
        match (&args.index, &args.store) {
            (_, Some(url)) => match Self::named(url.as_ref()) {
                Self::Server(url) => Ok(Self::Server(url)),
                Self::File(_) => bail!("`{url}` is no store; wanted qdrant://HOST:6334/COLLECTION"),
            },
            (Some(path), None) => Ok(Self::File(path.clone())),
            (None, None) => Ok(Self::File(users_own()?)),
        }
    }

    /// A file or a server's address.
    pub(super) fn named(name: &Path) -> Self {
        let is_url = |name: &&str| SERVERS.iter().any(|scheme| name.starts_with(scheme));
        match name.to_str().filter(is_url) {
            Some(url) => Self::Server(url.to_owned()),
            None => Self::File(name.to_owned()),
        }
    }

    /// Whether there is no index yet.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::File(path) => !path.exists(),
            Self::Server(_) => self.open().is_err(),
        }
    }

    /// Opens it to read.
    pub(super) fn open(&self) -> Result<Box<dyn Store>> {
        match self {
            Self::File(path) => Ok(Box::new(Local::open(path)?)),
            Self::Server(url) => remote(url, Remote::Open),
        }
    }

    /// Opens it to write; makes it if need be.
    pub(super) fn create(&self, model: &Model) -> Result<Box<dyn Store>> {
        match self {
            Self::File(path) => Ok(Box::new(Local::create(path, model)?)),
            Self::Server(url) => remote(url, Remote::Create(model)),
        }
    }

    /// Opens it to write, as it is.
    pub(super) fn change(&self) -> Result<Box<dyn Store>> {
        match self {
            Self::File(path) => Ok(Box::new(Local::change(path)?)),
            Self::Server(url) => remote(url, Remote::Change),
        }
    }

    /// The file, for what only files have.
    pub(super) fn file(&self) -> Result<&PathBuf> {
        match self {
            Self::File(path) => Ok(path),
            Self::Server(url) => bail!("{url}: a server looks after its own files"),
        }
    }
}

enum Remote<'a> {
    Open,
    Create(&'a Model),
    Change,
}

#[cfg(feature = "qdrant")]
fn remote(url: &str, how: Remote) -> Result<Box<dyn Store>> {
    use diptych_index::Qdrant;
    Ok(Box::new(match how {
        Remote::Open => Qdrant::open(url)?,
        Remote::Create(model) => Qdrant::create(url, model)?,
        Remote::Change => Qdrant::change(url)?,
    }))
}

#[cfg(not(feature = "qdrant"))]
fn remote(url: &str, how: Remote) -> Result<Box<dyn Store>> {
    if let Remote::Create(model) = how {
        let _ = model; // only a build with the feature needs it
    }
    Err(hinted(
        anyhow::anyhow!("{url}: this build knows no servers"),
        "build with `--features qdrant`",
    ))
}

/// `photos.diptych` where this user's programs keep their data.
fn users_own() -> Result<PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // What is not absolute would be another folder wherever the program is called, so it counts as
    // not set: of XDG's variables their standard says so.
    let absolute = |name: &str| {
        given(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = || absolute("HOME");
    let data = if let Some(data) = absolute("XDG_DATA_HOME") {
        Some(data)
    } else if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else if cfg!(target_vendor = "apple") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        home().map(|home| home.join(".local/share"))
    };
    match data {
        Some(data) => Ok(data.join("diptych").join("photos.diptych")),
        None => bail!("no data directory of this user is known; name the index with --index"),
    }
}

/// The model of an index's vectors, or one that has another name and the same weights.
pub(super) fn clip_of(store: &dyn Store, named: Option<&str>) -> Result<Clip> {
    let has = store.model();
    let named = named.unwrap_or(&has.name);
    let opened =
        super::local(named, Parts::All).and_then(|local| Ok(super::told(Clip::open(local)?)));
    let clip =
        opened.with_context(|| format!("the index's vectors are of the model `{}`", has.name))?;
    match check_model(store, &clip, named) {
        Ok(()) => Ok(clip),
        Err(error) if named == DEFAULT_MODEL => Err(hinted(
            error,
            "the default model is another since; index again into a new file",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Describes a model for an index: named by its absolute path if `--model` is a path, else as
/// typed.
pub(super) fn model(args: &ModelArgs, clip: &Clip) -> Result<Model> {
    if clip.fingerprint().is_none() {
        bail!("the model has no fingerprint");
    }
    // A path is to be found from any folder.
    let path = Path::new(&args.model);
    let is_path = args.model != DEFAULT_MODEL && path.exists();
    if is_path {
        let path = fs_err::canonicalize(path)?;
        return Ok(model_of(clip, &path.display().to_string()));
    }
    Ok(model_of(clip, &args.model))
}
