//! Named tensors of a file, whatever wrote it: their names, shapes and formats at once, their
//! numbers by position when they are asked for.
//!
//! Flow: a file → where its tensors lie (`safetensors`, `archive`, `legacy`, `pickle`; `index` for
//! several files that belong together) → `view` → f32. What stands beside them is a [`Value`].
//! Invariant: nothing in a file is run, and no memory is taken because a file announces a size:
//! headers, pickles and directories have limits, and numbers are read only where they lie within
//! the file.

mod archive;
mod bytes;
mod compare;
mod index;
mod legacy;
mod pickle;
mod safetensors;
mod value;
mod view;
mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::compare::Problem;
#[cfg(feature = "hub")]
pub(super) use self::index::shard_names;
pub use self::value::Value;

use self::bytes::{Bytes, Place};
use self::legacy::{HEAD, Legacy, is_legacy};
use self::pickle::{Found, Input, Pickle};
use self::view::{Unread, View};
use super::wrappers::contents;
use super::{StoredDtype, TensorData};
use crate::model::Source;
use crate::{Error, Result};
use diptych_files::PositionedFile;

/// The named tensors of a file, or of several that belong together.
///
/// It reads safetensors and an index of such files; PyTorch's files, of `torch.save` since version
/// 1.6 and before, and of `torch.jit.save`; and pickles of protocol 2 to 5 that hold PyTorch's
/// tensors or NumPy's arrays, as StyleGAN's networks are published. A name is the path to a tensor
/// through dictionaries, lists and modules: `G_ema.synthesis.b4.conv1.weight`,
/// `optimizer.state.0.exp_avg`; of a file that is one tensor it is empty.
///
/// Nothing is ever executed. What a pickle would import or call is followed where it is known to
/// stand for a tensor, a container or a module; the rest is [refused](Tensors::refused) by name,
/// and is an error only for who asks for it.
///
/// ```no_run
/// # fn main() -> diptych::Result<()> {
/// use diptych::weights::Tensors;
///
/// let file = Tensors::open("network.pkl")?;
/// let generator = file.part("G_ema")?;
/// let side = generator.value("_init_kwargs.img_resolution")?.as_int();
/// let weight = generator.read("synthesis.b4.conv1.weight")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tensors {
    path: PathBuf,
    container: Container,
    files: Vec<Arc<File>>,
    /// Each tensor by its name, with the file that it lies in.
    views: BTreeMap<String, (usize, View)>,
    refused: BTreeMap<String, String>,
    /// Path of this part in the files, such as `G_ema`; empty if this is all of them.
    prefix: String,
}

/// A file that is open.
struct File {
    path: PathBuf,
    bytes: Bytes,
    beside: Beside,
}

/// The contents of a file other than its tensors.
enum Beside {
    /// The `__metadata__` of a safetensors header.
    Texts(BTreeMap<String, String>),
    Pickle(Pickle),
}

/// The kind of a file, by the program that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Safetensors,
    Torch,
    /// A program with its weights.
    TorchScript,
    /// A pickle by itself.
    Pickle,
}

/// The kind of a file, its tensors, and its other contents.
type Contents = (Container, Found, Beside);

