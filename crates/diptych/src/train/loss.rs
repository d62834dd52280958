//! The symmetric contrastive loss.
//!
//! Source: the paper's figure 3; soft targets where more than one text of
//! a batch is true of a picture.
//!
//! `N` pairs, `D` embedding.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};

use super::positives::Positives;

/// Cross-entropy of images to texts and of texts to images, in equal parts: a tensor `[1]`.
///
/// `image_features` and `text_features` are `[N, D]`, not normalised; `scale` `[1]` multiplies the
/// cosines; among what `positives` calls true, a picture's and a text's probability is to be shared
/// equally.
pub fn contrastive_loss(
    image_features: Tensor<2>,
    text_features: Tensor<2>,
    scale: Tensor<1>,
    positives: &Positives,
) -> Tensor<1> {
    let n = image_features.dims()[0];
    let images = normalise(image_features); // [N, D]
    let texts = normalise(text_features); // [N, D]
    let logits_per_image = images.matmul(texts.transpose()) * scale.unsqueeze(); // [N, N]
    let device = logits_per_image.device().inner();
    let [of_images, of_texts] = positives.targets().map(|values| {
        let targets = Tensor::from_data(TensorData::new(values, [n, n]), &device);
        Tensor::from_inner(targets)
    });
    let images_to_texts = log_softmax(logits_per_image.clone(), 1) * of_images;
    let texts_to_images = log_softmax(logits_per_image, 0) * of_texts;
    (images_to_texts + texts_to_images)
        .sum()
        .mul_scalar(-0.5 / n as f64)
}

/// Scales every row to norm 1.
pub fn normalise(features: Tensor<2>) -> Tensor<2> {
    // PyTorch's `F.normalize` bounds the norm by 1e-12, the squared norm by its square.
    let norm = features.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    features / norm
}
