//! Sums along one dimension of a map: for every output, the inputs it is made of, each with the tap
//! of a kernel that weighs it.
//!
//! Places outside the map are zero and stand in no sum, nor do the zeros that a stride or an
//! upsampling puts between values.

use std::ops::Range;

/// The sums of one dimension.
pub(crate) struct Taps {
    /// The end of each output's terms in `terms`; they begin where those of the one before end.
    ends: Vec<usize>,
    terms: Vec<Term>,
}

/// One term of a sum.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    pub(crate) input: usize,
    pub(crate) tap: usize,
}

/// A kernel of `taps` values that slides over a dimension of `inputs` values with zeros around it
/// and between its values.
pub(crate) struct Filter {
    pub(crate) inputs: usize,
    pub(crate) taps: usize,
    /// From one input to the next; between them are zeros.
    pub(crate) up: usize,
    /// From one output to the next.
    pub(crate) down: usize,
    /// Zeros before the first input; negative numbers cut inputs off.
    pub(crate) before: isize,
}

impl Taps {
    /// The sums of a kernel's `outputs` positions.
    pub(crate) fn of_filter(kernel: &Filter, outputs: usize) -> Self {
        let mut taps = Self {
            ends: Vec::with_capacity(outputs),
            terms: Vec::with_capacity(outputs * kernel.taps.div_ceil(kernel.up)),
        };
        for output in 0..outputs {
            for tap in 0..kernel.taps {
                let place = (output * kernel.down + tap) as isize - kernel.before;
                let input = usize::try_from(place)
                    .ok()
                    .map(|p| (p / kernel.up, p % kernel.up));
                if let Some((input, 0)) = input
                    && input < kernel.inputs
                {
                    taps.terms.push(Term { input, tap });
                }
            }
            taps.ends.push(taps.terms.len());
        }
        taps
    }

    /// The sums with inputs and outputs exchanged: those of the gradient.
    pub(crate) fn adjoint(&self, inputs: usize) -> Self {
        let mut of: Vec<Vec<Term>> = vec![Vec::new(); inputs];
        for output in 0..self.outputs() {
            for &Term { input, tap } in self.of(output) {
                of[input].push(Term { input: output, tap });
            }
        }
        let mut adjoint = Self {
            ends: Vec::with_capacity(inputs),
            terms: Vec::with_capacity(self.terms.len()),
        };
        for terms in of {
            adjoint.terms.extend(terms);
            adjoint.ends.push(adjoint.terms.len());
        }
        adjoint
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.ends.len()
    }

    /// The terms of one output.
    #[inline(always)]
    pub(crate) fn of(&self, output: usize) -> &[Term] {
        let begin = match output {
            0 => 0,
            output => self.ends[output - 1],
        };
        let range: Range<usize> = begin..self.ends[output];
        &self.terms[range]
    }
}
