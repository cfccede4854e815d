//! One TCP session, from accepting the client to the end of both directions.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sluice_config::plan::{Listener, Protocol, ProxyProtocol};
use sluice_net::Stream;
use sluice_telemetry::End;
use sluice_telemetry::access::TcpRecord;
use sluice_upstream::{Cluster, ConnectError, Connection, InFlight, Tried};

use super::duplex::{Duplex, DuplexEnd};
use crate::connections::Guard;
use crate::deadline::Deadline;
use crate::live::{ListenerSlot, LiveListener};
use crate::preface::{self, PrefaceError};
use crate::trip::end_of_dropped;
use crate::upstream_preface;
use crate::worker::Worker;

/// Serves one accepted connection.
pub(crate) async fn serve(
    stream: Stream,
    peer: SocketAddr,
    slot: Rc<ListenerSlot>,
    guard: Guard,
    worker: Rc<Worker>,
) {
    let listener = slot.current();
    let Some(settings) = listener.settings() else {
        return;
    };
    let Protocol::Tcp { upstream } = settings.protocol else {
        return;
    };
    let Some(cluster) = listener.live.cluster(upstream).map(Rc::clone) else {
        return;
    };
    let started = Instant::now();
    let mut session = Session {
        listener: Rc::clone(&listener),
        cluster: Rc::clone(&cluster),
        started,
        end: None,
        stream,
        client: peer,
        deadline: Deadline::new(started + settings.idle_timeout),
        guard,
        worker,
        bytes: (0, 0),
        server: None,
        attempts: 0,
    };
    session.end = Some(session.run(settings, &cluster).await);
}

/// Accounted for when dropped, so that a session that is cut is not lost.
struct Session {
    listener: Rc<LiveListener>,
    cluster: Rc<Cluster>,
    started: Instant,
    /// How it ended by itself.
    end: Option<End>,
    stream: Stream,
    client: SocketAddr,
    deadline: Deadline,
    guard: Guard,
    worker: Rc<Worker>,
    /// Received from the client, from the server.
    bytes: (u64, u64),
    server: Option<InFlight>,
    attempts: u32,
}

impl Session {
    async fn run(&mut self, settings: &Listener, cluster: &Cluster) -> End {
        let mut early = Vec::new();
        if settings.proxy_protocol != ProxyProtocol::Off {
            let mode = settings.proxy_protocol;
            let read = preface::read(
                &mut self.stream,
                self.client,
                mode,
                &mut self.deadline,
                &self.worker,
            );
            match read.await {
                Ok(preface) => (self.client, early) = (preface.client, preface.rest),
                Err(PrefaceError::Closed) => return End::ClientClosed,
                Err(PrefaceError::Invalid) => return End::BadRequest,
            }
        }
        match self.connect(cluster).await {
            Ok(server) => self.join(server, early, settings.idle_timeout).await,
            Err(end) => {
                // The client learns at once that there is nobody, and cannot take it for an empty answer.
                self.stream.reset_on_close();
                end
            }
        }
    }

    /// Tries one server after the other until one takes the connection.
    async fn connect(&mut self, cluster: &Cluster) -> Result<Connection, End> {
        let mut tried = Tried::default();
        let mut end = End::NoServer;
        while let Some(place) = cluster.pick(&mut tried) {
            if self.attempts > 0 {
                cluster.metrics().retries.increment();
            }
            self.attempts += 1;
            self.guard.uses(Some(place.lane()));
            match self.open(cluster, &place).await {
                Ok(connection) => {
                    place.lane().metrics().sessions.increment();
                    self.server = Some(place);
                    return Ok(connection);
                }
                Err(error) => {
                    tracing::debug!(upstream = %cluster.settings().name, server = %place.lane().endpoint().label(), %error, "cannot connect");
                    end = match error {
                        ConnectError::Timeout => End::ConnectTimeout,
                        _ => End::ConnectFailed,
                    };
                }
            }
        }
        if end == End::NoServer {
            cluster.metrics().no_server.increment();
        }
        Err(end)
    }

    async fn open(&self, cluster: &Cluster, place: &InFlight) -> Result<Connection, ConnectError> {
        let mut connection = cluster.connect(place.lane(), self.client).await?;
        let header = upstream_preface::header(cluster, self.client, &self.stream);
        upstream_preface::send(&mut connection, &header).await?;
        Ok(connection)
    }

    async fn join(&mut self, mut server: Connection, early: Vec<u8>, idle: Duration) -> End {
        let mut duplex = Duplex::new(
            &mut self.stream,
            &mut server.stream,
            &self.worker,
            &mut self.deadline,
            idle,
        )
        .with_bytes_for_server(early);
        let end = poll_fn(|cx| {
            let end = duplex.poll(cx);
            self.bytes = duplex.received();
            end
        })
        .await;
        match end {
            DuplexEnd::Complete => End::Ok,
            DuplexEnd::ClientBroke => {
                server.stream.reset_on_close();
                End::ClientClosed
            }
            DuplexEnd::ServerBroke => {
                self.stream.reset_on_close();
                End::UpstreamClosed
            }
            DuplexEnd::Idle => End::IdleTimeout,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let end = self.end.unwrap_or_else(end_of_dropped);
        let (from_client, from_server) = self.bytes;
        let metrics = &self.listener.metrics;
        metrics.sessions.increment(end);
        metrics.bytes_received.add(from_client);
        metrics.bytes_sent.add(from_server);
        if let Some(place) = &self.server {
            let metrics = place.lane().metrics();
            metrics.bytes_sent.add(from_client);
            metrics.bytes_received.add(from_server);
        }
        if let Some(log) = &*self.worker.access_log() {
            let server = self.server.as_ref();
            log.tcp(&TcpRecord {
                time: self.worker.clock().time_of(self.started),
                client: Some(self.client),
                listener: self
                    .listener
                    .settings()
                    .map_or("", |settings| &settings.name),
                upstream: Some(&self.cluster.settings().name),
                server: server.map(|place| &**place.lane().endpoint().label()),
                attempts: self.attempts,
                received_bytes: from_client,
                sent_bytes: from_server,
                duration: self.started.elapsed(),
                end,
            });
        }
    }
}
