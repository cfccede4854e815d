//! Who may come in: what a route's `auth` asks for, and what is told to whom it does not let in.
//!
//! Any one of a route's `auth` lets in. What can be judged by the request alone is judged at once; what has to be waited for
//! becomes an [inquiry](super::inquiry).

mod api_key;
mod basic;
mod denial;
mod forward;
mod jwt;
mod service;

use std::pin::Pin;
use std::rc::Rc;

use sluice_config::plan::{AuthId, AuthKind, Route, RouteAuth};
use sluice_http::h1::edits::write_line;
use sluice_telemetry::metrics::AuthOutcome;

pub(super) use self::jwt::ShownTokens;

use self::denial::{Denial, Denials};
use super::admission::Step;
use super::decide::{Asked, Decision, of_identity};
use super::identity::Identity;
use super::inquiry::{Finding, FoundClient, Outcome};
use super::refuse::Refused;
use super::takings::Takings;
use super::values::Values;
use crate::auth::LiveAuth;
use crate::trip::Trip;

/// What one `[auth.NAME]` says of a request.
enum Verdict {
    /// It lets in, as this.
    In(Identity),
    /// It does not.
    Out(Denial),
}

/// A verdict that is waited for.
type Judging = Pin<Box<dyn Future<Output = Verdict>>>;

/// A verdict, or how to get one.
enum Judged {
    Now(Verdict),
    Later(Judging),
}

/// Whether a request comes in.
pub(super) enum Admittance {
    /// It does, with what it has to wait for.
    In(Identity, Option<Step>),
    /// It does not, or not yet.
    Decided(Box<(Decision, usize)>),
}

/// As whom a client is let in.
enum Judgement {
    Now(Outcome),
    Later(Finding),
}

impl Asked<'_, '_, '_> {
    /// Whether the request may come in: where it is from, who its client is, and how much that has had. Limits that do not go by
    /// who it is are kept before that has to be waited for, so that trying out passwords is limited.
    pub(super) fn admit(
        &self,
        route: &Route,
        values: &Values<'_>,
        trip: &mut Trip,
    ) -> Result<Admittance, Refused> {
        let facts = values.facts;
        let cors = route.edits.cors.as_ref();
        if let Some(cors) = cors {
            self.tell_origin(cors, trip);
        }
        if !route.access.admits(facts) {
            return Err(Refused::Denied);
        }
        if let Some(answered) = cors.and_then(|cors| self.preflight(cors, trip)) {
            return Ok(Admittance::Decided(Box::new(answered)));
        }
        if self.is_too_much(route) {
            return Err(Refused::NoMemory);
        }
        let judgement = match &route.auth {
            None => Judgement::Now(Ok(Identity::default())),
            Some(auth) => self.judge(auth, values.request_id),
        };
        match judgement {
            Judgement::Now(Ok(identity)) if route.rate_limits.is_empty() => {
                Ok(Admittance::In(identity, None))
            }
            Judgement::Now(Ok(identity)) => {
                let facts = of_identity(facts, &identity);
                let passed = self.limit(&route.rate_limits, false, route, &facts, trip)?;
                Ok(Admittance::In(identity, passed.count(Takings::default())))
            }
            Judgement::Now(Err(refusal)) => {
                Ok(Admittance::Decided(Box::new(self.denied(&refusal, trip))))
            }
            Judgement::Later(finding) => {
                let (before, _) = self.limits_of(route);
                let passed = self.limit(before, true, route, facts, trip)?;
                let inquiry = self.inquire(passed, finding, values.request_id);
                Ok(Admittance::Decided(Box::new(inquiry)))
            }
        }
    }

    /// The same where it was waited for.
    pub(super) fn admit_later(
        &self,
        route: &Route,
        values: &Values<'_>,
        found_client: FoundClient,
        trip: &mut Trip,
    ) -> Result<Admittance, Refused> {
        let takings = found_client.takings;
        match found_client.outcome {
            Ok(identity) => {
                let facts = of_identity(values.facts, &identity);
                let (_, after) = self.limits_of(route);
                match self.limit(after, false, route, &facts, trip) {
                    Ok(passed) => Ok(Admittance::In(identity, passed.count(takings))),
                    Err(refused) => {
                        takings.give_back();
                        Err(refused)
                    }
                }
            }
            Err(refusal) => Ok(Admittance::Decided(Box::new(self.denied(&refusal, trip)))),
        }
    }

    #[inline(never)]
    fn judge(&self, auth: &RouteAuth, request_id: &str) -> Judgement {
        let mut denials = Denials::default();
        let mut later = Vec::new();
        let live = &self.listener.live;
        for id in &auth.any {
            let Some(one) = live.auth(*id) else {
                continue;
            };
            match self.judge_by(*id, one, request_id) {
                Judged::Now(Verdict::In(identity)) => {
                    one.count(AuthOutcome::Allowed);
                    return Judgement::Now(Ok(identity.by(one)));
                }
                Judged::Now(Verdict::Out(denial)) => {
                    one.count(denial.outcome);
                    denials.push(denial);
                }
                Judged::Later(judging) => later.push((Rc::clone(one), judging)),
            }
        }
        if later.is_empty() {
            return Judgement::Now(Err(Box::new(denials.refusal())));
        }
        Judgement::Later(Box::pin(any_of(later, denials)))
    }

    fn judge_by(&self, id: AuthId, auth: &Rc<LiveAuth>, request_id: &str) -> Judged {
        match &auth.settings.kind {
            AuthKind::Forward(settings) => self.judge_by_service(settings, request_id),
            AuthKind::Basic(settings) => self.judge_by_password(auth, settings),
            AuthKind::ApiKey(settings) => Judged::Now(self.judge_by_key(settings)),
            AuthKind::Jwt(settings) => self.judge_by_token(id, auth, settings),
        }
    }

    /// The value of a field that is there once. Where there are several, servers may go by another one.
    fn only_field(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.head.fields.all_named(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }
}

/// The line that tells the server under which name the client was let in.
fn name_lines(field: Option<&str>, name: &str) -> Vec<u8> {
    let mut lines = Vec::new();
    if let Some(field) = field {
        write_line(field, name.as_bytes(), &mut lines);
    }
    lines
}

/// Waits for one verdict after the other, until one lets in.
async fn any_of(later: Vec<(Rc<LiveAuth>, Judging)>, mut denials: Denials) -> Option<Outcome> {
    for (auth, judging) in later {
        match judging.await {
            Verdict::In(identity) => {
                auth.count(AuthOutcome::Allowed);
                return Some(Ok(identity.by(&auth)));
            }
            Verdict::Out(denial) => {
                auth.count(denial.outcome);
                denials.push(denial);
            }
        }
    }
    Some(Err(Box::new(denials.refusal())))
}
