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
}

impl Kind {
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
        }
    }

    /// Whether it looks at weights anew with each request. The others leave a server out now and then instead, where it
    /// has to take less than its weight.
    pub(crate) fn weighs_anew(self) -> bool {
        match self {
            Self::RoundRobin | Self::Random => false,
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
