//! Matching requests to routes: hosts, paths, patterns, captures.
//!
//! Conditions flow in when a plan is built; the facts of a request flow in for each request; the index of the first
//! rule whose every condition holds flows out. Pure: no I/O, no clock.

/// The rules of one listener, compiled.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Router {}

/// A text with `{variables}` in it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Template {}
