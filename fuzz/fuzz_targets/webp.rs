//! WebPs.
#![no_main]

diptych_fuzz::target!(Riff, picture);
