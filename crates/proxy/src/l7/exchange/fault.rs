//! How an exchange fails, and who is to blame.

use std::io;

use sluice_http::exchange::Untouched;
use sluice_http::h1::relay::RelayError;
use sluice_telemetry::End;
use sluice_telemetry::metrics::{BadRequest, ResponseFailure};
use sluice_wire::h1::ResponseHead;

use super::{Answering, Exchange, Sending};

/// Why an exchange failed.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of the failure"
)]
pub(in crate::l7) struct Fault {
    /// Why, for the trip.
    pub(in crate::l7) end: End,
    /// What was wrong with the request's body, if that was it.
    pub(in crate::l7) refused: Option<(u16, BadRequest)>,
    /// What the server did wrong, if it was the server.
    pub(in crate::l7) server: Option<ResponseFailure>,
    /// Whether the client has got bytes of an answer: then there is no way back.
    pub(in crate::l7) answered: bool,
    /// Whether the server may have taken note of the request: it sent something, or got more than is kept here.
    pub(in crate::l7) repeatable: bool,
    /// Whether it can be sent once more at all, whatever its tries are.
    pub(in crate::l7) resendable: bool,
    /// Why the server has certainly not worked on the request, where it said so.
    pub(in crate::l7) untouched: Option<Untouched>,
    /// The status of an answer that was not passed on, as another server may do better.
    pub(in crate::l7) passed_over: Option<u16>,
    /// Whether the client could take what it got for the whole, unless its connection is reset.
    pub(in crate::l7) truncation_hidden: bool,
}

impl Exchange<'_> {
    /// Whom to blame for the silence.
    pub(super) fn timed_out(&mut self) -> Fault {
        let now = self.trip.tick();
        let client_is_slow = match &self.answer {
            Answering::Body(relay) => relay.waits_for_target(),
            Answering::Head { interim, .. } => {
                !interim.is_empty()
                    || (self.sending == Sending::Body
                        && !self.request.body.waits_for_target()
                        && !self.is_held_up())
            }
        };
        if client_is_slow {
            let mut fault = self.fault(End::ClientTimeout);
            fault.refused = Some((408, BadRequest::BodyTimeout));
            fault
        } else {
            let mut fault = self.fault(End::UpstreamTimeout);
            fault.server = Some(ResponseFailure::Timeout);
            let is_whole = self.request.body.is_received() && self.request.is_idempotent;
            fault.resendable = is_whole && self.may_be_repeated();
            fault.repeatable = fault.resendable && self.request.tries.has_time(now);
            fault
        }
    }

    /// A client that waits to be told to go on is as silent as the server that does not tell it.
    pub(super) fn is_held_up(&self) -> bool {
        let is_silent = matches!(&self.answer, Answering::Head { spoke: false, .. });
        self.request.expects_continue && is_silent && self.request.body.received() == 0
    }

    pub(super) fn server_gone(&self, error: Option<&io::Error>) -> Fault {
        let mut fault = self.fault(End::UpstreamClosed);
        fault.untouched = error.and_then(Untouched::by);
        fault.server = Some(word_of(error, fault.untouched));
        let may_repeat = self.request.is_idempotent || self.sent == 0 || fault.untouched.is_some();
        fault.repeatable = self.may_be_repeated() && may_repeat;
        fault.resendable = fault.repeatable;
        fault
    }

    /// The way out for an answer of which the route says that another server is to be tried instead.
    pub(super) fn pass_over(&mut self, head: &ResponseHead<'_, '_>) -> Result<(), Fault> {
        let mut fault = self.fault(End::NoServer);
        let request = &mut *self.request;
        let may_repeat = request.is_idempotent && request.body.is_replayable() && !fault.answered;
        let says_when = || head.fields.named("retry-after").is_some();
        if !may_repeat
            || !request
                .tries
                .passes_over(head.status, says_when, &request.cluster)
        {
            return Ok(());
        }
        fault.repeatable = true;
        fault.resendable = true;
        fault.passed_over = Some(head.status);
        Err(fault)
    }

    /// Whether it can be sent again, and no answer has begun: what has is not followed by another.
    fn may_be_repeated(&self) -> bool {
        let is_silent = matches!(
            &self.answer,
            Answering::Head { spoke: false, interim, .. } if !interim.is_partly_sent()
        );
        is_silent && self.request.body.is_replayable()
    }

    pub(super) fn invalid(&self) -> Fault {
        let mut fault = self.fault(End::UpstreamInvalid);
        fault.server = Some(ResponseFailure::Invalid);
        fault
    }

    pub(super) fn refused(&self, status: u16, word: BadRequest) -> Fault {
        let mut fault = self.fault(End::BadRequest);
        fault.refused = Some((status, word));
        fault
    }

    pub(super) fn relay_fault(&self, error: &RelayError) -> Fault {
        match error {
            RelayError::Target(_) => self.fault(End::ClientClosed),
            RelayError::Source(error) => self.server_gone(Some(error)),
            RelayError::Truncated => self.server_gone(None),
            RelayError::Malformed(_) | RelayError::TooLarge => self.invalid(),
        }
    }

    pub(super) fn fault(&self, end: End) -> Fault {
        Fault {
            end,
            refused: None,
            server: None,
            answered: match &self.answer {
                Answering::Body(_) => true,
                // Part of an interim response may be out: nothing can follow it but its rest.
                Answering::Head { interim, .. } => interim.is_partly_sent(),
            },
            repeatable: false,
            resendable: false,
            untouched: None,
            passed_over: None,
            truncation_hidden: self.truncation_hidden,
        }
    }
}

/// How a connection has ended, in metrics.
pub(in crate::l7) fn word_of(
    error: Option<&io::Error>,
    untouched: Option<Untouched>,
) -> ResponseFailure {
    match error.map(io::Error::kind) {
        _ if untouched.is_some() => ResponseFailure::Refused,
        None => ResponseFailure::Closed,
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => ResponseFailure::Reset,
        Some(_) => ResponseFailure::Other,
    }
}
