//! A client's connection of HTTP/3: its settings, its requests as they begin, and its end.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use h3::error::ConnectionError;
use quinn::{RecvStream, SendStream};

use super::codec::{Codec, Server, at_once};
use super::fault::Code;
use super::link::{Link, Waiting, id};
use super::noise::Noise;
use super::stream::RequestStream;

/// A connection whose handshake is done.
pub struct Connection {
    server: Rc<RefCell<Server>>,
    quinn: quinn::Connection,
    accepting: Option<Waiting<(SendStream, RecvStream)>>,
    noise: Noise,
    max_head: usize,
    /// The stream that was accepted last.
    last: Option<quinn::StreamId>,
    /// Whether GOAWAY was said.
    leaving: bool,
}

impl Connection {
    /// Sends our settings. Field sections are taken up to `max_head` bytes (RFC 9114, 4.2.2).
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn new(quinn: quinn::Connection, max_head: usize) -> Result<Self, ConnectionError> {
        let noise = Noise::default();
        let link = Link::new(quinn.clone(), noise.clone());
        let server = h3::server::builder()
            .max_field_section_size(max_head as u64)
            .enable_extended_connect(true)
            .send_grease(false)
            .build(link)
            .await?;
        Ok(Self {
            server: Rc::new(RefCell::new(server)),
            quinn,
            accepting: None,
            noise,
            max_head,
            last: None,
            leaving: false,
        })
    }

    /// The next request to begin; `None` where the connection has ended.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<RequestStream>> {
        let control = self.server.borrow_mut().poll_accept_request_stream(cx);
        if let Poll::Ready(Err(_)) = control {
            return Poll::Ready(None);
        }
        if self.noise.is_too_much() {
            self.close(Code::ExcessiveLoad);
            return Poll::Ready(None);
        }
        loop {
            let quinn = &self.quinn;
            let accepting = self.accepting.get_or_insert_with(|| {
                let quinn = quinn.clone();
                Box::pin(async move { quinn.accept_bi().await })
            });
            let accepted = ready!(accepting.as_mut().poll(cx));
            self.accepting = None;
            let Ok((mut send, mut receive)) = accepted else {
                return Poll::Ready(None);
            };
            if self.leaving {
                // Fails where the client has given it up itself.
                let _ = send.reset(Code::RequestRejected.into());
                let _ = receive.stop(Code::RequestRejected.into());
                continue;
            }
            self.last = self.last.max(Some(send.id()));
            self.noise.earn();
            let stream = RequestStream::new(
                send,
                receive,
                self.quinn.clone(),
                Codec::new(Rc::clone(&self.server)),
                self.noise.clone(),
                self.max_head,
            );
            return Poll::Ready(Some(stream));
        }
    }

    /// Says that no further requests are served (GOAWAY); those under way are.
    pub fn leave(&mut self) {
        self.leaving = true;
        let next = match self.last {
            Some(last) => id(last) + 1,
            None => id(quinn::StreamId::new(quinn::Side::Client, quinn::Dir::Bi, 0)),
        };
        let mut server = self.server.borrow_mut();
        // Where the client's window for so few bytes is used up, it does not hear of it.
        let _ = at_once(server.inner.shutdown(&mut None, next));
    }

    /// Ends the connection.
    pub fn close(&self, code: Code) {
        self.quinn.close(code.into(), b"");
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
