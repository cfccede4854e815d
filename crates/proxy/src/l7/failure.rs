//! Why a server did not serve a request, and what may be done about it.

use std::time::{Duration, Instant};

use sluice_config::plan::Fallback;
use sluice_http::exchange::Untouched;
use sluice_telemetry::End;
use sluice_telemetry::metrics::{BadRequest, Refusal};
use sluice_upstream::{Cluster, Fate};

use super::exchange::Fault;
use super::fallback;
use super::outgoing::Outgoing;
use super::tries::Tries;
use crate::live::LiveListener;
use crate::trip::Trip;

/// Why a server did not serve the request.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of the failure"
)]
pub(super) struct Failure {
    pub(super) end: End,
    pub(super) refused: Option<(u16, BadRequest)>,
    pub(super) repeatable: bool,
    /// Whether it can be sent once more at all, however often it was.
    pub(super) resendable: bool,
    /// The server has certainly not worked on the request.
    pub(super) untouched: bool,
    pub(super) answered: bool,
    pub(super) truncation_hidden: bool,
    pub(super) blames_server: bool,
    /// The status of an answer that the client does not see.
    pub(super) passed_over: Option<u16>,
    /// Seconds after which the client may try again.
    pub(super) retry_after: Option<u64>,
}

impl Failure {
    /// A failure before anything was sent: another server may be tried.
    pub(super) fn of(end: End) -> Self {
        Self {
            end,
            refused: None,
            repeatable: true,
            resendable: true,
            untouched: false,
            answered: false,
            truncation_hidden: false,
            blames_server: false,
            passed_over: None,
            retry_after: None,
        }
    }

    /// There was no server: because none is well, or another reason.
    #[cold]
    pub(super) fn is_told_why(&mut self, cluster: &Cluster, request: &Outgoing, now: Instant) {
        // After an answer that was passed over, another try or a hedge was refused, and not the request.
        if request.tries.tried.is_limited() && self.passed_over.is_none() {
            cluster.refused(Refusal::ConcurrencyLimit, request.priority);
            *self = Self::refused(End::ConcurrencyLimit);
            return;
        }
        let Some(wait) = cluster.refuses_for(now) else {
            cluster.metrics().no_server.increment();
            return;
        };
        cluster.metrics().all_down.increment();
        self.end = End::AllDown;
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.retry_after = Some(seconds.max(1));
    }

    /// What the server's breaker is to know of it.
    pub(super) fn fate(&self, after: Duration) -> Fate {
        if let Some(status) = self.passed_over {
            return Fate::Answered { status, after };
        }
        match self.end {
            _ if !self.blames_server => Fate::Unknown,
            End::ConnectFailed | End::ConnectTimeout => Fate::ConnectFailed,
            End::UpstreamTimeout => Fate::TimedOut,
            _ => Fate::Broke,
        }
    }

    /// Whether the route has another server tried.
    pub(super) fn may_be_mended(&self, tries: &Tries) -> bool {
        let retry = tries.retry;
        let is_listed = match self.end {
            End::ConnectFailed | End::ConnectTimeout => retry.connect_failure,
            // As good as not connected.
            End::UpstreamClosed if self.untouched => retry.reset || retry.connect_failure,
            End::UpstreamClosed => retry.reset,
            _ => true,
        };
        self.repeatable && is_listed && tries.has_more()
    }

    /// Whether no server has worked on the request.
    pub(super) fn is_unreached(&self) -> bool {
        self.untouched || matches!(self.end, End::ConnectFailed | End::ConnectTimeout)
    }

    /// What the route has for it, unless the client is at fault or gone, or has a part of an answer already.
    pub(super) fn fallback<'a>(
        &self,
        listener: &'a LiveListener,
        trip: &Trip,
        request: &Outgoing,
    ) -> Option<&'a Fallback> {
        let is_ours = !matches!(
            self.end,
            End::ClientClosed | End::ClientTimeout | End::BadRequest
        );
        let fallback = fallback::of_route(listener, trip, request)
            .filter(|_| is_ours && !self.answered && self.refused.is_none())?;
        let may_follow = match fallback {
            Fallback::Upstream(_) => self.resendable,
            Fallback::Answer(_) => true,
        };
        may_follow.then_some(fallback)
    }

    /// Whether the server let time pass without a word.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self.end, End::ConnectTimeout | End::UpstreamTimeout)
    }

    /// It found no place while all were taken: soon there may be one.
    pub(super) fn refused(end: End) -> Self {
        Self {
            retry_after: Some(REFUSED_FOR),
            ..Self::for_good(end)
        }
    }

    /// A failure that no other server can mend.
    pub(super) fn for_good(end: End) -> Self {
        Self {
            repeatable: false,
            ..Self::of(end)
        }
    }
}

/// Seconds after which one may try again that was refused as there were too many: as few as can be said.
const REFUSED_FOR: u64 = 1;

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            end: fault.end,
            refused: fault.refused,
            repeatable: fault.repeatable,
            resendable: fault.resendable,
            untouched: fault.untouched.is_some(),
            answered: fault.answered,
            truncation_hidden: fault.truncation_hidden,
            blames_server: (fault.server.is_some() && fault.untouched != Some(Untouched::Leaving))
                || fault.passed_over.is_some_and(|status| status >= 500),
            passed_over: fault.passed_over,
            retry_after: None,
        }
    }
}
