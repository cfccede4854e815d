//! A client's connection of HTTP/3: as with HTTP/2 each of its streams is a task that runs the pipeline of HTTP/1.1.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use sluice_http::exchange::{Progress, Refusal, Served};
use sluice_http::h3::{Code, Http3Connection, Request, RequestStream, Unserved};
use sluice_net::Stream;
use sluice_quic::{
    CertificateDer, Connecting, ConnectionError, HandshakeData, TransportErrorCode, ZeroRttAccepted,
};
use sluice_telemetry::metrics::{EarlyData, ListenerMetrics, TlsFailure, TlsVersion};
use sluice_tls::{Early, Facts};
use tokio::task::{JoinSet, spawn_local};

use super::record;
use super::serve::{Carrier, Downstream};
use super::streams::{self, Place, Shared};
use crate::connections::Guard;
use crate::deadline::Deadline;
use crate::live::ListenerSlot;
use crate::quic::UnderWay;
use crate::worker::Worker;

/// Serves a connection from its handshake on.
pub(crate) async fn serve(
    connecting: Connecting,
    under_way: UnderWay,
    slot: Rc<ListenerSlot>,
    guard: Guard,
    worker: Rc<Worker>,
) {
    let listener = slot.current();
    let (Some(http), Some(settings), Some(security)) =
        (listener.http(), listener.settings(), listener.security())
    else {
        return;
    };
    let (max_head, idle_timeout) = (http.max_head, settings.idle_timeout);
    let metrics = slot.metrics();
    let deadline = Deadline::new(Instant::now() + security.timeout);
    drop(listener);
    let shaken = shake_hands(connecting, under_way, deadline, &metrics).await;
    let Some((quinn, data, confirming)) = shaken else {
        return;
    };
    guard.takes_leave();
    let (connection, driver) = Http3Connection::with_client(quinn.clone(), max_head);
    // A task of its own, so that it is not looked at with every request. It ends with this one.
    let mut driving = JoinSet::new();
    driving.spawn_local(driver);
    let mut facts = facts(&quinn, &data);
    facts.early = confirming.as_ref().map(|one| one.early.clone());
    let session = Session {
        connection,
        tls: Rc::new(facts),
        local_address: local_address(&quinn, &slot),
        quinn,
        confirming,
        deadline: Deadline::new(Instant::now() + idle_timeout),
        idle_timeout,
        leaving: false,
        shared: Shared::new(guard),
        slot: Rc::clone(&slot),
        worker,
    };
    session.run(&slot).await;
}

/// A connection that is being served.
struct Session {
    connection: Http3Connection,
    quinn: sluice_quic::Connection,
    /// The handshake, where requests are taken before it is done.
    confirming: Option<Confirming>,
    deadline: Deadline,
    idle_timeout: Duration,
    /// Whether GOAWAY was said.
    leaving: bool,
    shared: Rc<Shared>,
    slot: Rc<ListenerSlot>,
    worker: Rc<Worker>,
    tls: Rc<Facts>,
    local_address: Option<SocketAddr>,
}

impl Session {
    async fn run(mut self, slot: &ListenerSlot) {
        let mut closing = pin!(slot.closing());
        closing.as_mut().enable();
        poll_fn(|cx| {
            if !self.leaving && (closing.as_mut().poll(cx).is_ready() || slot.is_closed()) {
                self.leave();
            }
            self.poll(cx)
        })
        .await;
    }

