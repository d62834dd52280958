//! Gradients by name → the parameters of any module moved: AdamW and Muon, their schedule and their
//! state.
//!
//! Invariant: nothing here knows what is trained. A parameter is its path in the module tree; what
//! has no gradient stays.

mod gradients;
mod muon;
mod optimizer;
mod schedule;
mod settings;
mod state;
#[cfg(test)]
pub(crate) mod tests;

pub use gradients::NamedGradients;
pub use muon::Matrices;
pub use optimizer::Optimizer;
pub use settings::{Algorithm, Optimization};
