//! The instruction set that the kernels use: asked of the CPU once, or forced.

use std::sync::OnceLock;

/// A set of instructions, from the plainest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Instructions that every CPU has: the twin that the others are tested against.
    Scalar,
    /// AVX2 with fused multiply-add and conversions of f16.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with dot products of eight bits, VNNI.
    Avx512Vnni,
    /// AVX-512 with VNNI and dot products of bf16.
    Avx512Bf16,
}

/// The variable that forces a set, by one of [`Isa::NAMES`]; one that the CPU lacks is not taken.
const VARIABLE: &str = "DIPTYCH_ISA";

impl Isa {
    /// Names for `DIPTYCH_ISA`, plainest first.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("scalar", Self::Scalar),
        ("avx2", Self::Avx2),
        ("avx512", Self::Avx512),
        ("avx512-vnni", Self::Avx512Vnni),
        ("avx512-bf16", Self::Avx512Bf16),
    ];

    /// The widest set of this CPU, or the one that `DIPTYCH_ISA` names if that is plainer.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let widest = Self::widest();
            let asked = std::env::var(VARIABLE).ok();
            let named = Self::NAMES
                .into_iter()
                .find(|(name, _)| asked.as_deref() == Some(name));
            named.map_or(widest, |(_, isa)| isa.min(widest))
        })
    }

    /// The widest set of this CPU.
    #[cfg(target_arch = "x86_64")]
    pub fn widest() -> Self {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        let vnni = is_x86_feature_detected!("avx512vnni");
        let bf16 = is_x86_feature_detected!("avx512bf16");
        match (avx2, avx512) {
            (true, true) if vnni && bf16 => Self::Avx512Bf16,
            (true, true) if vnni => Self::Avx512Vnni,
            (true, true) => Self::Avx512,
            (true, false) => Self::Avx2,
            (false, _) => Self::Scalar,
        }
    }

    /// The widest set of this CPU.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn widest() -> Self {
        Self::Scalar
    }

    /// Every set that this CPU has.
    pub fn all() -> impl Iterator<Item = Self> {
        let widest = Self::widest();
        Self::NAMES
            .into_iter()
            .map(|(_, isa)| isa)
            .filter(move |isa| *isa <= widest)
    }
}
