//! PyTorch's files.
#![no_main]

diptych_fuzz::target!(Zip, weights);
