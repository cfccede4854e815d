//! A connection, for whoever looks after it.

use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use quinn::{RecvStream, SendStream};

use super::control::Peer;
use super::core::{Core, number_of};
use super::driver::{Driver, Waiting};
use super::fault::Code;
use super::opener::Opener;
use super::request::RequestStream;

/// A client's connection, whose handshake is done.
pub struct Http3Connection {
    core: Rc<Core>,
    accepting: Option<Waiting<(SendStream, RecvStream)>>,
    /// The number that the next request will have.
    next: u64,
}

impl Http3Connection {
    /// Speaks HTTP/3 with a client, whose requests may have fields of `max_head` bytes (RFC 9114, 4.2.2). The driver has to be
    /// polled until the connection has ended.
    pub fn with_client(quinn: quinn::Connection, max_head: usize) -> (Self, Driver) {
        let core = Rc::new(Core::new(quinn, Peer::Client, max_head));
        let driver = Driver::new(Rc::clone(&core));
        let connection = Self {
            core,
            accepting: None,
            next: 0,
        };
        (connection, driver)
    }

    /// Speaks HTTP/3 with a server, whose answers may have heads of `max_head` bytes. The driver has to be polled until the
    /// connection has ended.
    pub fn with_server(quinn: quinn::Connection, max_head: usize) -> (Opener, Driver) {
        let core = Rc::new(Core::new(quinn, Peer::Server, max_head));
        let driver = Driver::new(Rc::clone(&core));
        (Opener::new(core), driver)
    }

    /// The next request to begin; `None` where the connection has ended.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<RequestStream>> {
        if self.core.noise.is_too_much() {
            self.close(Code::ExcessiveLoad);
            return Poll::Ready(None);
        }
        loop {
            let quinn = &self.core.quinn;
            let accepting = self.accepting.get_or_insert_with(|| {
                let quinn = quinn.clone();
                Box::pin(async move { quinn.accept_bi().await })
            });
            let accepted = ready!(accepting.as_mut().poll(cx));
            self.accepting = None;
            let Ok((mut send, mut receive)) = accepted else {
                return Poll::Ready(None);
            };
            if self.core.farewell.get().is_some() {
                // Fails where the client has given it up itself.
                let _ = send.reset(Code::RequestRejected.into());
                let _ = receive.stop(Code::RequestRejected.into());
                continue;
            }
            self.next = self.next.max(number_of(send.id()) + NEXT);
            self.core.noise.earn();
            return Poll::Ready(Some(RequestStream::new(send, receive, &self.core)));
        }
    }

    /// Says that no further requests are served (GOAWAY); those under way are.
    pub fn leave(&mut self) {
        self.core.farewell.set(Some(self.next));
        self.core.wake_driver();
    }

    /// Ends the connection.
    pub fn close(&self, code: Code) {
        self.core.close(code);
    }
}

impl fmt::Debug for Http3Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http3Connection")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

/// From one number of a client's requests to the next (RFC 9000, 2.1).
const NEXT: u64 = 4;
