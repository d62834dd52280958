//! Plain values of what is no tensor.

use super::contents::{joined, made_by};
use super::objects::Kind;
use super::{Id, Node, Pickle, numpy};
use crate::weights::tensors::bytes::Bytes;
use crate::weights::tensors::value::Value;

/// Values that a tree may have, and levels of it. Values that are named many times are there as
/// often.
const MAX_VALUES: usize = 1 << 18;
const MAX_DEPTH: usize = 64;

impl Pickle {
    /// The plain value at a path, given which names are tensors'.
    ///
    /// # Errors
    /// In words, if there is none, or it is larger than any tree may be.
    pub(in crate::weights::tensors) fn value(
        &self,
        bytes: &Bytes,
        path: &str,
        is_tensor: &dyn Fn(&str) -> bool,
    ) -> Result<Value, String> {
        let id = self.find(self.root(), path);
        let id = id.ok_or_else(|| format!("there is no value `{path}` in it"))?;
        let mut tree = Tree {
            pickle: self,
            bytes,
            is_tensor,
            depth: 0,
            values: 0,
        };
        tree.value(id, path)
    }
}

struct Tree<'a> {
    pickle: &'a Pickle,
    bytes: &'a Bytes,
    is_tensor: &'a dyn Fn(&str) -> bool,
    depth: usize,
    values: usize,
}

impl Tree<'_> {
    fn value(&mut self, id: Id, path: &str) -> Result<Value, String> {
        self.values += 1;
        if self.values > MAX_VALUES || self.depth > MAX_DEPTH {
            return Err(format!(
                "its values have more than {MAX_VALUES} parts, or lie more than {MAX_DEPTH} deep"
            ));
        }
        Ok(match self.pickle.get(id) {
            Node::None => Value::None,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Float(value) => Value::Float(*value),
            Node::Text { text, .. } => Value::Text(text.clone()),
            Node::Bytes(place) => Value::Other(format!("{} bytes", place.len)),
            Node::Other(what) => Value::Other((*what).to_owned()),
            Node::Persistent(_) => Value::Other("what is kept outside of the pickle".into()),
            Node::Global(..) => match self.pickle.global(id) {
                Some((module, name)) => Value::Text(format!("{module}.{name}")),
                None => Value::Other("an import".into()),
            },
            Node::List(_) | Node::Dict(_) | Node::Call { .. } => return self.compound(id, path),
        })
    }

    fn compound(&mut self, id: Id, path: &str) -> Result<Value, String> {
        let Some(container) = self.pickle.container(id) else {
            return Ok(self.call(id, path));
        };
        self.depth += 1;
        let entries = container.entries.into_iter().map(|(name, id)| {
            let value = self.value(id, &joined(path, &name))?;
            Ok((name.into_owned(), value))
        });
        let entries = entries.collect::<Result<Vec<_>, String>>()?;
        self.depth -= 1;
        Ok(match container.kind {
            Kind::List => Value::List(entries.into_iter().map(|(_, value)| value).collect()),
            Kind::Dict => Value::Dict(entries),
            Kind::Object(class) => Value::Object {
                class,
                attributes: entries,
            },
        })
    }
    /// The plain value of a call that makes no container: a scalar, a tensor, a device; else the
    /// reason why it is not read.
    fn call(&self, id: Id, path: &str) -> Value {
        if (self.is_tensor)(path) {
            return Value::Tensor(path.to_owned());
        }
        if let Some(number) = numpy::scalar(self.pickle, id, self.bytes) {
            return number;
        }
        match self.pickle.call(id) {
            Some((("torch", "device"), &[device, ..]))
                if let Some(name) = self.pickle.text(device) =>
            {
                Value::Text(name.to_owned())
            }
            Some((("numpy", "dtype"), &[code, ..])) if let Some(code) = self.pickle.text(code) => {
                Value::Text(code.to_owned())
            }
            _ => Value::Other(made_by(self.pickle, id).unwrap_or_else(|| "bytes".into())),
        }
    }
}
