//! The answer's side of an exchange: from the server's first byte to the last one passed on.

use std::task::{Context, Poll};
use std::time::Instant;

use sluice_config::plan::LoadReport;
use sluice_http::h1::relay::{Outbox, Relay, Sides};
use sluice_http::h1::response::{Delivery, Return, compose};
use sluice_http::websocket;
use sluice_telemetry::End;
use sluice_upstream::read_load_report;
use sluice_wire::h1::{FieldStorage, Framing, HeadEnd, Limits, ResponseHead, parse_response};

use super::super::for_client::ForClient;
use super::{Answering, Ended, Exchange, Fault, Sending};

impl Exchange<'_> {
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Fault>> {
        loop {
            match &mut self.answer {
                Answering::Head { interim, .. } => {
                    if !interim.is_empty() {
                        let buffers = &mut self.downstream.worker.buffers();
                        let stream = &mut self.downstream.stream;
                        match interim.poll_flush(cx, stream, buffers) {
                            Poll::Ready(Ok(())) => {}
                            Poll::Ready(Err(_)) => {
                                return Poll::Ready(Err(self.fault(End::ClientClosed)));
                            }
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    match self.poll_head(cx) {
                        Poll::Ready(Ok(None)) => {}
                        Poll::Ready(Ok(Some(ended))) => return Poll::Ready(Ok(ended)),
                        Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Answering::Body(_) => return self.poll_body(cx),
            }
        }
    }

    /// Receives until there is a head, and takes it from there. `None` where there is more to do.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Ended>, Fault>> {
        let worker = std::rc::Rc::clone(&self.downstream.worker);
        let mut scratch = worker.scratch();
        // The smaller area: of a long body the rest is not received here at all.
        let count = match self.server.poll_read(cx, scratch.head_area()) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.server_gone(None))),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.server_gone(Some(&error)))),
            Poll::Ready(Ok(count)) => count,
        };
        self.received += count as u64;
        let Answering::Head {
            early, end, spoke, ..
        } = &mut self.answer
        else {
            return Poll::Ready(Ok(None));
        };
        *spoke = true;
        if early.is_empty() {
            let bytes = scratch.received(count);
            let mut storage = FieldStorage::new();
            match parse_response(bytes, &mut storage, &ANSWER_LIMITS, self.request.is_head) {
                Ok(Some(head)) if head.status >= 200 => {
                    if let Err(fault) = self.pass_over(&head) {
                        return Poll::Ready(Err(fault));
                    }
                    let mut out = worker.head();
                    let (relay, start) = self.begin_answer(&head, &mut out);
                    drop(scratch);
                    let passed = self.pass_first(cx, relay, &out, start, count);
                    return Poll::Ready(passed.map(|()| None));
                }
                Ok(_) => early.extend_from_slice(bytes),
                Err(_) => return Poll::Ready(Err(self.invalid())),
            }
        } else {
            early.extend_from_slice(scratch.received(count));
            if !end.is_due(early, ANSWER_LIMITS.max_head) {
                return Poll::Ready(Ok(None));
            }
        }
        drop(scratch);
        Poll::Ready(self.read_early())
    }

    /// The uncommon way: heads that came in pieces, and interim responses.
    pub(super) fn read_early(&mut self) -> Result<Option<Ended>, Fault> {
        let Answering::Head { early, .. } = &mut self.answer else {
            return Ok(None);
        };
        let mut bytes = std::mem::take(early);
        loop {
            let mut storage = FieldStorage::new();
            let head =
                match parse_response(&bytes, &mut storage, &ANSWER_LIMITS, self.request.is_head) {
                    Ok(Some(head)) => head,
                    Ok(None) => {
                        if let Answering::Head { early, end, .. } = &mut self.answer {
                            // All of it was parsed just now.
                            end.is_due(&bytes, ANSWER_LIMITS.max_head);
                            *early = bytes;
                        }
                        return Ok(None);
                    }
                    Err(_) => return Err(self.invalid()),
                };
            let length = head.len;
            if head.status == 101 {
                return self.switch(&head, &bytes).map(Some);
            }
            if head.status >= 200 {
                self.pass_over(&head)?;
                let mut out = Vec::new();
                let (mut relay, start) = self.begin_answer(&head, &mut out);
                let body = bytes.get(start..).unwrap_or_default();
                let used = relay.take_in(body, &mut out).map_err(|_| self.invalid())?;
                self.surplus
                    .extend_from_slice(body.get(used..).unwrap_or_default());
                let mut first = self.take_interim();
                first.push(&out);
                relay.send_first(first);
                self.answer = Answering::Body(relay);
                return Ok(None);
            }
            // HTTP/1.0 clients know no interim responses (RFC 9110, 15.2).
            if self.request.version == sluice_wire::h1::Version::Http11 {
                let mut out = Vec::new();
                compose(&head, &self.back(Delivery::None, true, &[]), &mut out);
                if let Answering::Head { interim, .. } = &mut self.answer {
                    interim.push(&out);
                }
            }
            bytes.drain(..length);
            if let Answering::Head { end, .. } = &mut self.answer {
                *end = HeadEnd::default();
            }
        }
    }

    fn take_interim(&mut self) -> Outbox {
        match &mut self.answer {
            Answering::Head { interim, .. } => std::mem::take(interim),
            Answering::Body(_) => Outbox::default(),
        }
    }

    /// Decides how the answer goes out and composes its head. Returns the relay for its body, and where in the received
    /// bytes the body starts.
    fn begin_answer(&mut self, head: &ResponseHead<'_, '_>, out: &mut Vec<u8>) -> (Relay, usize) {
        let now = self.trip.tick();
        let delivery = Delivery::of(head.framing, self.request.version);
        // An answer before the end of the request leaves the rest of it unread: the connection ends with the answer
        // (RFC 9112, 9.3), and the client is told.
        self.keep_alive = self.request.persistent
            && delivery != Delivery::UntilClose
            && !self.downstream.slot.is_closed()
            && self.request.body.is_received();
        self.reusable = head.persistent && head.framing != Framing::UntilClose;
        self.truncation_hidden = delivery == Delivery::UntilClose;
        self.note_answer(head, now);
        self.settle_session(head);
        self.trip.complete_for_client();
        let date = self.downstream.worker.clock().date_of(now);
        compose(head, &self.back(delivery, self.keep_alive, &date), out);
        self.downstream
            .deadline
            .set(now + self.request.body_timeout);
        (Relay::of_response(head.framing, delivery), head.len)
    }

    /// What the head of an answer tells.
    fn note_answer(&mut self, head: &ResponseHead<'_, '_>, now: Instant) {
        let latency = now - self.started;
        self.trip.status = head.status;
        self.trip.answered_by_server = true;
        self.trip.response_after = Some(latency);
        // An error is often quicker than the work would be: it says nothing of how fast the server is.
        if head.status < 500
            && let Some(lane) = &self.trip.lane
        {
            self.request.cluster.answered(lane, now, latency);
        }
        if let Some(hedge) = self.request.hedge.as_ref().filter(|_| head.status < 500) {
            hedge.answered(now, &self.request.cluster);
        }
        if let Some(form) = self.load_report() {
            self.note_load(form, head, now);
        }
    }

    /// Where the request's session belongs from now on.
    fn settle_session(&mut self, head: &ResponseHead<'_, '_>) {
        if self.request.cluster.sessions().is_none() {
            return;
        }
        let scheme = self.downstream.scheme();
        let clock = self.downstream.worker.clock();
        let cookie = self
            .request
            .answered(&head.fields, self.trip, scheme, clock);
        if let Some(cookie) = cookie {
            let for_client = self.trip.for_client.get_or_insert_default();
            for_client.add("Set-Cookie", cookie.as_bytes());
        }
    }

    fn load_report(&self) -> Option<&LoadReport> {
        self.request.cluster.settings().load_report.as_ref()
    }

    fn note_load(&self, form: &LoadReport, head: &ResponseHead<'_, '_>, now: Instant) {
        let value = head.fields.named(form.field());
        let report = value.and_then(|value| read_load_report(form, value));
        if let (Some(report), Some(lane)) = (report, &self.trip.lane) {
            self.request.cluster.reported(lane, now, report);
        }
    }

    fn back<'b>(&'b self, delivery: Delivery, keep_alive: bool, date: &'b [u8]) -> Return<'b> {
        Return {
            client: self.request.version,
            keep_alive,
            delivery,
            date,
            via: self.request.via.as_deref(),
            hsts: self.request.hsts.as_deref(),
            alt_svc: self.request.alt_svc.as_deref(),
            for_us: self.load_report().map(LoadReport::field),
            edits: self.trip.for_client.as_deref().map(ForClient::edits),
        }
    }

    /// Sends the head with what of the body came with it.
    fn pass_first(
        &mut self,
        cx: &mut Context<'_>,
        mut relay: Relay,
        head: &[u8],
        start: usize,
        end: usize,
    ) -> Result<(), Fault> {
        // Nothing of it waits any more; it knows how much was sent.
        relay.send_first(self.take_interim());
        let worker = &self.downstream.worker;
        let mut unsent = head;
        let outcome = relay.pass_on(
            cx,
            &mut unsent,
            start,
            end,
            &mut Sides {
                source: self.server,
                target: &mut self.downstream.stream,
                scratch: &mut worker.scratch(),
                buffers: &mut worker.buffers(),
                pipes: &mut worker.pipes(),
                surplus: &mut self.surplus,
            },
        );
        if outcome.is_err() && !unsent.is_empty() {
            // The client has got nothing yet: it can be told.
            return Err(self.invalid());
        }
        self.answer = Answering::Body(relay);
        outcome.map_err(|error| self.relay_fault(&error))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Fault>> {
        let Answering::Body(relay) = &mut self.answer else {
            return Poll::Pending;
        };
        if !relay.is_done() {
            let worker = &self.downstream.worker;
            let before = relay.progress();
            let outcome = relay.poll(
                cx,
                &mut Sides {
                    source: self.server,
                    target: &mut self.downstream.stream,
                    scratch: &mut worker.scratch(),
                    buffers: &mut worker.buffers(),
                    pipes: &mut worker.pipes(),
                    surplus: &mut self.surplus,
                },
            );
            match outcome {
                Poll::Pending => {
                    if relay.progress() != before {
                        let now = self.trip.tick();
                        self.count_traffic();
                        self.downstream
                            .deadline
                            .set(now + self.request.body_timeout);
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.relay_fault(&error))),
                Poll::Ready(Ok(())) => {
                    self.trip.tick();
                }
            }
        }
        Poll::Ready(Ok(self.complete()))
    }

    /// RFC 9110, 7.8. A switch that was not asked for, or before the request was through, is no valid answer.
    fn switch(&mut self, head: &ResponseHead<'_, '_>, bytes: &[u8]) -> Result<Ended, Fault> {
        let may_switch = self.request.wants_upgrade && self.sending == Sending::Done;
        let (Some(protocol), true) = (head.upgrade, may_switch) else {
            return Err(self.invalid());
        };
        // Clients of HTTP/2 and HTTP/3 cannot check it: they have not made the key.
        if let Some(accept) = &self.request.accept {
            let proof = head.fields.named("sec-websocket-accept");
            if !websocket::is_meant(protocol) || proof != Some(accept.as_bytes()) {
                return Err(self.invalid());
            }
        }
        let now = self.trip.tick();
        self.note_answer(head, now);
        self.settle_session(head);
        self.trip.complete_for_client();
        self.count_traffic();
        let mut out = self.take_interim().into_rest();
        compose(head, &self.back(Delivery::None, true, &[]), &mut out);
        let early = bytes.get(head.len..).unwrap_or_default();
        out.extend_from_slice(early);
        self.trip.response_body = early.len() as u64;
        Ok(Ended::Switched(out))
    }
}

/// What is accepted of a server's head.
pub(in crate::l7) const ANSWER_LIMITS: Limits = Limits {
    max_head: 64 * 1024,
    max_target: 0,
    max_fields: 256,
};
