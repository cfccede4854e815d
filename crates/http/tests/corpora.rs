//! Every file of the fuzz targets' corpora holds what must hold for any bytes, at every length and as it is.

mod invariants;

use testkit::corpus_at_every_length;

#[test]
fn exchange_answer() {
    corpus_at_every_length("exchange_answer", invariants::exchange_answer::check);
}

#[test]
fn exchange_request() {
    corpus_at_every_length("exchange_request", invariants::exchange_request::check);
}

#[test]
fn h2_frames() {
    corpus_at_every_length("h2_frames", invariants::h2_frames::check);
}

#[test]
fn h3_frames() {
    corpus_at_every_length("h3_frames", invariants::h3_frames::check);
}

#[test]
fn h3_control() {
    corpus_at_every_length("h3_control", invariants::h3_control::check);
}
