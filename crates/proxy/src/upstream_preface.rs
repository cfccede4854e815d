//! The PROXY protocol header that a connection to a server begins with, where the upstream wants one.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use sluice_config::plan::SendProxyProtocol;
use sluice_upstream::{Cluster, ConnectError, Connection};
use sluice_wire::proxy_protocol::{write_v1, write_v2};

/// Sends the header that says who the client is, and where it connected to.
pub(crate) async fn send(
    cluster: &Cluster,
    connection: &mut Connection,
    client: SocketAddr,
    local: Option<SocketAddr>,
) -> Result<(), ConnectError> {
    let mut header = Vec::new();
    // A client on a Unix socket connected to no address: any of its family says as much.
    let destination = local.unwrap_or(client);
    match cluster.settings().send_proxy_protocol {
        SendProxyProtocol::Off => return Ok(()),
        SendProxyProtocol::V1 => write_v1(client, destination, &mut header),
        SendProxyProtocol::V2 => write_v2(client, destination, &mut header),
    }
    let mut rest = header.as_slice();
    while !rest.is_empty() {
        let taken = poll_fn(|cx| connection.stream.poll_write(cx, rest)).await?;
        if taken == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(())
}
