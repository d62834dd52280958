//! Targets for `cargo fuzz`.
//!
//! `cargo run --release --bin seeds` writes the files to begin with into `corpus/`; then `cargo
//! +nightly fuzz run png`. Half of the inputs are made by libFuzzer, half by the mutator of the
//! gate, which knows the parts of files.

pub mod targets;

/// A target: a form of files, and the function of [`targets`] that is given them.
#[macro_export]
macro_rules! target {
    ($form:ident, $run:ident) => {
        use ::diptych_testing::{Form, Mutator};
        use ::libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

        fuzz_target!(|bytes: &[u8]| {
            let _ = $crate::targets::$run(bytes);
        });

        fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            if seed % 2 == 0 {
                return fuzzer_mutate(data, size, max_size);
            }
            let damaged = Mutator::new(seed.into()).damage(Form::$form, &data[..size]);
            let size = damaged.len().min(max_size);
            data[..size].copy_from_slice(&damaged[..size]);
            size
        });
    };
}
