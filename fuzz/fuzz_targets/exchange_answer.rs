//! Feeds arbitrary bytes to the checks that the tests of `sluice-http` run over `corpus/exchange_answer`.
#![no_main]

#[path = "../../crates/http/tests/invariants/exchange_answer.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
