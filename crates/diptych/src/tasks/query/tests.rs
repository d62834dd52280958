//! Queries, as they are written and as they are answered.
