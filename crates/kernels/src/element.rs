//! The number formats that products are computed in.
//!
//! `STEP` values along the summed dimension make one step of a product, four bytes: one f32, two
//! bf16 or four of eight bits, whose products AVX-512 adds in one instruction. Operands are laid
//! out in steps.

use std::borrow::Cow;

use half::bf16;
use rayon::prelude::*;

use crate::complete::Completion;
use crate::isa::Isa;
use crate::linear::Weight;
use crate::product::Right;
use crate::tile::{Sums, Tile};
use crate::vectorised::vectorised;

/// The format that a product's factors are rounded to, and activations are kept in. Sums are f32 in
/// both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// Not at all.
    #[default]
    F32,
    /// To bf16, as `torch.autocast` does.
    Bf16,
}

impl Rounding {
    /// Whether this CPU has instructions for it; without them it is computed, but slowly.
    pub fn is_native(self) -> bool {
        match self {
            Self::F32 => true,
            Self::Bf16 => Isa::current() == Isa::Avx512Bf16,
        }
    }
}

/// The left factor's format.
pub(crate) trait Element: Copy + Default + Send + Sync + 'static {
    /// The right factor's.
    type Right: Copy + Default + Send + Sync + 'static;

    /// A step of the right factor's: `[Self::Right; STEP]`.
    type Step: Copy;

    /// Values in a step.
    const STEP: usize;

    /// Whole steps.
    fn steps(values: &[Self::Right]) -> &[Self::Step];

    /// [`Element::steps`] to change.
    fn steps_mut(values: &mut [Self::Right]) -> &mut [Self::Step];

    /// Computes a tile.
    fn tile(isa: Isa, tile: &Tile<Self>, out: &mut Sums);
}

/// Values in one of the formats.
pub(crate) enum Slice<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

/// [`Slice`] to change.
pub(crate) enum SliceMut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

/// A buffer for each format that activations are kept in.
#[derive(Default)]
pub(crate) struct Buffers {
    f32: Vec<f32>,
    bf16: Vec<bf16>,
}

/// A format that activations are kept in.
pub(crate) trait Float: Element<Right = Self> {
    /// The value in f32.
    fn value(self) -> f32;

    /// A value, rounded.
    fn of(value: f32) -> Self;

    /// The weight's right factor, if it is in this format.
    fn right(weight: &Weight) -> Option<&Right<Self>>;

    /// Values, with their format named.
    fn slice(values: &[Self]) -> Slice<'_>;

    /// [`Float::slice`] to change.
    fn slice_mut(values: &mut [Self]) -> SliceMut<'_>;

    /// The buffer of this format.
    fn buffer(buffers: &mut Buffers) -> &mut Vec<Self>;

    /// Values in this format, which are copied only if it is not f32.
    fn rounded(isa: Isa, values: &[f32]) -> Cow<'_, [Self]>;

    /// Rounds `values` into `out`, equally long.
    fn narrow(isa: Isa, values: &[f32], out: &mut [Self]);

    /// The values in f32; `out` is equally long.
    fn widen(isa: Isa, values: &[Self], out: &mut [f32]);

    /// Rounds `rows` into `out`: the first alone where a step has one value, and `a₀ b₀ a₁ b₁ …`
    /// where it has two.
    fn interleave(isa: Isa, rows: [&[f32]; 2], out: &mut [Self]);

    /// Completes a tile's sums and stores them.
    fn complete(isa: Isa, sums: &mut Sums, completion: Completion<Self>);

    /// [`Float::interleave`] of rows in this format.
    fn zip(isa: Isa, rows: [&[Self]; 2], out: &mut [Self]);
}

impl Element for f32 {
    type Right = Self;
    type Step = [Self; 1];

    const STEP: usize = 1;

    fn steps(values: &[Self]) -> &[Self::Step] {
        values.as_chunks().0
    }

    fn steps_mut(values: &mut [Self]) -> &mut [Self::Step] {
        values.as_chunks_mut().0
    }

    fn tile(isa: Isa, tile: &Tile<Self>, out: &mut Sums) {
        crate::tile::f32(isa, tile, out);
    }
}

