//! Hellos put together by hand, whole and broken.

use super::*;

/// A vector with two bytes of length.
fn vector16(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes(), bytes].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), vector16(data)].concat()
}

fn server_name(name: &[u8]) -> Vec<u8> {
    extension(0, &vector16(&[&[0], &*vector16(name)].concat()))
}

fn alpn(names: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = names
        .iter()
        .flat_map(|name| {
            let length = u8::try_from(name.len()).expect("short");
            [&[length], name.as_bytes()].concat()
        })
        .collect();
    extension(16, &vector16(&list))
}

/// A handshake message with a body of this version and what stands behind the compression methods.
fn message_of(version: [u8; 2], behind: &[u8]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[4, 1, 2, 3, 4]);
    body.extend_from_slice(&[0, 4, 0x13, 1, 0x13, 2]);
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(behind);
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[1], &length[1..], &body].concat()
}

fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
    message_of([3, 3], &vector16(&extensions.concat()))
}

fn record(fragment: &[u8]) -> Vec<u8> {
    [&[22, 3, 1], &*vector16(fragment)].concat()
}

fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    record(&message(extensions))
}

/// The server name and the protocols.
type Found = (Option<String>, Vec<String>);

/// The verdict on bytes that come all at once, with the server name and the protocols.
fn verdict(bytes: &[u8]) -> Result<Option<Found>, HelloError> {
    let mut reader = HelloReader::default();
    let hello = reader.read(bytes)?;
    Ok(hello.map(|hello| {
        let protocols = hello
            .protocols
            .map(|name| String::from_utf8_lossy(name).into_owned());
        (
            hello.server_name.map(str::to_owned),
            protocols.collect::<Vec<_>>(),
        )
    }))
}

fn found(name: Option<&str>, protocols: &[&str]) -> Found {
    let protocols = protocols.iter().map(|&name| name.to_owned()).collect();
    (name.map(str::to_owned), protocols)
}

fn whole() -> Vec<u8> {
    let grease = extension(0x1a1a, &[0]);
    let ech = extension(0xfe0d, &[9; 40]);
    hello(&[
        grease,
        server_name(b"a.example.com"),
        ech,
        alpn(&["h2", "http/1.1"]),
    ])
}

#[test]
fn what_a_hello_says() {
    for (bytes, expected) in [
        (whole(), found(Some("a.example.com"), &["h2", "http/1.1"])),
        (hello(&[]), found(None, &[])),
        (hello(&[alpn(&["x"])]), found(None, &["x"])),
        (
            hello(&[server_name(b"A_b-1.X")]),
            found(Some("A_b-1.X"), &[]),
        ),
        (record(&message_of([3, 1], &[])), found(None, &[])),
        (
            record(&message_of([3, 2], &vector16(&server_name(b"old")))),
            found(Some("old"), &[]),
        ),
        (
            [whole(), vec![0xff; 70_000]].concat(),
            found(Some("a.example.com"), &["h2", "http/1.1"]),
        ),
    ] {
        assert_eq!(verdict(&bytes), Ok(Some(expected)));
    }
}

#[test]
fn records_may_be_cut_anywhere() {
    let message = message(&[server_name(b"a.example.com"), alpn(&["h2"])]);
    let expected = Ok(Some(found(Some("a.example.com"), &["h2"])));
    for size in 1..message.len() {
        let bytes: Vec<u8> = message.chunks(size).flat_map(record).collect();
        assert_eq!(verdict(&bytes), expected, "records of {size}");
    }
    for at in 1..message.len() {
        let bytes = [record(&message[..at]), record(&message[at..])].concat();
        assert_eq!(verdict(&bytes), expected, "cut at {at}");
    }
}

#[test]
fn pieces_may_come_as_they_like() {
    let bytes = whole();
    let mut reader = HelloReader::default();
    for length in 0..bytes.len() {
        assert_eq!(reader.read(&bytes[..length]), Ok(None), "{length} bytes");
    }
    let hello = reader.read(&bytes).expect("good").expect("whole");
    assert_eq!(hello.server_name, Some("a.example.com"));
}

#[test]
fn no_byte_can_be_turned_into_a_panic_or_a_longer_wait() {
    let bytes = whole();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let at_once = verdict(&flipped);
            let mut reader = HelloReader::default();
            let pieces =
                (0..=flipped.len()).find_map(|length| match reader.read(&flipped[..length]) {
                    Ok(None) => None,
                    decided => Some(decided.map(|_| ())),
                });
            match at_once {
                Ok(None) => assert_eq!(pieces, None),
                decided => assert_eq!(pieces, Some(decided.map(|_| ()))),
            }
        }
    }
}

