//! A client's connection of HTTP/2: each of its streams is a task that runs the very pipeline of HTTP/1.1.
//!
//! ```text
//! session ── frames in and out, streams begun, farewell        (one task a connection)
//!   └─ stream ── head in HTTP/1.1 ─► pipeline::run ─► `Served`  (one task a request)
//! ```
//!
//! The session also sees to what no stream can: it says GOAWAY when the listener closes or the connection was idle for too
//! long, asks a silent client whether it is there, and ends with one that only makes noise or resets what it asked for.

use std::cell::{Cell, RefCell};
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
use sluice_http::Scratch;
use sluice_http::h2::{
    Carried, Progress, Refusal, RequestBody, Served, Watch, compose_head, websocket_key,
};
use sluice_net::Stream;
use sluice_telemetry::metrics::BadRequest;
use sluice_tls::Facts;
use tokio::task::spawn_local;

use super::pipeline;
use super::serve::{Carrier, Downstream};
use crate::connections::{Activity, Guard};
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
    let shared = Rc::new(Shared {
        guard,
        streams: Cell::new(0),
        emptied: Cell::new(Instant::now()),
        answered: Cell::new(0),
        abandoned: Cell::new(0),
        spare: RefCell::default(),
    });
    shared.guard.set_activity(Activity::Idle);
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

/// What the streams of a connection leave behind.
struct Shared {
    guard: Guard,
    /// Those under way.
    streams: Cell<usize>,
    /// When the last of them ended.
    emptied: Cell<Instant>,
    answered: Cell<u64>,
    /// Those that the client reset before they were answered.
    abandoned: Cell<u64>,
    spare: RefCell<Vec<Deadline>>,
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
                Poll::Pending if self.is_misused() => {
                    // What was there to be said goes out with it, if it can.
                    self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    let _ = self.connection.poll_closed(cx);
                    return Poll::Ready(());
                }
                Poll::Pending => break,
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
        if self.shared.streams.get() == 0 {
            if self.leaving {
                return false;
            }
            let until = self.shared.emptied.get() + self.idle_timeout;
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

    /// Whether the client makes us work for nothing.
    fn is_misused(&self) -> bool {
        let abandoned = self.shared.abandoned.get();
        self.watch.is_flooded()
            || (abandoned > MOST_ABANDONED && abandoned > self.shared.answered.get())
    }

    /// Begins to serve a request.
    fn begin(&self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (parts, body) = request.into_parts();
        let mut head = self.worker.buffers().take();
        let key = match parts.extensions.get::<h2::ext::Protocol>() {
            Some(_) => websocket_key(self.worker.random_id()),
            None => String::new(),
        };
        let kind = match compose_head(&parts, !body.is_end_stream(), &key, &mut head) {
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
            body,
            kind,
            respond,
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
        let task = spawn_local(stream(downstream, kind, place));
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

impl Shared {
    /// A deadline of a stream that has ended, or a new one: the timer in it is an allocation.
    fn deadline(&self) -> Deadline {
        let spare = self.spare.borrow_mut().pop();
        spare.unwrap_or_else(|| Deadline::new(Instant::now() + SILENCE))
    }
}

/// A stream's place on its connection; left when dropped.
struct Place {
    shared: Rc<Shared>,
    progress: Rc<Cell<Progress>>,
}

impl Place {
    fn new(shared: &Rc<Shared>, progress: Rc<Cell<Progress>>) -> Self {
        let before = shared.streams.get();
        shared.streams.set(before + 1);
        if before == 0 {
            shared.guard.set_activity(Activity::Busy);
        }
        Self {
            shared: Rc::clone(shared),
            progress,
        }
    }

    fn keep(&self, mut deadline: Deadline) {
        let mut spare = self.shared.spare.borrow_mut();
        if spare.len() < SPARE {
            deadline.handed_over();
            spare.push(deadline);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shared = &self.shared;
        match self.progress.get() {
            Progress::Answered => shared.answered.set(shared.answered.get() + 1),
            Progress::Abandoned => shared.abandoned.set(shared.abandoned.get() + 1),
            Progress::UnderWay => {}
        }
        let left = shared.streams.get().saturating_sub(1);
        shared.streams.set(left);
        if left == 0 {
            shared.emptied.set(Instant::now());
            shared.guard.set_activity(Activity::Idle);
        }
    }
}

/// Serves one request.
async fn stream(mut downstream: Downstream, kind: RequestBody, place: Place) {
    if matches!(kind, RequestBody::AsIs | RequestBody::Chunked) {
        poll_fn(|cx| {
            take_what_is_here(&mut downstream, cx);
            Poll::Ready(())
        })
        .await;
    }
    // Whatever becomes of a connection of HTTP/1.1 after it: here the stream ends with its request.
    let _ = Box::pin(pipeline::run(&mut downstream, 0)).await;
    let Downstream {
        stream,
        carry,
        deadline,
        worker,
        ..
    } = downstream;
    drop(stream);
    worker.buffers().give_back(carry);
    place.keep(deadline);
}

/// The beginning of a body has often come with the head: then both go on in one send.
fn take_what_is_here(downstream: &mut Downstream, cx: &mut Context<'_>) {
    let worker = Rc::clone(&downstream.worker);
    let mut scratch = worker.scratch();
    let mut room = Scratch::READ / 4;
    while room > 0 {
        let area = scratch.head_area().get_mut(..room).unwrap_or_default();
        // An error is met again.
        let Poll::Ready(Ok(count @ 1..)) = downstream.stream.poll_read(cx, area) else {
            return;
        };
        let metrics = downstream.guard.metrics();
        metrics.bytes_received.add(count as u64);
        downstream.carry.extend_from_slice(scratch.received(count));
        room -= count;
    }
}

/// The window of a connection, in windows of its streams.
const WINDOWS: u32 = 4;
/// What a stream may have waiting to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that we reset and of which frames may still come.
const RESET_REMEMBERED: usize = 32;
/// Requests that a client may reset before they are answered, until it is looked at how many it did not.
const MOST_ABANDONED: u64 = 100;
/// Timers kept for the streams to come.
const SPARE: usize = 16;
/// How long a client with streams under way may be silent before it is asked whether it is there, and then again.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a client may take to hear that the connection ends.
const FAREWELL: Duration = Duration::from_secs(2);
