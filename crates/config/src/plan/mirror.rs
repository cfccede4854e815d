//! Copies of requests.

use sluice_model::Share;

use super::UpstreamId;

/// `mirror = { upstream, share, … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// `upstream`
    pub upstream: UpstreamId,
    /// `share`: 1 to 100 percent.
    pub share: Share,
    /// `max-body`: bytes of a body that are kept.
    pub max_body: usize,
    /// `max-in-flight`: copies under way, for each worker.
    pub max_in_flight: usize,
}
