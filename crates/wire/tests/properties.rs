//! Properties over random input: what must hold for any bytes, and round trips.

use std::fmt::Write as _;
use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use sluice_wire::h1::{
    CHUNK_END, CHUNK_HEADER_LEN, Chunks, FieldStorage, LAST_CHUNK, Limits, chunk_header,
    parse_request,
};
use sluice_wire::proxy_protocol::{Client, parse, write_v1, write_v2};

mod invariants;

use invariants::chunked::decode;

/// Text that is nearly right: pieces of the grammar in any order, with some bytes put in anywhere.
fn nearly(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let noise = vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (vec(prop::sample::select(pieces), 0..24), noise).prop_map(|(pieces, noise)| {
        let mut bytes = pieces.concat().into_bytes();
        for (at, byte) in noise {
            let at = at.index(bytes.len() + 1);
            bytes.insert(at, byte);
        }
        bytes
    })
}

const REQUEST: &[&str] = &[
    "GET",
    "POST",
    "OPTIONS",
    "CONNECT",
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "GET http://b/c HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    " ",
    "/",
    "HTTP/1.1",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    ":",
    "Host: a\r\n",
    "Host: a\r\n\r\n",
    "Host:",
    "Content-Length: 5\r\n",
    "Content-Length: 05\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Connection: close\r\n",
    "Connection: x, upgrade\r\n",
    "Upgrade: y\r\n",
    "X: z\r\n",
    "x:\r\n",
    "\t",
    "Expect: 100-continue\r\n",
];

const RESPONSE: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 204 x\r\n",
    "HTTP/1.1 304\r\n",
    "HTTP/1.1 101 x\r\n",
    "HTTP/1.1 ",
    "200",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    " ",
    ":",
    "A: b\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close, a\r\n",
    "Connection: keep-alive\r\n",
    "Upgrade: b\r\n",
];

const CHUNKED: &[&str] = &[
    "\u{1}",
    "\u{7}",
    "0",
    "1",
    "3\r\nabc\r\n",
    "a",
    "F",
    "\r\n",
    "\r",
    "\n",
    "x",
    "abc",
    ";",
    ";a",
    "=b",
    "\"c\"",
    "0\r\n",
    "0\r\n\r\n",
    "A: b\r\n",
    "A: b\r\n\r\n",
    "Host: a\r\n",
    "3;a=b\r\nabc\r\n",
    " ",
    "1\r\n\r\r\n",
];

const PROXY: &[&str] = &[
    "PROXY ",
    "TCP4 ",
    "TCP6 ",
    "UNKNOWN",
    "192.0.2.1 ",
    "::1 ",
    "1 ",
    "65535",
    "0",
    "\r\n",
    "\r\n\r\n\0\r\nQUIT\n",
    "!",
    "\u{11}",
    "\u{21}",
    "\0",
    "\0\u{c}",
    "\0\0\0\0",
    "\0\0\0\0\0\0\0\0\0\0\0\0",
    "\u{3}\0\u{4}",
];

