//! Sessions in a store that several balancers share.
//!
//! Each balancer goes by its own table, and asks the store only where that does not help: for a session that it does not know, or whose
//! server it would have to leave. What it finds out it tells the store without waiting. Now and then it compares what both
//! know of a session that is in use; then the store is right. Where the store is away, the table is all there is.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sluice_model::Moment;
use sluice_session::{Found, ServerName, SessionName};
use sluice_store::Store;
use sluice_upstream::Sessions;
use tokio::task::spawn_local;

/// Where the sessions of an upstream are shared.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    store: Rc<Store>,
    sessions: Arc<Sessions>,
    upstream: Arc<str>,
    ttl: Duration,
}

impl Shared {
    pub(super) fn new(
        store: &Rc<Store>,
        sessions: &Arc<Sessions>,
        upstream: &Arc<str>,
        ttl: Duration,
    ) -> Self {
        Self {
            store: Rc::clone(store),
            sessions: Arc::clone(sessions),
            upstream: Arc::clone(upstream),
            ttl,
        }
    }

    /// The server of a session, as the store knows it. Waits for the store, but not for long.
    pub(super) async fn ask(&self, session: SessionName, now: Moment) -> Option<ServerName> {
        let value = self.store.get(&self.key(session)).await.ok()??;
        let server = read(&value)?;
        self.put(session, server, now);
        Some(server)
    }

    /// Tells the store of a session that is new here, or compares what both know. The store is right.
    pub(super) fn agree(&self, session: SessionName, server: ServerName, now: Moment) {
        if !self.store.is_here() {
            return;
        }
        let this = self.clone();
        spawn_local(async move {
            let (key, value) = (this.key(session), server.0.to_be_bytes());
            let known = this.store.get_or_set(&key, &value, this.ttl).await;
            let known = known.ok().and_then(|known| read(&known));
            if let Some(other) = known.filter(|known| *known != server) {
                this.put(session, other, now);
            }
        });
    }

    /// Tells the store where a session is from now on.
    pub(super) fn tell(&self, session: SessionName, server: ServerName) {
        if !self.store.is_here() {
            return;
        }
        let this = self.clone();
        spawn_local(async move {
            let (key, value) = (this.key(session), server.0.to_be_bytes());
            // Where it does not get there, this balancer knows it all the same.
            let _ = this.store.set(&key, &value, this.ttl).await;
        });
    }

    /// Whether it is time to compare what both know of a session that was found here.
    pub(super) fn is_due(&self, found: Found, now: Moment) -> bool {
        let every = (self.ttl / 4)
            .clamp(Duration::from_secs(1), COMPARED_EVERY)
            .as_secs();
        let seconds = now.as_nanos() / 1_000_000_000;
        let before = seconds.saturating_sub(found.silent.as_secs());
        seconds / every != before / every
    }

    fn put(&self, session: SessionName, server: ServerName, now: Moment) {
        if let Some(table) = self.sessions.table() {
            table.put(session, server, now);
        }
    }

    fn key(&self, session: SessionName) -> Vec<u8> {
        format!("session:{}:{:016x}", self.upstream, session.0).into_bytes()
    }
}

fn read(value: &[u8]) -> Option<ServerName> {
    let bytes = value.try_into().ok()?;
    Some(ServerName(u64::from_be_bytes(bytes)))
}

/// How often at most.
const COMPARED_EVERY: Duration = Duration::from_secs(10);
