//! A client's connection: requests one after the other, silence in between.
//!
//! While it is silent a connection holds no buffer and little else: everything a request needs lives in the boxed
//! future of its pipeline, and goes with it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sluice_config::plan::{HttpListener, ProxyProtocol};
use sluice_http::h2::begins_with_preface;
use sluice_net::Stream;
use sluice_telemetry::metrics::BadRequest;
use sluice_tls::Facts;

use super::collect::Collected;
use super::inquiry::FoundOut;
use super::pipeline::{self, After};
use crate::connections::{Activity, Guard};
use crate::deadline::Deadline;
use crate::live::ListenerSlot;
use crate::preface::{self, PrefaceError};
use crate::secure::{self, Security};
use crate::worker::Worker;

/// The client's side of everything that happens on one connection.
pub(super) struct Downstream {
    pub(super) stream: Stream,
    /// What carries the stream, where it is one of several on a connection.
    pub(super) carrier: Option<Carrier>,
    /// Requests under way beside this one on its connection.
    pub(super) beside: usize,
    /// The client: the peer, or whom the PROXY protocol named.
    pub(super) client: SocketAddr,
    /// Received and not yet used: the beginning of the next request.
    pub(super) carry: Vec<u8>,
    pub(super) deadline: Deadline,
    pub(super) slot: Rc<ListenerSlot>,
    pub(super) guard: Guard,
    pub(super) worker: Rc<Worker>,
    /// What the handshake settled, where the connection is ciphered.
    pub(super) tls: Option<Rc<Facts>>,
    /// The body of the request that is arriving, where routes look into it.
    pub(super) collected: Option<Box<Collected>>,
    /// What was found out about the client of the request that is decided upon.
    pub(super) found_out: Option<Box<FoundOut>>,
}

/// What carries requests beside each other on one connection, each as a stream that speaks HTTP/1.1 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

impl Carrier {
    /// The version as `Via` names it (RFC 9110, 7.6.3).
    pub(super) fn via(self) -> &'static str {
        match self {
            Self::Http2 => "2.0",
            Self::Http3 => "3.0",
        }
    }
}

/// Serves one accepted connection.
///
/// Not an `async fn`: such a one would hold its arguments beside what it makes of them, for the whole connection.
pub(crate) fn serve(
    stream: Stream,
    peer: SocketAddr,
    slot: Rc<ListenerSlot>,
    guard: Guard,
    worker: Rc<Worker>,
) -> impl Future<Output = ()> {
    let listener = slot.current();
    let settings = listener
        .settings()
        .map(|settings| (settings.proxy_protocol, settings.idle_timeout));
    let security = slot.current().security();
    let (proxy_protocol, idle_timeout) =
        settings.unwrap_or((ProxyProtocol::Off, Duration::default()));
    let spoken = listener
        .http()
        .map_or(Spoken::Http1, |http| match (http.h1, http.h2) {
            (_, None) => Spoken::Http1,
            (true, Some(_)) => Spoken::Either,
            (false, Some(_)) => Spoken::Http2,
        });
    let mut downstream = Downstream {
        stream,
        carrier: None,
        beside: 0,
        client: peer,
        carry: Vec::new(),
        deadline: Deadline::new(Instant::now() + idle_timeout),
        slot,
        guard,
        worker,
        tls: None,
        collected: None,
        found_out: None,
    };
    async move {
        if proxy_protocol != ProxyProtocol::Off && !downstream.read_preface(proxy_protocol).await {
            return;
        }
        if let Some(security) = security
            && !downstream.secure(security).await
        {
            return;
        }
        if spoken != Spoken::Http1 {
            match downstream.is_http2(spoken).await {
                None => return,
                Some(true) => return Box::pin(super::h2::serve(downstream)).await,
                Some(false) => {}
            }
        }
        loop {
            let received = if downstream.carry.is_empty() {
                downstream.wait_for_request().await
            } else {
                Some(0)
            };
            let Some(received) = received else {
                return;
            };
            let (after, now) = Box::pin(pipeline::run(&mut downstream, received)).await;
            match after {
                After::KeepAlive => {}
                // Closing would cut the client off in the middle of its handshake, and with that from its answer.
                After::Close if downstream.is_early() => {
                    return Box::pin(downstream.linger()).await;
                }
                After::Close => return,
                After::Linger => return Box::pin(downstream.linger()).await,
            }
            let Some(idle_timeout) = downstream.idle_timeout() else {
                return;
            };
            downstream.deadline.set(now + idle_timeout);
        }
    }
}

/// What a client may speak on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Http1,
    Http2,
    /// The first bytes tell.
    Either,
}

impl Downstream {
    /// Finds out which version a connection is of; what was received for that is in `carry`. `None` where the client went
    /// away, or said too little for too long.
    async fn is_http2(&mut self, spoken: Spoken) -> Option<bool> {
        if spoken == Spoken::Http2 {
            return Some(true);
        }
        // What was agreed upon by ALPN. A client that knows none may still know HTTP/2 beforehand.
        if let Some(agreed) = self.tls.as_ref().and_then(|tls| tls.protocol.as_deref()) {
            return Some(agreed == b"h2");
        }
        let head_timeout = self.slot.current().http()?.head_timeout;
        loop {
            if let Some(is_http2) = begins_with_preface(&self.carry) {
                return Some(is_http2);
            }
            if !self.carry.is_empty() {
                self.deadline.set(Instant::now() + head_timeout);
            }
            let begun = std::mem::take(&mut self.carry);
            let received = self.wait_for_request().await?;
            self.guard.metrics().bytes_received.add(received as u64);
            self.carry = begun;
            let worker = Rc::clone(&self.worker);
            let scratch = worker.scratch();
            self.carry.extend_from_slice(scratch.received(received));
        }
    }