impl Float for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }

    #[inline(always)]
    fn of(value: f32) -> Self {
        value
    }

    fn right(weight: &Weight) -> Option<&Right<Self>> {
        match weight {
            Weight::F32(right) => Some(right),
            _ => None,
        }
    }

    fn slice(values: &[Self]) -> Slice<'_> {
        Slice::F32(values)
    }

    fn slice_mut(values: &mut [Self]) -> SliceMut<'_> {
        SliceMut::F32(values)
    }

    fn buffer(buffers: &mut Buffers) -> &mut Vec<Self> {
        &mut buffers.f32
    }

    fn rounded(_: Isa, values: &[f32]) -> Cow<'_, [Self]> {
        Cow::Borrowed(values)
    }

    fn narrow(_: Isa, values: &[f32], out: &mut [Self]) {
        out.copy_from_slice(values);
    }

    fn widen(_: Isa, values: &[Self], out: &mut [f32]) {
        out.copy_from_slice(values);
    }

    fn interleave(_: Isa, [row, _]: [&[f32]; 2], out: &mut [Self]) {
        out.copy_from_slice(row);
    }

    fn complete(isa: Isa, sums: &mut Sums, completion: Completion<Self>) {
        crate::complete::f32(isa, sums, completion);
    }

    fn zip(_: Isa, [row, _]: [&[Self]; 2], out: &mut [Self]) {
        out.copy_from_slice(row);
    }
}

impl Element for bf16 {
    type Right = Self;
    type Step = [Self; 2];

    const STEP: usize = 2;

    fn steps(values: &[Self]) -> &[Self::Step] {
        values.as_chunks().0
    }

    fn steps_mut(values: &mut [Self]) -> &mut [Self::Step] {
        values.as_chunks_mut().0
    }

    fn tile(isa: Isa, tile: &Tile<Self>, out: &mut Sums) {
        crate::tile::bf16(isa, tile, out);
    }
}

impl Float for bf16 {
    #[inline(always)]
    fn value(self) -> f32 {
        // Not `to_f32`, which makes every NaN quiet, with a branch.
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[inline(always)]
    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn right(weight: &Weight) -> Option<&Right<Self>> {
        match weight {
            Weight::Bf16(right) => Some(right),
            _ => None,
        }
    }

    fn slice(values: &[Self]) -> Slice<'_> {
        Slice::Bf16(values)
    }

    fn slice_mut(values: &mut [Self]) -> SliceMut<'_> {
        SliceMut::Bf16(values)
    }

    fn buffer(buffers: &mut Buffers) -> &mut Vec<Self> {
        &mut buffers.bf16
    }

    fn rounded(isa: Isa, values: &[f32]) -> Cow<'_, [Self]> {
        /// Values that a thread rounds at a time.
        const PART: usize = 1 << 14;
        let mut out = vec![Self::default(); values.len()];
        let parts = out.par_chunks_mut(PART).zip(values.par_chunks(PART));
        parts.for_each(|(out, values)| Self::narrow(isa, values, out));
        Cow::Owned(out)
    }

    fn narrow(isa: Isa, values: &[f32], out: &mut [Self]) {
        crate::tile::narrow(isa, values, out);
    }

    fn widen(isa: Isa, values: &[Self], out: &mut [f32]) {
        assert_eq!(values.len(), out.len());
        widen(isa, values, out);
    }

    fn interleave(isa: Isa, rows: [&[f32]; 2], out: &mut [Self]) {
        crate::tile::interleave(isa, rows, out);
    }

    fn complete(isa: Isa, sums: &mut Sums, completion: Completion<Self>) {
        crate::complete::bf16(isa, sums, completion);
    }

    fn zip(isa: Isa, rows: [&[Self]; 2], out: &mut [Self]) {
        assert!(rows.map(|row| 2 * row.len()) == [out.len(); 2]);
        zip(isa, rows, out);
    }
}

vectorised! {
    fn widen(values: &[bf16], out: &mut [f32]) {
        for (out, value) in out.iter_mut().zip(values) {
            *out = value.value();
        }
    }
}

vectorised! {
    fn zip(rows: [&[bf16]; 2], out: &mut [bf16]) {
        let [a, b] = rows;
        for (out, (a, b)) in out.chunks_exact_mut(2).zip(a.iter().zip(b)) {
            out[0] = *a;
            out[1] = *b;
        }
    }
}

/// Activations of eight bits, without sign, times weights with one.
impl Element for u8 {
    type Right = i8;
    type Step = [i8; 4];

    const STEP: usize = 4;

    fn steps(values: &[i8]) -> &[Self::Step] {
        values.as_chunks().0
    }

    fn steps_mut(values: &mut [i8]) -> &mut [Self::Step] {
        values.as_chunks_mut().0
    }

    fn tile(isa: Isa, tile: &Tile<Self>, out: &mut Sums) {
        crate::tile::int8(isa, tile, out);
    }
}
