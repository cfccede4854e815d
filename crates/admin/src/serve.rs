//! Takes connections and serves HTTP/1.1 on them, within limits that no client can stretch.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::AdminState;
use crate::listener::{AdminListener, AdminStream};
use crate::routes::routes;

/// What the admin listener grants its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there may be at a time; more wait in the backlog.
    pub connections: usize,
    /// How long a head may take to arrive, and a connection be idle between two requests.
    pub head_timeout: Duration,
    /// How long a connection may live before it is closed after the answer under way.
    pub lifetime: Duration,
    /// How long an answer under way may take after that, or after the listener was told to end.
    pub grace: Duration,
}

impl Default for Limits {
    /// 64 connections, 10 s for a head, 60 s of life, 5 s of grace.
    fn default() -> Self {
        Self {
            connections: 64,
            head_timeout: Duration::from_secs(10),
            lifetime: Duration::from_mins(1),
            grace: Duration::from_secs(5),
        }
    }
}

/// Serves until `shutdown` is ready and the answers then under way are out, at most [`Limits::grace`] later.
pub async fn serve(
    listener: AdminListener,
    state: AdminState,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let server = Server {
        routes: routes(state),
        limits,
    };
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (ending, ended) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        if let Some((stream, slot)) = accepted {
            connections.spawn(server.clone().connection(stream, slot, ended.clone()));
        }
    }
    drop(listener);
    drop(ending);
    while connections.join_next().await.is_some() {}
}

/// A connection with a slot of the limit. `None` after a failure, a moment later.
async fn accept(
    listener: &AdminListener,
    slots: &Arc<Semaphore>,
) -> Option<(AdminStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok(stream) => Some((stream, slot)),
        Err(error) => {
            tracing::warn!(%error, "the admin listener cannot accept");
            // Out of descriptors, most likely: trying again at once would spin.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

#[derive(Clone)]
struct Server {
    routes: Router,
    limits: Limits,
}

impl Server {
    async fn connection(
        self,
        stream: AdminStream,
        slot: OwnedSemaphorePermit,
        mut ended: watch::Receiver<()>,
    ) {
        let limits = self.limits;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.routes));
        let mut connection = pin!(connection);
        // How a connection ends is the client's affair: errors are dropped.
        tokio::select! {
            _ = &mut connection => {}
            // Resolves when the sender is gone, or the lifetime is over.
            _ = timeout(limits.lifetime, ended.changed()) => {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(limits.grace, connection).await;
            }
        }
        drop(slot);
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds the head of a request; answers are not buffered by it.
const MAX_BUFFER: usize = 16 * 1024;
