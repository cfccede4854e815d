//! PROXY headers as they arrive: whole, in pieces, not at all.

use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::rig::{run, tcp_pair, worker};

const PEER: &str = "127.0.0.1:5";
const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 80\r\n";

/// What is read where the client sends `bytes`, one by one if so told, and then ends its side.
fn read_from(bytes: &[u8], mode: ProxyProtocol, one_by_one: bool) -> Result<Preface, PrefaceError> {
    run(async {
        let (mut stream, mut client) = tcp_pair().await;
        let worker = worker();
        let mut deadline = Deadline::new(Instant::now() + Duration::from_mins(1));
        let peer = PEER.parse().expect("address");
        let pieces = bytes.chunks(if one_by_one { 1 } else { bytes.len().max(1) });
        let send = async {
            for piece in pieces {
                // The other side may have seen enough.
                if client.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let _ = client.shutdown().await;
        };
        let (read, ()) = tokio::join!(read(&mut stream, peer, mode, &mut deadline, &worker), send);
        read
    })
}

#[test]
fn a_header_names_the_client() {
    for one_by_one in [false, true] {
        for mode in [ProxyProtocol::Accept, ProxyProtocol::Require] {
            let preface = read_from(V1, mode, one_by_one).expect("a header");
            assert_eq!(preface.client.to_string(), "192.0.2.1:1111");
            assert_eq!(preface.rest, b"");
        }
    }
}

#[test]
fn what_follows_is_kept() {
    let sent = [V1, b"GET / HTTP/1.1\r\n"].concat();
    let preface = read_from(&sent, ProxyProtocol::Require, false).expect("a header");
    assert_eq!(preface.rest, b"GET / HTTP/1.1\r\n");
}

#[test]
fn an_unknown_client_is_the_peer() {
    let preface = read_from(b"PROXY UNKNOWN\r\n", ProxyProtocol::Require, true).expect("a header");
    assert_eq!(preface.client.to_string(), PEER);
}

#[test]
fn a_mapped_address_is_an_ipv4_one() {
    let header = b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1111 80\r\n";
    let preface = read_from(header, ProxyProtocol::Require, false).expect("a header");
    assert_eq!(preface.client.to_string(), "192.0.2.1:1111");
}

#[test]
fn without_a_header() {
    let request = b"GET / HTTP/1.1\r\n\r\n";
    let preface = read_from(request, ProxyProtocol::Accept, false).expect("none is needed");
    assert_eq!(preface.client.to_string(), PEER);
    assert_eq!(preface.rest, request, "nothing is lost");
    let refused = read_from(request, ProxyProtocol::Require, false);
    assert_eq!(refused.err(), Some(PrefaceError::Invalid));
    let off = read_from(V1, ProxyProtocol::Off, false).expect("not looked for");
    assert_eq!(
        (off.client.to_string(), off.rest),
        (PEER.to_owned(), vec![])
    );
}

#[test]
fn what_is_malformed_or_ends_inside_is_refused() {
    for sent in [
        &b"PROXY TCP4 192.0.2.1\r\n"[..],
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 80",
        b"PRO",
        b"\r\n\r\n\0\r\nQUIT\n\x31\0\0\0",
    ] {
        for mode in [ProxyProtocol::Accept, ProxyProtocol::Require] {
            let read = read_from(sent, mode, false);
            assert_eq!(
                read.err(),
                Some(PrefaceError::Invalid),
                "{}",
                sent.escape_ascii()
            );
        }
    }
    let silent = read_from(b"", ProxyProtocol::Require, false);
    assert_eq!(silent.err(), Some(PrefaceError::Closed));
}
