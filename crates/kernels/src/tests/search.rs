//! Search on every instruction set against its definition.

use half::f16;
use proptest::prelude::*;

use super::values;
use crate::isa::Isa;
use crate::search::{Scored, Vectors, dots_with, to_int8, top_k, top_k_with};

/// Vectors in every format, and their values.
struct Formats {
    f32: Vec<f32>,
    f16: Vec<f16>,
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl Formats {
    fn new(values: Vec<f32>, dim: usize) -> Self {
        let (codes, scales) = to_int8(&values, dim);
        Self {
            f16: values.iter().map(|v| f16::from_f32(*v)).collect(),
            f32: values,
            codes,
            scales,
        }
    }

    /// The vectors in each format, with their exact values.
    fn each(&self, dim: usize) -> [(Vectors<'_>, Vec<f64>); 3] {
        let int8 = self.codes.iter().enumerate();
        [
            (
                Vectors::F32(&self.f32),
                self.f32.iter().map(|v| f64::from(*v)).collect(),
            ),
            (
                Vectors::F16(&self.f16),
                self.f16.iter().map(|v| f64::from(*v)).collect(),
            ),
            (
                Vectors::Int8 {
                    codes: &self.codes,
                    scales: &self.scales,
                },
                int8.map(|(i, c)| f64::from(*c) * f64::from(self.scales[i / dim]))
                    .collect(),
            ),
        ]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dot_products_are_their_definition(rows in 0..40usize, dim in 1..300usize, shift in 0..5usize) {
        let all = Formats::new(values((rows + 1) * dim, 1), dim);
        // From a place of no alignment; whole rows are left.
        let query = &values(dim + shift, 2)[shift..];
        for (vectors, exact) in all.each(dim) {
            for isa in Isa::all() {
                let mut got = vec![f32::NAN; rows + 1];
                dots_with(isa, query, vectors, &mut got);
                for (got, row) in got.iter().zip(exact.chunks_exact(dim)) {
                    let want: f64 = row.iter().zip(query).map(|(x, q)| x * f64::from(*q)).sum();
                    // As many roundings as terms, of sums of values up to 1.
                    let bound = (dim + 2) as f64 * f64::from(f32::EPSILON) * dim as f64 / 2.0 + 1e-6;
                    prop_assert!((f64::from(*got) - want).abs() <= bound, "{isa:?} {vectors:?}");
                }
            }
        }
    }

    #[test]
    fn the_highest_are_those_that_sorting_finds(rows in 0..3000usize, k in 0..40usize, levels in 1..60u32) {
        // Few different scores, so that many are equal.
        let vectors: Vec<f32> = values(rows, 1).iter().map(|v| (v * levels as f32).round()).collect();
        let mut want: Vec<Scored> = vectors.iter().enumerate().map(|(row, &v)| Scored { row, score: 2.0 * v + 0.0 }).collect();
        want.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
        want.truncate(k);
        for isa in Isa::all() {
            prop_assert_eq!(&top_k_with(isa, &[2.0], Vectors::F32(&vectors), k), &want);
        }
    }
}

#[test]
fn many_vectors_are_searched_in_parts_and_nan_is_not_found() {
    let (rows, dim) = (70_000, 3);
    let mut vectors = values(rows * dim, 5);
    for row in [0, 40_000, rows - 1] {
        vectors[row * dim] = f32::NAN;
    }
    let query = [0.5, -1.0, 0.25];
    let mut scores = vec![0f32; rows];
    dots_with(Isa::current(), &query, Vectors::F32(&vectors), &mut scores);
    let mut want: Vec<usize> = (0..rows).filter(|&row| !scores[row].is_nan()).collect();
    want.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let got = top_k(&query, Vectors::F32(&vectors), rows);
    assert_eq!(got.len(), rows - 3);
    assert!(
        got.iter()
            .zip(&want)
            .all(|(hit, &row)| hit.row == row && hit.score == scores[row])
    );
    let ten: Vec<usize> = top_k(&query, Vectors::F32(&vectors), 10)
        .iter()
        .map(|hit| hit.row)
        .collect();
    assert_eq!(ten, want[..10]);
}

#[test]
fn rounding_to_eight_bits_is_within_half_a_code() {
    let vectors = [0.5, -1.0, 0.25, 0.0, 0.0, 0.0, 3.0, f32::NAN, 1.0];
    let (codes, scales) = to_int8(&vectors, 3);
    assert_eq!((codes[1], codes[3], scales[1]), (-127, 0, 0.0));
    assert!(scales[2].is_nan());
    for (code, value) in codes[..3].iter().zip(&vectors) {
        assert!((f32::from(*code) * scales[0] - value).abs() <= scales[0] / 2.0);
    }
}

#[test]
#[should_panic(expected = "a scale for each vector")]
fn scales_of_other_vectors_are_refused() {
    let vectors = Vectors::Int8 {
        codes: &[1, 2],
        scales: &[1.0],
    };
    dots_with(Isa::Scalar, &[1.0], vectors, &mut [0.0; 2]);
}