impl Tensors {
    /// Opens a file by what is in it, whatever it is called; or, if its name ends in `.json`, an
    /// index of such files as transformers writes it.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Tensors`] if it is no whole file of tensors.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.extension().is_some_and(|e| e == "json") {
            return index::open(path);
        }
        let bytes = Bytes::File(PositionedFile::open(path)?);
        Self::new(path.to_owned(), bytes)
    }

    /// Opens a file that is part of the program; `name` stands for its path in errors.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it is no whole file of tensors.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(name.into(), Bytes::Memory(bytes.into()))
    }

    fn new(path: PathBuf, bytes: Bytes) -> Result<Self> {
        let mut head = [0; HEAD];
        let head = &mut head[..HEAD.min(bytes.len() as usize)];
        let read = bytes.read_exact_at(head, 0);
        read.map_err(|e| Error::io(&path, e))?;
        let (container, found, beside) = read_contents(&bytes, head).map_err(|reason| {
            let path = path.clone();
            Error::Tensors { path, reason }
        })?;
        let views = found.views.into_iter();
        let file = File {
            path: path.clone(),
            bytes,
            beside,
        };
        Ok(Self {
            path,
            container,
            files: vec![Arc::new(file)],
            views: views.map(|(name, view)| (name, (0, view))).collect(),
            refused: found.refused,
            prefix: String::new(),
        })
    }

    /// The file, for messages; the first, if there are several.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of the file: `safetensors`, `PyTorch` or `pickle`.
    #[must_use]
    pub fn container(&self) -> &'static str {
        match self.container {
            Container::Safetensors => "safetensors",
            Container::Torch | Container::TorchScript => "PyTorch",
            Container::Pickle => "pickle",
        }
    }

    /// The tensors' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.views.keys().map(String::as_str)
    }

    /// The shape of the tensor `name`, if there is one; empty for a scalar.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.views.get(name).map(|(_, view)| &view.shape[..])
    }

    /// The number format of the tensor `name`, if there is one.
    #[must_use]
    pub fn dtype(&self, name: &str) -> Option<StoredDtype> {
        self.views.get(name).map(|(_, view)| view.dtype())
    }

    /// Entries that might be tensors and can't be read, by name, each with the reason, as in `is
    /// made by torch._utils._rebuild_qtensor, which is not run`.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        let refused = self.refused.iter();
        refused.map(|(name, reason)| (name.as_str(), reason.as_str()))
    }

    /// Reads the tensor `name` as f32: numbers of f64 are rounded; integers are to be numbers of
    /// f32, too, as all below 2²⁴ are; true is 1.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is none, it can't be read, or holds an integer that f32 can't
    /// hold.
    pub fn read(&self, name: &str) -> Result<TensorData> {
        let Some((file, view)) = self.views.get(name) else {
            let reason = self.refused.get(name).map(String::as_str);
            let reason = reason.unwrap_or("is not in it");
            return Err(self.refuse(format!("`{name}` {reason}")));
        };
        let File { path, bytes, .. } = &*self.files[*file];
        match view.read(bytes) {
            Ok(values) => Ok(TensorData::new(values, view.shape.clone())),
            Err(Unread::Io(error)) => Err(Error::io(path, error)),
            Err(Unread::Reason(reason)) => Err(Error::Tensors {
                path: path.clone(),
                reason: format!("`{name}` {reason}"),
            }),
        }
    }

    /// Reads the plain value at a path beside the tensors, such as a network's configuration at
    /// `G_ema._init_kwargs`; an empty path stands for all of the file. In a file of safetensors the
    /// values are the texts of its `__metadata__`.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is nothing at that path, or more than 262,144 values.
    pub fn value(&self, path: &str) -> Result<Value> {
        let path = match (&self.prefix[..], path) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        let mut reason = format!("there is no value `{path}` in it");
        for file in &self.files {
            match &file.beside {
                Beside::Texts(texts) if path.is_empty() => {
                    let texts = texts.iter();
                    let text =
                        |(key, text): (&String, &String)| (key.clone(), Value::Text(text.clone()));
                    return Ok(Value::Dict(texts.map(text).collect()));
                }
                Beside::Texts(texts) => {
                    if let Some(text) = texts.get(&path) {
                        return Ok(Value::Text(text.clone()));
                    }
                }
                Beside::Pickle(pickle) => {
                    let is_tensor = |name: &str| {
                        let name = name.strip_prefix(&self.prefix[..]);
                        let name = name.map(|name| name.strip_prefix('.').unwrap_or(name));
                        name.is_some_and(|name| self.views.contains_key(name))
                    };
                    match pickle.value(&file.bytes, &path, &is_tensor) {
                        Ok(value) => return Ok(value),
                        Err(why) => reason = why,
                    }
                }
            }
        }
        Err(self.refuse(reason))
    }

    /// The tensors and values below a prefix, without it in their names: of `G_ema.b4.const` the
    /// part `G_ema` has `b4.const`. It reads the same open file.
    ///
    /// # Errors
    /// [`Error::Tensors`] if there is no tensor below it, with what there is.
    pub fn part(&self, prefix: &str) -> Result<Self> {
        let below = |name: &str| Some(name.strip_prefix(prefix)?.strip_prefix('.')?.to_owned());
        let views = self.views.iter();
        let views = views.filter_map(|(name, view)| Some((below(name)?, view.clone())));
        let refused = self.refused.iter();
        let refused = refused.filter_map(|(name, reason)| Some((below(name)?, reason.clone())));
        let part = Self {
            path: self.path.clone(),
            container: self.container,
            files: self.files.clone(),
            views: views.collect(),
            refused: refused.collect(),
            prefix: if self.prefix.is_empty() {
                prefix.to_owned()
            } else {
                format!("{}.{prefix}", self.prefix)
            },
        };
        if let Some(reason) = part.nothing() {
            let names: Vec<&str> = self.names().collect();
            let names = contents(&names);
            return Err(self.refuse(format!("{reason}, below `{prefix}`: {names}")));
        }
        Ok(part)
    }

    /// Why there is no tensor, if there is none.
    fn nothing(&self) -> Option<String> {
        if !self.views.is_empty() {
            return None;
        }
        Some(match self.refused.iter().next() {
            Some((name, reason)) => format!("there is no tensor in it: `{name}` {reason}"),
            None => "there is no tensor in it".into(),
        })
    }

    /// The tensors of a model: those of the state dict, where a training loop wrote other things
    /// beside it.
    ///
    /// # Errors
    /// [`Error::Tensors`] if it has no tensor, or several tensors share so many numbers that
    /// together they have more than the files: who reads them all would read without end.
    pub(super) fn state_dict(self) -> Result<Self> {
        let inner = match &self.files[..] {
            [file] => match &file.beside {
                Beside::Pickle(pickle) => {
                    let names = ["state_dict", "model_state_dict", "model"];
                    names.into_iter().find(|name| pickle.has_container(name))
                }
                Beside::Texts(_) => None,
            },
            _ => None,
        };
        let part = match inner {
            Some(name) => self.part(name)?,
            None => self,
        };
        let bytes = part.views.values().map(|(_, view)| view.span().len);
        let bytes = bytes.fold(0, u64::saturating_add);
        let there_are = part.files.iter().map(|file| file.bytes.len());
        if bytes > there_are.fold(0, u64::saturating_add) {
            return Err(part.refuse(format!(
                "its tensors have {bytes} bytes, more than the file: several share their numbers"
            )));
        }
        Ok(part)
    }

    /// The formats of its floating-point numbers, by name.
    pub(super) fn float_formats(&self) -> Vec<&'static str> {
        let formats = self.views.values().map(|(_, view)| view.dtype());
        let names = formats
            .filter(|dtype| dtype.is_float())
            .map(StoredDtype::name);
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether it is a program with its weights: OpenAI's way, which needs no configuration beside
    /// it.
    pub(super) fn is_script(&self) -> bool {
        self.container == Container::TorchScript
    }

    fn refuse(&self, reason: String) -> Error {
        Error::Tensors {
            path: self.path.clone(),
            reason,
        }
    }
}

