//! What is written beside pictures.
#![no_main]

diptych_fuzz::target!(Bytes, metadata);