    /// Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(confirming) = &mut self.confirming
            && let Poll::Ready(is_done) = confirming.poll(cx, &self.quinn, &self.slot.metrics())
        {
            self.confirming = None;
            if !is_done {
                self.connection.close(Code::NoError);
                return Poll::Ready(());
            }
        }
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(stream)) => self.begin(stream),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending if self.shared.is_misused() => {
                    self.connection.close(Code::ExcessiveLoad);
                    return Poll::Ready(());
                }
                Poll::Pending => break,
            }
        }
        while self.deadline.poll(cx).is_ready() {
            if !self.go_on() {
                self.connection.close(Code::NoError);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Says that no further requests are served; those under way are.
    fn leave(&mut self) {
        self.leaving = true;
        self.connection.leave();
        self.deadline.set(Instant::now() + FAREWELL);
    }

    /// The deadline has passed: whether the connection goes on, with another one.
    fn go_on(&mut self) -> bool {
        let now = Instant::now();
        let until = match (self.shared.idle_since(), self.leaving) {
            (Some(_), true) => return false,
            (None, true) => now + FAREWELL,
            // Whether the client is there, QUIC finds out.
            (None, false) => now + self.idle_timeout,
            (Some(since), false) => since + self.idle_timeout,
        };
        if now < until {
            self.deadline.set(until);
        } else {
            self.leave();
        }
        true
    }

    /// Begins to serve a request.
    fn begin(&self, stream: RequestStream) {
        let progress = Rc::new(Cell::new(Progress::UnderWay));
        let guard = self.worker.connections().enter_stream(&self.slot);
        let task_slot = guard.entry();
        let beginning = Beginning {
            place: Place::new(&self.shared, Rc::clone(&progress)),
            progress,
            guard,
            deadline: self.shared.deadline(),
            // The client's address may change while it is connected.
            client: canonical(self.quinn.remote_address()),
            local_address: self.local_address,
            slot: Rc::clone(&self.slot),
            worker: Rc::clone(&self.worker),
            tls: Rc::clone(&self.tls),
        };
        let task = spawn_local(beginning.serve(stream));
        task_slot.served_by(task.abort_handle());
    }
}

/// A request from its first byte on.
struct Beginning {
    place: Place,
    progress: Rc<Cell<Progress>>,
    guard: Guard,
    deadline: Deadline,
    client: SocketAddr,
    local_address: Option<SocketAddr>,
    slot: Rc<ListenerSlot>,
    worker: Rc<Worker>,
    tls: Rc<Facts>,
}

impl Beginning {
    async fn serve(mut self, stream: RequestStream) {
        let Some(request) = self.head(stream).await else {
            return;
        };
        let Request {
            head,
            kind,
            is_head,
            exchange,
        } = request;
        let metrics = self.guard.metrics();
        metrics.bytes_received.add(head.len() as u64);
        let served = Served::new(exchange, kind, is_head, self.local_address, self.progress);
        let downstream = Downstream {
            stream: Stream::Layered(Box::new(served)),
            carrier: Some(Carrier::Http3),
            beside: self.place.beside(),
            client: self.client,
            carry: head,
            deadline: self.deadline,
            slot: self.slot,
            guard: self.guard,
            worker: self.worker,
            tls: Some(self.tls),
            collected: None,
            found_out: None,
        };
        streams::serve(downstream, kind, self.place).await;
    }

    /// Receives the head; `None` where there is none that can be served.
    async fn head(&mut self, stream: RequestStream) -> Option<Request> {
        let head_timeout = self.slot.current().http()?.head_timeout;
        self.deadline.set(Instant::now() + head_timeout);
        let worker = Rc::clone(&self.worker);
        let mut supplies = &*worker;
        let mut head = pin!(stream.head(&mut supplies));
        let deadline = &mut self.deadline;
        let outcome = poll_fn(|cx| match head.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => deadline.poll(cx).map(|()| None),
        })
        .await?;
        match outcome {
            Ok(request) => return Some(request),
            Err(Unserved::Refused(refusal)) => self.refused(refusal),
            Err(Unserved::Gone) => self.progress.set(Progress::Abandoned),
        }
        None
    }

    fn refused(&self, refusal: Refusal) {
        let client = record::Client {
            worker: &self.worker,
            carrier: Some(Carrier::Http3),
            address: self.client,
            tls: Some(&self.tls),
        };
        record::refused(&client, &self.slot.current(), refusal);
    }
}

/// A handshake that is not done, with requests that came early (0-RTT).
struct Confirming {
    accepted: ZeroRttAccepted,
    early: Early,
    resumed: bool,
    deadline: Deadline,
    _under_way: UnderWay,
}

impl Confirming {
    /// Ready with whether the handshake is done, when it is or failed.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        quinn: &sluice_quic::Connection,
        metrics: &ListenerMetrics,
    ) -> Poll<bool> {
        let outcome = match Pin::new(&mut self.accepted).poll(cx) {
            Poll::Ready(_) => quinn.close_reason().map_or(Ok(()), |why| Err(word(&why))),
            Poll::Pending => {
                ready!(self.deadline.poll(cx));
                Err(TlsFailure::Timeout)
            }
        };
        match outcome {
            Ok(()) => {
                count(self.resumed, metrics);
                self.early.finish();
            }
            Err(failure) => metrics.tls_failures.increment(failure),
        }
        Poll::Ready(outcome.is_ok())
    }
}

