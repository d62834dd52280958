//! Tables of pictures and captions.
#![no_main]

diptych_fuzz::target!(Text, table);
