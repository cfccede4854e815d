//! What a policy is told: of the servers, and of the request.

use sluice_model::{Moment, Weight};

use crate::load::Load;

/// The servers as they are now. The proxy and the simulator each have their own.
pub trait Servers {
    /// Whether the server can take the request: it is known as well, has a place free, and did not refuse this request
    /// before. May be asked more than once for one pick.
    fn is_eligible(&self, server: usize) -> bool;

    /// The server's load; `None` for an index beyond the servers.
    fn load(&self, server: usize) -> Option<&Load>;
}

/// A request that looks for a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask {
    /// The time.
    pub now: Moment,
    /// The hash ([`crate::key_hash`]) of what decides about its server, for the policies that go by it.
    pub key: Option<u64>,
}

/// What a policy knows of a server from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerShape {
    /// What tells it from the others wherever it is listed: the hash ([`crate::key_hash`]) of its address.
    pub id: u64,
    /// Its share beside the others of its tier.
    pub weight: Weight,
    /// Whether it is used only when no other can be.
    pub backup: bool,
    /// Whether it is in the balancer's own zone.
    pub in_own_zone: bool,
}
