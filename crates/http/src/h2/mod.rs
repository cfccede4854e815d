//! HTTP/2 (RFC 9113) in terms of HTTP/1.1: each stream of a connection is an [`Exchange`](crate::exchange::Exchange).
//!
//! Frames, HPACK, windows and the states of streams are the `h2` crate's. Here is what joins the two: [`Carried`] is what
//! `h2` reads from and writes to, and [`Http2Exchange`] is one of a client's streams. [`Asked`] is one to a server.

mod asked;
mod carried;
mod exchange;
mod flood;

pub use asked::{Asked, Untouched};
pub use carried::Carried;
pub use exchange::Http2Exchange;
pub use flood::Watch;

/// What a client that speaks HTTP/2 begins with (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether `bytes` are the start of a connection of HTTP/2; `None` where more have to come to tell.
pub fn begins_with_preface(bytes: &[u8]) -> Option<bool> {
    let length = bytes.len().min(PREFACE.len());
    if bytes.get(..length) != PREFACE.get(..length) {
        return Some(false);
    }
    (length == PREFACE.len()).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_told_from_a_request() {
        assert_eq!(begins_with_preface(b""), None);
        assert_eq!(begins_with_preface(b"P"), None);
        assert_eq!(begins_with_preface(b"PO"), Some(false));
        assert_eq!(begins_with_preface(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"), None);
        assert_eq!(
            begins_with_preface(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore"),
            Some(true)
        );
        assert_eq!(begins_with_preface(b"PRI * HTTP/1.1\r\n"), Some(false));
    }
}
