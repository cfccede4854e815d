//! Where a request goes when its own upstream has failed it.

use std::rc::Rc;

use sluice_config::plan::Fallback;
use sluice_upstream::Cluster;

use super::outgoing::Outgoing;
use super::respond::{self, Answer, Reply};
use super::serve::Downstream;
use crate::live::LiveListener;
use crate::trip::Trip;

/// What the route says for that, where it has not been followed yet.
pub(super) fn of_route<'a>(
    listener: &'a LiveListener,
    trip: &Trip,
    request: &Outgoing,
) -> Option<&'a Fallback> {
    if !request.has_fallback {
        return None;
    }
    let route = listener.live.plan.routes.get(trip.route?.0)?;
    route.fallback.as_ref()
}

/// Sends the request to another upstream from now on, with all the tries of its route.
pub(super) fn redirect(request: &mut Outgoing, to: &Rc<Cluster>, trip: &mut Trip) {
    request.has_fallback = false;
    request.cluster = Rc::clone(to);
    request.key = request.fallback_key;
    request.session = std::mem::take(&mut request.fallback_session);
    request.tries.start_over();
    trip.cluster = Some(Rc::clone(to));
    to.metrics().fallbacks.increment();
}

/// The fixed answer.
pub(super) fn answer(
    fallback: &sluice_config::plan::FixedAnswer,
    downstream: &Downstream,
    request: &Outgoing,
    trip: &Trip,
) -> Answer {
    let keep_alive =
        request.persistent && request.body.is_received() && !downstream.slot.is_closed();
    let mut bytes = downstream.worker.buffers().take();
    let reply = Reply {
        downstream,
        version: request.version,
        is_head: request.is_head,
        is_grpc: request.is_grpc,
        keep_alive,
        for_client: trip.for_client.as_deref(),
    };
    respond::text(fallback, reply, &mut bytes);
    Answer::new(fallback.status, bytes, keep_alive)
}
