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
fn h1_request() {
    check_corpus("h1_request", invariants::h1_request::check);
}

#[test]
fn h1_response() {
    check_corpus("h1_response", invariants::h1_response::check);
}

#[test]
fn chunked() {
    check_corpus("chunked", invariants::chunked::check);
}

#[test]
fn proxy_protocol() {
    check_corpus("proxy_protocol", invariants::proxy_protocol::check);
}

#[test]
fn client_hello() {
    check_corpus("client_hello", invariants::client_hello::check);
}