    /// How long the next silence may last; `None` where the connection ends with the present request.
    fn idle_timeout(&self) -> Option<Duration> {
        if self.slot.is_closed() {
            return None;
        }
        self.slot
            .current()
            .settings()
            .map(|settings| settings.idle_timeout)
    }

    async fn read_preface(&mut self, mode: ProxyProtocol) -> bool {
        let read = preface::read(
            &mut self.stream,
            self.client,
            mode,
            &mut self.deadline,
            &self.worker,
        );
        match Box::pin(read).await {
            Ok(preface) => {
                (self.client, self.carry) = (preface.client, preface.rest);
                if let Some(idle_timeout) = self.idle_timeout() {
                    self.deadline.set(Instant::now() + idle_timeout);
                }
                true
            }
            Err(PrefaceError::Closed) => false,
            Err(PrefaceError::Invalid) => {
                let metrics = self.slot.metrics();
                metrics.bad_requests.increment(BadRequest::ProxyProtocol);
                false
            }
        }
    }

    /// Makes the connection a TLS session. `false` where there will be none.
    async fn secure(&mut self, security: Security) -> bool {
        let received = std::mem::take(&mut self.carry);
        let metrics = self.slot.metrics();
        let handshake = secure::secure(
            &mut self.stream,
            received,
            security,
            &mut self.deadline,
            &metrics,
            &self.worker,
        );
        self.tls = Box::pin(handshake).await;
        if let Some(idle_timeout) = self.idle_timeout() {
            self.deadline.set(Instant::now() + idle_timeout);
        }
        self.tls.is_some()
    }

    /// `Alt-Svc` for this client: none for who follows it already.
    pub(super) fn alt_svc<'h>(&self, http: &'h HttpListener) -> Option<&'h Arc<str>> {
        let follows = self.carrier == Some(Carrier::Http3);
        http.alt_svc.as_ref().filter(|_| !follows)
    }

    /// Whether the client's handshake is not done, so that what it has sent may be somebody's copy.
    pub(super) fn is_early(&self) -> bool {
        self.tls.as_deref().is_some_and(Facts::is_early)
    }

    /// How the client speaks to us.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Receives the beginning of a request into the worker's scratch buffer, where it has to be used before the task
    /// yields. `None` where the client is gone, or the silence has lasted too long.
    async fn wait_for_request(&mut self) -> Option<usize> {
        if self.slot.is_closed() {
            // It was taken from the queue of a socket that closed: its first and last request is on its way.
            self.deadline.set(Instant::now() + LAST_CALL);
        } else {
            self.guard.set_activity(Activity::Idle);
        }
        if self.carry.capacity() > 0 {
            let spare = std::mem::take(&mut self.carry);
            self.worker.buffers().give_back(spare);
        }
        let received = poll_fn(|cx| {
            let mut scratch = self.worker.scratch();
            match self.stream.poll_read(cx, scratch.head_area()) {
                Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(None),
                Poll::Ready(Ok(count)) => Poll::Ready(Some(count)),
                Poll::Pending => self.deadline.poll(cx).map(|()| None),
            }
        })
        .await;
        self.guard.set_activity(Activity::Busy);
        received
    }

    /// What comes of `work`; `None` where the client has gone before, if it is listened to.
    pub(super) async fn while_here<T>(
        &mut self,
        listens: bool,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let outcome = work.as_mut().poll(cx).map(Some);
            if outcome.is_pending() && listens && self.is_gone(cx) {
                return Poll::Ready(None);
            }
            outcome
        })
        .await
    }

    /// Listens to the client while a server works for it. What it sends is the next request; it is kept, up to a bound.
    pub(super) fn is_gone(&mut self, cx: &mut Context<'_>) -> bool {
        while self.carry.len() < MAX_CARRY {
            let mut scratch = self.worker.scratch();
            match self.stream.poll_read(cx, scratch.head_area()) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0) | Err(_)) => return true,
                Poll::Ready(Ok(count)) => {
                    self.guard.metrics().bytes_received.add(count as u64);
                    self.carry.extend_from_slice(scratch.received(count));
                }
            }
        }
        false
    }

    /// Ends the connection so that the client gets the whole answer although it still sends: its bytes are received and
    /// dropped for a while, as closing at once would reset the connection (RFC 9112, 9.6).
    async fn linger(&mut self) {
        self.carry = Vec::new();
        self.deadline.set(Instant::now() + LINGER);
        let mut dropped = 0;
        poll_fn(|cx| {
            if self.stream.poll_shutdown(cx).is_pending() {
                return Poll::Pending;
            }
            while dropped < LINGER_BYTES && self.deadline.poll(cx).is_pending() {
                let mut scratch = self.worker.scratch();
                match self.stream.poll_read(cx, scratch.body_area()) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(count)) => dropped += count,
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// Bytes of further requests that are kept while one is being served.
const MAX_CARRY: usize = 64 * 1024;
/// How long a connection that was accepted last may take to begin its request.
const LAST_CALL: Duration = Duration::from_secs(2);
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;
