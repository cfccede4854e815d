//! A client's connection of HTTP/2: each of its streams is a task that runs the very pipeline of HTTP/1.1.
//!
//! ```text
//! session ── frames in and out, streams begun, farewell        (one task a connection)
//!   └─ stream ── head in HTTP/1.1 ─► pipeline::run ─► `Served`  (one task a request)
//! ```
//!
//! The session also sees to what no stream can: it says GOAWAY when the listener closes or the connection was idle for too
//! long, asks a silent client whether it is there, and ends with one that only makes noise or resets what it asked for.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::{Method, Request, Response, StatusCode};
use sluice_http::exchange::{Progress, Refusal, RequestHead, Served, compose_head};
use sluice_http::h2::{Carried, Http2Exchange, Watch};
use sluice_http::websocket;
use sluice_net::Stream;
use sluice_telemetry::metrics::BadRequest;
use sluice_tls::Facts;
use tokio::task::spawn_local;

use super::serve::{Carrier, Downstream};
use super::streams::{self, Place, Shared};
use crate::deadline::Deadline;
use crate::live::ListenerSlot;
use crate::worker::Worker;

/// Serves a connection of which nothing was received but what is in `carry`.
pub(super) async fn serve(downstream: Downstream) {
    let Downstream {
        stream,
        client,
        carry,
        mut deadline,
        slot,
        guard,
        worker,
        tls,
        ..
    } = downstream;
    let listener = slot.current();
    let Some(settings) = listener.http() else {
        return;
    };
    let Some(http2) = settings.h2 else {
        return;
    };
    let local_address = stream.local_address();
    guard.takes_leave();
    let (carried, watch) = Carried::new(stream, carry);
    let max_head = u32::try_from(settings.max_head).unwrap_or(u32::MAX);
    let mut handshake = Builder::new()
        .max_concurrent_streams(http2.max_concurrent_streams)
        .initial_window_size(http2.initial_window)
        .initial_connection_window_size(http2.initial_window.saturating_mul(WINDOWS))
        .max_header_list_size(max_head)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESET_REMEMBERED)
        .enable_connect_protocol()
        .handshake::<_, Bytes>(carried);
    deadline.set(Instant::now() + settings.head_timeout);
    let shaken = poll_fn(|cx| match std::pin::Pin::new(&mut handshake).poll(cx) {
        Poll::Ready(connection) => Poll::Ready(connection.ok()),
        Poll::Pending => deadline.poll(cx).map(|()| None),
    });
    let Some(mut connection) = shaken.await else {
        return;
    };
    let idle_timeout = listener
        .settings()
        .map(|settings| settings.idle_timeout)
        .unwrap_or_default();
    drop(listener);
    let ping = connection.ping_pong();
    let shared = Shared::new(guard);
    deadline.set(Instant::now() + idle_timeout);
    let session = Session {
        connection,
        ping,
        asked: false,
        watch,
        deadline,
        idle_timeout,
        leaving: false,
        shared,
        client,
        local_address,
        slot: Rc::clone(&slot),
        worker,
        tls,
    };
    session.run(&slot).await;
}

