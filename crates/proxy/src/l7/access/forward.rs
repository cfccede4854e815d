//! `forward`: another service is asked who the client is, with the head of its request.

use std::io::Write as _;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sluice_config::plan::ForwardAuth;
use sluice_http::h1::edits::write_line;
use sluice_telemetry::metrics::AuthOutcome;
use sluice_wire::h1::{Field, FieldKind};

use super::denial::{Denial, Told};
use super::service::{self, Question, Said};
use super::{Judged, Verdict};
use crate::l7::decide::Asked;
use crate::l7::identity::Identity;
use crate::upstream_preface;

impl Asked<'_, '_, '_> {
    /// Asks the service.
    pub(super) fn judge_by_service(&self, settings: &Arc<ForwardAuth>, request_id: &str) -> Judged {
        let Some(cluster) = self.listener.live.cluster(settings.upstream) else {
            return Judged::Now(Verdict::Out(Denial::FAILURE));
        };
        let question = Question {
            worker: Rc::clone(&self.downstream.worker),
            cluster: Rc::clone(cluster),
            client: self.downstream.client,
            preface: upstream_preface::header(
                cluster,
                self.downstream.client,
                &self.downstream.stream,
            ),
            head: self.question(settings, request_id),
        };
        let settings = Arc::clone(settings);
        Judged::Later(Box::pin(async move {
            let by = Instant::now() + settings.timeout;
            let said = service::ask(&question, by).await;
            verdict(&settings, said)
        }))
    }

    /// The request to the service: a `GET` with the fields of the client's request, less those of its connection and its body,
    /// and with what it is that the client asks for.
    fn question(&self, settings: &ForwardAuth, request_id: &str) -> Vec<u8> {
        let head = self.head;
        let mut out = Vec::with_capacity(head.len + 256);
        for part in [
            "GET ",
            &settings.target,
            " HTTP/1.1\r\nHost: ",
            &settings.host,
            "\r\n",
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        for field in head.fields.iter().filter(is_passed_on) {
            let is_wanted = |passed: &[Box<str>]| {
                passed
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(field.name))
            };
            if settings.passed.as_deref().is_none_or(is_wanted) {
                write_line(field.name, field.value, &mut out);
            }
        }
        let client: IpAddr = self.client();
        // Writing to a vector cannot fail.
        let _ = write!(out, "X-Forwarded-For: {client}\r\n");
        let told = [
            ("X-Forwarded-Proto", self.downstream.scheme()),
            ("X-Forwarded-Host", head.host),
            ("X-Forwarded-Method", head.method.as_str()),
            ("X-Forwarded-Uri", &head.target.origin_form()),
            ("X-Request-ID", request_id),
        ];
        for (name, value) in told {
            write_line(name, value.as_bytes(), &mut out);
        }
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// Whether a field of the client's request may go into another one.
fn is_passed_on(field: &Field<'_>) -> bool {
    let starts_with = |prefix: &str| {
        let start = field.name.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    // What is asked for is ours to say, under any name that it may be taken for.
    let is_told = || starts_with("x-forwarded-") || starts_with("x_forwarded_");
    // The answer is wanted whole and now.
    let is_condition = || starts_with("if-") || field.name.eq_ignore_ascii_case("range");
    let is_of_message = matches!(
        field.kind,
        FieldKind::Host
            | FieldKind::ContentLength
            | FieldKind::ContentEncoding
            | FieldKind::Expect
            | FieldKind::MaxForwards
            | FieldKind::Trailer
            | FieldKind::Forwarded
            | FieldKind::XForwardedFor
            | FieldKind::XRealIp
            | FieldKind::XRequestId
    );
    !field.hop_by_hop && !is_of_message && !is_told() && !is_condition()
}

/// What the service's answer means.
fn verdict(settings: &ForwardAuth, said: Option<Said>) -> Verdict {
    let said = said.filter(|said| matches!(said.status, 200..=399 | 401 | 403 | 429));
    let Some(said) = said else {
        return if settings.allows_on_failure {
            Verdict::In(Identity::default())
        } else {
            Verdict::Out(Denial::FAILURE)
        };
    };
    if said.status < 300 {
        let mut lines = Vec::new();
        let is_copied = |name: &str| {
            settings
                .copied
                .iter()
                .any(|one| one.eq_ignore_ascii_case(name))
        };
        for (name, value) in said.fields.iter().filter(|(name, _)| is_copied(name)) {
            write_line(name, value, &mut lines);
        }
        return Verdict::In(Identity::of_name(None, lines));
    }
    let is_for_clients = |name: &str| FOR_CLIENTS.iter().any(|one| one.eq_ignore_ascii_case(name));
    let fields = said.fields.into_iter();
    let fields = fields.filter(|(name, _)| is_for_clients(name));
    Verdict::Out(Denial {
        outcome: AuthOutcome::Refused,
        told: Told::Answer {
            status: said.status,
            fields: fields.collect(),
            body: said.body,
        },
    })
}

/// What of an answer that does not let in reaches the client.
const FOR_CLIENTS: &[&str] = &[
    "www-authenticate",
    "location",
    "set-cookie",
    "content-type",
    "cache-control",
    "retry-after",
];
