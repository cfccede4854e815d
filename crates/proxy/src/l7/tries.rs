//! The tries of a request: how many there may be, how long each may take, after which pause, and at whose expense.

use std::time::{Duration, Instant};

use sluice_config::plan::Retry;
use sluice_upstream::{Cluster, Retrying, Tried};

/// What is known of the tries of one request.
#[derive(Debug)]
pub(super) struct Tries {
    pub(super) retry: Retry,
    /// From the last byte sent until the head of the answer, all tries together.
    timeout: Duration,
    /// Until when the client waits, where it says so.
    client_waits: Option<Instant>,
    /// The servers that have had it, since they began anew.
    pub(super) tried: Tried,
    begun: usize,
    /// Whether no other try follows this one.
    is_last: bool,
    /// Whether there is something to fall back to after the last.
    has_fallback: bool,
    /// When the head of the answer has to be here: known once the request was sent for the first time.
    answer_by: Option<Instant>,
    /// What the upstream bears of it.
    retrying: Option<Retrying>,
}

impl Tries {
    pub(super) fn new(retry: Retry, timeout: Duration, has_fallback: bool) -> Self {
        Self {
            retry,
            timeout,
            client_waits: None,
            tried: Tried::default(),
            begun: 0,
            is_last: false,
            has_fallback,
            answer_by: None,
            retrying: None,
        }
    }

    /// With the moment until which the client waits, where it says so.
    pub(super) fn until(mut self, client_waits: Option<Instant>) -> Self {
        self.client_waits = client_waits;
        self
    }

    /// A try begins, at the server that was picked last.
    pub(super) fn begin(&mut self, cluster: &Cluster) {
        self.begun += 1;
        self.is_last = self.begun >= self.retry.attempts;
        self.servers_were_picked(cluster);
    }

    /// Where there is no server left for another try, this is the last.
    pub(super) fn servers_were_picked(&mut self, cluster: &Cluster) {
        let has_server = !cluster.has_tried_all(&self.tried) || self.retry.backoff.is_some();
        self.is_last |= !has_server;
    }

    /// The request goes to another upstream, whose answer is its last.
    pub(super) fn start_over(&mut self) {
        *self = Self::new(self.retry, self.timeout, false).until(self.client_waits);
    }

    /// How many have begun.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Whether whatever the server answers now is passed on.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Until when the head of an answer is awaited. The request has been sent, or what there is of it.
    pub(super) fn answer_deadline(&mut self, now: Instant) -> Instant {
        let by = now + self.timeout;
        let by = self.client_waits.map_or(by, |until| until.min(by));
        let by = *self.answer_by.get_or_insert(by);
        match self.retry.per_try_timeout {
            Some(timeout) if !self.is_last => by.min(now + timeout),
            _ => by,
        }
    }

    /// Whether there is time left for another try, after one that took too long.
    pub(super) fn has_time(&self, now: Instant) -> bool {
        let has_time = self.answer_by.is_some_and(|by| now < by);
        self.retry.per_try_timeout.is_some() && has_time && !self.is_last
    }

    /// Whether an answer with this status is not to be passed on, as another may be better. What says when it is worth while to ask
    /// again is meant for the client, once every server was asked.
    pub(super) fn passes_over(
        &mut self,
        status: u16,
        says_when: impl FnOnce() -> bool,
        cluster: &Cluster,
    ) -> bool {
        if !self.retry.statuses.contains(status) {
            return false;
        }
        let is_for_the_client = cluster.has_tried_all(&self.tried) && says_when();
        let may_be = !self.is_last && !is_for_the_client;
        let is_tried_again = may_be && self.is_borne_by(cluster);
        if may_be && !is_tried_again {
            cluster.metrics().retries_denied.increment();
        }
        // What is not tried again falls back, where there is something to fall back to.
        self.is_last |= !is_tried_again;
        is_tried_again || self.has_fallback
    }

    /// Whether another try may begin.
    pub(super) fn has_more(&self) -> bool {
        self.begun == 0 || (!self.is_last && self.begun < self.retry.attempts)
    }

    /// Whether the upstream bears another try of what a server has had already.
    pub(super) fn is_borne_by(&mut self, cluster: &Cluster) -> bool {
        if self.retrying.is_none() {
            self.retrying = cluster.begin_retry(self.retry.budget, self.retry.budget_floor);
        }
        self.retrying.is_some()
    }

    /// Gets ready for another try: the pause before it. `unreached` tells that the last one did not reach its server.
    pub(super) fn go_on(&mut self, unreached: bool, cluster: &Cluster, random: u128) -> Duration {
        let Some(backoff) = self.retry.backoff else {
            return Duration::ZERO;
        };
        let begins_anew = cluster.has_tried_all(&self.tried);
        if begins_anew {
            self.tried = Tried::default();
        }
        if unreached && !begins_anew {
            return Duration::ZERO;
        }
        pause(backoff, self.begun, random)
    }

    /// The pause before it is asked once more whether the upstream bears another try; `None` after so many `waits`, and where there
    /// is no time left.
    pub(super) fn wait(&self, waits: usize, random: u128) -> Option<Duration> {
        let backoff = self.retry.backoff.filter(|_| waits < MOST_WAITS)?;
        Some(pause(backoff, self.begun + waits, random))
    }
}

/// By chance between none and `backoff`, which doubles with each try ("full jitter": Brooker, *Exponential Backoff And Jitter*).
fn pause(backoff: Duration, begun: usize, random: u128) -> Duration {
    let doublings = u32::try_from(begun.saturating_sub(1)).unwrap_or(u32::MAX);
    let times = 1_u32
        .checked_shl(doublings)
        .unwrap_or(u32::MAX)
        .min(MOST_TIMES);
    let most = backoff.saturating_mul(times).as_nanos();
    let nanos = random % (most + 1);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How often it is asked again whether another try may begin.
const MOST_WAITS: usize = 4;
/// The longest pause, in those that it began with.
const MOST_TIMES: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_times() {
        let backoff = Duration::from_millis(25);
        for (begun, most) in [
            (1, 25),
            (2, 50),
            (3, 100),
            (4, 200),
            (5, 250),
            (8, 250),
            (100, 250),
        ] {
            let most = Duration::from_millis(most);
            let nanos = most.as_nanos();
            assert_eq!(pause(backoff, begun, nanos), most);
            assert_eq!(pause(backoff, begun, nanos + 1), Duration::ZERO);
            assert_eq!(pause(backoff, begun, nanos / 2), most / 2);
        }
    }
}
