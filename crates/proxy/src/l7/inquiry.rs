//! Finding out who a client is, where that has to be waited for: its request stays as it was received, and is decided upon once more
//! when it is known, by the same configuration and with the same found in its tokens. So it comes to the route that has asked, whatever
//! has become of the file or the keys meanwhile.

use std::pin::Pin;
use std::rc::Rc;

use sluice_http::h1::relay::Relay;
use sluice_telemetry::End;

use super::access::ShownTokens;
use super::admission::Refusal;
use super::decide::{Asked, Decision};
use super::identity::Identity;
use super::receive;
use super::serve::Downstream;
use super::takings::{Passed, Takings};
use crate::live::LiveListener;
use crate::trip::Trip;

/// As whom a client is let in, or what it is told.
pub(super) type Outcome = Result<Identity, Box<Refusal>>;

/// An outcome that is waited for; `None` where all begins anew, with keys of tokens that are known now. It has to come to an end by
/// itself.
pub(super) type Finding = Pin<Box<dyn Future<Output = Option<Outcome>>>>;

/// A request whose client is to be found out about.
pub(super) struct Inquiry {
    /// What its limits have let pass so far, where it has to be asked for more than that.
    passed: Passed,
    finding: Finding,
    tokens: ShownTokens,
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
    /// What the request took of its limits before.
    pub(super) takings: Takings,
    /// By which its route was found.
    pub(super) tokens: ShownTokens,
}

impl Asked<'_, '_, '_> {
    /// Has the request wait, with nothing of it used up.
    pub(super) fn inquire(
        &self,
        passed: Passed,
        finding: Finding,
        request_id: &str,
    ) -> (Decision, usize) {
        let mut body = Relay::of_request(self.head.framing, None);
        let used = body.take_in(self.after_head, &mut self.downstream.worker.head());
        let inquiry = Inquiry {
            passed,
            finding,
            tokens: self.tokens.take(),
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
        passed,
        finding,
        tokens,
        request_id,
        is_whole,
    } = *inquiry;
    let mut takings = Takings::default();
    let found = downstream.while_here(is_whole, async {
        match passed.granted().await {
            Ok(granted) => takings = granted,
            Err(refusal) => return Some(Err(refusal)),
        }
        // So that whoever tries out passwords and does not wait for the answers is limited as well.
        takings.begin_to_count();
        finding.await
    });
    let outcome = found.await;
    trip.tick();
    let Some(outcome) = outcome else {
        trip.end = End::ClientClosed;
        return None;
    };
    let client = outcome.map(|outcome| FoundClient {
        outcome,
        takings,
        tokens,
    });
    downstream.found_out = Some(Box::new(FoundOut { request_id, client }));
    receive::again(downstream, listener, trip)
}
