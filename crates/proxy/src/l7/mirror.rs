//! Copies of requests, for an upstream whose answers nobody sees.
//!
//! A copy is made when all is done for the request itself, of what is still at hand of it then: the head that was sent, and the body where that
//! was kept. From there on it is a task of its own, which the client's connection knows nothing of.

mod copy;

use std::rc::Rc;

use sluice_config::plan::Route;
use sluice_health::Strain;
use sluice_route::Facts;
use sluice_telemetry::metrics::MirrorOutcome;
use tokio::task::spawn_local;

use self::copy::Copy;
use super::decide::Asked;
use super::outgoing::Outgoing;
use super::serve::Downstream;
use crate::live::LiveListener;
use crate::mirror::LiveMirror;
use crate::trip::Trip;
use crate::upstream_preface;

/// A request that is to be copied.
pub(super) struct Mirrored {
    mirror: Rc<LiveMirror>,
    /// The hash of what decides about the copy's server, where its upstream goes by such.
    key: Option<u64>,
}

impl Mirrored {
    /// How much of its body is to be kept.
    pub(super) fn most(&self) -> usize {
        self.mirror.settings.max_body
    }
}

impl Asked<'_, '_, '_> {
    /// Whether the request is one that is copied.
    pub(super) fn mirrored(
        &self,
        route: &Route,
        facts: &Facts<'_>,
        trip: &Trip,
    ) -> Option<Box<Mirrored>> {
        let share = route.mirror?.share;
        // A tunnel is no request.
        if self.head.upgrade.is_some() {
            return None;
        }
        let chance = self.downstream.worker.random_id() % 100;
        if chance >= u128::from(share.percent()) {
            return None;
        }
        let mirror = self.listener.live.mirror(trip.route?)?;
        let key = mirror.cluster.key().and_then(|key| key.of_request(facts));
        Some(Box::new(Mirrored {
            mirror: Rc::clone(mirror),
            key,
        }))
    }
}

/// Sends a copy of the request, for which all is done, on its way, where it can be.
pub(super) fn send(
    mirrored: &Mirrored,
    downstream: &Downstream,
    listener: &LiveListener,
    request: &Outgoing,
) {
    let mirror = &mirrored.mirror;
    let body = &request.body;
    if !body.is_received() {
        return mirror.metrics.outcomes.increment(MirrorOutcome::Incomplete);
    }
    let bytes = body
        .is_replayable()
        .then(|| copied(&request.bytes, body.kept(), mirror.settings.max_body))
        .flatten();
    let Some(bytes) = bytes else {
        return mirror.metrics.outcomes.increment(MirrorOutcome::TooLong);
    };
    let is_calm = listener.live.memory.strain() == Strain::Calm;
    let Some(place) = mirror.enter().filter(|_| is_calm) else {
        return mirror.metrics.outcomes.increment(MirrorOutcome::NoRoom);
    };
    let client = downstream.client;
    let copy = Copy {
        bytes,
        is_head: request.is_head,
        key: mirrored.key,
        client,
        preface: upstream_preface::header(&mirror.cluster, client, &downstream.stream),
        mirror: Rc::clone(mirror),
        worker: Rc::clone(&downstream.worker),
    };
    spawn_local(async move {
        let outcome = copy.run().await;
        copy.mirror.metrics.outcomes.increment(outcome);
        drop(place);
    });
}

/// Head and body in one, the head with a field that tells it from the request itself. `None` where the body is longer than `most`.
fn copied(first: &[u8], kept: &[u8], most: usize) -> Option<Vec<u8>> {
    let end = first.windows(4).position(|end| end == b"\r\n\r\n")?;
    let (head, rest) = first.split_at_checked(end + 2)?;
    let body = rest.len() - 2 + kept.len();
    (body <= most).then(|| [head, FIELD, rest, kept].concat())
}

const FIELD: &[u8] = b"X-Mirrored: 1\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_says_that_it_is_one() {
        let first = b"POST / HTTP/1.1\r\nHost: a\r\n\r\nab\r\n\r\n";
        let expected = b"POST / HTTP/1.1\r\nHost: a\r\nX-Mirrored: 1\r\n\r\nab\r\n\r\ncd";
        assert_eq!(copied(first, b"cd", 8).as_deref(), Some(&expected[..]));
        assert_eq!(copied(first, b"cd", 7), None);
        assert_eq!(
            copied(b"GET / HTTP/1.1\r\n\r\n", b"", 0).map(|copy| copy.len()),
            Some(33)
        );
        assert_eq!(copied(b"", b"", 8), None);
    }
}
