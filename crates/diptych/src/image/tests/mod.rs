//! Tests of the picture stage.

mod foreign;
mod golden;
mod greedy;
mod heif;
mod hostile;
mod lenient;
mod pictures;
mod raw;
mod resample;
mod scaled;

use std::path::PathBuf;

/// The files that `parity/pixels.py --write-golden` wrote.
fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pixels")
}

/// A file of the golden folder.
fn golden_file(name: &str) -> Vec<u8> {
    fs_err::read(golden_folder().join(name)).unwrap()
}

/// A file of those that `parity/foreign.py` wrote.
fn foreign_file(name: &str) -> Vec<u8> {
    fs_err::read(golden_folder().with_file_name("pixels-foreign").join(name)).unwrap()
}

/// A file of those that `parity/lenient.py` wrote.
fn lenient_file(name: &str) -> Vec<u8> {
    fs_err::read(golden_folder().with_file_name("pixels-lenient").join(name)).unwrap()
}

/// Numbers without pattern, the same in every run: Knuth's linear congruence, high bits.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}
