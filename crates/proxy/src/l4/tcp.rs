//! One TCP session, from accepting the client to the end of both directions.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Context;
use std::time::{Duration, Instant};

use sluice_config::plan::{HashKey, Protocol, ProxyProtocol, SourceAddress, TcpTarget};
use sluice_model::Priority;
use sluice_net::Stream;
use sluice_telemetry::End;
use sluice_telemetry::access::TcpRecord;
use sluice_tls::Facts;
use sluice_upstream::{Asked, Cluster, ConnectError, Connection, Fate, InFlight, Tried};

use super::duplex::{Duplex, DuplexEnd, Tally};
use super::hello::Hearing;
use crate::connections::Guard;
use crate::deadline::Deadline;
use crate::live::LiveListener;
use crate::preface::{self, PrefaceError};
use crate::queue::{self, Interruption};
use crate::secure::{log_record, secure};
use crate::trip::end_of_dropped;
use crate::upstream_preface;
use crate::worker::Worker;

/// Serves one accepted connection.
///
/// Not an `async fn`: such a one would hold its arguments beside the session, for as long as that lasts.
pub(crate) fn serve(
    stream: Stream,
    peer: SocketAddr,
    listener: Rc<LiveListener>,
    guard: Guard,
    worker: Rc<Worker>,
) -> impl Future<Output = ()> {
    let mut session = Session::new(stream, peer, listener, guard, worker);
    async move {
        if let Some(session) = &mut session {
            session.end = Some(session.run().await);
        }
    }
}

/// Accounted for when dropped, so that a session that is cut is not lost.
struct Session {
    listener: Rc<LiveListener>,
    /// Where it goes, once that is known.
    cluster: Option<Rc<Cluster>>,
    /// What a TLS client asked for.
    server_name: Option<Box<str>>,
    started: Instant,
    /// How it ended by itself.
    end: Option<End>,
    stream: Stream,
    client: SocketAddr,
    deadline: Deadline,
    guard: Guard,
    worker: Rc<Worker>,
    tally: Tally,
    server: Option<InFlight>,
    /// How long connecting to it took.
    connected_after: Duration,
    attempts: u32,
    /// What the handshake settled, where the connection is ciphered.
    tls: Option<Rc<Facts>>,
}

/// A server that took the connection.
struct Opened {
    connection: Box<Connection>,
    cluster: Rc<Cluster>,
    /// Received from the client already.
    early: Vec<u8>,
    idle_timeout: Duration,
}

impl Session {
    /// `None` where the listener is no tcp one.
    fn new(
        stream: Stream,
        client: SocketAddr,
        listener: Rc<LiveListener>,
        guard: Guard,
        worker: Rc<Worker>,
    ) -> Option<Self> {
        let settings = listener.settings()?;
        if !matches!(settings.protocol, Protocol::Tcp(_)) {
            return None;
        }
        let started = Instant::now();
        let deadline = Deadline::new(started + settings.idle_timeout);
        Some(Self {
            listener,
            cluster: None,
            server_name: None,
            started,
            end: None,
            stream,
            client,
            deadline,
            guard,
            worker,
            tally: Tally::default(),
            server: None,
            connected_after: Duration::ZERO,
            attempts: 0,
            tls: None,
        })
    }

