//! The parameters of a CLIP model that Muon moves.

use crate::optimise::Matrices;

/// The matrices of a weight in a residual stage or block; none for what Muon leaves to AdamW: gains
/// and biases, embeddings, the stem, the pooling and the projections.
pub(super) fn hidden(name: &str, shape: &[usize]) -> Option<Matrices> {
    let is_hidden = name.contains(".layer") || name.contains("resblocks.");
    let whole = Matrices::whole(shape).filter(|_| is_hidden)?;
    // Query, key and value are three layers in one tensor.
    let count = if name.ends_with("in_proj_weight") {
        3
    } else {
        1
    };
    Some(Matrices {
        count,
        rows: whole.rows / count,
        ..whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_weights_are_matrices_and_nothing_else_is() {
        let of = |name, shape: &[usize]| hidden(name, shape).map(|m| [m.count, m.rows, m.columns]);
        assert_eq!(
            of("visual.layer1.0.conv2.weight", &[24, 24, 3, 3]),
            Some([1, 24, 216])
        );
        let name = "transformer.resblocks.0.attn.in_proj_weight";
        assert_eq!(of(name, &[480, 160]), Some([3, 160, 160]));
        assert_eq!(of("visual.layer1.0.bn1.weight", &[24]), None);
        assert_eq!(of("token_embedding.weight", &[6144, 160]), None);
        assert_eq!(of("text_projection", &[160, 192]), None);
        assert_eq!(of("visual.conv1.weight", &[12, 3, 3, 3]), None);
    }
}
