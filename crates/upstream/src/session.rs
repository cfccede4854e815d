//! A connection of HTTP/2 to a server, shared by the requests of one worker.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, Connection as Frames, SendRequest};
use http::uri::Scheme;
use sluice_http::h2::{Asked, Carried, Watch};
use sluice_net::Stream;
use sluice_tls::ClientConfig;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Sleep, sleep};

use crate::connection::{ConnectError, Connection, Counted};

/// A connection that is shared. When it is dropped the connection ends with its last stream.
#[derive(Debug)]
pub(crate) struct Session {
    sender: SendRequest<Bytes>,
    /// Whether it is ciphered, as requests say it.
    scheme: Scheme,
    state: Rc<State>,
    /// Whom a PROXY header was sent for: only that client may use the connection.
    pub(crate) bound_to: Option<SocketAddr>,
    /// What it is ciphered by.
    pub(crate) secured_by: Option<Arc<ClientConfig>>,
    local_address: Option<SocketAddr>,
}

#[derive(Debug)]
struct State {
    /// Those under way.
    streams: Cell<usize>,
    /// When the last of them ended.
    emptied: Cell<Instant>,
    /// Whether the connection has ended.
    ended: Cell<bool>,
    /// Told when the server's settings are here, or the connection has ended.
    settled: Notify,
}

impl Session {
    /// Speaks HTTP/2 on a new connection.
    ///
    /// # Errors
    /// The kernel's, where it is broken already.
    pub(crate) async fn start(
        connection: Connection,
        scheme: Scheme,
        bound_to: Option<SocketAddr>,
    ) -> Result<Self, ConnectError> {
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        let secured_by = connection.secured_by.clone();
        let (stream, counted) = connection.into_parts().ok_or_else(broken)?;
        let local_address = stream.local_address();
        let (carried, watch) = Carried::to_server(stream);
        let handshake = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEAD)
            .max_send_buffer_size(SEND_BUFFER)
            .handshake(carried);
        let (sender, frames) = handshake.await.map_err(|_| broken())?;
        let state = Rc::new(State {
            streams: Cell::new(0),
            emptied: Cell::new(Instant::now()),
            ended: Cell::new(false),
            settled: Notify::new(),
        });
        let settled = state.settled.notified();
        spawn_local(drive(frames, watch.clone(), counted, Rc::clone(&state)));
        // Before the server's settings are here it is not known how many streams it takes.
        settled.await;
        match (state.ended.get(), watch.has_heard()) {
            (false, _) => {}
            // It said something, and not what HTTP/2 begins with.
            (true, true) => return Err(ConnectError::Protocol),
            (true, false) => return Err(broken().into()),
        }
        Ok(Self {
            sender,
            scheme,
            state,
            bound_to,
            secured_by,
            local_address,
        })
    }

    /// Whether further streams can be begun, now or once others have ended: the server has not said farewell.
    pub(crate) fn is_usable(&self) -> bool {
        // Told apart from waiting only; who waits is woken elsewhere.
        let mut cx = Context::from_waker(Waker::noop());
        !self.state.ended.get()
            && !matches!(self.sender.clone().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// A stream, where there is room for one.
    pub(crate) fn stream(&self) -> Option<Box<Connection>> {
        let limit = self.sender.current_max_send_streams().min(MOST_STREAMS);
        if self.state.streams.get() >= limit {
            return None;
        }
        let place = StreamPlace::new(&self.state);
        let asked = Asked::new(self.sender.clone(), self.scheme.clone(), self.local_address);
        let stream = Stream::Layered(Box::new(asked));
        let connection = Connection::of_session(stream, place, self.state.emptied.get());
        Some(Box::new(connection))
    }

    /// Whether the server lets WebSocket pass (RFC 8441, 3).
    pub(crate) fn takes_websocket(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }

    /// Whether there has been no request for `limit`.
    pub(crate) fn is_idle_for(&self, limit: Duration, now: Instant) -> bool {
        self.state.streams.get() == 0
            && now.saturating_duration_since(self.state.emptied.get()) >= limit
    }
}

/// A stream's place on its connection, given back when dropped.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    state: Rc<State>,
}

impl StreamPlace {
    fn new(state: &Rc<State>) -> Self {
        state.streams.set(state.streams.get() + 1);
        Self {
            state: Rc::clone(state),
        }
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let left = self.state.streams.get().saturating_sub(1);
        self.state.streams.set(left);
        if left == 0 {
            self.state.emptied.set(Instant::now());
        }
    }
}

/// Moves frames until the connection ends, and sees to it that a server which is no more there is found out.
async fn drive(
    mut frames: Frames<Carried, Bytes>,
    watch: Watch,
    counted: Counted,
    state: Rc<State>,
) {
    let mut ping = frames.ping_pong();
    let mut asked = false;
    let mut is_settled = false;
    let mut silence = pin!(sleep(SILENCE));
    poll_fn(|cx| {
        loop {
            if Pin::new(&mut frames).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if !is_settled && watch.has_heard() {
                is_settled = true;
                state.settled.notify_waiters();
            }
            if silence.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            restart(silence.as_mut());
            if watch.heard() || state.streams.get() == 0 {
                asked = false;
            } else if asked {
                return Poll::Ready(());
            } else if let Some(ping) = &mut ping {
                // Nothing was heard, so no pong either: there is none to be taken before.
                asked = ping.send_ping(Ping::opaque()).is_ok();
            }
            if let Some(ping) = &mut ping {
                let _ = ping.poll_pong(cx);
            }
        }
    })
    .await;
    state.ended.set(true);
    state.settled.notify_waiters();
    drop(counted);
}

fn restart(silence: Pin<&mut Sleep>) {
    silence.reset(tokio::time::Instant::now() + SILENCE);
}

/// Streams at a time on one connection, however many the server allows: with more of them another connection does better.
const MOST_STREAMS: usize = 100;
/// What a server may send ahead of what the client has taken, of one answer and of all.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// What is accepted of a server's head.
const MAX_HEAD: u32 = 64 << 10;
/// What a request may have waiting to be sent.
const SEND_BUFFER: usize = 64 << 10;
/// How long a server with requests under way may be silent before it is asked whether it is there, and then again.
const SILENCE: Duration = Duration::from_secs(10);
