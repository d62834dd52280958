//! The number formats that products are computed in.
//!
//! `STEP` values along the summed dimension make one step of a product: one f32, or two bf16, whose
//! products AVX-512 adds in one instruction. Operands are laid out in steps.

use half::bf16;

use crate::isa::Isa;
use crate::tile::{Sums, Tile};

/// What the factors of a product are rounded to; sums are f32 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Not at all.
    #[default]
    F32,
    /// To bf16, as `torch.autocast` does.
    Bf16,
}

impl Precision {
    /// Whether this CPU has instructions for it; without them it is computed, but slowly.
    pub fn is_native(self) -> bool {
        match self {
            Self::F32 => true,
            Self::Bf16 => Isa::current() == Isa::Avx512Bf16,
        }
    }
}

/// A factor's format.
pub(crate) trait Element: Copy + Default + Send + Sync + 'static {
    /// Values in a step.
    const STEP: usize;

    /// Rounds `values` into `out`, equally long.
    fn narrow(isa: Isa, values: &[f32], out: &mut [Self]);

    /// Rounds one row a step into `out`, value by value: `a₀ b₀ a₁ b₁ …` where a step has two.
    fn interleave(isa: Isa, rows: [&[f32]; 2], out: &mut [Self]);

    /// Computes a tile.
    fn tile(isa: Isa, tile: &Tile<Self>, out: &mut Sums);
}

impl Element for f32 {
    const STEP: usize = 1;

    fn narrow(_: Isa, values: &[f32], out: &mut [Self]) {
        out.copy_from_slice(values);
    }

    fn interleave(_: Isa, [row, _]: [&[f32]; 2], out: &mut [Self]) {
        out.copy_from_slice(row);
    }

    fn tile(isa: Isa, tile: &Tile<Self>, out: &mut Sums) {
        crate::tile::f32(isa, tile, out);
    }
}

impl Element for bf16 {
    const STEP: usize = 2;

    fn narrow(isa: Isa, values: &[f32], out: &mut [Self]) {
        crate::tile::narrow(isa, values, out);
    }

    fn interleave(isa: Isa, rows: [&[f32]; 2], out: &mut [Self]) {
        crate::tile::interleave(isa, rows, out);
    }

    fn tile(isa: Isa, tile: &Tile<Self>, out: &mut Sums) {
        crate::tile::bf16(isa, tile, out);
    }
}
