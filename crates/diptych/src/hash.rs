//! A hash that is the same on every machine and in every version: runs are reproducible by it.

/// FNV-1a, 64 bits. Source: Fowler, Noll and Vo, draft-eastlake-fnv.
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[test]
fn the_hash_is_the_published_one() {
    assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
}
