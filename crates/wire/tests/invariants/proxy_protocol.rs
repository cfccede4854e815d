//! PROXY protocol headers: any bytes in, and what must hold of the verdict.

use sluice_wire::proxy_protocol::{
    Client, Detection, Error, MAX_V1_LEN, MAX_V2_LEN, Version, detect, parse, write_v1, write_v2,
};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let whole = parse(input);
    match detect(input) {
        Detection::Absent => assert_eq!(whole, Err(Error::Signature)),
        Detection::Undecided => assert_eq!(whole, Ok(None)),
        Detection::Present(version) => {
            assert_ne!(whole, Err(Error::Signature));
            if let Ok(Some((header, len))) = whole {
                assert_eq!(header.version, version);
                check_header(header.client, version, len);
                assert!(len <= input.len());
            }
        }
    }
    // What was decided about a beginning stays decided.
    for len in 0..input.len().min(300) {
        match parse(&input[..len]) {
            Ok(None) => {}
            early => assert_eq!(early, whole, "decided at {len}"),
        }
    }
}

fn check_header(client: Client, version: Version, len: usize) {
    match version {
        Version::V1 => assert!(len <= MAX_V1_LEN),
        Version::V2 => assert!(len <= MAX_V2_LEN),
    }
    let Client::Addresses {
        source,
        destination,
    } = client
    else {
        return;
    };
    assert_eq!(source.is_ipv4(), destination.is_ipv4());
    for write in [write_v1, write_v2] {
        let mut out = Vec::new();
        write(source, destination, &mut out);
        let (header, len) = parse(&out)
            .expect("what we write, we accept")
            .expect("and it is whole");
        assert_eq!((header.client, len), (client, out.len()));
    }
}
