//! Indexes: the database, the columns beside it, and the length of these.
#![no_main]

diptych_fuzz::target!(Bytes, index);
