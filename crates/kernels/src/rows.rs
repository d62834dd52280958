//! Activations between the layers of inference, in one of two formats, or rounded to eight bits for
//! layers that are.

use half::bf16;
use rayon::prelude::*;

use crate::element::{Float, Rounding};
use crate::int8::Coded;
use crate::isa::Isa;
use crate::linear::Packing;

/// A matrix of activations, row by row. Memory is kept when it shrinks.
#[derive(Clone, Debug)]
pub struct Rows(pub(crate) Data);

#[derive(Clone, Debug)]
pub(crate) enum Data {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

/// Layer norm's result for the layers after it: activations or, if their weights are in eight bits,
/// codes.
#[derive(Clone, Debug)]
pub struct Normed(pub(crate) Input<Rows, Coded>);

/// A layer's input: activations or codes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<R, C> {
    Rows(R),
    Coded(C),
}

/// A layer's input, of [`Rows`] or [`Normed`].
#[derive(Clone, Copy)]
pub struct In<'a>(pub(crate) Input<&'a Rows, &'a Coded>);

impl<'a> From<&'a Rows> for In<'a> {
    fn from(rows: &'a Rows) -> Self {
        Self(Input::Rows(rows))
    }
}

impl<'a> From<&'a Normed> for In<'a> {
    fn from(normed: &'a Normed) -> Self {
        Self(match &normed.0 {
            Input::Rows(rows) => Input::Rows(rows),
            Input::Coded(coded) => Input::Coded(coded),
        })
    }
}

impl Normed {
    /// Nothing yet, for layers whose weights and activations are in these formats.
    pub fn new(rounding: Rounding, weights: Packing) -> Self {
        Self(match weights {
            Packing::Int8 => Input::Coded(Coded::default()),
            Packing::F32 | Packing::Bf16 => Input::Rows(Rows::new(rounding)),
        })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match &self.0 {
            Input::Rows(rows) => rows.len(),
            Input::Coded(coded) => coded.len(),
        }
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps some rows of `width` values, which rise, and forgets the others.
    ///
    /// # Panics
    /// If it has not so many.
    pub fn keep(&mut self, width: usize, rows: &[usize]) {
        match &mut self.0 {
            Input::Rows(all) => all.keep(width, rows),
            Input::Coded(coded) => coded.keep(rows),
        }
    }
}

/// Part of a matrix, to be written.
pub struct Part<'a>(PartData<'a>);

enum PartData<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

/// The destination of a layer's output.
pub enum Out<'a> {
    /// Into values in f32.
    F32(&'a mut [f32]),
    /// Into activations.
    Rows(&'a mut Rows),
}

impl<'a> From<&'a mut [f32]> for Out<'a> {
    fn from(values: &'a mut [f32]) -> Self {
        Self::F32(values)
    }
}

impl<'a> From<&'a mut Vec<f32>> for Out<'a> {
    fn from(values: &'a mut Vec<f32>) -> Self {
        Self::F32(values)
    }
}

impl<'a> From<&'a mut Rows> for Out<'a> {
    fn from(rows: &'a mut Rows) -> Self {
        Self::Rows(rows)
    }
}

/// Evaluates an expression with the vector that a `Rows` holds, in whichever format.
macro_rules! with_values {
    ($rows:expr, $values:ident => $body:expr) => {
        match $rows {
            Data::F32($values) => $body,
            Data::Bf16($values) => $body,
        }
    };
}

/// Values that one task converts.
const TASK: usize = 1 << 14;

impl Rows {
    /// An empty matrix in a format.
    pub fn new(rounding: Rounding) -> Self {
        Self(match rounding {
            Rounding::F32 => Data::F32(Vec::new()),
            Rounding::Bf16 => Data::Bf16(Vec::new()),
        })
    }

    /// A matrix of these values.
    pub fn of(rounding: Rounding, values: &[f32]) -> Self {
        let mut rows = Self::new(rounding);
        rows.set(values);
        rows
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        with_values!(&self.0, values => values.len())
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values' format.
    pub fn rounding(&self) -> Rounding {
        match self.0 {
            Data::F32(_) => Rounding::F32,
            Data::Bf16(_) => Rounding::Bf16,
        }
    }

    /// Takes another number of values; those that are new are zero.
    pub fn resize(&mut self, len: usize) {
        with_values!(&mut self.0, values => values.resize(len, Default::default()));
    }

    /// Becomes these values, rounded.
    pub fn set(&mut self, values: &[f32]) {
        self.resize(values.len());
        self.write_parts(TASK, |i, mut part| {
            let len = part.len();
            part.write(0, &values[i * TASK..][..len]);
        });
    }

    /// Copies its values to `out`, which takes its size.
    pub fn read_into(&self, out: &mut Vec<f32>) {
        out.resize(self.len(), 0.0);
        let isa = Isa::current();
        with_values!(&self.0, values => {
            let parts = out.par_chunks_mut(TASK).zip(values.par_chunks(TASK));
            parts.for_each(|(out, values)| Float::widen(isa, values, out));
        });
    }

    /// Cuts it into parts of `len` values, the last one shorter, and calls `f` for each with its
    /// number, in parallel.
    pub fn write_parts(&mut self, len: usize, f: impl Fn(usize, Part) + Sync) {
        match &mut self.0 {
            Data::F32(values) => {
                let parts = values.par_chunks_mut(len.max(1)).enumerate();
                parts.for_each(|(i, part)| f(i, Part(PartData::F32(part))));
            }
            Data::Bf16(values) => {
                let parts = values.par_chunks_mut(len.max(1)).enumerate();
                parts.for_each(|(i, part)| f(i, Part(PartData::Bf16(part))));
            }
        }
    }

    /// Keeps some rows of `width` values, which rise, and forgets the others.
    ///
    /// # Panics
    /// If it has not so many.
    pub fn keep(&mut self, width: usize, rows: &[usize]) {
        with_values!(&mut self.0, values => keep_rows(values, width, rows));
    }
}

/// Keeps some rows of a matrix, which rise, and forgets the others.
///
/// # Panics
/// If it has not so many.
pub fn keep_rows<T: Copy>(matrix: &mut Vec<T>, width: usize, rows: &[usize]) {
    for (to, &from) in rows.iter().enumerate() {
        matrix.copy_within(from * width..(from + 1) * width, to * width);
    }
    matrix.truncate(rows.len() * width);
}

impl Part<'_> {
    /// Number of values.
    pub fn len(&self) -> usize {
        match &self.0 {
            PartData::F32(part) => part.len(),
            PartData::Bf16(part) => part.len(),
        }
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes values from a place on, rounded.
    ///
    /// # Panics
    /// If they do not fit.
    pub fn write(&mut self, place: usize, values: &[f32]) {
        match &mut self.0 {
            PartData::F32(part) => part[place..][..values.len()].copy_from_slice(values),
            PartData::Bf16(part) => {
                let out = &mut part[place..][..values.len()];
                bf16::narrow(Isa::current(), values, out);
            }
        }
    }
}