#[test]
fn what_is_refused() {
    use HelloError::*;
    let with = |at: usize, byte: u8| {
        let mut bytes = whole();
        bytes[at] = byte;
        bytes
    };
    let names = |list: &[u8]| hello(&[extension(0, &vector16(list))]);
    let long = |length: u32| {
        let length = length.to_be_bytes();
        record(&[1, length[1], length[2], length[3]])
    };
    for (what, bytes, expected) in [
        ("a request", b"GET / HTTP/1.1\r\n".to_vec(), NotTls),
        ("SSL 2.0", vec![0x80, 0x2e, 1, 3, 1], NotTls),
        ("application data", with(0, 23), NotTls),
        ("SSL 2.0 in a record", with(1, 2), Version),
        ("SSL 3.0", record(&message_of([3, 0], &[])), Version),
        (
            "a version to come",
            record(&message_of([4, 0], &[])),
            Version,
        ),
        ("an empty record", vec![22, 3, 1, 0, 0], RecordLength),
        ("a long record", vec![22, 3, 1, 0x40, 1], RecordLength),
        ("a ServerHello", with(5, 2), Unexpected),
        (
            "an alert between",
            [record(&message(&[])[..9]), vec![21]].concat(),
            Unexpected,
        ),
        (
            "more behind it",
            record(&[message(&[]), vec![0]].concat()),
            Unexpected,
        ),
        ("nothing", record(&[1, 0, 0, 0]), Malformed),
        (
            "half an extension",
            record(&message_of([3, 3], &[0, 3, 0, 0, 0])),
            Malformed,
        ),
        (
            "bytes behind extensions",
            record(&message_of([3, 3], &[0, 0, 9])),
            Malformed,
        ),
        ("an empty list of names", names(&[]), Malformed),
        ("a name without an end", names(&[0, 0, 9, b'a']), Malformed),
        ("an empty name", hello(&[server_name(b"")]), Illegal),
        (
            "a trailing dot",
            hello(&[server_name(b"a.example.com.")]),
            Illegal,
        ),
        (
            "a name with NUL",
            hello(&[server_name(b"a\0.com")]),
            Illegal,
        ),
        ("an IPv6 address", hello(&[server_name(b"::1")]), Illegal),
        ("a long label", hello(&[server_name(&[b'a'; 64])]), Illegal),
        (
            "a long name",
            hello(&[server_name(&b"a.".repeat(129)[..257])]),
            Illegal,
        ),
        ("another kind of name", names(&[1, 0, 1, b'a']), Illegal),
        ("two names", names(&[0, 0, 1, b'a', 0, 0, 1, b'b']), Illegal),
        (
            "names twice",
            hello(&[server_name(b"a"), server_name(b"a")]),
            Illegal,
        ),
        (
            "protocols twice",
            hello(&[alpn(&["a"]), alpn(&["a"])]),
            Illegal,
        ),
        ("no protocols", hello(&[extension(16, &[0, 0])]), Malformed),
        ("an empty protocol", hello(&[alpn(&["h2", ""])]), Malformed),
        ("a long hello", long(16 * 1024 + 1), TooLong),
        (
            "many small records",
            [record(&[1, 0, 0x3f, 0]), record(&[0]).repeat(3_000)].concat(),
            TooLong,
        ),
        (
            "more than fits beside its record",
            [record(&[1, 0, 0x3f, 0xff]), record(&vec![0; 16_383])].concat(),
            TooLong,
        ),
    ] {
        assert_eq!(verdict(&bytes), Err(expected), "{what}");
    }
    let longest_name = b"a.".repeat(128)[..255].to_vec();
    for large in [server_name(&longest_name), extension(21, &[0; 15_000])] {
        assert!(verdict(&hello(&[large])).is_ok_and(|found| found.is_some()));
    }
}

#[test]
fn alerts_are_records() {
    assert_eq!(Alert::UnrecognizedName.record(), [21, 3, 3, 0, 2, 2, 112]);
    assert_eq!(HelloError::Malformed.alert(), Alert::DecodeError);
    assert_eq!(HelloError::NotTls.alert(), Alert::UnexpectedMessage);
}
