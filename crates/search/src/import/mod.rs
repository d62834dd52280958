//! Embeddings that other programs wrote → an index.

mod clip_retrieval;
mod footer;

pub use self::clip_retrieval::ClipRetrieval;
