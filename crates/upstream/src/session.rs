//! A connection of HTTP/2 or HTTP/3 to a server, shared by the requests of one worker.

mod http2;
mod http3;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_http::h2::{self, Http2Connection};
use sluice_http::h3::{self, Http3Connection};
use sluice_net::Stream;
use sluice_quic::{ConnectFailure, Dialed, Windows};
use sluice_tls::ClientConfig;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use crate::connection::{ConnectError, Connection, Counted};

/// A connection that is shared. When it is dropped the connection ends with its last stream.
#[derive(Debug)]
pub(crate) struct Session {
    opener: Opener,
    state: Rc<State>,
    /// Whom a PROXY header was sent for: only that client may use the connection.
    pub(crate) bound_to: Option<SocketAddr>,
    /// What it is ciphered by.
    pub(crate) secured_by: Option<Arc<ClientConfig>>,
    local_address: Option<SocketAddr>,
}

/// What begins streams.
#[derive(Debug)]
enum Opener {
    Http2 {
        opener: h2::Opener,
        is_ciphered: bool,
    },
    Http3(h3::Opener),
}

#[derive(Debug)]
struct State {
    /// Those under way.
    streams: Cell<usize>,
    /// When the last of them ended.
    emptied: Cell<Instant>,
    /// How the connection has ended, if it has.
    ended: Cell<Option<io::ErrorKind>>,
    /// Told when the server's settings are here, or the connection has ended.
    settled: Notify,
}

impl Session {
    /// Speaks HTTP/2 on a new connection.
    ///
    /// # Errors
    /// The kernel's, where it is broken already; [`ConnectError::Protocol`].
    pub(crate) async fn over_tcp(
        connection: Connection,
        is_ciphered: bool,
        bound_to: Option<SocketAddr>,
    ) -> Result<Self, ConnectError> {
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        let secured_by = connection.secured_by.clone();
        let (stream, counted) = connection.into_parts().ok_or_else(broken)?;
        let local_address = stream.local_address();
        let connection = Http2Connection::with_server(http2::SETTINGS);
        let opener = connection.opener();
        let state = State::new();
        let driven = http2::drive(connection, stream, counted, Rc::clone(&state));
        match state.settle(driven).await {
            Ok(()) => {}
            // It said something, and not what HTTP/2 begins with.
            Err(io::ErrorKind::InvalidData) => return Err(ConnectError::Protocol),
            Err(_) => return Err(broken().into()),
        }
        Ok(Self {
            opener: Opener::Http2 {
                opener,
                is_ciphered,
            },
            state,
            bound_to,
            secured_by,
            local_address,
        })
    }

    /// Speaks HTTP/3 on a new connection.
    ///
    /// # Errors
    /// [`ConnectError`], where the server ends it or says what is not HTTP/3.
    pub(crate) async fn over_quic(
        dialed: Dialed,
        counted: Counted,
        secured_by: &Arc<ClientConfig>,
    ) -> Result<Self, ConnectError> {
        let quic = dialed.connection.clone();
        let (opener, driver) = Http3Connection::with_server(quic.clone(), MAX_HEAD as usize);
        let state = State::new();
        let driven = http3::drive(driver, dialed, counted, Rc::clone(&state));
        match state.settle(driven).await {
            Ok(()) => {}
            Err(io::ErrorKind::InvalidData) => return Err(ConnectError::Protocol),
            // What the server thinks of our certificate it says after the handshake.
            Err(kind) => {
                let why = quic.close_reason().map(ConnectFailure::from);
                return Err(why.map_or_else(|| io::Error::from(kind).into(), Into::into));
            }
        }
        Ok(Self {
            opener: Opener::Http3(opener),
            state,
            bound_to: None,
            secured_by: Some(Arc::clone(secured_by)),
            local_address: None,
        })
    }

    /// Whether further streams can be begun, now or once others have ended: the server has not said farewell.
    pub(crate) fn is_usable(&self) -> bool {
        self.state.ended.get().is_none()
            && match &self.opener {
                Opener::Http2 { opener, .. } => opener.is_usable(),
                Opener::Http3(opener) => opener.is_usable(),
            }
    }

    /// A stream, where there is room for one.
    pub(crate) fn stream(&self) -> Option<Box<Connection>> {
        let streams = self.state.streams.get();
        if streams >= MOST_STREAMS as usize {
            return None;
        }
        let stream = Stream::Layered(match &self.opener {
            Opener::Http2 { opener, .. } if streams >= opener.limit() => return None,
            Opener::Http2 {
                opener,
                is_ciphered,
            } => Box::new(opener.stream(*is_ciphered, self.local_address)),
            Opener::Http3(opener) => Box::new(opener.stream(self.local_address)?),
        });
        let place = StreamPlace::new(&self.state);
        let connection = Connection::of_session(stream, place, self.state.emptied.get());
        Some(Box::new(connection))
    }

    /// Whether the server lets WebSocket pass (RFC 8441, 3; RFC 9220, 3).
    pub(crate) fn takes_websocket(&self) -> bool {
        match &self.opener {
            Opener::Http2 { opener, .. } => opener.takes_websocket(),
            Opener::Http3(opener) => opener.takes_websocket(),
        }
    }

    /// Whether there has been no request for `limit`.
    pub(crate) fn is_idle_for(&self, limit: Duration, now: Instant) -> bool {
        self.state.streams.get() == 0
            && now.saturating_duration_since(self.state.emptied.get()) >= limit
    }
}

impl State {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            streams: Cell::new(0),
            emptied: Cell::new(Instant::now()),
            ended: Cell::new(None),
            settled: Notify::new(),
        })
    }

    /// Begins to drive the connection, and waits for the server's settings: before they are here it is not known what it takes.
    async fn settle(
        &self,
        driven: impl Future<Output = ()> + 'static,
    ) -> Result<(), io::ErrorKind> {
        let settled = self.settled.notified();
        spawn_local(driven);
        settled.await;
        self.ended.get().map_or(Ok(()), Err)
    }

    fn end(&self, how: io::ErrorKind) {
        self.ended.set(Some(how));
        self.settled.notify_waiters();
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

/// Streams at a time on one connection, however many the server allows: with more of them another connection does better.
const MOST_STREAMS: u32 = 100;
/// What a server may send ahead of what the client has taken, of one answer.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same of all. Were it less, clients that do not read would hold up the others of the connection.
const CONNECTION_WINDOW: u32 = MOST_STREAMS * STREAM_WINDOW;
pub(crate) const WINDOWS: Windows = Windows {
    stream: STREAM_WINDOW,
    connection: CONNECTION_WINDOW,
};
/// What is accepted of a server's head.
const MAX_HEAD: u32 = 64 << 10;
