//! Tables in Parquet.
#![no_main]

diptych_fuzz::target!(Parquet, parquet);
