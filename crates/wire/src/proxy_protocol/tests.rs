//! Headers in, whom they name out; each also byte by byte.

use std::net::SocketAddr;

use super::crc32c::crc32c;
use super::{
    Client, Detection, Error, Header, MAX_V1_LEN, MAX_V2_LEN, Version, detect, parse, write_v1,
    write_v1_own, write_v2, write_v2_own,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn addresses(source: &str, destination: &str) -> Client {
    Client::Addresses {
        source: address(source),
        destination: address(destination),
    }
}

/// Parses the whole with more behind it, and every beginning of it.
fn parse_every_way(input: &[u8]) -> Result<Option<(Header, usize)>, Error> {
    let whole = parse(input);
    for len in 0..input.len() {
        match parse(&input[..len]) {
            Ok(None) => {}
            early => assert_eq!(early, whole, "decided at {len}"),
        }
    }
    if whole != Ok(None) {
        let mut more = input.to_vec();
        more.extend_from_slice(b"GET / HTTP/1.1\r\n");
        assert_eq!(parse(&more), whole, "with more behind it");
    }
    whole
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[command, family]);
    header.extend_from_slice(&u16::try_from(block.len()).unwrap().to_be_bytes());
    header.extend_from_slice(block);
    header
}

#[test]
fn lines() {
    let table = [
        (
            "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
            addresses("192.0.2.1:56324", "192.0.2.2:443"),
        ),
        (
            "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n",
            addresses("0.0.0.0:0", "255.255.255.255:65535"),
        ),
        (
            "PROXY TCP6 ::1 2001:db8::2 1 2\r\n",
            addresses("[::1]:1", "[2001:db8::2]:2"),
        ),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            addresses(
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            ),
        ),
        (
            "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n",
            addresses("[::ffff:192.0.2.1]:1", "[::1]:2"),
        ),
        ("PROXY UNKNOWN\r\n", Client::Unknown),
        ("PROXY UNKNOWN ffff::1 whatever\r\n", Client::Unknown),
    ];
    for (line, client) in table {
        let header = Header {
            version: Version::V1,
            client,
        };
        assert_eq!(
            parse_every_way(line.as_bytes()),
            Ok(Some((header, line.len()))),
            "{line}"
        );
    }
}

#[test]
fn refused_lines() {
    for line in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 \r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 [::1] [::1] 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX",
        "PROXY UNKNOWN\n",
        "PROXY UNKNOWN\r\r\n",
    ] {
        assert_eq!(
            parse_every_way(line.as_bytes()),
            Err(Error::Line),
            "{line:?}"
        );
    }
    assert_eq!(
        parse_every_way(b"PROXY TCP4 \xff 192.0.2.2 1 2\r\n"),
        Err(Error::Line)
    );
    let unknown = |len: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(len - 16));
    assert!(parse_every_way(unknown(MAX_V1_LEN).as_bytes()).is_ok());
    assert_eq!(
        parse_every_way(unknown(MAX_V1_LEN + 1).as_bytes()),
        Err(Error::Line)
    );
    assert_eq!(
        parse_every_way(&[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat()),
        Err(Error::Line)
    );
}

#[test]
fn binary_headers() {
    let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x01, 0x02, 0x01, 0xBB];
    let client_v4 = addresses("192.0.2.1:258", "192.0.2.2:443");
    let mut v6 = [0; 36];
    (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 3, 4);
    let client_v6 = addresses("[::1]:3", "[::2]:4");
    let with = |block: &[u8], more: &[u8]| [block, more].concat();
    let table: &[(u8, u8, Vec<u8>, Client)] = &[
        (0x21, 0x11, v4.to_vec(), client_v4),
        (0x21, 0x12, v4.to_vec(), client_v4),
        (0x21, 0x21, v6.to_vec(), client_v6),
        (0x21, 0x22, v6.to_vec(), client_v6),
        (0x21, 0x31, vec![b'/'; 216], Client::Unknown),
        (0x21, 0x32, vec![b'/'; 216], Client::Unknown),
        (0x21, 0x00, vec![], Client::Unknown),
        (0x21, 0x00, vec![1, 2, 3], Client::Unknown),
        (0x21, 0x10, v4.to_vec(), Client::Unknown),
        (0x20, 0x00, vec![], Client::Proxy),
        (0x20, 0x11, v4.to_vec(), Client::Proxy),
        (0x20, 0xFF, vec![1, 2, 3], Client::Proxy),
        // Extensions are stepped over.
        (0x21, 0x11, with(&v4, &[0x01, 0, 2, b'h', b'2']), client_v4),
        (
            0x21,
            0x21,
            with(&v6, &[0x04, 0, 0, 0xEA, 0, 1, 7]),
            client_v6,
        ),
    ];
    for (command, family, block, client) in table {
        let header = v2(*command, *family, block);
        let expected = Header {
            version: Version::V2,
            client: *client,
        };
        assert_eq!(
            parse_every_way(&header),
            Ok(Some((expected, header.len()))),
            "{command:x} {family:x} {block:?}"
        );
    }
    let longest = v2(0x20, 0, &vec![0; MAX_V2_LEN - 16]);
    assert_eq!(parse(&longest).unwrap().unwrap().1, MAX_V2_LEN);
}

