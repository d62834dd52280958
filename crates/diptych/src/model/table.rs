//! Tables of parameters, put together from parts as a network is from layers.
//!
//! ```
//! use diptych::model::{Init, Table};
//!
//! // A perceptron of two layers, below `head`.
//! let layer = |out, inputs| {
//!     Table::new()
//!         .tensor("weight", &[out, inputs], Init::Normal(0.02))
//!         .tensor("bias", &[out], Init::Constant(0.0))
//! };
//! let perceptron = Table::new().part("fc1", layer(64, 16)).part("fc2", layer(4, 64));
//! let table = Table::new().part("head", perceptron);
//! assert_eq!(table.iter().next().unwrap().name, "head.fc1.weight");
//! ```

/// A named parameter or running statistic of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its key in a state dict.
    pub name: String,
    /// Its shape there; empty for a scalar.
    pub shape: Vec<usize>,
    /// The distribution that a fresh model draws it from.
    pub init: Init,
}

/// A distribution to draw a fresh parameter from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// The same value everywhere.
    Constant(f32),
    /// Normal with mean 0 and this standard deviation.
    Normal(f32),
    /// Uniform within ± this bound.
    Uniform(f32),
}

/// The parameters of a network or of a part of one, in a state dict's order.
///
/// [`Tensors::check`](crate::weights::Tensors::check) compares a file with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(Vec<Parameter>);

impl Table {
    /// A table without parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more parameter.
    #[must_use]
    pub fn tensor(mut self, name: &str, shape: &[usize], init: Init) -> Self {
        self.0.push(Parameter {
            name: name.to_owned(),
            shape: shape.to_vec(),
            init,
        });
        self
    }

    /// With the parameters of a part, each named `PATH.NAME`.
    #[must_use]
    pub fn part(mut self, path: &str, part: Self) -> Self {
        let parameters = part.0.into_iter().map(|parameter| Parameter {
            name: format!("{path}.{}", parameter.name),
            ..parameter
        });
        self.0.extend(parameters);
        self
    }

    /// With the parameters of a part that has no name of its own.
    #[must_use]
    pub fn and(mut self, part: Self) -> Self {
        self.0.extend(part.0);
        self
    }

    /// The parameters, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter> {
        self.0.iter()
    }
}

impl IntoIterator for Table {
    type Item = Parameter;
    type IntoIter = std::vec::IntoIter<Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Table {
    type Item = &'a Parameter;
    type IntoIter = std::slice::Iter<'a, Parameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
