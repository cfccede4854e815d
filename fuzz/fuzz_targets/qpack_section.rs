//! Feeds arbitrary bytes to the checks that the tests of `sluice-wire` run over `corpus/qpack_section`.
#![no_main]

#[path = "../../crates/wire/tests/invariants/qpack_section.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
