//! Pickles of named tensors, and PyTorch's files from before 1.6.
#![no_main]

diptych_fuzz::target!(Pickle, tensors);
