//! The symmetric contrastive loss.
//!
//! Source: the paper's figure 3; soft targets where a batch holds the same text more than once.
//!
//! `N` pairs, `D` embedding.

use std::collections::HashMap;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

/// Cross-entropy of images to texts and of texts to images, in equal parts: a tensor `[1]`.
///
/// `image_features` and `text_features` are `[N, D]`, not normalised; `scale` `[1]` multiplies the
/// cosines; row `i` of `targets` `[N, N]` is the distribution over the texts that picture `i` should
/// have, as [`targets`] makes it.
pub fn contrastive_loss(
    image_features: Tensor<2>,
    text_features: Tensor<2>,
    scale: Tensor<1>,
    targets: Tensor<2>,
) -> Tensor<1> {
    let n = image_features.dims()[0];
    let images = normalise(image_features); // [N, D]
    let texts = normalise(text_features); // [N, D]
    let logits_per_image = images.matmul(texts.transpose()) * scale.unsqueeze(); // [N, N]
    let log_p = log_softmax(logits_per_image.clone(), 1) + log_softmax(logits_per_image, 0);
    (log_p * targets).sum().mul_scalar(-0.5 / n as f64)
}

/// Scales every row to norm 1.
pub fn normalise(features: Tensor<2>) -> Tensor<2> {
    // PyTorch's `F.normalize` bounds the norm by 1e-12, the squared norm by its square.
    let norm = features.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    features / norm
}

/// Targets `[N, N]`: pair `i` shares its row equally among the pairs of its group, itself included.
///
/// The matrix is symmetric, so it serves images to texts by rows and texts to images by columns.
pub fn targets(groups: &[u64], device: &Device) -> Tensor<2> {
    let n = groups.len();
    let mut sizes: HashMap<u64, usize> = HashMap::new();
    for group in groups {
        *sizes.entry(*group).or_default() += 1;
    }
    let mut values = vec![0f32; n * n];
    for (row, a) in values.chunks_exact_mut(n.max(1)).zip(groups) {
        for (value, b) in row.iter_mut().zip(groups) {
            if a == b {
                *value = 1.0 / sizes[a] as f32;
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [n, n]), device)
}
