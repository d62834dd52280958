//! Embeddings that other programs wrote → an index.

mod clip_retrieval;
mod footer;
mod pages;
mod thrift;

pub use self::clip_retrieval::ClipRetrieval;
