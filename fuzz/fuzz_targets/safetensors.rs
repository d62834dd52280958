//! Files of safetensors.
#![no_main]

diptych_fuzz::target!(Safetensors, safetensors);
