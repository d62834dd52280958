//! Indexing, on folders that the tests make.
