//! Feeds arbitrary bytes to whoever reads a datagram's worker, as the test of `sluice-quic` does with `corpus/quic_ids`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice_quic::fuzzing::check(bytes));
