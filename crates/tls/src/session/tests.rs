use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::trial::{client, pair, run, sockets};
use crate::{Handshake, begin_session, trial};

#[test]
fn a_kept_session_that_was_closed_is_not_quiet_though_the_reactor_has_not_seen_it() {
    run(async {
        let (mut near, far) = sessions().await;
        assert!(near.is_quiet(true), "tickets are the protocol's own");
        // Both in one turn of the reactor: the kernel knows, it does not.
        drop(far);
        await_arrival(&near);
        assert!(!near.is_quiet(true));
    });
}

#[test]
fn a_session_is_quiet_as_long_as_nothing_comes() {
    run(async {
        let (mut near, mut far) = sessions().await;
        assert!(near.is_quiet(false) && near.is_quiet(true));
        say(&mut far, b"unasked").await;
        await_arrival(&near);
        assert!(!near.is_quiet(true));
        assert_eq!(hear(&mut near).await, b"unasked");
        assert!(near.is_quiet(true));
    });
}

#[test]
fn a_handshake_in_crumbs_is_given_up_before_it_takes_much_room() {
    run(async {
        let (mut near, far) = sockets().await;
        let mut far = Handshake::new(far, Vec::new(), server(), Rc::default());
        let hello = tls12_hello();
        // ClientKeyExchange of 64 KiB, of which each record has one byte (RFC 5246, 6.2.1).
        let crumb = |byte: u8| [22, 3, 3, 0, 1, byte];
        let crumbs: Vec<u8> = [16, 0, 0xff, 0xf0]
            .into_iter()
            .chain(std::iter::repeat_n(0, 30_000))
            .flat_map(crumb)
            .collect();
        let ((), outcome) = tokio::join!(
            async {
                for mut bytes in [&hello[..], &crumbs] {
                    // Fails when the other side has had enough.
                    while let Ok(count @ 1..) = poll_fn(|cx| near.poll_write(cx, bytes)).await {
                        bytes = &bytes[count..];
                    }
                }
                drop(near);
            },
            async {
                let outcome = poll_fn(|cx| far.poll(cx)).await;
                drop(far);
                outcome
            },
        );
        let error = outcome.map(|_| ()).expect_err("given up");
        assert!(error.to_string().contains("too many pieces"), "{error}");
    });
}

/// What a client says first that knows TLS 1.2 only.
fn tls12_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "a.test".try_into().expect("a name");
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("a vector takes all");
    hello
}

/// Both ends of a session whose handshake is done; the server's tickets have come with its first words.
async fn sessions() -> (Box<Session>, Box<Session>) {
    let (near, far) = sockets().await;
    let host = "a.test".to_owned();
    let mut near = begin_session(near, &client(), host, &[], Rc::default()).expect("a name");
    let mut far = Handshake::new(far, Vec::new(), server(), Rc::default());
    let ((), mut far) = tokio::join!(
        async {
            let shaken = poll_fn(|cx| near.poll_shake_hands(cx)).await;
            shaken.expect("the server's part");
            say(&mut near, b"ping").await;
        },
        async {
            let accepted = poll_fn(|cx| far.poll(cx)).await;
            accepted.expect("the client's part").0
        },
    );
    assert_eq!(hear(&mut far).await, b"ping");
    say(&mut far, b"pong").await;
    assert_eq!(hear(&mut near).await, b"pong");
    (near, far)
}

fn server() -> Arc<crate::ServerConfig> {
    let (chain, key) = pair("a.test");
    trial::server(&chain, &key, &[])
}

/// Waits until the kernel has something for the session, with no turn of the reactor.
fn await_arrival(session: &Session) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while session.socket.is_quiet_now() {
        assert!(std::time::Instant::now() < deadline, "nothing came");
        std::thread::yield_now();
    }
}

async fn say(session: &mut Session, words: &[u8]) {
    let taken = poll_fn(|cx| session.poll_write(cx, words)).await;
    assert_eq!(taken.expect("sent"), words.len());
}

async fn hear(session: &mut Session) -> Vec<u8> {
    let mut room = [0; 64];
    let count = poll_fn(|cx| session.poll_read(cx, &mut room)).await;
    room[..count.expect("received")].to_vec()
}