    async fn run(&mut self) -> End {
        // Boxed: this is over soon, and its state would be held for the whole session.
        let Opened {
            mut connection,
            cluster,
            early,
            idle_timeout,
        } = match Box::pin(self.open()).await {
            Ok(opened) => opened,
            Err(end) => return end,
        };
        let mut duplex = Duplex::new(
            &mut self.stream,
            &mut connection.stream,
            &self.worker,
            &mut self.deadline,
            idle_timeout,
        )
        .with_bytes_for_server(early);
        let counts_bytes = cluster.counts_bytes();
        let mut spoke = false;
        let served = Fate::Served {
            after: self.connected_after,
        };
        let end = poll_fn(|cx| {
            let end = duplex.poll(cx);
            let before = self.tally.total();
            self.tally.advance(
                duplex.received(),
                &self.listener.metrics,
                self.server.as_ref().map(|place| place.lane().metrics()),
            );
            if let Some(place) = self.server.as_ref().filter(|_| counts_bytes) {
                let moved = self.tally.total() - before;
                cluster.moved(place.lane(), Instant::now(), moved);
            }
            if !spoke && self.tally.from_server > 0 {
                spoke = true;
                note_fate(self.server.as_ref(), served);
            }
            end
        })
        .await;
        let fate = match end {
            DuplexEnd::Complete => served,
            DuplexEnd::ServerBroke => Fate::Broke,
            DuplexEnd::ClientBroke | DuplexEnd::Idle => Fate::Unknown,
        };
        note_fate(self.server.as_ref(), fate);
        match end {
            DuplexEnd::Complete => End::Ok,
            DuplexEnd::ClientBroke => {
                duplex.server.reset_on_close();
                End::ClientClosed
            }
            DuplexEnd::ServerBroke => {
                duplex.client.reset_on_close();
                End::UpstreamClosed
            }
            DuplexEnd::Idle => End::IdleTimeout,
        }
    }

    /// From the accepted client to a server that takes its connection.
    async fn open(&mut self) -> Result<Opened, End> {
        let listener = Rc::clone(&self.listener);
        let settings = listener.settings().ok_or(End::Internal)?;
        let mut early = self.read_preface(settings.proxy_protocol).await?;
        if let Some(security) = listener.security() {
            let secured = secure(
                &mut self.stream,
                std::mem::take(&mut early),
                security,
                &mut self.deadline,
                &listener.metrics,
                &self.worker,
            );
            self.tls = secured.await;
            let facts = self.tls.as_ref().ok_or(End::BadRequest)?;
            self.server_name.clone_from(&facts.server_name);
        }
        let (upstream, early) = match &settings.protocol {
            Protocol::Tcp(TcpTarget::Upstream(upstream)) => (*upstream, early),
            Protocol::Tcp(TcpTarget::ByName(names)) => {
                let hearing = Hearing {
                    stream: &mut self.stream,
                    deadline: &mut self.deadline,
                    listener: &listener,
                    worker: &self.worker,
                    server_name: &mut self.server_name,
                };
                let chosen = hearing.choose(names, early).await?;
                (chosen.upstream, chosen.received)
            }
            Protocol::Http(_) | Protocol::Udp(_) => return Err(End::Internal),
        };
        let cluster = listener.live.cluster(upstream).ok_or(End::Internal)?;
        self.cluster = Some(Rc::clone(cluster));
        let connection = self.connect(cluster).await.inspect_err(|_| {
            // The client learns at once that there is nobody, and cannot take it for an empty answer.
            self.stream.reset_on_close();
        })?;
        Ok(Opened {
            connection,
            cluster: Rc::clone(cluster),
            early,
            idle_timeout: settings.idle_timeout,
        })
    }

    /// Returns what the client sent after its PROXY header.
    async fn read_preface(&mut self, mode: ProxyProtocol) -> Result<Vec<u8>, End> {
        if mode == ProxyProtocol::Off {
            return Ok(Vec::new());
        }
        let read = preface::read(
            &mut self.stream,
            self.client,
            mode,
            &mut self.deadline,
            &self.worker,
        );
        match read.await {
            Ok(preface) => {
                self.client = preface.client;
                Ok(preface.rest)
            }
            Err(PrefaceError::Closed) => Err(End::ClientClosed),
            Err(PrefaceError::Invalid) => Err(End::BadRequest),
        }
    }

