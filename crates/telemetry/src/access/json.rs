//! Lines as JSON objects. Members without a value are left out.

use std::net::SocketAddr;
use std::time::Duration;

use super::fields;
use super::lines::push_ip;
use super::record::{AccessRecord, TcpRecord, TlsRecord};
use crate::json::{Object, push_number};

pub(super) fn http(out: &mut Vec<u8>, record: &AccessRecord<'_>) {
    let mut line = Object::begin(out);
    line.timestamp(fields::TIME, record.time.into());
    line.plain(fields::KIND, |out| out.extend_from_slice(b"http"));
    line.text(fields::LISTENER, record.listener);
    client(&mut line, record.client);
    optional_text(&mut line, fields::SNI, record.server_name);
    if let Some(request) = record.request {
        line.bytes(fields::METHOD, request.method);
    }
    optional_bytes(&mut line, fields::HOST, record.host);
    if let Some(request) = record.request {
        line.bytes(fields::TARGET, request.target);
        line.plain(fields::VERSION, |out| {
            out.extend_from_slice(request.version.as_str().as_bytes());
        });
    }
    if let Some(status) = record.status {
        line.number(fields::STATUS, status);
    }
    line.number(fields::REQUEST_BYTES, record.request_bytes);
    line.number(fields::RESPONSE_BYTES, record.response_bytes);
    millis(&mut line, fields::DURATION_MS, record.duration);
    if let Some(time) = record.upstream_time {
        millis(&mut line, fields::UPSTREAM_MS, time);
    }
    optional_text(&mut line, fields::ROUTE, record.route);
    optional_text(&mut line, fields::UPSTREAM, record.upstream);
    optional_text(&mut line, fields::SERVER, record.server);
    line.number(fields::ATTEMPTS, record.attempts);
    optional_bytes(&mut line, fields::REQUEST_ID, record.request_id);
    tls(&mut line, record.tls);
    if record.early_data {
        line.literal(fields::EARLY_DATA, |out| out.extend_from_slice(b"true"));
    }
    line.text(fields::END, record.end.as_str());
    optional_text(&mut line, fields::LIMIT, record.limit);
    optional_bytes(&mut line, fields::USER_AGENT, record.user_agent);
    optional_bytes(&mut line, fields::REFERER, record.referer);
    line.end();
    out.push(b'\n');
}

pub(super) fn tcp(out: &mut Vec<u8>, record: &TcpRecord<'_>) {
    let mut line = Object::begin(out);
    line.timestamp(fields::TIME, record.time.into());
    let kind: &[u8] = match record.datagrams {
        None => b"tcp",
        Some(_) => b"udp",
    };
    line.plain(fields::KIND, |out| out.extend_from_slice(kind));
    line.text(fields::LISTENER, record.listener);
    client(&mut line, record.client);
    optional_text(&mut line, fields::SNI, record.server_name);
    if let Some((received, sent)) = record.datagrams {
        line.number(fields::RECEIVED_DATAGRAMS, received);
        line.number(fields::SENT_DATAGRAMS, sent);
    }
    line.number(fields::RECEIVED_BYTES, record.received_bytes);
    line.number(fields::SENT_BYTES, record.sent_bytes);
    millis(&mut line, fields::DURATION_MS, record.duration);
    optional_text(&mut line, fields::UPSTREAM, record.upstream);
    optional_text(&mut line, fields::SERVER, record.server);
    line.number(fields::ATTEMPTS, record.attempts);
    tls(&mut line, record.tls);
    line.text(fields::END, record.end.as_str());
    line.end();
    out.push(b'\n');
}

fn client(line: &mut Object<'_>, client: Option<SocketAddr>) {
    if let Some(address) = client {
        line.plain(fields::CLIENT_IP, |out| push_ip(out, address.ip()));
        line.number(fields::CLIENT_PORT, address.port());
    }
}

fn tls(line: &mut Object<'_>, tls: Option<TlsRecord<'_>>) {
    if let Some(tls) = tls {
        line.text(fields::TLS_VERSION, tls.version);
        line.text(fields::TLS_CIPHER, tls.cipher);
    }
}

fn optional_bytes(line: &mut Object<'_>, name: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        line.bytes(name, value);
    }
}

fn optional_text(line: &mut Object<'_>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line.text(name, value);
    }
}

/// Milliseconds with three decimals, in whole-number arithmetic.
fn millis(line: &mut Object<'_>, name: &str, duration: Duration) {
    line.literal(name, |out| {
        let micros = duration.as_micros();
        push_number(out, micros / 1_000);
        out.push(b'.');
        let rest = micros % 1_000;
        if rest < 100 {
            out.push(b'0');
        }
        if rest < 10 {
            out.push(b'0');
        }
        push_number(out, rest);
    });
}
