//! The harness that compares sluice with its peers in one run.
fn main() {}
