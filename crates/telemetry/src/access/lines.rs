//! The formats of the access log, and what they share.

use std::io::Write;
use std::net::IpAddr;

use super::record::{AccessRecord, TcpRecord};
use super::{combined, json};
use crate::json::push_number;

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object.
    Json,
    /// The combined format of Apache httpd and nginx.
    Combined,
}

impl Format {
    /// Appends the line of a request, with its line feed.
    pub(super) fn http(self, out: &mut Vec<u8>, record: &AccessRecord<'_>) {
        match self {
            Self::Json => json::http(out, record),
            Self::Combined => combined::http(out, record),
        }
    }

    /// Appends the line of a session, with its line feed.
    pub(super) fn tcp(self, out: &mut Vec<u8>, record: &TcpRecord<'_>) {
        match self {
            Self::Json => json::tcp(out, record),
            Self::Combined => combined::tcp(out, record),
        }
    }
}

/// An address; an IPv4 address inside IPv6 as what it is.
pub(super) fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            push_number(out, a);
            for octet in [b, c, d] {
                out.push(b'.');
                push_number(out, octet);
            }
        }
        IpAddr::V6(v6) => {
            // Writing to a Vec does not fail.
            let _ = write!(out, "{v6}");
        }
    }
}
