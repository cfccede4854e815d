//! One copy: from choosing a server to the end of an answer that nobody sees.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use sluice_model::Priority;
use sluice_telemetry::End;
use sluice_telemetry::metrics::{MirrorOutcome, StatusClass};
use sluice_upstream::{Asked, Check, Connection, Fate, InFlight, Need, Tried};
use sluice_wire::h1::{
    Chunks, Decoder, FieldStorage, Framing, HeadEnd, ResponseHead, Step, parse_response,
};

use super::super::exchange::ANSWER_LIMITS;
use super::super::failure::Failure;
use super::super::forward;
use crate::mirror::LiveMirror;
use crate::worker::Worker;

/// A copy of a request.
pub(super) struct Copy {
    /// Head and body.
    pub(super) bytes: Vec<u8>,
    /// Whether it asks with `HEAD`.
    pub(super) is_head: bool,
    /// The hash of what decides about its server, where the upstream goes by such.
    pub(super) key: Option<u64>,
    /// Whose request it is a copy of.
    pub(super) client: SocketAddr,
    /// What a new connection begins with.
    pub(super) preface: Vec<u8>,
    pub(super) mirror: Rc<LiveMirror>,
    pub(super) worker: Rc<Worker>,
}

impl Copy {
    /// Asks one server, once.
    pub(super) async fn run(&self) -> MirrorOutcome {
        let cluster = &self.mirror.cluster;
        let asked = Asked {
            now: Instant::now(),
            key: self.key,
            // Where not all can be served, a copy is served last.
            priority: Priority::Low,
            is_request: true,
            home: None,
        };
        let Some(place) = cluster.pick(&mut Tried::default(), asked) else {
            return MirrorOutcome::NoServer;
        };
        let asking = tokio::time::timeout(self.mirror.timeout, self.ask(&place));
        let outcome = match asking.await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure {
                blames_server: true,
                ..Failure::of(End::UpstreamTimeout)
            }),
        };
        let now = Instant::now();
        match outcome {
            Ok(()) => MirrorOutcome::Answered,
            Err(failure) => {
                forward::settle(cluster, &place, now, asked.now, &failure);
                MirrorOutcome::Failed
            }
        }
    }

    async fn ask(&self, place: &InFlight) -> Result<(), Failure> {
        let cluster = &self.mirror.cluster;
        let lane = place.lane();
        let need = Need::Messages;
        if let Some(kept) = cluster.take_idle(lane, self.client, Check::Asked, need) {
            match self.talk(kept, place).await {
                // It was closed before it had this; another one is not.
                Err(Fault { spoke: false, .. }) => lane.metrics().connections_stale.increment(),
                outcome => return outcome.map_err(Fault::into_failure),
            }
        }
        let opening = forward::connect(cluster, lane, self.client, need, &self.preface);
        match opening.await {
            Ok(server) => {
                let talked = self.talk(server, place).await;
                talked.map_err(Fault::into_failure)
            }
            Err(error) => Err(forward::not_connected(cluster, place, &error)),
        }
    }

    /// Sends the copy and takes the answer in.
    async fn talk(&self, server: Box<Connection>, place: &InFlight) -> Result<(), Fault> {
        let mut talk = Talk {
            copy: self,
            server,
            sent: 0,
            is_broken: false,
            early: Vec::new(),
            end: HeadEnd::default(),
            answer: None,
            started: Instant::now(),
        };
        let is_reusable = poll_fn(|cx| talk.poll(cx, place)).await?;
        if is_reusable {
            let now = Instant::now();
            self.mirror.cluster.keep(place.lane(), talk.server, now);
        }
        Ok(())
    }

    /// Tells all who learn of servers of an answer.
    fn answered(&self, place: &InFlight, status: u16, after: Duration) {
        let (cluster, lane, now) = (&self.mirror.cluster, place.lane(), Instant::now());
        lane.metrics().requests.increment(StatusClass::from(status));
        cluster.metrics().response.record(after);
        if status < 500 {
            cluster.answered(lane, now, after);
        }
        cluster.ended(lane, now, status >= 500);
        place.ended(now, Fate::Answered { status, after });
    }
}

/// A copy and its answer on one connection.
struct Talk<'a> {
    copy: &'a Copy,
    server: Box<Connection>,
    /// Bytes of the copy.
    sent: usize,
    /// Whether the server takes no more of it.
    is_broken: bool,
    /// A head of an answer that is not whole.
    early: Vec<u8>,
    end: HeadEnd,
    /// Once the head of the answer was whole.
    answer: Option<Answer>,
    started: Instant,
}

/// The rest of an answer.
struct Answer {
    body: Decoder,
    is_reusable: bool,
}

/// There is no whole answer.
struct Fault {
    end: End,
    /// Whether anything was answered.
    spoke: bool,
}

