//! Answers of our own: fixed ones, redirects, and what a client is told when something fails.

use std::future::poll_fn;
use std::io::Write as _;
use std::time::{Duration, Instant};

use sluice_config::plan::{FixedAnswer, Redirect, Respond, RespondBody};
use sluice_http::h1::relay::Outbox;
use sluice_http::h1::response::write_status_line;
use sluice_telemetry::End;
use sluice_wire::h1::{RequestHead, Version, reason_phrase};

use super::admission::Refusal;
use super::for_client::ForClient;
use super::grpc;
use super::pipeline::After;
use super::serve::Downstream;
use super::values::Values;
use crate::trip::Trip;

/// An answer, composed.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
    pub(super) after: After,
}

impl Answer {
    pub(super) fn new(status: u16, bytes: Vec<u8>, keep_alive: bool) -> Self {
        let after = if keep_alive {
            After::KeepAlive
        } else {
            After::Linger
        };
        Self {
            status,
            bytes,
            after,
        }
    }
}

/// What an answer has to know of the connection it goes to.
#[derive(Clone, Copy)]
pub(super) struct Reply<'a> {
    pub(super) downstream: &'a Downstream,
    pub(super) version: Version,
    pub(super) is_head: bool,
    pub(super) is_grpc: bool,
    pub(super) keep_alive: bool,
    /// What the route changes in it.
    pub(super) for_client: Option<&'a ForClient>,
}

/// What of a request decides about the form of an error.
#[derive(Clone, Copy)]
pub(super) struct Recipient {
    /// Whether it asked for a head alone.
    pub(super) is_head: bool,
    /// Whether it is gRPC.
    pub(super) is_grpc: bool,
}

/// `respond = { … }`
pub(super) fn fixed(respond: &Respond, values: &Values<'_>, reply: Reply<'_>, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    let body = match &respond.body {
        RespondBody::Text(text) => {
            text.render(|variable, out| values.write(variable, out), &mut body);
            &*body
        }
        RespondBody::Json(text) => {
            text.render(|variable, out| values.write_json(variable, out), &mut body);
            &*body
        }
        RespondBody::File { content, .. } => content,
    };
    let content_type = (!body.is_empty()).then_some(&*respond.content_type);
    write(respond.status, &[], content_type, body, reply, out);
}

/// A fixed answer without variables.
pub(super) fn text(answer: &FixedAnswer, reply: Reply<'_>, out: &mut Vec<u8>) {
    let body = answer.body.as_bytes();
    let content_type = (!body.is_empty()).then_some(&*answer.content_type);
    write(answer.status, &[], content_type, body, reply, out);
}

/// `redirect = { … }`
pub(super) fn redirect(
    redirect: &Redirect,
    values: &Values<'_>,
    reply: Reply<'_>,
    out: &mut Vec<u8>,
) {
    let mut location = Vec::new();
    redirect
        .to
        .render(|variable, out| values.write(variable, out), &mut location);
    let extra = [("Location", location.as_slice())];
    write(redirect.status, &extra, None, b"", reply, out);
}

/// An answer without a body.
pub(super) fn empty(status: u16, reply: Reply<'_>, out: &mut Vec<u8>) {
    write(status, &[], None, b"", reply, out);
}

/// What an authority asks to see (RFC 8555, 8.3).
pub(super) fn proof(answer: &str, reply: Reply<'_>, out: &mut Vec<u8>) {
    write(200, &[], Some(OCTETS), answer.as_bytes(), reply, out);
}

/// `redirect-to-https`: the same host and target at `port`.
pub(super) fn to_https(head: &RequestHead<'_, '_>, port: u16, reply: Reply<'_>, out: &mut Vec<u8>) {
    let mut location = b"https://".to_vec();
    location.extend_from_slice(without_port(head.host).as_bytes());
    if port != 443 {
        // Writing to a vector cannot fail.
        let _ = write!(location, ":{port}");
    }
    location.extend_from_slice(head.target.origin_form().as_bytes());
    write(308, &[("Location", &location)], None, b"", reply, out);
}

