//! The PROXY protocol header that a connection to a server begins with, where the upstream wants one.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use sluice_config::plan::SendProxyProtocol;
use sluice_net::Stream;
use sluice_upstream::{Cluster, ConnectError, Connection};
use sluice_wire::proxy_protocol::{write_v1, write_v2};

/// The header that says who `client` is and where it connected to; empty where the upstream wants none.
pub(crate) fn header(cluster: &Cluster, client: SocketAddr, stream: &Stream) -> Vec<u8> {
    let mut header = Vec::new();
    // A client on a Unix socket connected to no address: any of its family says as much.
    let destination = || stream.local_address().unwrap_or(client);
    match cluster.settings().send_proxy_protocol {
        SendProxyProtocol::Off => {}
        SendProxyProtocol::V1 => write_v1(client, destination(), &mut header),
        SendProxyProtocol::V2 => write_v2(client, destination(), &mut header),
    }
    header
}

/// Sends the header as the first bytes of a connection.
pub(crate) async fn send(connection: &mut Connection, header: &[u8]) -> Result<(), ConnectError> {
    let mut rest = header;
    while !rest.is_empty() {
        let taken = poll_fn(|cx| connection.stream.poll_write(cx, rest)).await?;
        if taken == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(())
}
