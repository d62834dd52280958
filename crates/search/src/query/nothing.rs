//! Why a search found nothing, as far as it can be told: for a user who else can't tell a mistake
//! from an answer.

use std::fmt;
use std::path::PathBuf;

use diptych_files::quoted;
use diptych_index::Store;

use super::threshold::Calibration;
use super::{MinScore, Request};
use crate::index::places;
use crate::{Error, Result};

/// Why nothing was found; said in words that can follow "nothing found: ".
#[derive(Clone, Debug, PartialEq)]
pub enum Nothing {
    /// The index holds no picture.
    Empty,
    /// No picture of the index lies in one of these folders.
    Elsewhere(Vec<PathBuf>),
    /// [`Request::after`] is not before [`Request::before`].
    NoTime,
    /// No picture was made when it was asked for, or none says itself that it was.
    OtherTimes {
        /// Whether a time was asked for.
        timed: bool,
        /// Whether they had to say so themselves.
        dated: bool,
    },
    /// There is no picture but the one that others are to be like.
    OnlyItself,
    /// No picture is near enough.
    Below {
        /// The best score.
        best: f32,
        /// The least that was asked for.
        wanted: f32,
    },
    /// No picture is nearer than for texts that have nothing to do with the index.
    Unrelated {
        /// The best score.
        best: f32,
        /// The highest [`Calibration::lead`] of any hit: how much nearer it is to the query than
        /// to texts in general.
        lead: f32,
        /// The least lead that is wanted, [`Calibration::gate`].
        wanted: f32,
    },
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the index holds no picture"),
            Self::Elsewhere(folders) => {
                write!(f, "no picture of the index lies in ")?;
                for (i, folder) in folders.iter().enumerate() {
                    let or = if i == 0 { "" } else { " or " };
                    write!(f, "{or}{}", quoted(folder))?;
                    if !folder.exists() {
                        write!(f, " (which is not there)")?;
                    }
                }
                Ok(())
            }
            Self::NoTime => write!(f, "no time is after the one date and before the other"),
            Self::OtherTimes {
                timed: true,
                dated: false,
            } => write!(f, "no picture is of that time"),
            Self::OtherTimes { timed: true, .. } => {
                write!(f, "no picture of that time says itself when it was taken")
            }
            Self::OtherTimes { .. } => write!(f, "no picture says itself when it was taken"),
            Self::OnlyItself => write!(f, "there is no other picture than that one"),
            Self::Below { best, wanted } => {
                write!(f, "the best score is {best:.4}, and {wanted} is wanted")
            }
            Self::Unrelated { best, lead, wanted } => write!(
                f,
                "the best score is {best:.3}, but no picture is more than {lead:.3} nearer to this than to any text, and \
                 {wanted:.3} is wanted"
            ),
        }
    }
}

/// Returns why there is nothing to find in these folders (in the whole index, if `folders` is
/// empty); none if there is something.
///
/// # Errors
/// If the index can't be read.
pub fn nothing_within(store: &dyn Store, folders: &[PathBuf]) -> Result<Option<Nothing>> {
    if store.status()?.contents == 0 {
        return Ok(Some(Nothing::Empty));
    }
    let mut has_any = folders.is_empty();
    for folder in folders {
        store.files(&places(store, folder)?, &mut |_, id| {
            has_any |= id.is_some()
        })?;
    }
    Ok((!has_any).then(|| Nothing::Elsewhere(folders.to_vec())))
}

impl Request {
    /// Why nothing was found. `nearest` gives what there is by another request.
    pub(super) fn nothing(
        &self,
        store: &dyn Store,
        nearest: impl FnOnce(&Self) -> Result<Vec<super::Found>>,
    ) -> Result<Nothing> {
        if let Some(nothing) = nothing_within(store, &self.within)? {
            return Ok(nothing);
        }
        let is_no_time = |(after, before)| after >= before;
        if self.after.zip(self.before).is_some_and(is_no_time) {
            return Ok(Nothing::NoTime);
        }
        let any = nearest(&Self {
            top: Calibration::LOOK_AT,
            min_score: None,
            ..self.clone()
        })?;
        let timed = self.after.is_some() || self.before.is_some();
        let Some(best) = any.first().map(|found| found.score) else {
            return Ok(match (timed, self.dated) {
                (false, false) => Nothing::OnlyItself,
                (timed, dated) => Nothing::OtherTimes { timed, dated },
            });
        };
        let wanted = match self.min_score {
            Some(MinScore::Auto) => None,
            Some(MinScore::Cosine(wanted)) => Some(wanted),
            // Found since.
            None => Some(best),
        };
        if let Some(wanted) = wanted {
            return Ok(Nothing::Below { best, wanted });
        }
        let calibration = Calibration::of(store)?.ok_or(Error::NoThreshold)?;
        let mut lead = f32::NEG_INFINITY;
        for found in &any {
            let of = calibration.lead(store, found.id, &found.part, found.score)?;
            lead = of.map_or(lead, |of| lead.max(of));
        }
        Ok(Nothing::Unrelated {
            best,
            lead,
            wanted: calibration.gate,
        })
    }
}