/// `example.com:80` to `example.com`, `[::1]:80` to `[::1]`.
pub(super) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// `OPTIONS` or `TRACE` with `Max-Forwards: 0`: we are whom it asks.
pub(super) fn last_hop(reply: Reply<'_>, out: &mut Vec<u8>) {
    write(200, &[("Allow", ALLOW)], None, b"", reply, out);
}

/// The status that an error goes out with: gRPC has its own, in a field of a 200.
pub(super) fn said_to(status: u16, is_grpc: bool) -> u16 {
    if is_grpc { 200 } else { status }
}

/// A status with its reason as the body, or as gRPC has it.
pub(super) fn plain(status: u16, reply: Reply<'_>, out: &mut Vec<u8>) {
    plain_with(status, None, reply, out);
}

/// The same, with the seconds after which it is worth another try (RFC 9110, 10.2.3).
pub(super) fn plain_with(
    status: u16,
    retry_after: Option<u64>,
    reply: Reply<'_>,
    out: &mut Vec<u8>,
) {
    if reply.is_grpc {
        let code = grpc::code_of(status).to_string();
        let extra = [
            ("grpc-status", code.as_bytes()),
            ("grpc-message", reason_phrase(status).as_bytes()),
        ];
        return write(200, &extra, Some(grpc::MEDIA_TYPE), b"", reply, out);
    }
    let body = format!("{status} {}\n", reason_phrase(status));
    let allow = [("Allow", ALLOW)];
    let seconds = retry_after.map(|seconds| seconds.to_string());
    let retry_after = seconds
        .as_ref()
        .map(|text| [("Retry-After", text.as_bytes())]);
    let extra = match &retry_after {
        Some(retry_after) => &retry_after[..],
        None if status == 405 => &allow[..],
        None => &[],
    };
    write(status, extra, Some(PLAIN), body.as_bytes(), reply, out);
}

/// What a client is told that is not let in, or not yet.
pub(super) fn refused(refusal: &Refusal, reply: Reply<'_>, out: &mut Vec<u8>) {
    if reply.is_grpc {
        return plain(refusal.status, reply, out);
    }
    let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
    let extra: Vec<(&str, &[u8])> = refusal
        .fields
        .iter()
        .filter(|(name, _)| !is_type(name))
        .map(|(name, value)| (&**name, &**value))
        .collect();
    if refusal.body.is_empty() {
        let body = format!("{0} {1}\n", refusal.status, reason_phrase(refusal.status));
        return write(
            refusal.status,
            &extra,
            Some(PLAIN),
            body.as_bytes(),
            reply,
            out,
        );
    }
    let content_type = refusal.fields.iter().find(|(name, _)| is_type(name));
    let content_type = content_type.and_then(|(_, value)| std::str::from_utf8(value).ok());
    write(
        refusal.status,
        &extra,
        content_type,
        &refusal.body,
        reply,
        out,
    );
}

/// 503 where memory is short: the connection ends with it, and the client is to come again in a while.
pub(super) fn no_memory(reply: Reply<'_>, out: &mut Vec<u8>) {
    let reply = Reply {
        keep_alive: false,
        ..reply
    };
    plain_with(503, Some(MEMORY_RETRY_AFTER), reply, out);
}

/// A refusal: the connection ends with it, as where the next request begins may not be known.
pub(super) fn refusal(
    downstream: &Downstream,
    status: u16,
    to: Recipient,
    for_client: Option<&ForClient>,
) -> Answer {
    let mut bytes = downstream.worker.buffers().take();
    let reply = Reply {
        downstream,
        version: Version::Http11,
        is_head: to.is_head,
        is_grpc: to.is_grpc,
        keep_alive: false,
        for_client,
    };
    plain(status, reply, &mut bytes);
    Answer::new(said_to(status, to.is_grpc), bytes, false)
}

