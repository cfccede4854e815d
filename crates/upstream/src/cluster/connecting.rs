//! From a server that was picked to a connection that takes a request: the socket, TLS, HTTP/2.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sluice_config::plan::{SourceAddress, UpstreamProtocol};
use sluice_model::ServerAddress;
use sluice_net::connect::{Destination, Source, connect};
use sluice_net::{Socket, Stream};
use sluice_tls::{HandshakeError, Session as TlsSession, begin_session};
use tokio::time::timeout;

use super::{ClientTls, Cluster};
use crate::connection::{ConnectError, Connection};
use crate::lane::{Lane, Need, Opening};
use crate::session::Session;

/// A request's turn to open a connection. Held until that is there.
#[derive(Debug)]
pub struct OpenTurn<'a>(
    #[expect(dead_code, reason = "its drop tells those who wait")] Option<Opening<'a>>,
);

/// What is offered by ALPN for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
    /// HTTP/3, over QUIC.
    Http3,
    /// HTTP/1.1 or HTTP/2.
    Choice,
}

impl Offer {
    /// By their names in ALPN, the preferred first.
    pub fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
            Self::Http3 => &[b"h3"],
            Self::Choice => &[b"h2", b"http/1.1"],
        }
    }
}

impl Cluster {
    /// What is to be offered for a request that needs this.
    ///
    /// # Errors
    /// [`ConnectError::NoWebSocket`] where the server is known to speak nothing that would do.
    pub fn offer(&self, lane: &Lane, need: Need) -> Result<Offer, ConnectError> {
        match self.settings.protocol {
            UpstreamProtocol::Http1 => Ok(Offer::Http1),
            UpstreamProtocol::Http2 | UpstreamProtocol::Http3 if lane.is_known_not_to_do(need) => {
                Err(ConnectError::NoWebSocket)
            }
            UpstreamProtocol::Http2 => Ok(Offer::Http2),
            UpstreamProtocol::Http3 => Ok(Offer::Http3),
            UpstreamProtocol::Chosen if lane.is_known_not_to_do(need) => Ok(Offer::Http1),
            UpstreamProtocol::Chosen => Ok(Offer::Choice),
        }
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing was sent then.
    pub async fn connect(
        &self,
        lane: &Rc<Lane>,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<Box<Connection>, ConnectError> {
        let settings = &self.settings;
        let started = Instant::now();
        let attempt = self.connect_from_any_source(lane, client, start);
        let outcome = match timeout(settings.connect_timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectError::Timeout),
        };
        match outcome {
            Ok(socket) => {
                let now = Instant::now();
                lane.metrics().connections_opened.increment();
                self.metrics.connect.record(now - started);
                let bound_to = self.bound_to(client);
                let connection = Connection::new(socket.into(), lane.endpoint(), bound_to, now);
                Ok(Box::new(connection))
            }
            Err(error) => {
                lane.metrics().connect_failures.increment(error.word());
                Err(error)
            }
        }
    }

    /// Makes a new connection a TLS session, where the upstream wants that; `protocols` are offered by ALPN.
    ///
    /// # Errors
    /// [`ConnectError`]; another server may be tried.
    pub async fn secure(
        &self,
        lane: &Lane,
        connection: &mut Connection,
        protocols: &[&[u8]],
    ) -> Result<(), ConnectError> {
        let Some(tls) = self.tls.get() else {
            return Ok(());
        };
        let attempt = self.handshake(tls, lane, connection.stream.take(), protocols);
        let outcome = match timeout(self.settings.connect_timeout, attempt).await {
            Ok(outcome) => outcome.map_err(ConnectError::from),
            Err(_) => Err(ConnectError::Timeout),
        };
        match outcome {
            Ok(session) => {
                connection.agreed_on_http2 = session.protocol() == Some(b"h2");
                connection.stream = Stream::Layered(session);
                connection.secured_by = Some(Arc::clone(&tls.config));
                Ok(())
            }
            Err(error) => {
                lane.metrics().connect_failures.increment(error.word());
                Err(error)
            }
        }
    }

    async fn handshake(
        &self,
        tls: &ClientTls,
        lane: &Lane,
        stream: Stream,
        protocols: &[&[u8]],
    ) -> Result<Box<TlsSession>, HandshakeError> {
        let Stream::Socket(socket) = stream else {
            return Err(HandshakeError::Closed);
        };
        let host = self.host(lane);
        let workspace = Rc::clone(&tls.workspace);
        let mut session = begin_session(socket, &tls.config, host, protocols, workspace)?;
        poll_fn(|cx| session.poll_shake_hands(cx)).await?;
        Ok(session)
    }

    /// What a server's certificate has to be for.
    pub(super) fn host(&self, lane: &Lane) -> String {
        let named = self.settings.tls.as_ref();
        let server_name = named.and_then(|tls| tls.server_name.as_deref());
        match (server_name, &lane.endpoint().key().server) {
            (Some(name), _) => name.to_owned(),
            (None, ServerAddress::Ip(address)) => address.ip().to_string(),
            (None, ServerAddress::Name { host, .. }) => host.clone(),
            (None, ServerAddress::Unix(_)) => String::new(),
        }
    }

    /// Waits while a connection is being opened that this request can share.
    ///
    /// # Errors
    /// It is this request's turn to open one.
    pub async fn await_turn<'l>(
        &self,
        lane: &'l Lane,
        client: SocketAddr,
        need: Need,
    ) -> Result<Box<Connection>, OpenTurn<'l>> {
        let is_shared = match self.settings.protocol {
            UpstreamProtocol::Http1 => false,
            UpstreamProtocol::Http2 | UpstreamProtocol::Http3 => true,
            UpstreamProtocol::Chosen => need == Need::Messages && !lane.endpoint().chose_http1(),
        };
        if !is_shared {
            return Err(OpenTurn(None));
        }
        loop {
            if let Some(turn) = lane.begin_opening() {
                return Err(OpenTurn(Some(turn)));
            }
            let shared_before = lane.shared();
            lane.opened().await;
            if let Some(stream) = lane.take_stream(self.bound_to(client), self.secured_by(), need) {
                return Ok(stream);
            }
            if lane.shared() == shared_before {
                // It was not to be had. Whoever waited finds out by himself, and not one after the other.
                return Err(OpenTurn(None));
            }
        }
    }

    /// Makes a new connection, on which nothing but a PROXY header was sent and whose server had this offer, ready for a
    /// request that needs this.
    ///
    /// # Errors
    /// [`ConnectError`]; no request was sent then. After [`ConnectError::NoWebSocket`] others share the connection.
    pub async fn prepare(
        &self,
        lane: &Lane,
        client: SocketAddr,
        connection: Box<Connection>,
        offer: Offer,
        need: Need,
    ) -> Result<Box<Connection>, ConnectError> {
        let is_http2 = match offer {
            Offer::Http1 => false,
            Offer::Http2 => true,
            // That is never made of a connection of TCP.
            Offer::Http3 => return Err(ConnectError::Protocol),
            Offer::Choice => {
                lane.endpoint().chose(!connection.agreed_on_http2);
                connection.agreed_on_http2
            }
        };
        if !is_http2 {
            return Ok(connection);
        }
        let begun = self.begin_session(client, connection).await;
        Self::share(lane, begun, need)
    }

    /// Shares a connection that has begun from now on; the stream for a request that needs this.
    pub(super) fn share(
        lane: &Lane,
        begun: Result<Session, ConnectError>,
        need: Need,
    ) -> Result<Box<Connection>, ConnectError> {
        let closed = || io::Error::from(io::ErrorKind::ConnectionReset);
        let shared = begun.and_then(|session| {
            let is_met = need.is_met_by(&session);
            let stream = lane.share(session).ok_or_else(closed)?;
            Ok((stream, is_met))
        });
        match shared {
            Ok((stream, true)) => Ok(stream),
            Ok((_, false)) => Err(ConnectError::NoWebSocket),
            Err(error) => {
                lane.metrics().connect_failures.increment(error.word());
                Err(error)
            }
        }
    }

    async fn begin_session(
        &self,
        client: SocketAddr,
        connection: Box<Connection>,
    ) -> Result<Session, ConnectError> {
        let is_ciphered = self.settings.tls.is_some();
        if is_ciphered && !connection.agreed_on_http2 {
            return Err(ConnectError::Protocol);
        }
        let beginning = Session::over_tcp(*connection, is_ciphered, self.bound_to(client));
        let begun = timeout(self.settings.connect_timeout, beginning).await;
        begun.map_err(|_| ConnectError::Timeout)?
    }

    /// Connects from the source address whose turn it is, or from the next one that still has a port for this server.
    async fn connect_from_any_source(
        &self,
        lane: &Lane,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<Socket, ConnectError> {
        let mut tries_left = self.settings.source_addresses.len();
        loop {
            let source = self.source(lane, client, start)?;
            let attempt = connect(
                lane.endpoint().destination(),
                source,
                self.settings.keep_alive,
            );
            tries_left = tries_left.saturating_sub(1);
            match attempt.await.map_err(ConnectError::from) {
                Err(ConnectError::NoLocalPort) if tries_left > 0 => {}
                outcome => return outcome,
            }
        }
    }

    /// Where the next connection to a server starts.
    pub(crate) fn source(
        &self,
        lane: &Lane,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<Source, ConnectError> {
        if start == SourceAddress::Balancer {
            let own = lane.next_source(&self.settings.source_addresses);
            return Ok(own.map_or(Source::Any, Source::Own));
        }
        match lane.endpoint().destination() {
            Destination::Ip(server) if server.is_ipv4() == client.is_ipv4() => {
                Ok(Source::Client(client.ip()))
            }
            Destination::Ip(_) => Err(ConnectError::OtherFamily),
            Destination::Unix(_) => Ok(Source::Any),
        }
    }
}
