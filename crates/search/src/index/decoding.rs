//! How the pictures of an index were decoded, so that pictures in queries are decoded alike.
//!
//! Noted beside the index, `{"version":1,"decode":"fast"}`. One that was made before this was noted
//! is taken as [`UNNOTED`].

use diptych::image::{Decode, DecodeOptions};
use diptych_index::Store;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Name of the note, and the version of its form.
const NOTE: &str = "decode";
const VERSION: u32 = 1;

/// Default of indexes, now and before it was noted.
pub const UNNOTED: Decode = Decode::Fast;

/// How the pictures of an index were decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoding {
    /// All of them, or the first.
    pub decode: Decode,
    /// Whether some may have been decoded otherwise.
    pub is_mixed: bool,
}

/// The form of the note; version 1.
#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(rename = "version")]
    version: u32,
    #[serde(rename = "decode")]
    decode: Name,
    #[serde(rename = "mixed", default, skip_serializing_if = "std::ops::Not::not")]
    is_mixed: bool,
}

#[derive(Serialize, Deserialize)]
enum Name {
    #[serde(rename = "exact")]
    Exact,
    #[serde(rename = "fast")]
    Fast,
}

impl Decoding {
    /// Returns how an index's pictures were decoded, or will be if it has none yet.
    ///
    /// # Errors
    /// [`Error::Note`] for a note of another version, and if the index can't be read.
    pub fn of(store: &dyn Store) -> Result<Self> {
        let unnoted = Self {
            decode: UNNOTED,
            is_mixed: false,
        };
        Ok(Self::noted(store)?.unwrap_or(unnoted))
    }

    /// The choices by which a picture is decoded alike.
    pub fn options(self) -> DecodeOptions {
        DecodeOptions {
            decode: self.decode,
            ..DecodeOptions::default()
        }
    }

    /// Notes that pictures are added which were decoded in a way; none stands for the index's own.
    /// Returns how the index's are from now on; [`Decoding::decode`] stays what it was, unless
    /// there is nothing yet.
    ///
    /// # Errors
    /// As [`Decoding::of`], and if the index can't be written.
    pub fn add(store: &dyn Store, decode: Option<Decode>) -> Result<Self> {
        let own = Self::of(store)?;
        let decode = decode.unwrap_or(own.decode);
        Self::join(
            store,
            Self {
                decode,
                is_mixed: false,
            },
        )
    }

    /// Notes that what another index holds is added.
    ///
    /// # Errors
    /// As [`Decoding::add`].
    pub(crate) fn join(store: &dyn Store, others: Self) -> Result<Self> {
        let own = Self::of(store)?;
        let now = if store.status()?.contents == 0 {
            others
        } else {
            Self {
                decode: own.decode,
                is_mixed: own.is_mixed || others.is_mixed || others.decode != own.decode,
            }
        };
        // Where nothing changes nothing is written.
        if Self::noted(store)? != Some(now) {
            now.note(store)?;
        }
        Ok(now)
    }

    /// Notes it in an index, whatever was noted before.
    ///
    /// # Errors
    /// If the index can't be written.
    pub fn note(self, store: &dyn Store) -> Result<()> {
        Ok(store.set_note(NOTE, self.written()?.as_bytes())?)
    }

    /// Reads the note on how the pictures were decoded, if there is one.
    fn noted(store: &dyn Store) -> Result<Option<Self>> {
        store.note(NOTE)?.as_deref().map(Self::read).transpose()
    }

    fn read(note: &[u8]) -> Result<Self> {
        let refuse = |reason: String| Error::Note { name: NOTE, reason };
        let note: Note = serde_json::from_slice(note).map_err(|e| refuse(e.to_string()))?;
        if note.version != VERSION {
            let found = note.version;
            return Err(refuse(format!(
                "it has version {found}, and this program reads version {VERSION}"
            )));
        }
        let decode = match note.decode {
            Name::Exact => Decode::Exact,
            Name::Fast => Decode::Fast,
        };
        Ok(Self {
            decode,
            is_mixed: note.is_mixed,
        })
    }

    fn written(self) -> Result<String> {
        let decode = match self.decode {
            Decode::Exact => Name::Exact,
            Decode::Fast => Name::Fast,
        };
        let note = Note {
            version: VERSION,
            decode,
            is_mixed: self.is_mixed,
        };
        serde_json::to_string(&note).map_err(|e| Error::note(NOTE, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this changes, programs that are out can't read it.
    #[test]
    fn the_note_is_written_as_it_ever_was() {
        for (decode, is_mixed, note) in [
            (Decode::Fast, false, r#"{"version":1,"decode":"fast"}"#),
            (Decode::Exact, false, r#"{"version":1,"decode":"exact"}"#),
            (
                Decode::Fast,
                true,
                r#"{"version":1,"decode":"fast","mixed":true}"#,
            ),
        ] {
            let decoding = Decoding { decode, is_mixed };
            assert_eq!(decoding.written().unwrap(), note);
            assert_eq!(Decoding::read(note.as_bytes()).unwrap(), decoding);
        }
        let newer = Decoding::read(br#"{"version":2,"decode":"fast"}"#).unwrap_err();
        assert_eq!(
            newer.to_string(),
            "the index's note `decode`: it has version 2, and this program reads version 1"
        );
    }
}
