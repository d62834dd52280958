//! For each query the items nearest to it, by comparing with every one.
//!
//! Queries and items are embeddings of one model; either may be pictures or texts.
//!
//! `Q` queries, `N` items, `D` embedding.

use diptych_kernels::{Vectors, top_k};

use crate::{Embeddings, Result};

/// An item and how near it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// The item's row.
    pub row: usize,
    /// The cosine of query and item.
    pub cosine: f32,
}

/// For each of `queries` `[Q, D]` the `top` nearest of `items` `[N, D]`, nearest first.
///
/// # Errors
/// [`Error::Dim`](crate::Error::Dim) if the widths differ: two models' embeddings have no
/// similarity.
pub fn nearest(
    queries: &Embeddings,
    items: &Embeddings,
    top: usize,
) -> Result<Vec<Vec<Neighbour>>> {
    queries.check_same_dim(items)?;
    let hit = |hit: diptych_kernels::Scored| Neighbour {
        row: hit.row,
        cosine: hit.score,
    };
    let nearest = |query| {
        let hits = top_k(query, Vectors::F32(items.as_slice()), top);
        hits.into_iter().map(hit).collect()
    };
    Ok(queries.rows().map(nearest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows that each query in the plane finds, nearest first.
    fn found(queries: &[f32], items: &[f32], top: usize) -> Vec<Vec<usize>> {
        let plane = |values: &[f32]| Embeddings::from_features(2, values.to_vec()).unwrap();
        let hits = nearest(&plane(queries), &plane(items), top).unwrap();
        hits.iter()
            .map(|hits| hits.iter().map(|hit| hit.row).collect())
            .collect()
    }

    #[test]
    fn the_nearest_come_first_and_no_more_than_asked_for() {
        let items = [0.0, 1.0, 1.0, 1.0, 1.0, 0.0];
        assert_eq!(
            found(&[1.0, 0.1, -1.0, 0.2], &items, 2),
            [[2, 1], [0, 1]],
            "by angle, whatever the length"
        );
        assert_eq!(found(&[1.0, 0.1], &items, 9), [[2, 1, 0]]);
    }

    #[test]
    fn equals_keep_their_order() {
        assert_eq!(found(&[1.0, 0.0], &[2.0, 0.0, 1.0, 0.0], 2), [[0, 1]]);
    }

    #[test]
    fn nothing_is_found_among_nothing() {
        assert_eq!(found(&[1.0, 0.0], &[], 3), [[0; 0]]);
        assert!(found(&[], &[1.0, 0.0], 3).is_empty());
    }

    #[test]
    fn two_models_embeddings_are_refused() {
        let (plane, space) = (Embeddings::empty(2), Embeddings::empty(3));
        assert!(matches!(
            nearest(&plane, &space, 1),
            Err(crate::Error::Dim { got: 3, wanted: 2 })
        ));
        assert!(Embeddings::from_features(3, vec![1.0; 4]).is_err());
        assert!(Embeddings::from_features(0, vec![1.0]).is_err());
        assert!(space.cosines(&plane).is_err());
        let one = Embeddings::from_features(2, vec![3.0, 4.0]).unwrap();
        assert!(one.means(0).is_err() && one.means(2).is_err());
        assert_eq!(one.means(1).unwrap(), one);
    }
}
