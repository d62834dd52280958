//! Plain values that a file has beside its tensors, such as the configuration of a network.

/// A plain value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Python's `None`.
    None,
    /// True or false.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text; a class or function by its name, `torch.float32`; a device, `cuda:0`.
    Text(String),
    /// A tuple, a list or a set.
    List(Vec<Value>),
    /// A dictionary. A key that is no text is spelled as Python's `str` spells it, or `?3` in the
    /// fourth entry, where it is neither a text nor a number.
    Dict(Vec<(String, Value)>),
    /// An object: a module of PyTorch's, a network of StyleGAN's.
    Object {
        /// The name of its class.
        class: String,
        /// Its attributes; among them parameters, buffers and modules within it, each by its own
        /// name.
        attributes: Vec<(String, Value)>,
    },
    /// A tensor, by its name in the file.
    Tensor(String),
    /// A value that is not read, in words: `is made by posix.system, which is not run`, `12 bytes`.
    Other(String),
}

impl Value {
    /// The value at a dotted path of keys, attributes and places in lists:
    /// `synthesis_kwargs.channel_base`. A key may have dots itself.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Self> {
        let entries = match self {
            Self::Dict(entries) => entries,
            Self::Object { attributes, .. } => attributes,
            Self::List(items) => {
                let (index, rest) = match path.split_once('.') {
                    Some((index, rest)) => (index, Some(rest)),
                    None => (path, None),
                };
                let item = items.get(index.parse::<usize>().ok()?)?;
                return rest.map_or(Some(item), |rest| item.get(rest));
            }
            _ => return None,
        };
        if let Some((_, value)) = entries.iter().find(|(key, _)| key == path) {
            return Some(value);
        }
        entries.iter().find_map(|(key, value)| {
            let rest = path.strip_prefix(key.as_str())?.strip_prefix('.')?;
            value.get(rest)
        })
    }

    /// The value, if it is true or false.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value, if it is an integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The value, if it is a number.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Int(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The value, if it is a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }
}
