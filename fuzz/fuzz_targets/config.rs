//! Feeds arbitrary bytes to the checks that the tests of `sluice-config` run over `corpus/config`.
#![no_main]

#[path = "../../crates/config/tests/config/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
