//! Where requests come from.

use std::sync::Arc;

use fastrand::Rng;

use crate::scenario::{Arrivals, Extent, Keys, Nanos, Recorded, Scenario, exponential};

/// Requests, one after the other.
#[derive(Debug)]
pub(super) struct Source {
    process: Process,
    keys: Keys,
    balancers: u32,
    rng: Rng,
    next_at: Nanos,
    /// Requests that came so far, and those of them that came before measuring began.
    arrived: u64,
    unmeasured: u64,
    opens: Nanos,
    extent: Extent,
}

/// A request as it comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// What decides about its work.
    pub(super) lot: u64,
    /// The hash of what it asks for.
    pub(super) key: u64,
    /// Both ways; 0 where that is not known.
    pub(super) bytes: u64,
    /// The balancer it comes to.
    pub(super) balancer: u32,
}

#[derive(Debug)]
enum Process {
    Poisson {
        gap: f64,
    },
    Bursty {
        gaps: [f64; 2],
        times: [f64; 2],
        turn: usize,
        until: Nanos,
    },
    Recorded {
        all: Arc<[Recorded]>,
        next: usize,
    },
}

impl Source {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let process = match &scenario.arrivals {
            Arrivals::Poisson { gap } => Process::Poisson { gap: *gap },
            Arrivals::Bursty { gaps, times } => Process::Bursty {
                gaps: *gaps,
                times: *times,
                turn: 1,
                until: exponential(&mut rng, times[1]),
            },
            Arrivals::Recorded(all) => Process::Recorded {
                all: Arc::clone(all),
                next: 0,
            },
        };
        let mut source = Self {
            process,
            keys: scenario.keys.clone(),
            balancers: scenario.balancers.count,
            rng,
            next_at: 0,
            arrived: 0,
            unmeasured: 0,
            opens: scenario.warm_up,
            extent: scenario.extent,
        };
        source.prepare();
        source
    }

    /// When the next request comes; never, where none does.
    pub(super) fn next_at(&self) -> Nanos {
        self.next_at
    }

    /// Requests that came so far.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The request that comes now.
    pub(super) fn take(&mut self) -> Request {
        let mut lot = self.rng.u64(..);
        let mut bytes = 0;
        let mut key = match &self.keys {
            Keys::Distinct => self.rng.u64(..),
            Keys::Popular(shares) => popular(shares, &mut self.rng),
        };
        if let Process::Recorded { all, next } = &self.process {
            let recorded = all[*next - 1];
            lot = recorded.service;
            key = recorded.key.unwrap_or(key);
            bytes = recorded.bytes.unwrap_or(0);
        }
        let balancer = self.rng.u32(..self.balancers);
        self.arrived += 1;
        if self.next_at < self.opens {
            self.unmeasured += 1;
        }
        self.prepare();
        Request {
            lot,
            key,
            bytes,
            balancer,
        }
    }

    /// Finds when the next request comes.
    fn prepare(&mut self) {
        let over = match self.extent {
            Extent::Requests(requests) => self.arrived - self.unmeasured >= requests,
            Extent::Time(_) | Extent::All => false,
        };
        let at = if over {
            Nanos::MAX
        } else {
            self.process.next(self.next_at, &mut self.rng)
        };
        let late = match self.extent {
            Extent::Time(time) => at > self.opens.saturating_add(time),
            Extent::Requests(_) | Extent::All => false,
        };
        self.next_at = if late { Nanos::MAX } else { at };
    }
}

impl Process {
    /// The time of the first arrival after `now`.
    fn next(&mut self, now: Nanos, rng: &mut Rng) -> Nanos {
        match self {
            Self::Poisson { gap } => now + exponential(rng, *gap),
            Self::Bursty {
                gaps,
                times,
                turn,
                until,
            } => {
                let mut now = now;
                loop {
                    if gaps[*turn].is_finite() {
                        let at = now + exponential(rng, gaps[*turn]);
                        if at <= *until {
                            return at;
                        }
                    }
                    // Without memory, what would have come later may as well be drawn anew.
                    now = *until;
                    *turn = 1 - *turn;
                    *until = now + exponential(rng, times[*turn]).max(1);
                }
            }
            Self::Recorded { all, next } => {
                let at = all.get(*next).map_or(Nanos::MAX, |recorded| recorded.at);
                *next += 1;
                at
            }
        }
    }
}

/// The hash of one of the keys, drawn by how popular they are.
fn popular(shares: &[f64], rng: &mut Rng) -> u64 {
    let drawn = rng.f64();
    let rank = shares.partition_point(|&share| share <= drawn);
    sluice_balance::key_hash(&rank.to_le_bytes())
}
