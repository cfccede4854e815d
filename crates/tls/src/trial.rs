//! What tests of handshakes and sessions begin with: two ends of a connection, a server's certificate, a client that takes
//! any.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use sluice_config::plan::{Tls, TlsVersion, UpstreamTls};
use sluice_net::Socket;
use tokio::net::{TcpListener, TcpStream};

use crate::{ClientConfig, Resumption, ServerConfig, client_config, load, server_config};

/// Runs a test that waits.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test)
}

/// The client's end and the server's.
pub(crate) async fn sockets() -> (Socket, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let near = Socket::Tcp(near.expect("connect"));
    (near, Socket::Tcp(far.expect("accept").0))
}

/// A client that takes any certificate.
pub(crate) fn client() -> Arc<ClientConfig> {
    let unverified = UpstreamTls {
        authorities: None,
        server_name: None,
        certificate: None,
    };
    client_config(&unverified).expect("a client")
}

/// A server that has this certificate and its key, in PEM.
pub(crate) fn server(chain: &str, key: &str, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let certificate = load("a.pem".into(), "a.key".into(), chain, key).expect("a pair");
    let tls = Tls {
        certificates: vec![certificate],
        acme: None,
        min_version: TlsVersion::V1_2,
        handshake_timeout: Duration::from_secs(10),
        client_auth: None,
        ticket_keys: Vec::new(),
        ticket_keys_file: None,
        early_data: None,
    };
    server_config(&tls, protocols, &Resumption::new("test", &tls), None).expect("a server")
}

/// A chain and its key, in PEM.
pub(crate) fn pair(host: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}
