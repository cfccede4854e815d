//! The binary: command line, start, stop.
fn main() {}
