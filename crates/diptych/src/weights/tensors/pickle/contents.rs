//! The tensors that a pickle holds, by name.

use std::collections::{BTreeMap, HashMap};

use super::{Data, Id, Node, Pickle, numpy, torch};
use crate::weights::tensors::bytes::{Bytes, Place};
use crate::weights::tensors::legacy::Legacy;
use crate::weights::tensors::view::{Storage, View, latin1};

/// The tensors of a file, and what it has that might be taken for one.
#[derive(Default)]
pub(in crate::weights::tensors) struct Found {
    pub(in crate::weights::tensors) views: BTreeMap<String, View>,
    /// Entries that are no tensors we can read, and why: an error where one of them is needed.
    pub(in crate::weights::tensors) refused: BTreeMap<String, String>,
}

/// Tensors and refused entries that a file may have, bytes of a name, and containers within each
/// other.
const MAX_ENTRIES: usize = 1 << 16;
const MAX_NAME: usize = 256;
const MAX_DEPTH: usize = 32;

/// Most values that are looked at: twice as many as all containers of a pickle can hold. A value
/// that is named many times counts as often.
const MAX_STEPS: usize = 1 << 21;

/// Where storages lie.
pub(in crate::weights::tensors) struct Storages<'a> {
    bytes: &'a Bytes,
    /// Where a storage lies that is kept outside of the pickle, by its key.
    outer: &'a dyn Fn(&str) -> Result<Place, String>,
    /// Storages that are files of their own within the pickle, by where they begin.
    inner: HashMap<u64, Result<Storage, String>>,
    /// Bytes that texts stand for, by where these begin.
    texts: HashMap<u64, Result<u64, String>>,
}

impl<'a> Storages<'a> {
    pub(super) fn new(bytes: &'a Bytes, outer: &'a dyn Fn(&str) -> Result<Place, String>) -> Self {
        Self {
            bytes,
            outer,
            inner: HashMap::new(),
            texts: HashMap::new(),
        }
    }

    pub(super) fn place(&self, key: &str) -> Result<Place, String> {
        (self.outer)(key)
    }

    /// The place of all bytes that a text stands for, within them.
    pub(super) fn decoded(&mut self, text: Place) -> Result<Place, String> {
        let bytes = self.bytes;
        let known = self.texts.entry(text.offset);
        let len = known.or_insert_with(|| latin1(bytes, text).map(|bytes| bytes.len() as u64));
        let len = len.clone()?;
        Ok(Place { offset: 0, len })
    }

    /// The storage in a file of PyTorch's that is a value of the pickle.
    pub(super) fn nested(&mut self, pickle: &Pickle, stream: Id) -> Result<Storage, String> {
        let stream = pickle.bytes(stream);
        let stream = stream.ok_or("is a tensor without a storage")?;
        let bytes = self.bytes;
        let (Data::Plain(place) | Data::Text(place)) = stream;
        let known = self.inner.entry(place.offset);
        let read = known.or_insert_with(|| match stream {
            Data::Plain(place) => only_storage(bytes, place),
            Data::Text(text) => {
                let decoded = latin1(bytes, text)?;
                let len = decoded.len() as u64;
                let decoded = Bytes::Memory(decoded.into());
                let storage = only_storage(&decoded, Place { offset: 0, len })?;
                let text = Some(text);
                Ok(Storage { text, ..storage })
            }
        });
        read.clone()
    }
}

/// The storage that a file of PyTorch's from before 1.6 is of, which lies in a larger file.
fn only_storage(bytes: &Bytes, place: Place) -> Result<Storage, String> {
    let legacy = Legacy::read(bytes, place)?;
    let outer = |key: &str| legacy.place(key);
    let storages = Storages::new(bytes, &outer);
    torch::stored(&legacy.pickle, legacy.pickle.root(), None, &storages)
}

