//! Every file of the fuzz targets' corpora holds what must hold for any bytes, at every length and as it is.

mod invariants;

use testkit::corpus_at_every_length;

#[test]
fn h1_request() {
    corpus_at_every_length("h1_request", invariants::h1_request::check);
}

#[test]
fn h1_response() {
    corpus_at_every_length("h1_response", invariants::h1_response::check);
}

#[test]
fn chunked() {
    corpus_at_every_length("chunked", invariants::chunked::check);
}

#[test]
fn proxy_protocol() {
    corpus_at_every_length("proxy_protocol", invariants::proxy_protocol::check);
}

#[test]
fn client_hello() {
    corpus_at_every_length("client_hello", invariants::client_hello::check);
}

#[test]
fn qpack_section() {
    corpus_at_every_length("qpack_section", invariants::qpack_section::check);
}
