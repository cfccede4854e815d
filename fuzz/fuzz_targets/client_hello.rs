//! Feeds arbitrary bytes to the checks that the tests of `sluice-wire` run over `corpus/client_hello`.
#![no_main]

#[path = "../../crates/wire/tests/invariants/client_hello.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