/// Until the handshake is done, or data has come before that.
async fn shake_hands(
    mut connecting: Connecting,
    under_way: UnderWay,
    mut deadline: Deadline,
    metrics: &ListenerMetrics,
) -> Option<(sluice_quic::Connection, HandshakeData, Option<Confirming>)> {
    let understood = within(&mut deadline, connecting.handshake_data(), metrics).await?;
    let data = *understood.downcast::<HandshakeData>().ok()?;
    let quinn = if data.early {
        match connecting.into_0rtt() {
            Ok((quinn, accepted)) => {
                metrics.tls_early_data.increment(EarlyData::Accepted);
                let confirming = Confirming {
                    accepted,
                    early: Early::default(),
                    resumed: data.resumed,
                    deadline,
                    _under_way: under_way,
                };
                return Some((quinn, data, Some(confirming)));
            }
            // Not reached: servers always may.
            Err(connecting) => within(&mut deadline, connecting, metrics).await?,
        }
    } else {
        within(&mut deadline, connecting, metrics).await?
    };
    count(data.resumed, metrics);
    Some((quinn, data, None))
}

/// A part of the handshake; `None` where it failed, which is counted then.
async fn within<T>(
    deadline: &mut Deadline,
    part: impl Future<Output = Result<T, ConnectionError>>,
    metrics: &ListenerMetrics,
) -> Option<T> {
    let mut part = pin!(part);
    let outcome = poll_fn(|cx| match part.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => deadline.poll(cx).map(|()| None),
    })
    .await;
    match outcome {
        Some(Ok(done)) => return Some(done),
        Some(Err(error)) => {
            metrics.tls_failures.increment(word(&error));
            tracing::debug!(%error, "a QUIC handshake failed");
        }
        None => metrics.tls_failures.increment(TlsFailure::Timeout),
    }
    None
}

fn count(resumed: bool, metrics: &ListenerMetrics) {
    metrics.tls_handshakes.increment(TlsVersion::V1_3);
    if resumed {
        metrics.tls_resumptions.increment();
    }
}

fn word(error: &ConnectionError) -> TlsFailure {
    match error {
        ConnectionError::TimedOut => TlsFailure::Timeout,
        ConnectionError::VersionMismatch => TlsFailure::Version,
        ConnectionError::ConnectionClosed(_) | ConnectionError::ApplicationClosed(_) => {
            TlsFailure::Refused
        }
        ConnectionError::Reset | ConnectionError::LocallyClosed => TlsFailure::Closed,
        ConnectionError::TransportError(error)
            if [NO_COMMON_CIPHER, NO_COMMON_PROTOCOL]
                .map(TransportErrorCode::crypto)
                .contains(&error.code) =>
        {
            TlsFailure::NothingInCommon
        }
        ConnectionError::TransportError(error)
            if CERTIFICATE
                .map(TransportErrorCode::crypto)
                .contains(&error.code) =>
        {
            TlsFailure::Certificate
        }
        ConnectionError::TransportError(_) | ConnectionError::CidsExhausted => TlsFailure::Invalid,
    }
}

fn facts(quinn: &sluice_quic::Connection, data: &HandshakeData) -> Facts {
    let shown = quinn.peer_identity();
    let shown = shown.and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
    Facts {
        resumed: data.resumed,
        ..Facts::of_quic(
            data.server_name.as_deref(),
            data.protocol.as_deref(),
            data.cipher,
            shown.as_ref().and_then(|chain| Some(&**chain.first()?)),
        )
    }
}

fn local_address(quinn: &sluice_quic::Connection, slot: &ListenerSlot) -> Option<SocketAddr> {
    let port = slot.current().settings()?.address.port()?;
    Some(SocketAddr::new(quinn.local_ip()?.to_canonical(), port))
}

/// An IPv4 client of a dual-stack socket is an IPv4 client.
fn canonical(client: SocketAddr) -> SocketAddr {
    SocketAddr::new(client.ip().to_canonical(), client.port())
}

/// How long a client may take to hear that the connection ends.
const FAREWELL: Duration = Duration::from_millis(300);
/// Alerts of TLS, which are errors of QUIC (RFC 9001, 4.8).
const NO_COMMON_CIPHER: u8 = 40;
const NO_COMMON_PROTOCOL: u8 = 120;
/// What is wrong with a client's certificate (RFC 8446, 6.2).
const CERTIFICATE: [u8; 7] = [42, 43, 44, 45, 46, 48, 116];
