//! What fuzzing starts from and what it has found, for the tests that run it again.

use std::fs;
use std::path::Path;

/// The least number of files that a corpus must have, so that a lost folder does not pass for a good one.
const LEAST: usize = 20;

/// The files of the corpus of a fuzz target.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&folder).expect("the corpus is there");
    let files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("its entries can be read").path();
            fs::read(path).expect("its files can be read")
        })
        .collect();
    let found = files.len();
    assert!(found >= LEAST, "{} has {found} files", folder.display());
    files
}

/// Calls `check` with every file of a corpus, and with what stands before each of its bytes.
pub fn corpus_at_every_length(target: &str, check: fn(&[u8])) {
    for bytes in corpus(target) {
        for length in 0..=bytes.len() {
            check(&bytes[..length]);
        }
    }
}
