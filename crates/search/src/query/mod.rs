//! A query → the files of an index that are nearest to it, or none of them.
//!
//! Flow: words and pictures → [`Expression`](diptych::Expression) → [`Request`] → one vector → a
//! store's hits → [`Calibration`] drops what is no better than for texts that have nothing to do
//! with the index → [`Found`], or why [`Nothing`] is.

mod duplicates;
mod found;
mod nothing;
mod picture_file;
mod request;
mod similar;
#[cfg(test)]
mod tests;
mod threshold;

pub use self::duplicates::{
    Duplicates, FALLBACK, Group, Member, NearThreshold, Sought, duplicates,
};
pub use self::found::{Found, FoundFile, FoundLine, wall_clock};
pub use self::nothing::{Nothing, nothing_within};
pub use self::picture_file::picture_file;
pub use self::request::{Answer, MinScore, Request};
pub use self::threshold::{Calibration, calibrate};
