//! A client's handshake, from its first byte.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use sluice_net::Socket;
use sluice_wire::tls::{HelloError, HelloReader, Protocols};

use crate::facts::Facts;
use crate::failure::HandshakeError;
use crate::proofs::ACME_TLS;
use crate::records::Records;
use crate::session::Session;
use crate::workspace::Workspace;

/// A handshake under way. Until the client's hello is whole nothing is made for it but a small buffer.
#[derive(Debug)]
pub struct Handshake {
    stage: Stage,
    config: Arc<ServerConfig>,
    proof: Option<Arc<ServerConfig>>,
    workspace: Rc<Workspace>,
    server_name: Option<Box<str>>,
    offers_early_data: bool,
}

#[derive(Debug)]
enum Stage {
    Hello {
        socket: Socket,
        received: Vec<u8>,
        reader: HelloReader,
    },
    Session(Box<Session>),
    Over,
}

impl Handshake {
    /// Begins with what was `received` already.
    pub fn new(
        socket: Socket,
        received: Vec<u8>,
        config: Arc<ServerConfig>,
        workspace: Rc<Workspace>,
    ) -> Self {
        Self {
            stage: Stage::Hello {
                socket,
                received,
                reader: HelloReader::default(),
            },
            config,
            proof: None,
            workspace,
            server_name: None,
            offers_early_data: false,
        }
    }

    /// With what an authority is answered that looks for a proof ([`Proofs::config`](crate::Proofs::config)).
    #[must_use]
    pub fn proving(mut self, proof: Option<Arc<ServerConfig>>) -> Self {
        self.proof = proof;
        self
    }

    /// Goes on. It is over when the handshake is done, or data has come before that, of which the facts tell then. Not to be
    /// called again.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Box<Session>, Facts), HandshakeError>> {
        if matches!(self.stage, Stage::Hello { .. }) {
            ready!(self.poll_hello(cx))?;
        }
        let Stage::Session(session) = &mut self.stage else {
            return Poll::Ready(Err(HandshakeError::Closed));
        };
        if let Err(error) = ready!(session.poll_handshake(cx)) {
            // What is wrong is told the client, if it still listens.
            session.flush_once();
            return Poll::Ready(Err(error.into()));
        }
        let mut facts = Facts::of(session.records.common(), self.server_name.take());
        facts.offered_early_data = self.offers_early_data;
        facts.early = session.early().cloned();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Session(session) => Poll::Ready(Ok((session, facts))),
            _ => Poll::Ready(Err(HandshakeError::Closed)),
        }
    }

    /// Receives the hello, notes the name in it, and begins the session with it.
    fn poll_hello(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HandshakeError>> {
        let Stage::Hello {
            socket,
            received,
            reader,
        } = &mut self.stage
        else {
            return Poll::Ready(Ok(()));
        };
        loop {
            match reader.read(received) {
                Ok(Some(hello)) => {
                    self.offers_early_data = hello.early_data;
                    self.server_name = hello
                        .server_name
                        .map(str::to_ascii_lowercase)
                        .map(Into::into);
                    if let Some(proof) = self.proof.take()
                        && asks_for_proof(hello.protocols)
                    {
                        self.config = proof;
                    }
                    break;
                }
                Ok(None) => {}
                Err(HelloError::NotTls) => {
                    answer_plain_http(socket, received, cx);
                    return Poll::Ready(Err(HandshakeError::NotTls));
                }
                // What exactly is wrong with it, the session says.
                Err(_) => break,
            }
            let mut area = self.workspace.incoming();
            let count = ready!(socket.poll_read(cx, &mut area))?;
            if count == 0 {
                return Poll::Ready(Err(HandshakeError::Closed));
            }
            received.extend_from_slice(area.get(..count).unwrap_or_default());
        }
        let connection = UnbufferedServerConnection::new(Arc::clone(&self.config))?;
        let Stage::Hello {
            socket, received, ..
        } = std::mem::replace(&mut self.stage, Stage::Over)
        else {
            return Poll::Ready(Ok(()));
        };
        let records = Records::Server(connection);
        let mut session = Box::new(Session::new(records, socket, Rc::clone(&self.workspace)));
        let begun = session.begin(received);
        if begun.is_err() {
            session.flush_once();
        }
        self.stage = Stage::Session(session);
        begun?;
        Poll::Ready(Ok(()))
    }
}

/// Whoever offers anything else beside is a client like others (RFC 8737, 3).
fn asks_for_proof(mut protocols: Protocols<'_>) -> bool {
    protocols.next() == Some(ACME_TLS) && protocols.next().is_none()
}

/// A client that speaks HTTP in the clear is told why that leads nowhere; everybody else would not understand.
fn answer_plain_http(socket: &mut Socket, received: &[u8], cx: &mut Context<'_>) {
    const METHODS: &[&[u8]] = &[
        b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"TRAC", b"CONN", b"PRI ",
    ];
    if METHODS.iter().any(|method| received.starts_with(method)) {
        // A fresh socket takes so little at once; whether the client reads it is its own affair.
        let _ = socket.poll_write(cx, PLAIN_HTTP);
        let _ = socket.poll_shutdown(cx);
    }
}

const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 38\r\n\
    Connection: close\r\n\
    \r\n\
    400 Bad Request: HTTPS is spoken here\n";

#[cfg(test)]
mod tests;
