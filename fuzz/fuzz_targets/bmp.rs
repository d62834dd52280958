//! BMPs.
#![no_main]

diptych_fuzz::target!(Bytes, picture);
