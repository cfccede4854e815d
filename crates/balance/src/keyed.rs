//! The policies by which requests with the same key have the same server.
//!
//! Where everything comes from is fixed and written down: a key is [`crate::key_hash`] of its bytes, a server's identity
//! that of its address, and all else is [`derived`](crate::key) from these two. So workers, restarts and other balancers
//! agree, whatever the order of their servers. A request without a key is drawn by weight.

use fastrand::Rng;

use crate::consistent_hash::Ring;
use crate::kind::Kind;
use crate::maglev::Table;
use crate::random::Random;
use crate::rendezvous;
use crate::servers::Servers;
use crate::view::{Member, View};

/// Servers found by key. Clones share the tables.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    finder: Finder,
    /// For requests without a key.
    random: Random,
}

#[derive(Clone, Debug)]
enum Finder {
    Ring(Ring),
    Table(Table),
    Rendezvous,
}

impl Keyed {
    pub(crate) fn consistent_hash(
        members: &[Member],
        virtual_nodes: u16,
        load_bound: Option<f32>,
    ) -> Self {
        Self::new(
            members,
            Finder::Ring(Ring::new(members, virtual_nodes, load_bound)),
        )
    }

    pub(crate) fn maglev(members: &[Member], table_size: Option<u32>) -> Self {
        Self::new(members, Finder::Table(Table::new(members, table_size)))
    }

    pub(crate) fn ip_hash(members: &[Member]) -> Self {
        if members.len() > Kind::RENDEZVOUS_UP_TO {
            return Self::maglev(members, None);
        }
        Self::new(members, Finder::Rendezvous)
    }

    fn new(members: &[Member], finder: Finder) -> Self {
        Self {
            finder,
            random: Random::new(members),
        }
    }

    /// The place of the server that takes the request, `None` where none is eligible.
    pub(crate) fn pick<S: Servers>(&self, view: &View<'_, S>, rng: &mut Rng) -> Option<usize> {
        let Some(key) = view.ask.key else {
            return self.random.pick(view, rng);
        };
        let found = match &self.finder {
            Finder::Ring(ring) => ring.pick(view, key),
            Finder::Table(table) => table.pick(view, key),
            Finder::Rendezvous => None,
        };
        found.or_else(|| rendezvous::pick(view, key, |place| view.is_eligible(place)))
    }
}

/// Places that are looked at before all servers are: with nine in ten not eligible that does not suffice once in 850
/// requests.
pub(crate) const ATTEMPTS: usize = 64;

#[cfg(test)]
mod tests;