/// A connection that is being served.
struct Session {
    connection: Connection<Carried, Bytes>,
    ping: Option<PingPong>,
    /// Whether the client was asked if it is there, and has said nothing since.
    asked: bool,
    watch: Watch,
    deadline: Deadline,
    idle_timeout: Duration,
    /// Whether GOAWAY was said.
    leaving: bool,
    shared: Rc<Shared>,
    client: SocketAddr,
    local_address: Option<SocketAddr>,
    slot: Rc<ListenerSlot>,
    worker: Rc<Worker>,
    /// What the handshake settled, where the connection is ciphered.
    tls: Option<Rc<Facts>>,
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
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => {
                    let Some(reason) = self.fault() else {
                        break;
                    };
                    // What was there to be said goes out with it, if it can.
                    self.connection.abrupt_shutdown(reason);
                    let _ = self.connection.poll_closed(cx);
                    return Poll::Ready(());
                }
            }
        }
        while self.deadline.poll(cx).is_ready() {
            if !self.go_on(cx) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Says that no further streams are served; those under way are.
    fn leave(&mut self) {
        self.leaving = true;
        self.connection.graceful_shutdown();
        self.deadline.set(Instant::now() + FAREWELL);
    }

    /// The deadline has passed: whether the connection goes on, with another one.
    fn go_on(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        if let Some(since) = self.shared.idle_since() {
            if self.leaving {
                return false;
            }
            let until = since + self.idle_timeout;
            if now < until {
                self.deadline.set(until);
                return true;
            }
            self.leave();
            // Sends it.
            cx.waker().wake_by_ref();
            return true;
        }
        if self.watch.heard() {
            self.asked = false;
        } else if self.asked {
            return false;
        } else if let Some(ping) = &mut self.ping {
            self.asked = ping.send_ping(Ping::opaque()).is_ok();
        }
        if let Some(ping) = &mut self.ping {
            // A pong is something heard; here it only makes room for the next.
            let _ = ping.poll_pong(cx);
        }
        self.deadline.set(now + SILENCE);
        cx.waker().wake_by_ref();
        true
    }

    /// Why the connection has to end: the client breaks a rule, or makes us work for nothing.
    fn fault(&self) -> Option<Reason> {
        let is_misused = self.shared.is_misused();
        let misused = is_misused.then_some(Reason::ENHANCE_YOUR_CALM);
        self.watch.fault().or(misused)
    }

    /// Begins to serve a request.
    fn begin(&self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (parts, body) = request.into_parts();
        let mut head = self.worker.buffers().take();
        let protocol = parts.extensions.get::<h2::ext::Protocol>();
        let key = match protocol {
            Some(_) => websocket::key(self.worker.random_id()),
            None => String::new(),
        };
        let request = RequestHead {
            parts: &parts,
            protocol: protocol.map(h2::ext::Protocol::as_str),
            has_body: !body.is_end_stream(),
        };
        let kind = match compose_head(request, &key, &mut head) {
            Ok(kind) => kind,
            Err(refusal) => {
                self.worker.buffers().give_back(head);
                return self.refuse(refusal, &mut respond);
            }
        };
        let metrics = self.shared.guard.metrics();
        metrics.bytes_received.add(head.len() as u64);
        let progress = Rc::new(Cell::new(Progress::UnderWay));
        let served = Served::new(
            Http2Exchange::new(body, respond),
            kind,
            parts.method == Method::HEAD,
            self.local_address,
            Rc::clone(&progress),
        );
        let guard = self.worker.connections().enter_stream(&self.slot);
        let task_slot = guard.entry();
        let place = Place::new(&self.shared, progress);
        let downstream = Downstream {
            stream: Stream::Layered(Box::new(served)),
            carrier: Some(Carrier::Http2),
            client: self.client,
            carry: head,
            deadline: self.shared.deadline(),
            slot: Rc::clone(&self.slot),
            guard,
            worker: Rc::clone(&self.worker),
            tls: self.tls.clone(),
        };
        let task = spawn_local(streams::serve(downstream, kind, place));
        task_slot.served_by(task.abort_handle());
    }

    fn refuse(&self, refusal: Refusal, respond: &mut SendResponse<Bytes>) {
        let metrics = self.shared.guard.metrics();
        match refusal {
            Refusal::Malformed => {
                metrics.bad_requests.increment(BadRequest::Syntax);
                respond.send_reset(Reason::PROTOCOL_ERROR);
            }
            Refusal::Protocol => {
                metrics.bad_requests.increment(BadRequest::Method);
                let mut response = Response::new(());
                *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
                // Fails where the client has reset the stream already.
                let _ = respond.send_response(response, true);
            }
        }
    }
}

/// The window of a connection, in windows of its streams.
const WINDOWS: u32 = 4;
/// What a stream may have waiting to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that we reset and of which frames may still come.
const RESET_REMEMBERED: usize = 32;
/// How long a client with streams under way may be silent before it is asked whether it is there, and then again.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a client may take to hear that the connection ends.
const FAREWELL: Duration = Duration::from_secs(2);
