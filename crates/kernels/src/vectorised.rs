//! Plain loops, compiled once per instruction set.

/// Defines a function whose first argument, an `Isa`, chooses among compilations of its body; it
/// may have one type parameter.
///
/// The body is ordinary safe code; the compiler's vectoriser does the rest. Sums keep their order,
/// so every compilation gives the same bits.
macro_rules! vectorised {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident $(<$generic:ident: $bound:ident>)?
        ($($argument:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$attribute])*
        #[allow(unsafe_code, reason = "calls a compilation for the CPU's own instructions")]
        $visibility fn $name $(<$generic: $bound>)? (isa: $crate::isa::Isa, $($argument: $kind),*) {
            #[inline(always)]
            fn body $(<$generic: $bound>)? ($($argument: $kind),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512 $(<$generic: $bound>)? ($($argument: $kind),*) {
                body($($argument),*);
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2 $(<$generic: $bound>)? ($($argument: $kind),*) {
                body($($argument),*);
            }

            match isa {
                // SAFETY: `Isa` names a set only after the CPU reported it.
                #[cfg(target_arch = "x86_64")]
                isa if isa >= $crate::isa::Isa::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Isa::Avx2 => unsafe { avx2($($argument),*) },
                _ => body($($argument),*),
            }
        }
    };
}

pub(crate) use vectorised;
