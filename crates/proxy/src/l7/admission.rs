//! What a request has to wait for before it is forwarded or answered, when it is known who its client is: its turn comes, or a store
//! says how much there is.
//!
//! `decide` waits for nothing. What it cannot know at once becomes a step, along with what becomes of the request when that lets it on.

use std::pin::Pin;
use std::time::Duration;

use sluice_config::plan::LimitId;
use sluice_telemetry::End;
use sluice_wire::h1::{Method, Version};

use super::decide::{Asked, Decision};
use super::pipeline::After;
use super::respond::{self, Answer, Reply};
use super::serve::Downstream;
use crate::trip::Trip;

/// What is waited for, and dropped when the client has gone: then the request goes on, or is answered with this. It has to come to an end by
/// itself.
pub(super) type Step = Pin<Box<dyn Future<Output = Result<(), Box<Refusal>>>>>;

/// Why a request does not go on, and what its client is told.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Fields of the answer.
    pub(super) fields: Vec<(Box<str>, Box<[u8]>)>,
    /// The body; where it is empty, the status and its reason.
    pub(super) body: Vec<u8>,
    pub(super) end: End,
    /// The rate limit that it is over.
    pub(super) limit: Option<LimitId>,
}

impl Refusal {
    /// 429, to be tried again in so long: in seconds, rounded up, one at least.
    pub(super) fn limited(by: LimitId, retry_after: Duration) -> Self {
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        let seconds = seconds.max(1).to_string();
        Self {
            status: 429,
            fields: vec![("Retry-After".into(), seconds.into_bytes().into())],
            body: Vec::new(),
            end: End::RateLimited,
            limit: Some(by),
        }
    }
}

/// A request that waits.
pub(super) struct Admission {
    step: Step,
    then: Decision,
    version: Version,
    is_head: bool,
    is_grpc: bool,
}

impl Asked<'_, '_, '_> {
    /// The decision, once the step has let the request on.
    pub(super) fn after(&self, step: Option<Step>, then: Decision) -> Decision {
        let Some(step) = step else {
            return then;
        };
        Decision::Wait(Box::new(Admission {
            step,
            then,
            version: self.head.version,
            is_head: self.head.method == Method::Head,
            is_grpc: self.is_grpc(),
        }))
    }

    /// The answer to a request that does not go on, where that is known at once.
    pub(super) fn denied(&self, refusal: &Refusal, trip: &mut Trip) -> (Decision, usize) {
        (trip.end, trip.limited_by) = (refusal.end, refusal.limit);
        let status = respond::said_to(refusal.status, self.is_grpc());
        self.answer(trip, status, |reply, out| {
            respond::refused(refusal, reply, out);
        })
    }
}

/// Waits for what a request waits for, and returns what becomes of it; `None` where the client has gone.
pub(super) async fn settle(
    downstream: &mut Downstream,
    trip: &mut Trip,
    admission: Box<Admission>,
) -> Option<Decision> {
    let Admission {
        step,
        then,
        version,
        is_head,
        is_grpc,
    } = *admission;
    let admitted = wait(downstream, &then, step).await;
    trip.tick();
    let Some(admitted) = admitted else {
        trip.end = End::ClientClosed;
        return None;
    };
    let Err(refusal) = admitted else {
        return Some(then);
    };
    (trip.end, trip.limited_by) = (refusal.end, refusal.limit);
    // It came nowhere.
    (trip.cluster, trip.side) = (None, None);
    let mut bytes = downstream.worker.buffers().take();
    let keep_alive = is_here(&then) && !downstream.slot.is_closed();
    trip.complete_for_client();
    let reply = Reply {
        downstream,
        version,
        is_head,
        is_grpc,
        keep_alive,
        for_client: trip.for_client.as_deref(),
    };
    respond::refused(&refusal, reply, &mut bytes);
    let status = respond::said_to(refusal.status, is_grpc);
    Some(Decision::Answer(Answer::new(status, bytes, keep_alive)))
}

/// Waits for a step, and for the client to go away where it has nothing more to send.
async fn wait(
    downstream: &mut Downstream,
    then: &Decision,
    step: Step,
) -> Option<Result<(), Box<Refusal>>> {
    let listens = match then {
        Decision::Forward(request) => request.body.is_received(),
        Decision::Answer(answer) => answer.after == After::KeepAlive,
        Decision::Wait(_) | Decision::Inquire(_) => false,
    };
    downstream.while_here(listens, step).await
}

/// Whether the client wants its connection kept, and all of its request is here.
fn is_here(then: &Decision) -> bool {
    match then {
        Decision::Forward(request) => request.persistent && request.body.is_received(),
        Decision::Answer(answer) => answer.after == After::KeepAlive,
        Decision::Wait(_) | Decision::Inquire(_) => false,
    }
}
