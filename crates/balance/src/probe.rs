//! What a server answers when it is asked how loaded it is.

use std::time::Duration;

/// A server's load at some moment, as it says itself or as its [`crate::Load`] shows ([`crate::Load::probe`]).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Probe {
    /// Requests it works on, from everybody.
    pub in_flight: f32,
    /// How long requests took of late that came while it had about as many in flight; `None` where it knows of none.
    pub latency: Option<Duration>,
}