/// The tensors of a pickle in a file, given where storages lie that it only names.
///
/// # Errors
/// In words, if there is none, or more than can be looked at.
pub(in crate::weights::tensors) fn collect(
    pickle: &Pickle,
    bytes: &Bytes,
    outer: &dyn Fn(&str) -> Result<Place, String>,
) -> Result<Found, String> {
    let mut walk = Walk {
        pickle,
        storages: Storages::new(bytes, outer),
        found: Found::default(),
        within: Vec::new(),
        steps: 0,
    };
    walk.visit(pickle.root(), "")?;
    let found = walk.found;
    if !found.views.is_empty() {
        return Ok(found);
    }
    Err(match found.refused.into_iter().next() {
        Some((name, reason)) => format!("there is no tensor in it: `{name}` {reason}"),
        None => "there is no tensor in it".into(),
    })
}

struct Walk<'a> {
    pickle: &'a Pickle,
    storages: Storages<'a>,
    found: Found,
    /// The containers that the value looked at lies in: one may hold itself.
    within: Vec<Id>,
    steps: usize,
}

impl Walk<'_> {
    /// Looks at a value, and at what it holds.
    fn visit(&mut self, id: Id, name: &str) -> Result<(), String> {
        let tensor = match numpy::tensor(self.pickle, id, &mut self.storages) {
            Ok(None) => torch::tensor(self.pickle, id, &mut self.storages),
            array => array,
        };
        let container = match tensor {
            Ok(Some(view)) => return self.insert(name, view),
            Err(reason) => return self.refuse(name, reason),
            Ok(None) => self.pickle.container(id),
        };
        let Some(container) = container else {
            return match made_by(self.pickle, id) {
                Some(reason) => self.refuse(name, reason),
                None => Ok(()),
            };
        };
        if self.within.len() > MAX_DEPTH {
            return self.refuse(name, format!("lies more than {MAX_DEPTH} deep"));
        }
        self.within.push(id);
        for (key, value) in container.entries {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(format!(
                    "its values name each other more than {MAX_STEPS} times"
                ));
            }
            if !container.has_variables && numpy::is_scalar(self.pickle, value) {
                continue;
            }
            let node = self.pickle.get(value);
            let is_compound = matches!(node, Node::List(_) | Node::Dict(_) | Node::Call { .. });
            if is_compound && !self.within.contains(&value) {
                self.visit(value, &below(name, &key))?;
            }
        }
        self.within.pop();
        Ok(())
    }

    fn insert(&mut self, name: &str, view: View) -> Result<(), String> {
        if name.len() > MAX_NAME {
            return self.refuse(name, "has a longer name than is read".into());
        }
        if self.found.views.contains_key(name) || self.found.refused.contains_key(name) {
            return self.refuse(name, "is the name of two entries".into());
        }
        self.check()?;
        self.found.views.insert(name.to_owned(), view);
        Ok(())
    }

    fn refuse(&mut self, name: &str, reason: String) -> Result<(), String> {
        self.check()?;
        self.found.views.remove(name);
        self.found.refused.insert(name.to_owned(), reason);
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.found.views.len() + self.found.refused.len() < MAX_ENTRIES {
            return Ok(());
        }
        Err(format!("it has more than {MAX_ENTRIES} entries"))
    }
}

/// A name below another.
pub(super) fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A name below another, cut off where it is longer than a tensor's may be.
fn below(path: &str, name: &str) -> String {
    if path.len() > MAX_NAME {
        return path.to_owned();
    }
    let mut joined = joined(path, name);
    if joined.len() > MAX_NAME {
        let end = (MAX_NAME..joined.len()).find(|&i| joined.is_char_boundary(i));
        joined.truncate(end.unwrap_or(joined.len()));
        joined.push('…');
    }
    joined
}

/// Calls whose result is no tensor and holds none, whatever they are given.
const HARMLESS: [(&str, &str); 4] = [
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("torch", "device"),
    ("torch.storage", "_load_from_bytes"),
];

/// The reason why a value is not read, if Python would make it by a call that is not harmless.
pub(super) fn made_by(pickle: &Pickle, id: Id) -> Option<String> {
    let Node::Call { callee, .. } = pickle.get(id) else {
        return None;
    };
    match pickle.global(*callee) {
        Some(harmless) if HARMLESS.contains(&harmless) => None,
        Some((module, name)) if module.len() + name.len() < MAX_NAME => {
            Some(format!("is made by `{module}.{name}`, which is not run"))
        }
        _ => Some("is made by a call, which is not run".into()),
    }
}
