//! Feeds arbitrary bytes to the checks that the tests of `sluice-http` run over `corpus/h3_control`.
#![no_main]

#[path = "../../crates/http/tests/invariants/h3_control.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
