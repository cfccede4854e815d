//! A client's socket towards a server, for datagrams.

use std::net::SocketAddr;
use std::sync::Arc;

use sluice_config::plan::SourceAddress;
use sluice_net::connect::Destination;
use sluice_net::datagrams::ServerSocket;

use crate::cluster::Cluster;
use crate::connection::ConnectError;
use crate::endpoint::Endpoint;
use crate::lane::Lane;

/// A socket towards a server, counted for as long as it lives.
#[derive(Debug)]
pub struct Association {
    /// The datagrams.
    pub socket: ServerSocket,
    endpoint: Arc<Endpoint>,
}

impl Drop for Association {
    fn drop(&mut self) {
        self.endpoint.closed_connection();
    }
}

impl Cluster {
    /// A socket of its own towards a server. Nothing is sent, so whether anybody is there is not known yet.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub fn associate(
        &self,
        lane: &Lane,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<Association, ConnectError> {
        let outcome = self.associate_from_any_source(lane, client, start);
        match outcome {
            Ok(socket) => {
                lane.metrics().connections_opened.increment();
                lane.endpoint().opened_connection();
                Ok(Association {
                    socket,
                    endpoint: Arc::clone(lane.endpoint()),
                })
            }
            Err(error) => {
                lane.metrics().connect_failures.increment(error.word());
                Err(error)
            }
        }
    }

    /// From the source address whose turn it is, or from the next one that still has a port for this server.
    fn associate_from_any_source(
        &self,
        lane: &Lane,
        client: SocketAddr,
        start: SourceAddress,
    ) -> Result<ServerSocket, ConnectError> {
        let Destination::Ip(server) = lane.endpoint().destination() else {
            return Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into());
        };
        let mut tries_left = self.settings().source_addresses.len();
        loop {
            let source = self.source(lane, client, start)?;
            tries_left = tries_left.saturating_sub(1);
            match ServerSocket::connect(*server, source).map_err(ConnectError::from) {
                Err(ConnectError::NoLocalPort) if tries_left > 0 => {}
                outcome => return outcome,
            }
        }
    }
}
