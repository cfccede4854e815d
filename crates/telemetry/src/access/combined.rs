//! Lines in Apache's combined log format:
//! `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"`.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::lines::push_ip;
use super::record::{AccessRecord, TcpRecord};
use crate::json::{hex, push_number};
use crate::timestamp::Timestamp;

pub(super) fn http(out: &mut Vec<u8>, record: &AccessRecord<'_>) {
    client_and_time(out, record.client, record.time);
    match record.request {
        Some(request) => {
            escape(out, request.method);
            out.push(b' ');
            escape(out, request.target);
            out.push(b' ');
            out.extend_from_slice(request.version.as_str().as_bytes());
        }
        None => out.push(b'-'),
    }
    out.extend_from_slice(b"\" ");
    match record.status {
        Some(status) => push_number(out, status),
        None => out.push(b'-'),
    }
    out.push(b' ');
    size(out, record.response_bytes);
    out.extend_from_slice(b" \"");
    escape(out, record.referer.unwrap_or(b"-"));
    out.extend_from_slice(b"\" \"");
    escape(out, record.user_agent.unwrap_or(b"-"));
    out.extend_from_slice(b"\"\n");
}

/// The format knows no sessions: the request line becomes `TCP` or `UDP`, the listener and the server.
pub(super) fn tcp(out: &mut Vec<u8>, record: &TcpRecord<'_>) {
    client_and_time(out, record.client, record.time);
    out.extend_from_slice(match record.datagrams {
        None => b"TCP ",
        Some(_) => b"UDP ",
    });
    escape(out, record.listener.as_bytes());
    out.push(b' ');
    escape(out, record.server.unwrap_or("-").as_bytes());
    out.extend_from_slice(b"\" - ");
    size(out, record.sent_bytes);
    out.extend_from_slice(b" \"-\" \"-\"\n");
}

/// Up to the quote that opens the request line.
fn client_and_time(out: &mut Vec<u8>, client: Option<SocketAddr>, time: SystemTime) {
    match client {
        Some(address) => push_ip(out, address.ip()),
        None => out.push(b'-'),
    }
    out.extend_from_slice(b" - - [");
    Timestamp::from(time).write_apache(out);
    out.extend_from_slice(b"] \"");
}

/// `%b`: a dash and not 0 where nothing was sent.
fn size(out: &mut Vec<u8>, bytes: u64) {
    if bytes == 0 {
        out.push(b'-');
    } else {
        push_number(out, bytes);
    }
}

/// As Apache does: quotes and backslashes get a backslash, some control bytes their letter, and whatever else is not
/// printable ASCII becomes `\xhh`.
fn escape(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = text.iter().position(|byte| needs_escape(*byte)) {
        out.extend_from_slice(&text[..at]);
        out.push(b'\\');
        match text[at] {
            byte @ (b'"' | b'\\') => out.push(byte),
            0x08 => out.push(b'b'),
            b'\n' => out.push(b'n'),
            b'\r' => out.push(b'r'),
            b'\t' => out.push(b't'),
            0x0b => out.push(b'v'),
            byte => {
                out.push(b'x');
                out.extend_from_slice(&hex(byte));
            }
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

fn needs_escape(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') || byte == b'"' || byte == b'\\'
}
