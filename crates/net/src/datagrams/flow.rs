//! Who speaks to whom.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use crate::listen::canonical;

/// Where an arrival came from and where it went: the two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The client's address, as the socket needs it to answer.
    pub(super) peer: SocketAddr,
    /// The address that it spoke to; `None` where the socket has but one.
    pub(super) local: Option<IpAddr>,
}

impl Flow {
    /// The client's address. An IPv4 client of a dual-stack socket is an IPv4 client.
    pub fn client(&self) -> SocketAddr {
        canonical(self.peer)
    }
}

impl Hash for Flow {
    /// As few words as tell IPv4 clients apart: this is done for each datagram.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.peer {
            SocketAddr::V4(peer) => {
                state.write_u64(u64::from(peer.port()) << 32 | u64::from(peer.ip().to_bits()));
            }
            SocketAddr::V6(peer) => {
                state.write_u128(peer.ip().to_bits());
                state.write_u64(u64::from(peer.port()) << 32 | u64::from(peer.scope_id()));
            }
        }
        match self.local {
            None => {}
            Some(IpAddr::V4(local)) => state.write_u32(local.to_bits()),
            Some(IpAddr::V6(local)) => state.write_u128(local.to_bits()),
        }
    }
}
