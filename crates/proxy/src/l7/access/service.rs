//! A question to another service: a request that is composed already, and the answer whole.
//!
//! It goes by the connections of an upstream, and is counted there like any request.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use sluice_http::h1::relay::Relay;
use sluice_http::h1::response::Delivery;
use sluice_model::Priority;
use sluice_telemetry::metrics::StatusClass;
use sluice_upstream::{Asked, Check, Cluster, Connection, Fate, InFlight, Need, Tried};
use sluice_wire::h1::{FieldStorage, Framing, parse_response};
use tokio::time::timeout_at;

use crate::l7::exchange::ANSWER_LIMITS;
use crate::l7::forward;
use crate::worker::Worker;

/// A question.
pub(super) struct Question {
    pub(super) worker: Rc<Worker>,
    pub(super) cluster: Rc<Cluster>,
    pub(super) client: SocketAddr,
    /// What connections begin with.
    pub(super) preface: Vec<u8>,
    /// The request, which has no body.
    pub(super) head: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) fields: Vec<(Box<str>, Box<[u8]>)>,
    /// Empty where it was too long.
    pub(super) body: Vec<u8>,
}

/// Asks one server after the other until one answers, at the latest `by` then; `None` where none does.
pub(super) async fn ask(question: &Question, by: Instant) -> Option<Said> {
    let mut tried = Tried::default();
    for _ in 0..TRIES {
        let asked = Asked {
            now: Instant::now(),
            key: None,
            home: None,
            priority: Priority::High,
            is_request: true,
        };
        let place = question.cluster.pick(&mut tried, asked)?;
        let said = ask_one(question, &place, by).await;
        if said.is_some() || Instant::now() >= by {
            return said;
        }
    }
    None
}

/// Asks one server, on a connection that is kept or a new one.
async fn ask_one(question: &Question, place: &InFlight, by: Instant) -> Option<Said> {
    let (cluster, lane) = (&question.cluster, place.lane());
    let (client, need) = (question.client, Need::Messages);
    let mut kept = cluster.take_idle(lane, client, Check::Asked, need);
    loop {
        let is_kept = kept.is_some();
        let started = Instant::now();
        let asking = async {
            let server = match kept.take() {
                Some(server) => server,
                None => forward::connect(cluster, lane, client, need, &question.preface)
                    .await
                    .map_err(|error| {
                        let failure = forward::not_connected(cluster, place, &error);
                        Fault::Unreached {
                            blames_server: failure.blames_server,
                        }
                    })?,
            };
            converse(question, place, server).await
        };
        let outcome = timeout_at(by.into(), asking).await;
        let now = Instant::now();
        let after = now.saturating_duration_since(started);
        let fate = match outcome {
            Ok(Ok(said)) => {
                lane.metrics()
                    .requests
                    .increment(StatusClass::from(said.status));
                cluster.metrics().response.record(after);
                cluster.answered(lane, now, after);
                cluster.ended(lane, now, said.status >= 500);
                let status = said.status;
                place.ended(now, Fate::Answered { status, after });
                return Some(said);
            }
            // It had been closed meanwhile.
            Ok(Err(Fault::Unanswered)) if is_kept => {
                lane.metrics().connections_stale.increment();
                continue;
            }
            Ok(Err(Fault::Unreached {
                blames_server: false,
            })) => Fate::Unknown,
            Ok(Err(Fault::Unreached { .. })) => Fate::ConnectFailed,
            Ok(Err(Fault::Unanswered | Fault::Broken)) => Fate::Broke,
            Err(_) => Fate::TimedOut,
        };
        cluster.ended(lane, now, fate != Fate::Unknown);
        place.ended(now, fate);
        return None;
    }
}

/// Why there is no answer.
enum Fault {
    /// There was no connection.
    Unreached { blames_server: bool },
    /// It ended before a byte of an answer.
    Unanswered,
    /// What came is no answer.
    Broken,
}

/// Sends the request and receives the answer. The connection is kept where it can be.
async fn converse(
    question: &Question,
    place: &InFlight,
    mut server: Box<Connection>,
) -> Result<Said, Fault> {
    let lane = place.lane();
    let mut rest = &*question.head;
    while !rest.is_empty() {
        let sent = poll_fn(|cx| server.stream.poll_write(cx, rest)).await;
        match sent {
            Ok(count @ 1..) => {
                lane.metrics().bytes_sent.add(count as u64);
                rest = rest.get(count..).unwrap_or_default();
            }
            Ok(0) | Err(_) => return Err(Fault::Unanswered),
        }
    }
    let mut received = Vec::new();
    let (said, framing, persistent, end) = loop {
        if receive(question, place, &mut server, &mut received).await? == 0 {
            return Err(if received.is_empty() {
                Fault::Unanswered
            } else {
                Fault::Broken
            });
        }
        if let Some(head) = read_head(&mut received)? {
            break head;
        }
    };
    received.drain(..end);
    let mut said = said;
    let mut relay = Relay::of_response(framing, Delivery::UntilClose);
    let mut is_whole = true;
    loop {
        let used = relay.take_in(&received, &mut said.body);
        received.drain(..used.map_err(|_| Fault::Broken)?);
        if relay.is_received() {
            break;
        }
        if said.body.len() > MAX_BODY {
            is_whole = false;
            said.body.clear();
            break;
        }
        if receive(question, place, &mut server, &mut received).await? == 0 {
            if framing != Framing::UntilClose {
                return Err(Fault::Broken);
            }
            is_whole = false;
            break;
        }
    }
    if is_whole && persistent && received.is_empty() && framing != Framing::UntilClose {
        question.cluster.keep(lane, server, Instant::now());
    }
    Ok(said)
}

/// Receives once; 0 is the end.
async fn receive(
    question: &Question,
    place: &InFlight,
    server: &mut Connection,
    received: &mut Vec<u8>,
) -> Result<usize, Fault> {
    let count = poll_fn(|cx| {
        let mut scratch = question.worker.scratch();
        let polled = server.stream.poll_read(cx, scratch.head_area());
        polled.map_ok(|count| {
            received.extend_from_slice(scratch.received(count));
            count
        })
    })
    .await
    .map_err(|_| {
        if received.is_empty() {
            Fault::Unanswered
        } else {
            Fault::Broken
        }
    })?;
    place.lane().metrics().bytes_received.add(count as u64);
    Ok(count)
}

/// Reads the head of the answer at the start of `received`, where it is whole: the answer without its body, how that is framed,
/// whether the connection can be kept, and where the body begins. Interim answers are taken away.
fn read_head(received: &mut Vec<u8>) -> Result<Option<(Said, Framing, bool, usize)>, Fault> {
    loop {
        let mut storage = FieldStorage::new();
        let parsed = parse_response(received, &mut storage, &ANSWER_LIMITS, false);
        let Some(head) = parsed.map_err(|_| Fault::Broken)? else {
            return Ok(None);
        };
        match head.status {
            101 => return Err(Fault::Broken),
            200.. => {
                let fields = head.fields.iter().filter(|field| !field.hop_by_hop);
                let said = Said {
                    status: head.status,
                    fields: fields
                        .map(|field| (field.name.into(), field.value.into()))
                        .collect(),
                    body: Vec::new(),
                };
                return Ok(Some((said, head.framing, head.persistent, head.len)));
            }
            _ => {
                let end = head.len;
                received.drain(..end);
            }
        }
    }
}

/// Servers that are asked.
const TRIES: usize = 3;
/// Bytes of an answer's body.
const MAX_BODY: usize = 64 * 1024;