/// The status for the way a forwarded request ended, where the client has got no answer yet.
pub(super) fn status_of(end: End) -> u16 {
    match end {
        End::Unauthorized => 401,
        End::NoServer
        | End::AuthFailed
        | End::AllDown
        | End::ConcurrencyLimit
        | End::NoMemory
        | End::QueueFull
        | End::QueueTimeout
        | End::PushedOut
        | End::Shed => 503,
        End::ConnectTimeout | End::UpstreamTimeout => 504,
        End::ClientTimeout => 408,
        End::RateLimited => 429,
        End::BadRequest => 400,
        End::NoRoute => 404,
        End::Denied => 403,
        End::Internal => 500,
        End::ConnectFailed
        | End::NoWebSocket
        | End::UpstreamClosed
        | End::UpstreamInvalid
        | End::Ok
        | End::ClientClosed
        | End::IdleTimeout
        | End::Evicted
        | End::Drained => 502,
    }
}

/// Sends an answer. What becomes of the connection is as planned, unless the client does not take it.
pub(super) async fn send(
    downstream: &mut Downstream,
    trip: &mut Trip,
    answer: &mut Answer,
) -> After {
    trip.status = answer.status;
    let bytes = std::mem::take(&mut answer.bytes);
    let length = bytes.len() as u64;
    let mut outbox = Outbox::holding(bytes);
    downstream.deadline.set(Instant::now() + SEND_TIMEOUT);
    let worker = std::rc::Rc::clone(&downstream.worker);
    let sent = poll_fn(|cx| {
        let flushed = outbox.poll_flush(cx, &mut downstream.stream, &mut worker.buffers());
        if flushed.is_ready() {
            return flushed.map(|flushed| flushed.is_ok());
        }
        downstream.deadline.poll(cx).map(|()| false)
    })
    .await;
    trip.tick();
    if sent {
        downstream.slot.metrics().bytes_sent.add(length);
        return answer.after;
    }
    if trip.end == End::Ok {
        trip.end = End::ClientClosed;
    }
    After::Close
}

fn write(
    status: u16,
    extra: &[(&str, &[u8])],
    content_type: Option<&str>,
    body: &[u8],
    reply: Reply<'_>,
    out: &mut Vec<u8>,
) {
    write_status_line(status, reason_phrase(status).as_bytes(), out);
    let start = out.len();
    out.extend_from_slice(b"Date: ");
    let clock = reply.downstream.worker.clock();
    out.extend_from_slice(&clock.date_of(Instant::now()));
    out.extend_from_slice(b"\r\n");
    for (name, value) in extra {
        let _ = write!(out, "{name}: ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    let listener = reply.downstream.slot.current();
    if let Some(hsts) = listener.http().and_then(|http| http.hsts.as_deref()) {
        let _ = write!(out, "Strict-Transport-Security: {hsts}\r\n");
    }
    let alt_svc = listener
        .http()
        .and_then(|http| reply.downstream.alt_svc(http));
    if let Some(alt_svc) = alt_svc {
        let _ = write!(out, "Alt-Svc: {alt_svc}\r\n");
    }
    if let Some(content_type) = content_type {
        let _ = write!(out, "Content-Type: {content_type}\r\n");
    }
    if let Some(for_client) = reply.for_client {
        for_client.edits().apply_to_own(start, out);
    }
    let has_body = status != 204 && status != 304;
    if has_body {
        let _ = write!(out, "Content-Length: {}\r\n", body.len());
    }
    match (reply.keep_alive, reply.version) {
        (false, _) => out.extend_from_slice(b"Connection: close\r\n"),
        (true, Version::Http10) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (true, Version::Http11) => {}
    }
    out.extend_from_slice(b"\r\n");
    if has_body && !reply.is_head {
        out.extend_from_slice(body);
    }
}

const ALLOW: &[u8] = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE";
/// In seconds: until connections that stand still have ended, and the allocator has given their memory back.
const MEMORY_RETRY_AFTER: u64 = 5;
const OCTETS: &str = "application/octet-stream";
const PLAIN: &str = "text/plain; charset=utf-8";
/// An answer of ours is a few hundred bytes: a client that does not take them in this time takes nothing.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
