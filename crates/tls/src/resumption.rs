//! What sessions are resumed by: tickets that clients keep, or a store of our own.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use sluice_config::plan::Tls;

use crate::server::purpose;
use crate::tickets::Tickets;

/// What the sessions of a listener are resumed by. Shared by all workers, and kept when certificates change.
#[derive(Clone, Debug)]
pub enum Resumption {
    /// Nothing is stored here; a ticket may be used again.
    Tickets(Arc<Tickets>),
    /// Each session is stored, up to a bound, and resumed once: what came early with it cannot come a second time
    /// (RFC 8446, 8.1).
    Stored(Arc<ServerSessionMemoryCache>),
}

impl Resumption {
    /// For the listener of this name.
    pub fn new(listener: &str, tls: &Tls) -> Self {
        if tls.early_data.is_some() {
            return Self::Stored(ServerSessionMemoryCache::new(MOST_SESSIONS));
        }
        let purpose = purpose(listener, tls.client_auth.as_ref());
        Self::Tickets(Arc::new(Tickets::new(tls.ticket_keys.clone(), &purpose)))
    }

    pub(crate) fn apply(&self, config: &mut ServerConfig) {
        match self {
            Self::Tickets(tickets) => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.ticketer = Arc::clone(tickets) as _;
            }
            Self::Stored(store) => config.session_storage = Arc::clone(store) as _,
        }
    }
}

/// Sessions that are stored: some 400 bytes each, the oldest are forgotten first.
const MOST_SESSIONS: usize = 32 * 1024;
