//! What fuzzing starts from, and what it has found.

use crate::invariants;

#[test]
fn the_fuzz_corpus() {
    for bytes in testkit::corpus("config") {
        invariants::check(&bytes);
    }
}
