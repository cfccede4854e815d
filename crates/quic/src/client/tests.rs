use std::net::{IpAddr, UdpSocket};

use quinn::VarInt;
use quinn::rustls::crypto::aws_lc_rs;
use quinn::rustls::pki_types::PrivateKeyDer;
use quinn::rustls::{self, RootCertStore};
use rcgen::{CertificateParams, KeyPair};
use tokio::task::LocalSet;

use super::*;
use crate::{CertificateDer, Limits, Settings, seats};

#[test]
fn streams_come_and_go() {
    let site = Site::new();
    block_on(async {
        let (endpoint, address) = site.serve(b"h3");
        let answering = async {
            let connection = endpoint.accept().await.expect("one").await.expect("shaken");
            let (mut answer, mut question) = connection.accept_bi().await.expect("a stream");
            let asked = question.read_to_end(100).await.expect("to read");
            answer.write_all(&asked).await.expect("to write");
            answer.finish().expect("to end");
            let from = connection.remote_address();
            connection.closed().await;
            from
        };
        let asking = async {
            let source = Source::Own(IpAddr::from([127, 0, 0, 9]));
            let settings = site.client(b"h3");
            let dialed = connect(&settings, address, source, "a.test").await;
            let connection = dialed.expect("connected").connection;
            let (mut question, mut answer) = connection.open_bi().await.expect("a stream");
            question.write_all(b"hello").await.expect("to write");
            question.finish().expect("to end");
            assert_eq!(answer.read_to_end(100).await.expect("to read"), b"hello");
            connection.close(VarInt::from_u32(0), b"");
        };
        let (from, ()) = tokio::join!(answering, asking);
        assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 9]));
    });
}

#[test]
fn where_nobody_listens_it_is_refused() {
    let site = Site::new();
    block_on(async {
        let address = testkit::refused_address();
        let refused = connect(&site.client(b"h3"), address, Source::Any, "a.test").await;
        let Err(ConnectFailure::Io(error)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_server_that_is_gone_is_told_of() {
    let site = Site::new();
    block_on(async {
        let process = LocalSet::new();
        let (endpoint, address) = process.run_until(async { site.serve(b"h3") }).await;
        let settings = site.client(b"h3");
        let (accepted, dialed) = tokio::join!(
            process.run_until(async { endpoint.accept().await.expect("one").await }),
            connect(&settings, address, Source::Any, "a.test"),
        );
        let dialed = dialed.expect("connected");
        // Without a word, as if it were killed.
        drop((process, endpoint, accepted));
        let (mut stream, _answer) = dialed.connection.open_bi().await.expect("a stream");
        stream.write_all(b"hello").await.expect("to write");
        let kind = dialed.unreachable.told().await;
        assert_eq!(kind, io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_wrong_certificate_and_a_wrong_protocol_are_told_apart() {
    let site = Site::new();
    block_on(async {
        let (endpoint, address) = site.serve(b"h3");
        let refusing = async {
            for _ in 0..3 {
                let _ = endpoint.accept().await.expect("one").await;
            }
        };
        let asking = async {
            let settings = site.client(b"h3");
            let other = connect(&settings, address, Source::Any, "b.test").await;
            assert!(
                matches!(other, Err(ConnectFailure::Certificate(_))),
                "{other:?}"
            );
            let stranger = Site::new().client(b"h3");
            let unknown = connect(&stranger, address, Source::Any, "a.test").await;
            assert!(
                matches!(unknown, Err(ConnectFailure::Certificate(_))),
                "{unknown:?}"
            );
            let settings = site.client(b"h9");
            let protocol = connect(&settings, address, Source::Any, "a.test").await;
            assert!(
                matches!(protocol, Err(ConnectFailure::Protocol)),
                "{protocol:?}"
            );
            let nobody = connect(&settings, address, Source::Any, "").await;
            assert!(
                matches!(nobody, Err(ConnectFailure::Certificate(_))),
                "{nobody:?}"
            );
        };
        tokio::join!(refusing, asking);
    });
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let tasks = LocalSet::new();
    tasks.block_on(&runtime.expect("a runtime"), future);
}

/// A server `a.test` with a certificate that only its own clients trust.
struct Site {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Site {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["a.test".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.der().clone(),
            key,
        }
    }

    fn serve(&self, protocol: &[u8]) -> (Endpoint, SocketAddr) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key");
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .expect("a pair");
        let limits = Limits {
            streams: 10,
            stream_window: 1 << 16,
        };
        let settings = Settings::new(&tls, protocol, limits);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
        let address = socket.local_addr().expect("an address");
        let seat = seats(1).pop().expect("one");
        let endpoint = crate::open(socket, seat, &settings).expect("an endpoint");
        (endpoint, address)
    }

    fn client(&self, protocol: &[u8]) -> ClientSettings {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("an authority");
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let windows = Windows {
            stream: 1 << 16,
            connection: 1 << 18,
        };
        ClientSettings::new(&tls, protocol, windows).expect("TLS 1.3")
    }
}
