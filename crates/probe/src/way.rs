//! The way to a server: as a request of its upstream would go, but never on a connection that others use.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use sluice_config::plan::{SendProxyProtocol, SourceAddress};
use sluice_net::Stream;
use sluice_upstream::{Association, Cluster, ConnectError, Connection, Lane, Need, Offer};
use sluice_wire::proxy_protocol::{write_v1_own, write_v2_own};

use crate::failure::Step;

/// The way to one server.
pub(crate) struct Way {
    cluster: Rc<Cluster>,
    lane: Rc<Lane>,
}

impl Way {
    pub(crate) fn new(cluster: &Rc<Cluster>, lane: &Rc<Lane>) -> Self {
        Self {
            cluster: Rc::clone(cluster),
            lane: Rc::clone(lane),
        }
    }

    /// The server's address as written in the file.
    pub(crate) fn label(&self) -> &str {
        self.lane.endpoint().label()
    }

    /// A connection, and what it was opened for. Nothing of HTTP was said on it yet, but for HTTP/3.
    pub(crate) async fn connect(
        &self,
        step: &Cell<Step>,
    ) -> Result<(Box<Connection>, Offer), ConnectError> {
        let offer = self.cluster.offer(&self.lane, Need::Messages)?;
        step.set(Step::Connecting);
        if offer == Offer::Http3 {
            let dialed = self.cluster.dial(&self.lane, NOBODY, Need::Messages);
            return Ok((dialed.await?, offer));
        }
        let connecting = self
            .cluster
            .connect(&self.lane, NOBODY, SourceAddress::Balancer);
        let mut connection = connecting.await?;
        send(&mut connection.stream, &self.header()).await?;
        step.set(Step::Handshake);
        self.cluster
            .secure(&self.lane, &mut connection, offer.protocols())
            .await?;
        Ok((connection, offer))
    }

    /// A connection that takes a request in the form of HTTP/1.1, whatever is spoken on it.
    pub(crate) async fn open(&self, step: &Cell<Step>) -> Result<Box<Connection>, ConnectError> {
        let (connection, offer) = self.connect(step).await?;
        if offer == Offer::Http3 {
            return Ok(connection);
        }
        let prepared = self
            .cluster
            .prepare(&self.lane, NOBODY, connection, offer, Need::Messages);
        prepared.await
    }

    /// A socket for datagrams.
    pub(crate) fn associate(&self) -> Result<Association, ConnectError> {
        self.cluster
            .associate(&self.lane, NOBODY, SourceAddress::Balancer)
    }

    /// The header that says that nobody is spoken for.
    fn header(&self) -> Vec<u8> {
        let mut header = Vec::new();
        match self.cluster.settings().send_proxy_protocol {
            SendProxyProtocol::Off => {}
            SendProxyProtocol::V1 => write_v1_own(&mut header),
            SendProxyProtocol::V2 => write_v2_own(&mut header),
        }
        header
    }
}

/// Sends all of `bytes`.
pub(crate) async fn send(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let taken = poll_fn(|cx| stream.poll_write(cx, rest)).await?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(())
}

/// There is no client.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
