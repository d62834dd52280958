//! Cameras' RAW files.
#![no_main]

diptych_fuzz::target!(Tiff, picture);
