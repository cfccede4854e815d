//! Feeds arbitrary bytes to TLS sessions of both sides, as the test of `sluice-tls` does with `corpus/tls_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_tls::fuzzing::check(bytes));
