//! Feeds arbitrary bytes to the checks that the tests of `sluice-wire` run over `corpus/h1_response`.
#![no_main]

#[path = "../../crates/wire/tests/invariants/h1_response.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
