//! The loop: a [`Task`] and its [`Settings`] → steps, measurements, checkpoints, the record, the
//! finished model.
//!
//! Invariant: nothing here knows what is trained. A run that was cut anywhere goes on as if it had
//! not been, to the bit, if the task's batches and gradients are functions of what they are given.

mod ahead;
mod best;
mod charts;
mod checkpoint;
mod curves;
mod event;
mod folder;
mod model_file;
mod record;
mod scale;
mod session;
mod settings;
mod task;
#[cfg(test)]
mod tests;
mod trainer;

pub use charts::{Chart, Curve};
pub use event::{Event, Outcome, Progress};
#[cfg(test)]
pub(crate) use folder::lock;
pub use model_file::{MODEL_FILE, read_model, write_model};
pub use session::train;
pub use settings::Settings;
pub(crate) use settings::{default_checkpoint_every, default_keep};
pub use task::{Gradients, Measurement, Notice, Purpose, Task};
pub use trainer::{Step, Trainer};
