//! Things left out of training data: how often, why, and an example for each reason.
//!
//! Invariant: whatever a source names and its reader does not use is added to a [`Tally`], so
//! nothing is lost in silence. Not counted, because nothing is lost: hidden files, folders, and
//! members such as `KEY.json` beside a picture and a text of the same key.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Error, Result};

/// Why something is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A caption is missing, null, or nothing but white space.
    EmptyCaption,
    /// A picture that nothing is said of.
    NoCaption,
    /// A text that belongs to no picture.
    NoPicture,
    /// Bytes that are no UTF-8 where a text should be.
    NotUtf8,
    /// A row that has another number of fields than its header. Its caption may be cut.
    Fields,
    /// A row whose quotes don't match.
    Quotes,
    /// A line that is not of the file's format.
    Line,
    /// A name with more dots than the one before its extension, which WebDataset takes for another
    /// extension.
    Dots,
    /// A box without area or class, or outside of its picture; a file of none.
    Box,
    /// A second picture of one key.
    SecondPicture,
    /// A link to nothing that can be read.
    Link,
    /// A member of an archive that is no plain file, such as a device.
    NoFile,
    /// A file larger than any picture or text.
    TooLarge,
    /// A file that is by its name no picture, nor text where those are looked for.
    OtherFile,
    /// A picture outside of the folders that it is looked for in.
    Outside,
    /// A folder whose name is no class's.
    Class,
    /// A folder that can't be read.
    Folder,
    /// The rest of a damaged shard.
    Damaged,
    /// A picture whose file is missing or can't be read.
    Unreadable,
    /// A picture that can't be decoded.
    Undecodable,
    /// A picture that a build with another feature decodes.
    NotBuilt,
    /// A picture that can't be measured on.
    Unmeasurable,
}

impl Reason {
    /// The thing that is passed over, in words that are stable.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyCaption => "an empty caption",
            Self::NoCaption => "a picture without a caption",
            Self::NoPicture => "a caption without a picture",
            Self::NotUtf8 => "a text that is not UTF-8",
            Self::Fields => "a row with another number of fields than its header",
            Self::Quotes => "a quote that is not closed",
            Self::Line => "a line of another format",
            Self::Dots => "a name with several dots",
            Self::Box => "a box that shows no thing",
            Self::SecondPicture => "a second picture of one key",
            Self::Link => "a link to nothing that can be read",
            Self::NoFile => "a member that is no plain file",
            Self::TooLarge => "a file that is too large",
            Self::OtherFile => "a file of another kind",
            Self::Outside => "a picture outside of its folder",
            Self::Class => "a folder whose name is no class's",
            Self::Folder => "a folder that can't be read",
            Self::Damaged => "the rest of a damaged shard",
            Self::Unreadable => "a picture that can't be read",
            Self::Undecodable => "a picture that can't be decoded",
            Self::NotBuilt => "a picture that this build does not read",
            Self::Unmeasurable => "a picture that can't be measured on",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// All that is passed over for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Why.
    pub reason: Reason,
    /// Number of times.
    pub count: usize,
    /// A sentence about the first, which names it.
    pub example: String,
}

impl PassedOver {
    /// A single one.
    pub fn one(reason: Reason, example: impl fmt::Display) -> Self {
        Self {
            reason,
            count: 1,
            example: example.to_string(),
        }
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reason,
            count,
            example,
        } = self;
        write!(f, "{count} passed over: {reason} (for example {example})")
    }
}

/// All that is passed over, by reason, in the order that the reasons were met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(Vec<PassedOver>);

impl Tally {
    /// Counts one; `example` is written only for the first of its reason.
    pub fn add(&mut self, reason: Reason, example: impl fmt::Display) {
        self.add_many(reason, 1, example);
    }

    /// Counts several of one reason.
    pub fn add_many(&mut self, reason: Reason, count: usize, example: impl fmt::Display) {
        match self.0.iter_mut().find(|known| known.reason == reason) {
            Some(known) => known.count += count,
            None => self.0.push(PassedOver {
                count,
                ..PassedOver::one(reason, example)
            }),
        }
    }

    /// Number of all that was passed over.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().map(|passed| passed.count).sum()
    }

    /// Each reason, with its number and an example.
    #[must_use]
    pub fn reasons(&self) -> &[PassedOver] {
        &self.0
    }

    /// Refuses the first, if there is one.
    ///
    /// # Errors
    /// [`Error::PassedOver`] naming it.
    pub fn refuse_any(&self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(first) => Err(Error::PassedOver {
                reason: first.reason,
                example: first.example.clone(),
            }),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&told.join("; "))
    }
}

impl Extend<PassedOver> for Tally {
    fn extend<I: IntoIterator<Item = PassedOver>>(&mut self, more: I) {
        for passed in more {
            self.add_many(passed.reason, passed.count, passed.example);
        }
    }
}

impl IntoIterator for Tally {
    type Item = PassedOver;
    type IntoIter = std::vec::IntoIter<PassedOver>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_with_its_number_and_first_example() {
        let mut tally = Tally::default();
        assert!(tally.refuse_any().is_ok());
        tally.add(Reason::EmptyCaption, "cat/3.txt is empty");
        tally.add(Reason::Link, "4.jpg leads nowhere");
        let mut other = Tally::default();
        other.add(Reason::EmptyCaption, "cat/5.txt is empty");
        other.add(Reason::EmptyCaption, "cat/6.txt is empty");
        tally.extend(other);
        let told: Vec<String> = tally.reasons().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "3 passed over: an empty caption (for example cat/3.txt is empty)",
                "1 passed over: a link to nothing that can be read (for example 4.jpg leads nowhere)",
            ]
        );
        assert_eq!(tally.count(), 4);
        assert_eq!(
            serde_json::to_value(&tally.reasons()[0]).unwrap(),
            serde_json::json!({"reason": "an empty caption", "count": 3, "example": "cat/3.txt is empty"})
        );
        let refused = tally.refuse_any().unwrap_err().to_string();
        assert!(
            refused.contains("cat/3.txt is empty") && refused.contains("an empty caption"),
            "{refused}"
        );
    }
}
