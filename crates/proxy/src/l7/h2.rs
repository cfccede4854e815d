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
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use sluice_http::exchange::{Progress, Refusal, Served, Supplies};
use sluice_http::h2::{Event, Http2Connection, Reason, Request, Settings};
use sluice_net::Stream;
use sluice_tls::Facts;
use tokio::task::spawn_local;

use super::record;
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
    let connection = Http2Connection::with_client(Settings {
        max_concurrent_streams: http2.max_concurrent_streams,
        initial_window: http2.initial_window,
        connection_window: http2.initial_window.saturating_mul(WINDOWS),
        max_head: u32::try_from(settings.max_head).unwrap_or(u32::MAX),
    });
    let idle_timeout = listener
        .settings()
        .map(|settings| settings.idle_timeout)
        .unwrap_or_default();
    deadline.set(Instant::now() + settings.head_timeout);
    drop(listener);
    let mut session = Session {
        connection,
        stream,
        asked: false,
        deadline,
        idle_timeout,
        greeted: false,
        leaving: false,
        shared: Shared::new(guard),
        client,
        local_address,
        slot: Rc::clone(&slot),
        worker,
        tls,
    };
    if session.take(&carry).is_ok() {
        drop(carry);
        session.run(&slot).await;
    }
}

/// A connection that is being served.
struct Session {
    connection: Http2Connection,
    stream: Stream,
    /// Whether the client was asked if it is there, and has said nothing since.
    asked: bool,
    deadline: Deadline,
    idle_timeout: Duration,
    /// Whether the client has said the first that it has to say.
    greeted: bool,
    /// Whether it was said that the connection ends.
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
        if self.poll_receive(cx).is_ready() {
            return Poll::Ready(());
        }
        match self.connection.poll_send(cx, &mut self.stream) {
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(())) if self.connection.is_finished() => return Poll::Ready(()),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        while self.deadline.poll(cx).is_ready() {
            if !self.go_on(cx) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Receives what there is. Ready where the connection has ended.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let worker = Rc::clone(&self.worker);
        loop {
            if self.connection.is_clogged() {
                // A client that takes nothing is not listened to.
                return match ready!(self.connection.poll_send(cx, &mut self.stream)) {
                    Ok(()) => continue,
                    Err(_) => Poll::Ready(()),
                };
            }
            let mut scratch = worker.scratch();
            let received = ready!(self.stream.poll_read(cx, scratch.head_area()));
            let Ok(count @ 1..) = received else {
                return Poll::Ready(());
            };
            if let Err(reason) = self.take(scratch.received(count)) {
                drop(scratch);
                self.connection.fail(reason);
                // What was there to be said goes out with it, if it can.
                let _ = self.connection.poll_send(cx, &mut self.stream);
                return Poll::Ready(());
            }
        }
    }

    /// Takes received bytes. An error is the end of the connection: the client breaks a rule, or makes us work for nothing.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let taken = self.connection.receive(bytes, &mut &*self.worker);
        while let Some(event) = self.connection.next_event() {
            match event {
                Event::Request(request) => self.begin(request),
                Event::Refused(refusal) => self.refused(refusal),
            }
            if self.shared.is_misused() {
                return Err(Reason::ENHANCE_YOUR_CALM);
            }
        }
        if taken == Err(Reason::COMPRESSION_ERROR) {
            // A head that cannot be read.
            self.refused(Refusal::Malformed);
        }
        taken?;
        if !self.greeted && self.connection.has_greeted() {
            self.greeted = true;
            self.deadline.set(Instant::now() + self.idle_timeout);
        }
        Ok(())
    }

    /// Says that no further streams are served; those under way are.
    fn leave(&mut self) {
        self.leaving = true;
        self.connection.leave();
        self.deadline.set(Instant::now() + FAREWELL);
    }

    /// The deadline has passed: whether the connection goes on, with another one.
    fn go_on(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.greeted {
            return false;
        }
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
        if self.connection.has_heard() {
            self.asked = false;
        } else if self.asked {
            return false;
        } else {
            self.asked = true;
            self.connection.ping();
        }
        self.deadline.set(now + SILENCE);
        true
    }

    /// Begins to serve a request.
    fn begin(&self, request: Request) {
        let Request {
            head,
            kind,
            is_head,
            exchange,
        } = request;
        let metrics = self.shared.guard.metrics();
        metrics.bytes_received.add(head.len() as u64);
        let progress = Rc::new(Cell::new(Progress::UnderWay));
        let place = Place::new(&self.shared, Rc::clone(&progress));
        if exchange.is_gone() {
            // Nobody waits for it: no server is to hear of it.
            progress.set(Progress::Abandoned);
            self.worker.buffers().give_back(head);
            return;
        }
        let served = Served::new(exchange, kind, is_head, self.local_address, progress);
        let guard = self.worker.connections().enter_stream(&self.slot);
        let task_slot = guard.entry();
        let downstream = Downstream {
            stream: Stream::Layered(Box::new(served)),
            carrier: Some(Carrier::Http2),
            beside: place.beside(),
            client: self.client,
            carry: head,
            deadline: self.shared.deadline(),
            slot: Rc::clone(&self.slot),
            guard,
            worker: Rc::clone(&self.worker),
            tls: self.tls.clone(),
            collected: None,
            found_out: None,
        };
        let task = spawn_local(streams::serve(downstream, kind, place));
        task_slot.served_by(task.abort_handle());
    }

    fn refused(&self, refusal: Refusal) {
        let client = record::Client {
            worker: &self.worker,
            carrier: Some(Carrier::Http2),
            address: self.client,
            tls: self.tls.as_deref(),
        };
        record::refused(&client, &self.slot.current(), refusal);
    }
}

impl Supplies for &Worker {
    fn buffer(&mut self) -> Vec<u8> {
        self.buffers().take()
    }

    fn random(&mut self) -> u128 {
        self.random_id()
    }
}

/// The window of a connection, in windows of its streams.
const WINDOWS: u32 = 4;
/// How long a client with streams under way may be silent before it is asked whether it is there, and then again.
const SILENCE: Duration = Duration::from_secs(20);
/// How long a client may take to hear that the connection ends.
const FAREWELL: Duration = Duration::from_secs(2);
