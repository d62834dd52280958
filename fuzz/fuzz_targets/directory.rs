//! Configuration files: the number of a name, then the file.
#![no_main]

diptych_fuzz::target!(Text, directory);