    /// Tries one server after the other until one takes the connection.
    async fn connect(&mut self, cluster: &Rc<Cluster>) -> Result<Box<Connection>, End> {
        let mut tried = Tried::default();
        let mut end = End::NoServer;
        let key = cluster.key().map(|_| HashKey::of_address(self.client.ip()));
        let priority = Priority::default();
        loop {
            let mut now = Instant::now();
            let mut next = cluster.pick(
                &mut tried,
                Asked {
                    now,
                    key,
                    priority,
                    is_request: false,
                    home: None,
                },
            );
            if next.is_none() && cluster.settings().queue.is_some() {
                next = self
                    .wait(
                        cluster,
                        &mut tried,
                        Asked {
                            now,
                            key,
                            priority,
                            is_request: false,
                            home: None,
                        },
                    )
                    .await?;
                now = Instant::now();
            }
            let Some(place) = next else { break };
            if self.attempts > 0 {
                cluster.metrics().retries.increment();
            }
            self.attempts += 1;
            self.guard.uses(Some(place.lane()));
            let outcome = self.try_server(cluster, &place).await;
            note_connecting(cluster, &place, now, outcome.as_ref().err());
            match outcome {
                Ok(connection) => {
                    place.lane().metrics().sessions.increment();
                    self.server = Some(place);
                    self.connected_after = now.elapsed();
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
            if cluster.refuses_for(Instant::now()).is_some() {
                cluster.metrics().all_down.increment();
                return Err(End::AllDown);
            }
            cluster.metrics().no_server.increment();
        }
        Err(end)
    }

    /// Waits in the upstream's queue for a place; `None` where that is of no use.
    async fn wait(
        &mut self,
        cluster: &Rc<Cluster>,
        tried: &mut Tried,
        asked: Asked,
    ) -> Result<Option<InFlight>, End> {
        let deadline = &mut self.deadline;
        let interrupted = |cx: &mut Context<'_>, due| {
            deadline.set(due);
            let is_due = deadline.poll(cx).is_ready();
            is_due.then_some(Interruption::Due)
        };
        queue::wait(cluster, tried, asked, interrupted).await
    }

    async fn try_server(
        &self,
        cluster: &Cluster,
        place: &InFlight,
    ) -> Result<Box<Connection>, ConnectError> {
        let settings = self.listener.settings();
        let start = settings.map_or(SourceAddress::Balancer, |settings| settings.source_address);
        let mut connection = cluster.connect(place.lane(), self.client, start).await?;
        let header = upstream_preface::header(cluster, self.client, &self.stream);
        upstream_preface::send(&mut connection, &header).await?;
        cluster.secure(place.lane(), &mut connection, &[]).await?;
        Ok(connection)
    }
}

/// A session's latency is the time its connection takes.
fn note_connecting(
    cluster: &Cluster,
    place: &InFlight,
    started: Instant,
    error: Option<&ConnectError>,
) {
    let now = Instant::now();
    if error.is_none_or(ConnectError::blames_server) {
        cluster.ended(place.lane(), now, error.is_some());
    }
    if matches!(error, None | Some(ConnectError::Timeout)) {
        cluster.answered(place.lane(), now, now - started);
    }
    // Of one that took the connection it is not known yet what it does with it.
    if let Some(error) = error {
        place.ended(now, fate_of(error));
    }
}

/// What the server's breaker is to know: the first that is known of the session.
fn note_fate(server: Option<&InFlight>, fate: Fate) {
    if let Some(place) = server {
        place.ended(Instant::now(), fate);
    }
}

fn fate_of(error: &ConnectError) -> Fate {
    if error.blames_server() {
        Fate::ConnectFailed
    } else {
        Fate::Unknown
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let end = self.end.unwrap_or_else(end_of_dropped);
        self.listener.metrics.sessions.increment(end);
        if let Some(log) = &*self.worker.access_log() {
            let server = self.server.as_ref();
            log.tcp(&TcpRecord {
                time: self.worker.clock().time_of(self.started),
                client: Some(self.client),
                listener: self
                    .listener
                    .settings()
                    .map_or("", |settings| &settings.name),
                server_name: self.server_name.as_deref(),
                upstream: self
                    .cluster
                    .as_ref()
                    .map(|cluster| &*cluster.settings().name),
                server: server.map(|place| &**place.lane().endpoint().label()),
                attempts: self.attempts,
                datagrams: None,
                received_bytes: self.tally.from_client,
                sent_bytes: self.tally.from_server,
                duration: self.started.elapsed(),
                tls: self.tls.as_deref().map(log_record),
                end,
            });
        }
    }
}
