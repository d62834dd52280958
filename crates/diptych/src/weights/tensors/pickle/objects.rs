//! Containers: what a value of a pickle holds, by name.
//!
//! Beside dictionaries and lists these are modules of PyTorch's, networks of StyleGAN's and the
//! like, whose state is read as it stands. What lies under `_parameters`, `_buffers` and `_modules`
//! of a module is named as if it lay in the module itself, as its state dict names it.
//!
//! Sources: `torch/nn/modules/module.py`; `torch_utils/persistence.py` and `dnnlib/util.py` of
//! stylegan2-ada-pytorch; `dnnlib/tflib/network.py` of stylegan2.

use std::borrow::Cow;

use super::{Id, Node, Pickle};

/// The kind of a container, and its values by their names.
pub(super) struct Container<'a> {
    pub(super) kind: Kind,
    pub(super) entries: Vec<(Cow<'a, str>, Id)>,
    /// Whether NumPy's scalars in it are tensors without dimensions: as such TensorFlow reads its
    /// variables. Elsewhere they are numbers of a configuration.
    pub(super) has_variables: bool,
}

/// The kind of a container.
pub(super) enum Kind {
    List,
    Dict,
    /// An object of a class, by the class's name.
    Object(String),
}

/// Attributes of an object whose entries are named as its own.
const INLINED: [&str; 5] = [
    "_parameters",
    "_buffers",
    "_modules",
    // Of a network of StyleGAN's in TensorFlow.
    "components",
    "variables",
];

impl Pickle {
    /// The contents of a value, if it is a container of a known kind.
    pub(super) fn container(&self, id: Id) -> Option<Container<'_>> {
        match self.get(id) {
            Node::Dict(entries) => Some(self.dict(entries)),
            Node::List(items) => Some(list(items)),
            Node::Call {
                callee,
                arguments,
                state,
                entries,
            } => {
                let class = self.global(*callee)?;
                match (class, self.list(*arguments)?, state) {
                    (
                        ("collections", "OrderedDict" | "defaultdict")
                        | ("dnnlib" | "dnnlib.util", "EasyDict"),
                        ..,
                    ) => Some(self.dict(entries)),
                    (("torch", "Size"), &[items], _)
                    | (("__builtin__" | "builtins", "set" | "frozenset"), &[items], _) => {
                        self.list(items).map(list)
                    }
                    (
                        ("torch_utils.persistence", "_reconstruct_persistent_obj"),
                        &[description],
                        _,
                    ) => {
                        let name = self.entry(description, "class_name");
                        let name = name.and_then(|name| self.text(name)).unwrap_or("object");
                        self.object(name.to_owned(), self.entry(description, "state")?)
                    }
                    (("dnnlib.tflib.network", "Network"), _, &Some(state)) => {
                        let network = self.object("Network".into(), state)?;
                        Some(Container {
                            has_variables: true,
                            ..network
                        })
                    }
                    ((module, name), _, &Some(state))
                        if module.starts_with("__torch__")
                            || module.starts_with("torch.nn.modules.") =>
                    {
                        self.object(format!("{module}.{name}"), state)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The value at a path of names below a value, each name without or with dots.
    pub(super) fn find(&self, id: Id, path: &str) -> Option<Id> {
        if path.is_empty() {
            return Some(id);
        }
        let entries = self.container(id)?.entries;
        if let Some((_, id)) = entries.iter().find(|(name, _)| name == path) {
            return Some(*id);
        }
        entries.into_iter().find_map(|(name, id)| {
            let rest = path.strip_prefix(&*name)?.strip_prefix('.')?;
            self.find(id, rest)
        })
    }

    /// Whether the root holds a container by a name.
    pub(in crate::weights::tensors) fn has_container(&self, name: &str) -> bool {
        let entries = self.container(self.root()).map(|root| root.entries);
        let entry = entries.into_iter().flatten().find(|(key, _)| key == name);
        entry.is_some_and(|(_, id)| self.container(id).is_some())
    }

    /// An entry of a dictionary.
    fn entry(&self, id: Id, name: &str) -> Option<Id> {
        match self.get(id) {
            Node::Dict(entries) => {
                let entry = entries
                    .iter()
                    .find(|(key, _)| self.text(*key) == Some(name));
                entry.map(|&(_, value)| value)
            }
            _ => None,
        }
    }

    fn dict(&self, entries: &[(Id, Id)]) -> Container<'_> {
        let named = entries.iter().enumerate();
        Container {
            kind: Kind::Dict,
            entries: named
                .map(|(i, &(key, id))| (self.key(i, key), id))
                .collect(),
            has_variables: false,
        }
    }

    /// A key of a dictionary as a name: as Python's `str` has it, or `?3` for the fourth entry, if
    /// it is neither a text nor a number.
    fn key(&self, index: usize, id: Id) -> Cow<'_, str> {
        match self.get(id) {
            Node::Text { text, .. } => text.into(),
            Node::Int(value) => value.to_string().into(),
            Node::Float(value) => format!("{value:?}").into(),
            Node::Bool(true) => "True".into(),
            Node::Bool(false) => "False".into(),
            Node::None => "None".into(),
            _ => format!("?{index}").into(),
        }
    }

    /// An object of a class, by its state: a dictionary of attributes.
    fn object(&self, class: String, state: Id) -> Option<Container<'_>> {
        let Node::Dict(attributes) = self.get(state) else {
            return None;
        };
        let mut entries = Vec::new();
        for (name, id) in self.dict(attributes).entries {
            match INLINED
                .contains(&&*name)
                .then(|| self.inlined(id))
                .flatten()
            {
                Some(inlined) => entries.extend(inlined),
                None => entries.push((name, id)),
            }
        }
        Some(Container {
            kind: Kind::Object(class),
            entries,
            has_variables: false,
        })
    }

    /// A dictionary's entries, or those of a list of names and values in pairs.
    fn inlined(&self, id: Id) -> Option<Vec<(Cow<'_, str>, Id)>> {
        if let Node::List(items) = self.get(id) {
            let pair = |&item: &Id| match *self.list(item)? {
                [name, value] => Some((Cow::Borrowed(self.text(name)?), value)),
                _ => None,
            };
            return items.iter().map(pair).collect();
        }
        let container = self.container(id)?;
        matches!(container.kind, Kind::Dict).then_some(container.entries)
    }
}

fn list(items: &[Id]) -> Container<'_> {
    let named = items.iter().enumerate();
    Container {
        kind: Kind::List,
        entries: named.map(|(i, &id)| (i.to_string().into(), id)).collect(),
        has_variables: false,
    }
}
