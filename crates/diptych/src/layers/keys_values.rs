//! The keys and values of the tokens that were written so far, so that the next one attends to them
//! without computing them anew.
//!
//! `N` texts, `L` tokens written, `C` tokens that there is room for, `W` width.

use burn::tensor::{Device, Int, Tensor};

/// The keys and values of one attention.
#[derive(Clone, Debug)]
pub struct KeysValues {
    /// `[N, C, 2 W]`, keys first; none while it is written to, so that it is changed where it
    /// lies.
    all: Option<Tensor<3>>,
    tokens: usize,
}

impl KeysValues {
    /// Room for `capacity` tokens of each of `texts` texts, none of them written yet.
    pub fn new(texts: usize, capacity: usize, width: usize, device: &Device) -> Self {
        // No gradient passes through what is kept.
        let device = device.clone().inner();
        Self {
            all: Some(Tensor::zeros([texts, capacity, 2 * width], &device)),
            tokens: 0,
        }
    }

    /// Tokens `L` written of each text.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Keeps some of the texts, in this order, each as often as it is named: the beams that a
    /// search goes on with.
    ///
    /// # Panics
    /// If there are not so many texts.
    pub fn keep(&mut self, texts: &[usize]) {
        if let Some(all) = self.all.take() {
            let texts: Vec<i64> = texts.iter().map(|&text| text as i64).collect();
            let texts = Tensor::<1, Int>::from_ints(&texts[..], &all.device());
            self.all = Some(all.select(0, texts));
        }
    }

    /// Forgets all tokens after the first `tokens`.
    pub fn truncate(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
    }

    /// Adds tokens `[N, L, 2 W]`.
    pub(super) fn push(&mut self, tokens: Tensor<3>) {
        let [n, l, w] = tokens.dims();
        let first = self.tokens;
        if let Some(all) = self.all.take() {
            let [texts, capacity, width] = all.dims();
            assert!(
                first + l <= capacity && (n, w) == (texts, width),
                "{l} more tokens of {n} texts after {first}, with room for {capacity} of {texts}"
            );
            let tokens = tokens.inner();
            self.all = Some(all.slice_assign([0..n, first..first + l, 0..w], tokens));
        }
        self.tokens += l;
    }

    /// All there is room for, `[N, C, 2 W]`.
    pub(super) fn all(&self) -> Tensor<3> {
        self.all.clone().expect("taken only while it is written to")
    }
}
