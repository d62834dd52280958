//! SentencePiece's model file: its pieces, and how texts are normalised.
//!
//! Source: `sentencepiece_model.proto` of google/sentencepiece 0.2; protocol buffers' wire format.

/// `TrainerSpec.ModelType`'s number for a unigram model.
const UNIGRAM: u64 = 1;

/// Pieces that a file may have; the largest published ones have 256,000.
const MAX_PIECES: usize = 1 << 20;

/// The contents of a model's file.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) pieces: Vec<Piece>,
    /// Whether bytes stand for characters that no piece has.
    pub(super) has_bytes: bool,
    /// The map of characters, perhaps empty.
    pub(super) map: &'a [u8],
    /// Whether spaces at the ends of a text, and beside others, are left out.
    pub(super) removes_spaces: bool,
    /// Whether a space is put before a text.
    pub(super) adds_space: bool,
}

/// A piece of text and how likely it is.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: Kind,
}

/// The purpose of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    /// Stands for all that no piece has.
    Unknown,
    /// Not in texts: the end, padding.
    Control,
    /// Taken wherever it occurs.
    UserDefined,
    Unused,
    /// A byte of a character that no piece has.
    Byte,
}

impl Kind {
    fn of(number: u64) -> Result<Self, String> {
        Ok(match number {
            1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            other => return Err(format!("a piece is of kind {other}, wanted 1 to 6")),
        })
    }
}

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Float(f32),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, in their order, by number.
struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next field; an error, if it is cut.
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut field = || {
            let tag = self.varint()?;
            let field = match tag & 7 {
                0 => Field::Number(self.varint()?),
                1 => self.take(8).map(|_| Field::Other)?,
                2 => {
                    let len = usize::try_from(self.varint()?).ok()?;
                    Field::Bytes(self.take(len)?)
                }
                5 => Field::Float(f32::from_le_bytes(self.take(4)?.try_into().ok()?)),
                _ => return None,
            };
            Some((tag >> 3, field))
        };
        field()
            .map(Some)
            .ok_or_else(|| "it is cut or damaged".to_owned())
    }
}

impl<'a> File<'a> {
    /// Reads a model's file.
    ///
    /// # Errors
    /// In words, for a file that is no unigram model, or that means other texts than we make.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, String> {
        let mut read = Self {
            pieces: Vec::new(),
            has_bytes: false,
            map: &[],
            removes_spaces: true,
            adds_space: true,
        };
        let mut message = Message(file);
        while let Some((number, field)) = message.next()? {
            let Field::Bytes(bytes) = field else { continue };
            match number {
                1 if read.pieces.len() == MAX_PIECES => {
                    return Err(format!("it has more than {MAX_PIECES} pieces"));
                }
                1 => read.pieces.push(Piece::read(Message(bytes))?),
                2 => read.training(Message(bytes))?,
                3 => read.normalisation(Message(bytes))?,
                _ => {}
            }
        }
        Ok(read)
    }

    /// `TrainerSpec`.
    fn training(&mut self, mut part: Message<'_>) -> Result<(), String> {
        while let Some(field) = part.next()? {
            match field {
                (3, Field::Number(kind)) if kind != UNIGRAM => {
                    return Err(format!(
                        "it is a model of type {kind}, wanted {UNIGRAM}, unigram"
                    ));
                }
                (24, Field::Number(1..)) => {
                    return Err("its spaces follow words, wanted before them".into());
                }
                (35, Field::Number(is_so)) => self.has_bytes = is_so != 0,
                _ => {}
            }
        }
        Ok(())
    }

    /// `NormalizerSpec`.
    fn normalisation(&mut self, mut part: Message<'a>) -> Result<(), String> {
        while let Some(field) = part.next()? {
            match field {
                (2, Field::Bytes(bytes)) => self.map = bytes,
                (3, Field::Number(is_so)) => self.adds_space = is_so != 0,
                (4, Field::Number(is_so)) => self.removes_spaces = is_so != 0,
                (5, Field::Number(0)) => {
                    return Err("its spaces stay spaces, wanted `▁` in their place".into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Piece {
    fn read(mut part: Message<'_>) -> Result<Self, String> {
        let mut piece = Self {
            text: String::new(),
            score: 0.0,
            kind: Kind::Normal,
        };
        while let Some(field) = part.next()? {
            match field {
                (1, Field::Bytes(text)) => {
                    let text = std::str::from_utf8(text);
                    piece.text = text
                        .map_err(|e| format!("a piece is not UTF-8: {e}"))?
                        .into();
                }
                (2, Field::Float(score)) => piece.score = score,
                (3, Field::Number(kind)) => piece.kind = Kind::of(kind)?,
                _ => {}
            }
        }
        Ok(piece)
    }
}
