//! Shards.
#![no_main]

diptych_fuzz::target!(Tar, shard);
