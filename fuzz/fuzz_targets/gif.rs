//! GIFs.
#![no_main]

diptych_fuzz::target!(Gif, picture);