proptest! {
    #[test]
    fn any_bytes_as_request(bytes in vec(any::<u8>(), 0..300)) {
        invariants::h1_request::check(&bytes);
    }

    #[test]
    fn nearly_a_request(bytes in nearly(REQUEST)) {
        invariants::h1_request::check(&bytes);
    }

    #[test]
    fn any_bytes_as_response(bytes in vec(any::<u8>(), 0..300)) {
        invariants::h1_response::check(&bytes);
    }

    #[test]
    fn nearly_a_response(bytes in nearly(RESPONSE)) {
        invariants::h1_response::check(&bytes);
    }

    #[test]
    fn any_bytes_as_chunks(bytes in vec(any::<u8>(), 0..300)) {
        invariants::chunked::check(&bytes);
    }

    #[test]
    fn nearly_chunks(bytes in nearly(CHUNKED)) {
        invariants::chunked::check(&bytes);
    }

    #[test]
    fn any_bytes_as_proxy_header(bytes in vec(any::<u8>(), 0..300)) {
        invariants::proxy_protocol::check(&bytes);
    }

    #[test]
    fn nearly_a_proxy_header(bytes in nearly(PROXY)) {
        invariants::proxy_protocol::check(&bytes);
    }

    #[test]
    fn any_bytes_as_section(bytes in vec(any::<u8>(), 0..300)) {
        invariants::qpack_section::check(&bytes);
    }

    #[test]
    fn any_bytes_as_hello(bytes in vec(any::<u8>(), 0..300)) {
        invariants::client_hello::check(&bytes);
    }

    /// Random bytes within records and a message whose lengths are right, so that what is inside is looked at.
    #[test]
    fn any_extensions_of_a_hello(
        extensions in vec((prop::sample::select(vec![0_u16, 16, 21, 43]), vec(0_u8..6, 0..12)), 0..5),
        record in 1_usize..80,
        noise in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let vector = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        let list: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, data)| [&kind.to_be_bytes()[..], &vector(data)].concat())
            .collect();
        let body = [&[3; 34][..], &[0, 0, 2, 0x13, 1, 1, 0], &vector(&list)].concat();
        let message = [&[1, 0][..], &vector(&body)].concat();
        let mut bytes: Vec<u8> = message
            .chunks(record)
            .flat_map(|fragment| [&[22, 3, 1][..], &vector(fragment)].concat())
            .collect();
        if let Some((at, byte)) = noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        invariants::client_hello::check(&bytes);
    }

    /// Random payload, random chunks, random extensions, random pieces: the payload comes out.
    #[test]
    fn chunks_carry_their_payload(
        chunks in vec((vec(any::<u8>(), 1..400), prop::option::of("[a-z]{1,9}(=[a-z0-9]{1,9})?")), 0..20),
        piece in 1_usize..700,
        next in vec(any::<u8>(), 0..20),
    ) {
        let (mut body, mut plain, mut payload) = (Vec::new(), Vec::new(), Vec::new());
        for (bytes, extension) in &chunks {
            let mut room = [0; CHUNK_HEADER_LEN];
            let header = chunk_header(bytes.len() as u64, &mut room);
            plain.extend_from_slice(header);
            body.extend_from_slice(&header[..header.len() - 2]);
            if let Some(extension) = extension {
                body.push(b';');
                body.extend_from_slice(extension.as_bytes());
            }
            body.extend_from_slice(b"\r\n");
            for out in [&mut plain, &mut body] {
                out.extend_from_slice(bytes);
                out.extend_from_slice(CHUNK_END);
            }
            payload.extend_from_slice(bytes);
        }
        plain.extend_from_slice(LAST_CHUNK);
        body.extend_from_slice(LAST_CHUNK);
        let len = body.len();
        body.extend_from_slice(&next);
        for (chunks, expected) in [(Chunks::Kept, &plain), (Chunks::Removed, &payload)] {
            let outcome = decode(chunks, &body, piece).unwrap();
            prop_assert_eq!(&outcome.out, expected);
            prop_assert_eq!((outcome.used, outcome.payload, outcome.done), (len, payload.len() as u64, true));
        }
    }

    /// The fields of a head put together at random are found, whatever lies between them.
    #[test]
    fn fields_come_back(
        fields in vec(("[A-Za-z0-9_-]{1,20}", "[!-~]([ -~]{0,40}[!-~])?", "[ \t]{0,3}", "[ \t]{0,3}"), 0..40),
        dropped in any::<u64>(),
    ) {
        // The prefix keeps them from being well-known fields.
        let fields: Vec<_> = fields
            .iter()
            .enumerate()
            .map(|(index, (name, value, before, after))| {
                (format!("Q{index}-{name}"), value, format!("Q{index}-{name}:{before}{value}{after}\r\n"))
            })
            .collect();
        let mut text = "GET /a HTTP/1.1\r\nHost: a\r\n".to_owned();
        for (_, _, line) in &fields {
            text.push_str(line);
        }
        text.push_str("\r\n");
        let limits = Limits::default();
        let mut storage = FieldStorage::new();
        let head = parse_request(text.as_bytes(), &mut storage, &limits).unwrap().unwrap();
        let found: Vec<_> = head.fields.iter().skip(1).map(|field| (field.name, field.value)).collect();
        let given: Vec<_> = fields.iter().map(|(name, value, _)| (name.as_str(), value.as_bytes())).collect();
        prop_assert_eq!(found, given);

        let (mut out, mut index) = (Vec::new(), 0);
        head.fields.write_kept(&mut out, |_| {
            index += 1;
            dropped >> (index - 1) & 1 == 0
        });
        let mut expected = String::new();
        if dropped & 1 == 0 {
            expected.push_str("Host: a\r\n");
        }
        for (index, (_, _, line)) in fields.iter().enumerate() {
            if dropped >> (index + 1) & 1 == 0 {
                write!(expected, "{line}").unwrap();
            }
        }
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    /// Addresses of any families come back, as IPv6 where the families differ.
    #[test]
    fn proxy_headers_come_back(source in any::<SocketAddr>(), destination in any::<SocketAddr>()) {
        let plain = |address: SocketAddr, as_v6: bool| match address {
            SocketAddr::V4(v4) if as_v6 => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            other => SocketAddr::new(other.ip(), other.port()),
        };
        let mixed = source.is_ipv4() != destination.is_ipv4();
        let expected = Client::Addresses {
            source: plain(source, mixed),
            destination: plain(destination, mixed),
        };
        for write in [write_v1, write_v2] {
            let mut out = Vec::new();
            write(source, destination, &mut out);
            let (header, len) = parse(&out).unwrap().unwrap();
            prop_assert_eq!((header.client, len), (expected, out.len()));
        }
    }
}
