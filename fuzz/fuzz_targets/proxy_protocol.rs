//! Feeds arbitrary bytes to the checks that the tests of `sluice-wire` run over `corpus/proxy_protocol`.
#![no_main]

#[path = "../../crates/wire/tests/invariants/proxy_protocol.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check(bytes));
