//! The chores of the workspace: test, floors, bench.
fn main() {}
