//! JPEGs, at full size and smaller.
#![no_main]

diptych_fuzz::target!(Jpeg, picture);
