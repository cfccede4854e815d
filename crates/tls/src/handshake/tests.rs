use std::future::poll_fn;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use sluice_config::plan::{Tls, TlsVersion, UpstreamTls};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{Proofs, Resumption, begin_session, client_config, load, server_config};

/// Which certificate a client gets that names `host` and offers `protocols`; `None` where it is refused.
async fn served(
    server: &Arc<ServerConfig>,
    proofs: &Proofs,
    host: &str,
    protocols: &[&[u8]],
) -> Option<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let near = Socket::Tcp(near.expect("connect"));
    let far = Socket::Tcp(far.expect("accept").0);
    let client = client_config(&UpstreamTls {
        authorities: None,
        server_name: None,
        certificate: None,
    })
    .expect("a client");
    let mut near = begin_session(near, &client, host.to_owned(), protocols, Rc::default())
        .expect("a host name");
    let mut far =
        Handshake::new(far, Vec::new(), Arc::clone(server), Rc::default()).proving(proofs.config());
    let (shaken, _far) = tokio::join!(
        async {
            let shaken = poll_fn(|cx| near.poll_shake_hands(cx)).await;
            // The server waits for our last message.
            near.flush_once();
            shaken
        },
        poll_fn(|cx| far.poll(cx)),
    );
    shaken.ok()?;
    let chain = near.records.common().peer_certificates()?;
    chain.first().map(|first| first.to_vec())
}

#[test]
fn only_who_asks_for_nothing_else_is_shown_a_proof() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let (chain, key) = pair("a.test");
        let certificate = load("a".into(), "a".into(), &chain, &key).expect("a pair");
        let own = first(&chain);
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
        let resumption = Resumption::new("test", &tls);
        let server =
            server_config(&tls, &[b"h2", b"http/1.1"], &resumption, None).expect("a server");
        let proofs = Arc::new(Proofs::default());
        let asked = [ACME_TLS];
        assert_eq!(
            served(&server, &proofs, "a.test", &asked).await,
            None,
            "none is shown"
        );

        let (chain, key) = pair("a.test");
        let proof = first(&chain);
        let shown = proofs
            .show_certificate("a.test", &chain, &key)
            .expect("a pair");
        for (host, protocols, wanted) in [
            ("a.test", &asked[..], Some(&proof)),
            ("A.Test", &asked, Some(&proof)),
            ("b.test", &asked, None),
            ("a.test", &[ACME_TLS, b"h2"], Some(&own)),
            ("a.test", &[b"h2", ACME_TLS], Some(&own)),
            ("a.test", &[b"http/1.1"], Some(&own)),
            ("a.test", &[], Some(&own)),
        ] {
            let served = served(&server, &proofs, host, protocols).await;
            assert_eq!(served.as_ref(), wanted, "{host} {protocols:?}");
        }
        drop(shown);
        assert_eq!(served(&server, &proofs, "a.test", &asked).await, None);
    });
}

/// A chain and its key in PEM.
fn pair(host: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn first(chain: &str) -> Vec<u8> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let first = CertificateDer::from_pem_slice(chain.as_bytes());
    first.expect("a certificate").to_vec()
}
