//! The contrastive losses.
//!
//! Sources: the paper's figure 3 (softmax), with soft targets where more than one text of a batch
//! is true of a picture; SigLIP, arXiv 2303.15343, algorithm 1 (sigmoid).
//!
//! `N` pairs, `D` embedding.

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::positives::Positives;

/// Comparison of a batch's similarities with the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Cross-entropy of images to texts and of texts to images, in equal parts. Among what is true,
    /// a picture's and a text's probability is to be shared equally.
    #[default]
    Softmax,
    /// Every picture and text for itself: true or not, by a sigmoid, and whatever is true is a
    /// positive, kinds included. Needs a model with a bias on its logits.
    Sigmoid,
}

impl Loss {
    /// The loss of `logits_per_image` `[N, N]`: a tensor `[1]`.
    pub fn of(self, logits_per_image: Tensor<2>, positives: &Positives) -> Tensor<1> {
        match self {
            Self::Softmax => softmax(logits_per_image, positives),
            Self::Sigmoid => sigmoid(logits_per_image, positives),
        }
    }
}

/// Cosines times `scale` `[1]`, plus `bias` `[1]` if there is one: `[N, N]`, a row a picture.
///
/// `image_features` and `text_features` are `[N, D]`, not normalised.
pub fn logits_per_image(
    image_features: Tensor<2>,
    text_features: Tensor<2>,
    scale: Tensor<1>,
    bias: Option<Tensor<1>>,
) -> Tensor<2> {
    let images = normalise(image_features); // [N, D]
    let texts = normalise(text_features); // [N, D]
    let logits = images.matmul(texts.transpose()) * scale.unsqueeze();
    match bias {
        Some(bias) => logits + bias.unsqueeze(),
        None => logits,
    }
}

/// Scales every row to norm 1.
pub fn normalise(features: Tensor<2>) -> Tensor<2> {
    // PyTorch's `F.normalize` bounds the norm by 1e-12, the squared norm by its square.
    let norm = features.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    features / norm
}

fn softmax(logits: Tensor<2>, positives: &Positives) -> Tensor<1> {
    let [of_images, of_texts] = positives.targets().map(|values| constant(values, &logits));
    let n = positives.len() as f64;
    let logits = match positives.mask() {
        Some(mask) => constant(mask, &logits) + logits,
        None => logits,
    };
    let images_to_texts = log_softmax(logits.clone(), 1) * of_images;
    let texts_to_images = log_softmax(logits, 0) * of_texts;
    (images_to_texts + texts_to_images)
        .sum()
        .mul_scalar(-0.5 / n)
}

fn sigmoid(logits: Tensor<2>, positives: &Positives) -> Tensor<1> {
    let n = positives.len();
    let sign = |k: usize| {
        if positives.is_true(k / n, k % n) {
            1.0
        } else {
            -1.0
        }
    };
    let signs = constant((0..n * n).map(sign).collect(), &logits);
    log_sigmoid(logits * signs)
        .sum()
        .mul_scalar(-1.0 / n as f64)
}

/// A matrix of `like`'s shape that is not differentiated.
fn constant(values: Vec<f32>, like: &Tensor<2>) -> Tensor<2> {
    let device = like.device().inner();
    Tensor::from_inner(Tensor::from_data(
        TensorData::new(values, like.dims()),
        &device,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Relation;
    use diptych::Device;

    #[test]
    fn what_is_ignored_takes_no_part_in_the_softmax() {
        let device = Device::flex().autodiff();
        let logits = [[2.0f32, -1.0, 0.5], [0.5, 3.0, 1.0], [-2.0, 0.0, 1.5]];
        // Text 2 is ignored by picture 0, and text 1 is as good as picture 2's own.
        let positives = Positives::new(3, |i, j| match (i, j) {
            (0, 2) => Relation::Ignored,
            (2, 1) => Relation::Positive,
            _ => Relation::Negative,
        });
        let tensor = Tensor::from_data(TensorData::from(logits), &device);
        let got: f32 = Loss::Softmax.of(tensor, &positives).into_scalar();
        let log_sum = |values: &[f32]| values.iter().map(|v| v.exp()).sum::<f32>().ln();
        let images = log_sum(&[2.0, -1.0]) - 2.0 + log_sum(&logits[1]) - 3.0 + log_sum(&logits[2])
            - (0.0 + 1.5) / 2.0;
        let texts = log_sum(&[2.0, 0.5, -2.0]) - 2.0 + log_sum(&[-1.0, 3.0, 0.0])
            - (3.0 + 0.0) / 2.0
            + log_sum(&[1.0, 1.5])
            - 1.5;
        let want = (images + texts) / 6.0;
        assert!((got - want).abs() < 1e-5, "{got}, wanted {want}");
    }

    #[test]
    fn the_sigmoid_loss_is_its_definition() {
        let device = Device::flex().autodiff();
        let logits = [[2.0f32, -1.0], [0.5, -3.0]];
        let tensor = Tensor::from_data(TensorData::from(logits), &device);
        // Text 0 is true of both pictures, text 1 of its own.
        let positives = Positives::new(2, |i, j| match (i, j) {
            (1, 0) => Relation::Ignored,
            _ => Relation::Negative,
        });
        let got: f32 = Loss::Sigmoid.of(tensor, &positives).into_scalar();
        let log_sigmoid = |x: f32| -(1.0 + (-x).exp()).ln();
        let terms = [2.0, 1.0, 0.5, -3.0].map(log_sigmoid);
        let want = -terms.iter().sum::<f32>() / 2.0;
        assert!((got - want).abs() < 1e-6, "{got}, wanted {want}");
    }
}
