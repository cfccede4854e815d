//! A connection's first bytes as a TLS hello: any bytes in, and what must hold of the verdict.

use sluice_wire::tls::{HelloReader, MAX_HELLO};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let mut reader = HelloReader::default();
    let whole = reader.read(input);
    if let Ok(Some(mut hello)) = whole.clone() {
        if let Some(name) = hello.server_name {
            assert!((1..=255).contains(&name.len()) && name.is_ascii() && !name.ends_with('.'));
        }
        assert!(hello.protocols.all(|protocol| !protocol.is_empty()));
    }
    // What was decided about a beginning stays decided, and nothing is waited for beyond the limit.
    let mut reader = HelloReader::default();
    for length in 0..=input.len().min(MAX_HELLO + 10) {
        match reader.read(&input[..length]) {
            Ok(None) => assert!(length <= MAX_HELLO),
            early => {
                assert_eq!(early, whole, "decided at {length}");
                return;
            }
        }
    }
    assert_eq!(whole, Ok(None));
}
