//! The hash by which a request keeps its server: the same in every worker, process and restart, and on every machine.

use xxhash_rust::xxh3::xxh3_64;

/// XXH3 (64 bits, seed 0) of `bytes`. Two balancers with the same servers agree where a key goes, and so would any other
/// program that computes it.
pub fn key_hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        // The values of the reference implementation: were they others, every session would move.
        assert_eq!(key_hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(key_hash(b"a"), 0xe6c6_32b6_1e96_4e1f);
        assert_eq!(key_hash(b"abc"), 0x78af_5f94_892f_3950);
    }
}
