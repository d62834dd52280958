//! The tensors of a file beside those that a network needs.

use std::collections::BTreeSet;
use std::fmt;

use super::Tensors;
use crate::model::Table;
use crate::{Error, Result};

/// A difference between a file's tensors and the table of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file has no such tensor.
    Missing {
        /// The tensor.
        name: String,
    },
    /// The file has it, and it can't be read.
    Refused {
        /// The tensor.
        name: String,
        /// Why not, in words that follow the name.
        reason: String,
    },
    /// It has another shape.
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        got: Vec<usize>,
        /// Its shape in the table.
        wanted: Vec<usize>,
    },
    /// The file has a tensor that the table has not.
    Unexpected {
        /// The tensor.
        name: String,
    },
}

impl Problem {
    /// The tensor.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Missing { name }
            | Self::Refused { name, .. }
            | Self::Shape { name, .. }
            | Self::Unexpected { name } => name,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name } => write!(f, "`{name}` is missing"),
            Self::Refused { name, reason } => write!(f, "`{name}` {reason}"),
            Self::Shape { name, got, wanted } => {
                write!(f, "`{name}` is {got:?}, wanted {wanted:?}")
            }
            Self::Unexpected { name } => write!(f, "`{name}` is unexpected"),
        }
    }
}

impl Tensors {
    /// Lists all differences from `table`: first those of its tensors, in its order, then the
    /// tensors that it does not have. The caller may ignore some of them. No number is read.
    #[must_use]
    pub fn compare(&self, table: &Table) -> Vec<Problem> {
        let mut problems = Vec::new();
        for parameter in table {
            problems.extend(self.compare_one(&parameter.name, &parameter.shape));
        }
        let known: BTreeSet<&str> = table.iter().map(|p| p.name.as_str()).collect();
        let left = self.names().filter(|name| !known.contains(name));
        problems.extend(left.map(|name| Problem::Unexpected { name: name.into() }));
        problems
    }

    /// Checks that there are the tensors of `table`, in its shapes, and no others.
    ///
    /// # Errors
    /// [`Error::Mismatch`] naming every tensor that is missing, unexpected or misshapen.
    pub fn check(&self, table: &Table) -> Result<()> {
        let problems = self.compare(table);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::Mismatch {
            path: self.path.clone(),
            problems: problems.iter().map(ToString::to_string).collect(),
        })
    }

    /// Compares the tensor `name` with the shape that is wanted; none, if it agrees.
    pub(in crate::weights) fn compare_one(&self, name: &str, wanted: &[usize]) -> Option<Problem> {
        let name = name.to_owned();
        match (self.shape(&name), self.refused.get(&name)) {
            (Some(got), _) if same_shape(got, wanted) => None,
            (Some(got), _) => Some(Problem::Shape {
                name,
                got: got.to_vec(),
                wanted: wanted.to_vec(),
            }),
            (None, Some(reason)) => Some(Problem::Refused {
                name,
                reason: reason.clone(),
            }),
            (None, None) => Some(Problem::Missing { name }),
        }
    }
}

/// Whether two shapes agree; a scalar may be stored as `[]` or `[1]`.
fn same_shape(a: &[usize], b: &[usize]) -> bool {
    a == b || (a.iter().all(|&n| n == 1) && b.is_empty() && a.len() <= 1)
}
