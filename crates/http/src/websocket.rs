//! The handshake of WebSocket in HTTP/1.1 (RFC 6455, 4), for connections that have another one (RFC 8441, RFC 9220): those
//! know neither the key nor what proves that it was read.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sluice_wire::h1::{Framing, Method, RequestHead};

/// A `Sec-WebSocket-Key`: 16 bytes in base64. It need not be secret.
pub fn key(random: u128) -> String {
    STANDARD.encode(random.to_le_bytes())
}

/// The `Sec-WebSocket-Accept` that belongs to a key (RFC 6455, 4.2.2).
pub fn accept(key: &[u8]) -> String {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(GUID);
    STANDARD.encode(digest.finish())
}

/// The key of a request that asks to switch to WebSocket in the way of HTTP/1.1 (RFC 6455, 4.2.1).
pub fn key_of<'b>(head: &RequestHead<'_, 'b>) -> Option<&'b [u8]> {
    let has_body = !matches!(head.framing, Framing::None | Framing::Length(0));
    if has_body || head.method != Method::Get || !head.upgrade.is_some_and(is_meant) {
        return None;
    }
    head.fields.named("sec-websocket-key")
}

/// Whether `Upgrade` or `:protocol` says WebSocket.
pub fn is_meant(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("websocket")
}

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_bytes() {
        assert_eq!(key(0), "AAAAAAAAAAAAAAAAAAAAAA==");
        assert_eq!(key(u128::MAX), "/////////////////////w==");
        assert_eq!(key(1), "AQAAAAAAAAAAAAAAAAAAAA==");
    }

    /// The example of RFC 6455, 1.3.
    #[test]
    fn what_is_accepted_belongs_to_the_key() {
        assert_eq!(
            accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
