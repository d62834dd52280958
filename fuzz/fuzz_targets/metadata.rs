//! Metadata of pictures.
#![no_main]

diptych_fuzz::target!(Bytes, metadata);