/// Reads the contents of a file that begins with `head`, which tells its kind.
///
/// # Errors
/// In words.
fn read_contents(bytes: &Bytes, head: &[u8]) -> Result<Contents, String> {
    let whole = Place {
        offset: 0,
        len: bytes.len(),
    };
    match head {
        [b'P', b'K', 3, 4, ..] => {
            let (pickle, found, is_script) = archive::read(bytes)?;
            let container = if is_script {
                Container::TorchScript
            } else {
                Container::Torch
            };
            Ok((container, found, Beside::Pickle(pickle)))
        }
        head if is_legacy(head) => {
            let legacy = Legacy::read(bytes, whole)?;
            let found = pickle::collect(&legacy.pickle, bytes, &|key| legacy.place(key))?;
            Ok((Container::Torch, found, Beside::Pickle(legacy.pickle)))
        }
        head if is_pickle(head) => {
            let pickle = Pickle::read(&mut Input::new(bytes, whole))?;
            let outer = |_: &str| Err("lies outside of the file".to_owned());
            let found = pickle::collect(&pickle, bytes, &outer)?;
            Ok((Container::Pickle, found, Beside::Pickle(pickle)))
        }
        [_, _, _, _, ..] => {
            let (found, texts) = safetensors::read(bytes)?;
            Ok((Container::Safetensors, found, Beside::Texts(texts)))
        }
        _ => Err("it has less than four bytes, so there are no tensors in it".into()),
    }
}

/// Whether a file that begins with `head` is a pickle of protocol 2 to 5. A safetensors file begins
/// with the length of its header, eight bytes, the lowest first. Its first two may be the same as a
/// pickle's, but then the last five are zeros.
fn is_pickle(head: &[u8]) -> bool {
    match head {
        [0x80, 2..=5, _, rest @ ..] => rest.iter().take(5).any(|&byte| byte != 0),
        _ => false,
    }
}

/// A network is built of a file by [`crate::layers::Builder`].
impl Source for Tensors {
    fn read(&mut self, name: &str) -> Result<TensorData> {
        Self::read(self, name)
    }
}
