//! The hash by which a request keeps its server: the same in every worker, process and restart, and on every machine.

use xxhash_rust::xxh3::xxh3_64;

/// XXH3 (64 bits, seed 0) of `bytes`. Two balancers with the same servers agree where a key goes, and so would any other
/// program that computes it.
pub fn key_hash(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// XXH3 (64 bits, seed 0) of `word` and then `index`, each as 8 bytes, the least first. From it come the places of servers
/// on rings and in tables, where `word` is [`crate::ServerShape::id`], and a key's further choices.
pub(crate) fn derived(word: u64, index: u64) -> u64 {
    xxh3_64(&(u128::from(index) << 64 | u128::from(word)).to_le_bytes())
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
    #[test]
    fn what_is_derived_is_a_hash_of_sixteen_bytes() {
        let bytes = [1, 0, 0, 0, 0, 0, 0, 0x80, 2, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(derived(0x8000_0000_0000_0001, 0x0102), key_hash(&bytes));
        assert_eq!(derived(0, 0), 15_034_821_391_391_295_848);
    }
}
