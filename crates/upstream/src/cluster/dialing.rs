//! From a server that was picked to a connection of HTTP/3 that takes a request.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use sluice_config::plan::SourceAddress;
use sluice_net::connect::Destination;
use sluice_quic::{ClientSettings, Dialed, NoQuic, connect};
use tokio::time::timeout;

use super::{ClientTls, Cluster};
use crate::connection::{ConnectError, Connection, Counted};
use crate::lane::{Lane, Need};
use crate::session::{Session, WINDOWS};

impl Cluster {
    /// A new connection of HTTP/3, ready for a request that needs this.
    ///
    /// # Errors
    /// [`ConnectError`]; no request was sent then. After [`ConnectError::NoWebSocket`] others share the connection.
    pub async fn dial(
        &self,
        lane: &Rc<Lane>,
        client: SocketAddr,
        need: Need,
    ) -> Result<Box<Connection>, ConnectError> {
        // A plan has none without.
        let tls = self.tls.get().ok_or(ConnectError::Protocol)?;
        let started = Instant::now();
        let dialing = self.dial_from_any_source(tls, lane, client);
        let dialed = timeout(self.settings.connect_timeout, dialing).await;
        let begun = match dialed.unwrap_or(Err(ConnectError::Timeout)) {
            Ok(dialed) => {
                lane.metrics().connections_opened.increment();
                self.metrics.connect.record(started.elapsed());
                let counted = Counted::new(lane.endpoint());
                let beginning = Session::over_quic(dialed, counted, &tls.config);
                let begun = timeout(self.settings.connect_timeout, beginning).await;
                begun.unwrap_or(Err(ConnectError::Timeout))
            }
            Err(error) => Err(error),
        };
        Self::share(lane, begun, need)
    }

    async fn dial_from_any_source(
        &self,
        tls: &ClientTls,
        lane: &Lane,
        client: SocketAddr,
    ) -> Result<Dialed, ConnectError> {
        let Destination::Ip(server) = *lane.endpoint().destination() else {
            // A plan has none.
            return Err(ConnectError::Protocol);
        };
        let settings = tls.for_quic().map_err(|_| ConnectError::Protocol)?;
        let host = self.host(lane);
        let mut tries_left = self.settings.source_addresses.len();
        loop {
            let source = self.source(lane, client, SourceAddress::Balancer)?;
            let attempt = connect(settings, server, source, &host);
            tries_left = tries_left.saturating_sub(1);
            match attempt.await.map_err(ConnectError::from) {
                Err(ConnectError::NoLocalPort) if tries_left > 0 => {}
                outcome => return outcome,
            }
        }
    }
}

impl ClientTls {
    fn for_quic(&self) -> Result<&ClientSettings, NoQuic> {
        if let Some(settings) = self.quic.get() {
            return Ok(settings);
        }
        let settings = ClientSettings::new(&self.config, b"h3", WINDOWS)?;
        Ok(self.quic.get_or_init(|| settings))
    }
}
