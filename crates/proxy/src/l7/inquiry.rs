//! Finding out who a client is, where that has to be waited for: its request stays as it was received, and is decided upon once more
//! when it is known.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use sluice_config::plan::RouteId;
use sluice_http::h1::relay::Relay;
use sluice_telemetry::End;

use super::admission::{Admitted, Refusal, Step};
use super::decide::{Asked, Decision};
use super::identity::Identity;
use super::receive;
use super::serve::Downstream;
use crate::live::LiveListener;
use crate::trip::Trip;

/// As whom a client is let in, or what it is told.
pub(super) type Outcome = Result<Identity, Box<Refusal>>;

/// An outcome that is waited for; `None` where all begins anew, with keys of tokens that are known now. It has to come to an end by
/// itself.
pub(super) type Finding = Pin<Box<dyn Future<Output = Option<Outcome>>>>;

/// The same once these steps have let the request on, and their refusal where one of them does not.
pub(super) fn behind(steps: Vec<Step>, finding: Finding) -> Finding {
    if steps.is_empty() {
        return finding;
    }
    Box::pin(async move {
        for step in steps {
            if let Admitted::Refused(refusal) = step.await {
                return Some(Err(refusal));
            }
        }
        finding.await
    })
}

/// A request whose client is to be found out about.
pub(super) struct Inquiry {
    finding: Finding,
    /// The route that asks.
    route: Option<RouteId>,
    request_id: Box<str>,
    /// Whether all of the request is here, so that a client which sends nothing more has gone.
    is_whole: bool,
}

/// What was found out, for the request to be decided upon once more.
pub(super) struct FoundOut {
    pub(super) request_id: Box<str>,
    /// `None` where it was only waited for keys.
    pub(super) client: Option<FoundClient>,
}

/// What was found out about a client.
pub(super) struct FoundClient {
    pub(super) outcome: Outcome,
    pub(super) route: Option<RouteId>,
}

impl Asked<'_, '_, '_> {
    /// Has the request wait, with nothing of it used up.
    pub(super) fn inquire(
        &self,
        finding: Finding,
        request_id: &str,
        trip: &Trip,
    ) -> (Decision, usize) {
        let mut body = Relay::of_request(self.head.framing, None);
        let used = body.take_in(self.after_head, &mut self.downstream.worker.head());
        let inquiry = Inquiry {
            finding,
            route: trip.route,
            request_id: request_id.into(),
            is_whole: used.is_ok() && body.is_received(),
        };
        (Decision::Inquire(Box::new(inquiry)), 0)
    }
}

/// Waits for it, and has the request decided upon; `None` where the client has gone.
pub(super) async fn settle(
    downstream: &mut Downstream,
    listener: &Rc<LiveListener>,
    trip: &mut Trip,
    inquiry: Box<Inquiry>,
) -> Option<Decision> {
    let Inquiry {
        mut finding,
        route,
        request_id,
        is_whole,
    } = *inquiry;
    let outcome = poll_fn(|cx| {
        let outcome = finding.as_mut().poll(cx).map(Some);
        if outcome.is_pending() && is_whole && downstream.is_gone(cx) {
            return Poll::Ready(None);
        }
        outcome
    })
    .await;
    trip.tick();
    let Some(outcome) = outcome else {
        trip.end = End::ClientClosed;
        return None;
    };
    let client = outcome.map(|outcome| FoundClient { outcome, route });
    downstream.found_out = Some(Box::new(FoundOut { request_id, client }));
    receive::again(downstream, listener, trip)
}
