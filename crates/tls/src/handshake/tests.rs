use std::future::poll_fn;

use super::*;
use crate::{Proofs, begin_session, trial};

/// Which certificate a client gets that names `host` and offers `protocols`; `None` where it is refused.
async fn served(
    server: &Arc<ServerConfig>,
    proofs: &Proofs,
    host: &str,
    protocols: &[&[u8]],
) -> Option<Vec<u8>> {
    let (near, far) = trial::sockets().await;
    let client = trial::client();
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
    trial::run(async {
        let (chain, key) = trial::pair("a.test");
        let own = first(&chain);
        let server = trial::server(&chain, &key, &[b"h2", b"http/1.1"]);
        let proofs = Arc::new(Proofs::default());
        let asked = [ACME_TLS];
        assert_eq!(
            served(&server, &proofs, "a.test", &asked).await,
            None,
            "none is shown"
        );

        let (chain, key) = trial::pair("a.test");
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

fn first(chain: &str) -> Vec<u8> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let first = CertificateDer::from_pem_slice(chain.as_bytes());
    first.expect("a certificate").to_vec()
}
