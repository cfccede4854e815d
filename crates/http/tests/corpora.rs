//! Every file of the fuzz targets' corpora holds what must hold for any bytes, at every length and as it is.

use std::fs;
use std::path::Path;

mod invariants;

/// The least number of files that a corpus must have, so that a lost folder does not pass for a good one.
const LEAST: usize = 20;

fn check_corpus(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("its entries can be read").path();
        let bytes = fs::read(&path).expect("its files can be read");
        for len in 0..=bytes.len() {
            check(&bytes[..len]);
        }
        files += 1;
    }
    assert!(files >= LEAST, "{} has {files} files", folder.display());
}

#[test]
fn exchange_request() {
    check_corpus("exchange_request", invariants::exchange_request::check);
}

#[test]
fn h2_frames() {
    check_corpus("h2_frames", invariants::h2_frames::check);
}

#[test]
fn h3_frames() {
    check_corpus("h3_frames", invariants::h3_frames::check);
}

#[test]
fn h3_section() {
    check_corpus("h3_section", invariants::h3_section::check);
}