#[test]
fn refused_binary_headers() {
    let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x01, 0x02, 0x01, 0xBB];
    let with = |more: &[u8]| [&v4[..], more].concat();
    let table: &[(u8, u8, Vec<u8>, Error)] = &[
        (0x11, 0x11, v4.to_vec(), Error::Kind),
        (0x31, 0x11, v4.to_vec(), Error::Kind),
        (0x01, 0x11, v4.to_vec(), Error::Kind),
        (0x22, 0x11, v4.to_vec(), Error::Kind),
        (0x2F, 0x11, v4.to_vec(), Error::Kind),
        (0x21, 0x13, v4.to_vec(), Error::Kind),
        (0x21, 0x41, v4.to_vec(), Error::Kind),
        (0x21, 0xF1, v4.to_vec(), Error::Kind),
        (0x21, 0x11, v4[..11].to_vec(), Error::Length),
        (0x21, 0x11, vec![], Error::Length),
        (0x21, 0x21, vec![0; 35], Error::Length),
        (0x21, 0x31, vec![0; 215], Error::Length),
        (0x21, 0x11, with(&[1]), Error::Length),
        (0x21, 0x11, with(&[1, 0]), Error::Length),
        (0x21, 0x11, with(&[1, 0, 1]), Error::Length),
        (0x21, 0x11, with(&[1, 0xFF, 0xFF, 0]), Error::Length),
        (0x21, 0x11, with(&[3, 0, 3, 0, 0, 0]), Error::Length),
        (0x21, 0x11, with(&[3, 0, 4, 0, 0, 0, 0]), Error::Checksum),
        (0x21, 0x11, vec![0; MAX_V2_LEN - 15], Error::TooLong),
    ];
    for (command, family, block, error) in table {
        let header = v2(*command, *family, block);
        assert_eq!(
            parse_every_way(&header),
            Err(*error),
            "{command:x} {family:x} {block:?}"
        );
    }
}

#[test]
fn checksums() {
    let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x01, 0x02, 0x01, 0xBB];
    for (before, after) in [
        (&[][..], &[][..]),
        (&[0x04, 0, 1, 9][..], &[0x01, 0, 2, b'h', b'2'][..]),
    ] {
        let block = [&v4[..], before, &[3, 0, 4, 0, 0, 0, 0], after].concat();
        let mut header = v2(0x21, 0x11, &block);
        let sum = crc32c([header.as_slice()]);
        let at = 16 + v4.len() + before.len() + 3;
        header[at..at + 4].copy_from_slice(&sum.to_be_bytes());
        assert!(matches!(parse_every_way(&header), Ok(Some(_))));
        for flipped in [at, 16, header.len() - 1] {
            let mut broken = header.clone();
            broken[flipped] ^= 1;
            assert_eq!(parse_every_way(&broken), Err(Error::Checksum));
        }
    }
}

#[test]
fn detection() {
    let table: &[(&[u8], Detection)] = &[
        (b"", Detection::Undecided),
        (b"P", Detection::Undecided),
        (b"PR", Detection::Undecided),
        (b"PROXY", Detection::Undecided),
        (b"PROXY ", Detection::Present(Version::V1)),
        (b"PROXY\t", Detection::Absent),
        (b"PO", Detection::Absent),
        (b"PU", Detection::Absent),
        (b"PA", Detection::Absent),
        (b"PROP", Detection::Absent),
        (b"PRI", Detection::Absent),
        (b"proxy ", Detection::Absent),
        (b"G", Detection::Absent),
        (b"\x16", Detection::Absent),
        (b"\r", Detection::Undecided),
        (b"\r\n\r\n", Detection::Undecided),
        (b"\r\n\r\nG", Detection::Absent),
        (b"\r\nG", Detection::Absent),
        (b"\r\n\r\n\0\r\nQUIT", Detection::Undecided),
        (SIGNATURE, Detection::Present(Version::V2)),
    ];
    for (input, expected) in table {
        assert_eq!(detect(input), *expected, "{input:?}");
        let refused = parse(input) == Err(Error::Signature);
        assert_eq!(refused, *expected == Detection::Absent, "{input:?}");
    }
}

#[test]
fn written() {
    let table = [
        (
            "192.0.2.1:1",
            "192.0.2.2:2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            28,
        ),
        (
            "[2001:db8::1]:1",
            "[::2]:65535",
            "PROXY TCP6 2001:db8::1 ::2 1 65535\r\n",
            52,
        ),
        (
            "192.0.2.1:1",
            "[::2]:2",
            "PROXY TCP6 ::ffff:192.0.2.1 ::2 1 2\r\n",
            52,
        ),
        (
            "[::1]:1",
            "192.0.2.2:2",
            "PROXY TCP6 ::1 ::ffff:192.0.2.2 1 2\r\n",
            52,
        ),
    ];
    for (source, destination, line, v2_len) in table {
        let (source, destination) = (address(source), address(destination));
        let mut out = b"x".to_vec();
        write_v1(source, destination, &mut out);
        assert_eq!(std::str::from_utf8(&out[1..]).unwrap(), line);
        let (first, _) = parse_every_way(&out[1..]).unwrap().unwrap();

        let mut out = b"x".to_vec();
        write_v2(source, destination, &mut out);
        assert_eq!(out.len() - 1, v2_len);
        let (second, len) = parse_every_way(&out[1..]).unwrap().unwrap();
        assert_eq!((len, second.version), (v2_len, Version::V2));
        assert_eq!(first.client, second.client);
    }
}

#[test]
fn what_speaks_for_nobody_is_read_as_such() {
    let (mut v1, mut v2) = (Vec::new(), Vec::new());
    write_v1_own(&mut v1);
    write_v2_own(&mut v2);
    assert_eq!(v1, b"PROXY UNKNOWN\r\n");
    assert_eq!(v2, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    for (header, client) in [(v1, Client::Unknown), (v2, Client::Proxy)] {
        let parsed = parse(&header).expect("a header").expect("a whole one");
        assert_eq!((parsed.0.client, parsed.1), (client, header.len()));
    }
}
