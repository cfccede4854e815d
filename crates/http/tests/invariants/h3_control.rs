//! Streams of one direction of HTTP/3: any bytes in, however they are cut, from clients and servers.

use sluice_http::h3::{Code, Heard, Peer, Speech};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    for peer in [Peer::Client, Peer::Server] {
        let whole = hear(peer, input, input.len().max(1));
        for chunk in [1, 2, 3, 7] {
            assert_eq!(hear(peer, input, chunk), whole, "in parts of {chunk}");
        }
        if let Ok((heard, ended)) = whole {
            assert!(heard.has_settings || heard.farewell.is_none());
            assert!(!heard.has_settings || ended == Err(Code::ClosedCriticalStream));
        }
    }
}

fn hear(peer: Peer, input: &[u8], chunk: usize) -> Result<(Heard, Result<(), Code>), Code> {
    let mut heard = Heard::default();
    let mut speech = Speech::of(peer);
    for part in input.chunks(chunk) {
        speech.take(part, &mut heard)?;
    }
    Ok((heard, speech.end()))
}
