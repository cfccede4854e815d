//! Which algorithm chooses, with its options.

use std::num::NonZeroU32;

use crate::prequal::Probes;
use crate::scan::Sample;

/// An algorithm by its name, with its options.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Kind {
    /// Each in turn, as often as its weight says.
    #[default]
    RoundRobin,
    /// Drawn by weight.
    Random,
    /// The fewest requests in flight for its weight.
    LeastConnections(Sample),
    /// The less loaded of two drawn by weight.
    PowerOfTwo,
    /// The lowest average latency × (in flight + 1).
    LeastResponseTime(Sample),
    /// The lowest peak latency × (in flight + 1).
    PeakEwma(Sample),
    /// The fewest bytes a second.
    LeastBandwidth(Sample),
    /// The lowest latency among those that are not busier than most.
    Prequal(Probes),
    /// The lowest cubic score of latency and queue, where so many balancers send to the same servers.
    C3 {
        /// Of how many servers it looks at the score.
        sample: Sample,
        /// Balancers that send to the same servers, this one among them.
        balancers: NonZeroU32,
    },
    /// The next on a ring from the request's key on.
    ConsistentHash {
        /// Points on the ring of a server of average weight, give or take a sixteenth, 1 at least; others have as many as
        /// their weight says. The more, the more even are the shares: see [`Kind::VIRTUAL_NODES`].
        virtual_nodes: u16,
        /// How many times the mean of requests in flight a server may have before its requests go on to the next on the
        /// ring, 1.0 at least. None: a key always has the same server.
        load_bound: Option<f32>,
    },
    /// A table's entry for the request's key.
    Maglev {
        /// Entries of the table, rounded up to a prime. None: 65,537, and as soon as that is less than a hundred for
        /// each server, the next of a row in which each is twice as large as the one before.
        table_size: Option<u32>,
    },
    /// The server that the client's address has of old: rendezvous hashing up to [`Kind::RENDEZVOUS_UP_TO`] servers, above
    /// them the table of [`Kind::Maglev`]; where their number crosses that, most keys move once. The request's key is the
    /// hash of the client's address.
    IpHash,
}

impl Kind {
    /// Points on the ring of a server of average weight, where the file does not say. Shares differ by 1/√150 = 8 % of
    /// themselves then (standard deviation), for 1,800 bytes a server.
    pub const VIRTUAL_NODES: u16 = 150;
    /// Servers among which [`Kind::IpHash`] compares all of them.
    pub const RENDEZVOUS_UP_TO: usize = 100;

    /// What must be told of requests for this algorithm to work.
    pub fn signals(self) -> Signals {
        match self {
            Self::RoundRobin | Self::Random | Self::LeastConnections(_) | Self::PowerOfTwo => {
                Signals::default()
            }
            Self::LeastResponseTime(_) | Self::PeakEwma(_) | Self::Prequal(_) | Self::C3 { .. } => {
                Signals {
                    latency: true,
                    ..Signals::default()
                }
            }
            Self::LeastBandwidth(_) => Signals {
                bandwidth: true,
                ..Signals::default()
            },
            Self::ConsistentHash { .. } | Self::Maglev { .. } | Self::IpHash => Signals {
                key: true,
                ..Signals::default()
            },
        }
    }

    /// Whether it looks at weights anew with each request. The others leave a server out now and then instead, where it
    /// has to take less than its weight.
    pub(crate) fn weighs_anew(self) -> bool {
        match self {
            Self::RoundRobin
            | Self::Random
            | Self::ConsistentHash { .. }
            | Self::Maglev { .. }
            | Self::IpHash => false,
            Self::LeastConnections(_)
            | Self::PowerOfTwo
            | Self::LeastResponseTime(_)
            | Self::PeakEwma(_)
            | Self::LeastBandwidth(_)
            | Self::Prequal(_)
            | Self::C3 { .. } => true,
        }
    }
}

/// What an algorithm must be told of requests beside that they begin, end and fail: telling costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// [`crate::Load::answered`]
    pub latency: bool,
    /// [`crate::Load::moved`]
    pub bandwidth: bool,
    /// [`crate::Ask::key`]
    pub key: bool,
}
