//! Pickles, read without ever calling anything.
//!
//! A pickle is a program for a stack machine, which `machine` runs over values alone: strings,
//! numbers and containers are built; what Python would import becomes a [`Node::Global`], what it
//! would call a [`Node::Call`] that remembers callee and arguments. `torch` and `numpy` recognise
//! the few calls that stand for tensors, `objects` those that stand for containers; no other is
//! followed, and each is told by its name. `contents` finds the tensors in all that, `tree` makes
//! plain values of the rest.
//!
//! Invariant: values live in one arena and name each other by place, so cycles are harmless. Who
//! walks over them counts the steps, since a value may be named many times.

mod contents;
mod input;
mod machine;
mod numpy;
mod objects;
mod torch;
mod tree;

pub(super) use contents::{Found, collect};
pub(super) use input::{Input, MAX_PICKLE_BYTES};
pub(super) use torch::{class_bytes, persistent};

use super::bytes::Place;

/// A value's place in its [`Pickle`].
pub(super) type Id = usize;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A text, and where its bytes lie in the file.
    Text {
        text: String,
        place: Place,
    },
    /// Bytes, which stay in the file; a text that is too long to be kept as well.
    Bytes(Place),
    /// Another value, in words.
    Other(&'static str),
    /// Tuples, lists and sets.
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name that Python would import: its module and itself, two texts.
    Global(Id, Id),
    /// The result of a call that Python would make; then its state, and entries set on it.
    Call {
        callee: Id,
        /// A list.
        arguments: Id,
        state: Option<Id>,
        entries: Vec<(Id, Id)>,
    },
    /// A value that the file's writer keeps elsewhere, by the name it gave.
    Persistent(Id),
}

/// Bytes that a value stands for.
#[derive(Clone, Copy)]
pub(super) enum Data {
    /// As they are.
    Plain(Place),
    /// As the characters of a text: protocol 2 has no bytes.
    Text(Place),
}

/// A pickle's values.
pub(super) struct Pickle {
    nodes: Vec<Node>,
    root: Id,
}

impl Pickle {
    /// The value that the pickle is of.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    pub(super) fn get(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// All values, whatever holds them.
    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        0..self.nodes.len()
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Node::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A number of things: an integer from zero up.
    pub(super) fn count(&self, id: Id) -> Option<u64> {
        u64::try_from(self.int(id)?).ok()
    }

    /// The shape or the strides of a tensor.
    pub(super) fn counts(&self, id: Id) -> Option<Vec<u64>> {
        let items = self.list(id)?;
        let is_shape = items.len() <= MAX_DIMENSIONS;
        is_shape.then(|| items.iter().map(|&item| self.count(item)).collect())?
    }

    pub(super) fn list(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// Module and name, if the value is an import.
    pub(super) fn global(&self, id: Id) -> Option<(&str, &str)> {
        match self.get(id) {
            Node::Global(module, name) => Some((self.text(*module)?, self.text(*name)?)),
            // Before 1.6 PyTorch kept classes of modules by themselves, with their source.
            Node::Persistent(name) => match *self.list(*name)? {
                [kind, class, ..] if self.text(kind) == Some("module") => match self.get(class) {
                    Node::Global(module, name) => Some((self.text(*module)?, self.text(*name)?)),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// Bytes that the value is, or that it would be made of.
    pub(super) fn bytes(&self, id: Id) -> Option<Data> {
        match (self.get(id), self.call(id)) {
            // Python 2's bytes are texts.
            (Node::Bytes(place) | Node::Text { place, .. }, _) => Some(Data::Plain(*place)),
            (_, Some((("_codecs", "encode"), &[text, codec]))) => {
                let is_latin1 = self.text(codec) == Some("latin1");
                match self.get(text) {
                    Node::Bytes(place) | Node::Text { place, .. } => {
                        is_latin1.then_some(Data::Text(*place))
                    }
                    _ => None,
                }
            }
            // Of no bytes at all Python 3 writes a call for protocol 2.
            (_, Some((("__builtin__", "bytes"), []))) => {
                Some(Data::Plain(Place { offset: 0, len: 0 }))
            }
            _ => None,
        }
    }

    /// Callee and arguments, if the value is a call of something by its name.
    pub(super) fn call(&self, id: Id) -> Option<((&str, &str), &[Id])> {
        match self.get(id) {
            Node::Call {
                callee, arguments, ..
            } => Some((self.global(*callee)?, self.list(*arguments)?)),
            _ => None,
        }
    }
}

/// Dimensions that a tensor may have; those of networks have five at the most.
const MAX_DIMENSIONS: usize = 8;