impl Fault {
    fn into_failure(self) -> Failure {
        Failure {
            blames_server: true,
            ..Failure::of(self.end)
        }
    }
}

impl Talk<'_> {
    /// Ready when the answer was taken in: whether the connection can be used again.
    fn poll(&mut self, cx: &mut Context<'_>, place: &InFlight) -> Poll<Result<bool, Fault>> {
        self.send(cx, place);
        loop {
            let worker = Rc::clone(&self.copy.worker);
            let mut scratch = worker.scratch();
            let received = ready!(self.server.stream.poll_read(cx, scratch.head_area()));
            let count = match received {
                Ok(count @ 1..) => count,
                ended => return Poll::Ready(self.ended(ended.is_ok())),
            };
            place.lane().metrics().bytes_received.add(count as u64);
            let surplus = match self.take_in(scratch.received(count), place) {
                Ok(surplus) => surplus,
                Err(fault) => return Poll::Ready(Err(fault)),
            };
            let done = self.answer.as_ref().filter(|answer| answer.body.is_done());
            if let Some(answer) = done {
                let is_sent = self.sent == self.copy.bytes.len();
                return Poll::Ready(Ok(answer.is_reusable && is_sent && surplus == 0));
            }
        }
    }

    /// Sends what the server takes now. One that takes no more may have answered all the same.
    fn send(&mut self, cx: &mut Context<'_>, place: &InFlight) {
        while !self.is_broken
            && let Some(rest) = self
                .copy
                .bytes
                .get(self.sent..)
                .filter(|rest| !rest.is_empty())
        {
            match self.server.stream.poll_write(cx, rest) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.sent += count;
                    place.lane().metrics().bytes_sent.add(count as u64);
                }
                Poll::Ready(_) => self.is_broken = true,
                Poll::Pending => break,
            }
        }
    }

    /// The server has closed the connection; some answers end so.
    fn ended(&mut self, in_order: bool) -> Result<bool, Fault> {
        let finished = match &mut self.answer {
            Some(answer) if in_order => answer.body.finish().is_ok(),
            _ => false,
        };
        if finished {
            Ok(false)
        } else {
            Err(self.fault(End::UpstreamClosed))
        }
    }

    /// Takes in what was received; says how much of it comes after the answer.
    fn take_in(&mut self, received: &[u8], place: &InFlight) -> Result<usize, Fault> {
        if let Some(answer) = &mut self.answer {
            return skip(&mut answer.body, received)
                .ok_or_else(|| self.fault(End::UpstreamInvalid));
        }
        self.early.extend_from_slice(received);
        let bytes = std::mem::take(&mut self.early);
        let mut from = 0;
        loop {
            let rest = bytes.get(from..).unwrap_or_default();
            if !self.end.is_due(rest, ANSWER_LIMITS.max_head) {
                break;
            }
            let mut storage = FieldStorage::new();
            let parsed = parse_response(rest, &mut storage, &ANSWER_LIMITS, self.copy.is_head);
            let head = match parsed {
                Ok(None) => break,
                Ok(Some(head)) => head,
                Err(_) => return Err(self.fault(End::UpstreamInvalid)),
            };
            if head.status == 101 {
                return Err(self.fault(End::UpstreamInvalid));
            }
            if head.status >= 200 {
                let body = rest.get(head.len..).unwrap_or_default();
                return self.begin(&head, body, place);
            }
            from += head.len;
            self.end = HeadEnd::default();
        }
        self.early = bytes.get(from..).unwrap_or_default().to_vec();
        Ok(0)
    }

    /// The head of the answer is here, and what came of its body.
    fn begin(
        &mut self,
        head: &ResponseHead<'_, '_>,
        received: &[u8],
        place: &InFlight,
    ) -> Result<usize, Fault> {
        let mut body = Decoder::new(head.framing, Chunks::Removed);
        let surplus = skip(&mut body, received);
        self.answer = Some(Answer {
            body,
            is_reusable: head.persistent && head.framing != Framing::UntilClose,
        });
        self.copy
            .answered(place, head.status, self.started.elapsed());
        surplus.ok_or_else(|| self.fault(End::UpstreamInvalid))
    }

    fn fault(&self, end: End) -> Fault {
        Fault {
            end,
            spoke: self.answer.is_some() || !self.early.is_empty(),
        }
    }
}

/// Takes in what is received of a body; says how much comes after it, `None` where it is malformed.
fn skip(body: &mut Decoder, received: &[u8]) -> Option<usize> {
    let mut rest = received;
    loop {
        let used = match body.decode(rest).ok()? {
            Step::Forward(used) | Step::Skip(used) | Step::Trailers(used) => used,
            Step::NeedMore | Step::Done => return Some(rest.len()),
        };
        rest = rest.get(used..).unwrap_or_default();
    }
}
