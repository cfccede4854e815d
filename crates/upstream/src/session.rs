//! A connection of HTTP/2 to a server, shared by the requests of one worker.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use sluice_http::h2::{Http2Connection, Opener, Settings};
use sluice_net::Stream;
use sluice_tls::ClientConfig;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Sleep, sleep};

use crate::connection::{ConnectError, Connection, Counted};

/// A connection that is shared. When it is dropped the connection ends with its last stream.
#[derive(Debug)]
pub(crate) struct Session {
    opener: Opener,
    is_ciphered: bool,
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
    /// How the connection has ended, if it has.
    ended: Cell<Option<io::ErrorKind>>,
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
        is_ciphered: bool,
        bound_to: Option<SocketAddr>,
    ) -> Result<Self, ConnectError> {
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        let secured_by = connection.secured_by.clone();
        let (stream, counted) = connection.into_parts().ok_or_else(broken)?;
        let local_address = stream.local_address();
        let connection = Http2Connection::with_server(SETTINGS);
        let opener = connection.opener();
        let state = Rc::new(State {
            streams: Cell::new(0),
            emptied: Cell::new(Instant::now()),
            ended: Cell::new(None),
            settled: Notify::new(),
        });
        let settled = state.settled.notified();
        spawn_local(drive(connection, stream, counted, Rc::clone(&state)));
        // Before the server's settings are here it is not known how many streams it takes.
        settled.await;
        match state.ended.get() {
            None => {}
            // It said something, and not what HTTP/2 begins with.
            Some(io::ErrorKind::InvalidData) => return Err(ConnectError::Protocol),
            Some(_) => return Err(broken().into()),
        }
        Ok(Self {
            opener,
            is_ciphered,
            state,
            bound_to,
            secured_by,
            local_address,
        })
    }

    /// Whether further streams can be begun, now or once others have ended: the server has not said farewell.
    pub(crate) fn is_usable(&self) -> bool {
        self.state.ended.get().is_none() && self.opener.is_usable()
    }

    /// A stream, where there is room for one.
    pub(crate) fn stream(&self) -> Option<Box<Connection>> {
        if self.state.streams.get() >= self.opener.limit().min(MOST_STREAMS) {
            return None;
        }
        let place = StreamPlace::new(&self.state);
        let asked = self.opener.stream(self.is_ciphered, self.local_address);
        let stream = Stream::Layered(Box::new(asked));
        let connection = Connection::of_session(stream, place, self.state.emptied.get());
        Some(Box::new(connection))
    }

    /// Whether the server lets WebSocket pass (RFC 8441, 3).
    pub(crate) fn takes_websocket(&self) -> bool {
        self.opener.takes_websocket()
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
    mut connection: Http2Connection,
    mut stream: Stream,
    counted: Counted,
    state: Rc<State>,
) {
    let mut room = vec![0; ROOM].into_boxed_slice();
    let mut asked = false;
    let mut is_settled = false;
    let mut silence = pin!(sleep(SILENCE));
    let ended = poll_fn(|cx| {
        loop {
            if let Poll::Ready(error) = connection.poll_receive(cx, &mut stream, &mut room) {
                return Poll::Ready(error.kind());
            }
            match connection.poll_send(cx, &mut stream) {
                Poll::Ready(Err(error)) => return Poll::Ready(error.kind()),
                Poll::Ready(Ok(())) if connection.is_finished() => {
                    return Poll::Ready(io::ErrorKind::NotConnected);
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            if !is_settled && connection.has_greeted() {
                is_settled = true;
                state.settled.notify_waiters();
            }
            if silence.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            restart(silence.as_mut());
            if connection.has_heard() || state.streams.get() == 0 {
                asked = false;
            } else if asked {
                return Poll::Ready(io::ErrorKind::TimedOut);
            } else {
                asked = true;
                connection.ping();
            }
        }
    })
    .await;
    // Says goodbye where that takes no waiting.
    poll_fn(|cx| Poll::Ready(stream.poll_shutdown(cx).is_ready())).await;
    state.ended.set(Some(ended));
    state.settled.notify_waiters();
    drop(counted);
}

fn restart(silence: Pin<&mut Sleep>) {
    silence.reset(tokio::time::Instant::now() + SILENCE);
}

/// Streams at a time on one connection, however many the server allows: with more of them another connection does better.
const MOST_STREAMS: usize = 100;
/// What a server may send ahead of what the client has taken, of one answer and of all.
const SETTINGS: Settings = Settings {
    max_concurrent_streams: 0,
    initial_window: 256 << 10,
    connection_window: 4 << 20,
    // What is accepted of a server's head.
    max_head: 64 << 10,
};
/// What is received in one go.
const ROOM: usize = 16 << 10;
/// How long a server with requests under way may be silent before it is asked whether it is there, and then again.
const SILENCE: Duration = Duration::from_secs(10);
