//! The server that a session belongs to: requests of the session go there before any policy is asked, as long as it takes them.
//!
//! | the server | its sessions |
//! |---|---|
//! | takes requests, or is drained | go there |
//! | has its `max-connections` | wait there, where the upstream has a `queue`; else go elsewhere this once |
//! | is down, unhealthy, ejected or gone | move |
//! | has failed this request | move |

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sluice_config::plan::Upstream;
use sluice_health::Admission;
use sluice_model::Moment;
use sluice_session::ServerName;

use super::{Asked, Cluster};
use crate::endpoint::Endpoints;
use crate::lane::{InFlight, Lane};
use crate::sticky::Sessions;
use crate::tried::Tried;

/// Which server a name stands for.
#[derive(Debug)]
pub(super) struct Homes {
    sessions: Arc<Sessions>,
    /// In the order of the servers.
    names: Vec<ServerName>,
    /// By name: the position of its server.
    positions: Vec<(ServerName, usize)>,
}

/// What came of looking for a place at the server that a session belongs to.
pub(super) enum AtHome {
    /// There is one.
    Place(InFlight),
    /// It will have one: wait for it.
    Full,
    /// Another server is to be asked.
    Nothing,
}

impl Homes {
    pub(super) fn of(
        settings: &Upstream,
        endpoints: &Endpoints,
        lanes: &[Rc<Lane>],
    ) -> Option<Self> {
        let sessions = Arc::clone(endpoints.sessions(&settings.name)?);
        let name = |lane: &Rc<Lane>| sessions.signer().server(lane.endpoint().label());
        let names: Vec<_> = lanes.iter().map(name).collect();
        let mut positions: Vec<_> = names.iter().copied().zip(0..).collect();
        positions.sort_unstable();
        Some(Self {
            sessions,
            names,
            positions,
        })
    }
}

impl Cluster {
    /// The upstream's sessions, where they stay on their servers.
    pub fn sessions(&self) -> Option<&Arc<Sessions>> {
        self.homes.as_ref().map(|homes| &homes.sessions)
    }

    /// Whether its sessions are still those of the upstream.
    pub fn has_sessions_of(&self, endpoints: &Endpoints) -> bool {
        match (self.sessions(), endpoints.sessions(&self.settings.name)) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }

    /// The name of the cookie that is ours.
    pub fn sticky_cookie(&self) -> Option<&str> {
        let cookie = self.settings.sticky.as_ref()?.cookie()?;
        Some(&cookie.name)
    }

    /// The position of the server of that name, for [`Asked::home`].
    pub fn home(&self, name: ServerName) -> Option<usize> {
        let positions = &self.homes.as_ref()?.positions;
        let found = positions.binary_search_by_key(&name, |(name, _)| *name);
        positions.get(found.ok()?).map(|(_, position)| *position)
    }

    /// Whether the server at this position is the one of `lane`.
    pub fn is_home(&self, position: usize, lane: &Rc<Lane>) -> bool {
        let home = self.lanes.get(position);
        home.is_some_and(|home| Rc::ptr_eq(home, lane))
    }

    /// What the server of `lane` is called; `None` where sessions do not stay, or it is none of this cluster's.
    pub fn server_name(&self, lane: &Rc<Lane>) -> Option<ServerName> {
        let homes = self.homes.as_ref()?;
        let position = self.lanes.iter().position(|one| Rc::ptr_eq(one, lane))?;
        homes.names.get(position).copied()
    }

    /// Whether sessions leave the server at this position, as it takes nothing of them now.
    pub fn is_left(&self, home: usize, now: Instant) -> bool {
        !self.takes_sessions(home, self.moment(now))
    }

    pub(super) fn at_home(&self, home: usize, tried: &mut Tried, now: Moment) -> AtHome {
        tried.set_home_full(false);
        let Some(lane) = self.lanes.get(home) else {
            return AtHome::Nothing;
        };
        if tried.contains(home) || tried.is_exhausted() || !self.takes_sessions(home, now) {
            return AtHome::Nothing;
        }
        let Some(place) = InFlight::enter(lane, self.limit(home)) else {
            lane.metrics().limit_reached.increment();
            tried.set_home_full(true);
            let waits = self.settings.queue.is_some() && self.gate.admits(&self.lanes, home, now);
            return if waits { AtHome::Full } else { AtHome::Nothing };
        };
        let leave = self.gate.leave(lane, now);
        if leave.is_none() && self.admission(home, now) == Admission::Trials {
            return AtHome::Nothing;
        }
        tried.add(home);
        AtHome::Place(place.with_leave(leave))
    }

    /// The server that the request would wait for, as it belongs there.
    pub(crate) fn waits_at_home(&self, tried: &Tried, asked: Asked) -> Option<usize> {
        let home = asked.home?;
        let now = self.moment(asked.now);
        let waits = !tried.contains(home)
            && home < self.lanes.len()
            && self.gate.admits(&self.lanes, home, now);
        waits.then_some(home)
    }

    /// The identities of all servers but this one.
    pub(crate) fn ids_but(&self, home: usize) -> Vec<u64> {
        let lanes = self.lanes.iter().enumerate();
        lanes
            .filter(|(position, _)| *position != home)
            .map(|(_, lane)| lane.endpoint().id())
            .collect()
    }

    /// A server that is drained does. Where all are down and are tried all the same, so is this.
    fn takes_sessions(&self, home: usize, now: Moment) -> bool {
        home < self.lanes.len() && self.admission(home, now) != Admission::Nothing
    }

    fn admission(&self, home: usize, now: Moment) -> Admission {
        if self.gate.is_open() {
            return Admission::All;
        }
        self.gate.look(&self.lanes, now).admission(home)
    }
}
