//! PNGs.
#![no_main]

diptych_fuzz::target!(Png, picture);
