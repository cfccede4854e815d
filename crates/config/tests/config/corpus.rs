//! What fuzzing starts from, and what it has found.

use crate::invariants;
use crate::world::repository;

#[test]
fn the_fuzz_corpus() {
    let folder = repository().join("fuzz/corpus/config");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("a folder that can be read").path();
        let bytes = std::fs::read(&path).expect("a file that can be read");
        invariants::check(&bytes);
        count += 1;
    }
    assert!(count >= 20, "only {count} seeds");
}
