//! Who may come in: what a route's `auth` asks for, and what is told to whom it does not let in.
//!
//! Any one of a route's `auth` lets in. What can be judged by the request alone is judged at once; what has to be waited for
//! becomes a step of the [admission](super::admission).

mod api_key;
mod basic;
mod denial;
mod forward;
mod jwt;
mod service;

use std::pin::Pin;
use std::rc::Rc;

use sluice_config::plan::{AuthKind, Route, RouteAuth};
use sluice_http::h1::edits::write_line;
use sluice_telemetry::metrics::AuthOutcome;

use self::denial::{Denial, Denials};
use super::admission::{Admitted, Refusal, Step};
use super::decide::Asked;
use crate::auth::LiveAuth;

/// What one `[auth.NAME]` says of a request.
enum Verdict {
    /// It lets in, with these field lines for the server.
    In(Vec<u8>),
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

impl Asked<'_, '_, '_> {
    /// Whether the client may come in: the field lines that are vouched for towards the server, or what the client is told. What
    /// has to be waited for is added to `steps`.
    pub(super) fn access(
        &self,
        route: &Route,
        request_id: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Vec<u8>, Box<Refusal>> {
        match &route.auth {
            None => Ok(Vec::new()),
            Some(auth) => self.judge(auth, request_id, steps),
        }
    }

    #[inline(never)]
    fn judge(
        &self,
        auth: &RouteAuth,
        request_id: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Vec<u8>, Box<Refusal>> {
        let mut denials = Denials::default();
        let mut later = Vec::new();
        let live = &self.listener.live;
        for one in auth.any.iter().filter_map(|id| live.auth(*id)) {
            match self.judge_by(one, request_id) {
                Judged::Now(Verdict::In(lines)) => {
                    one.count(AuthOutcome::Allowed);
                    return Ok(lines);
                }
                Judged::Now(Verdict::Out(denial)) => {
                    one.count(denial.outcome);
                    denials.push(denial);
                }
                Judged::Later(judging) => later.push((Rc::clone(one), judging)),
            }
        }
        if later.is_empty() {
            return Err(Box::new(denials.refusal()));
        }
        steps.push(Box::pin(any_of(later, denials)));
        Ok(Vec::new())
    }

    fn judge_by(&self, auth: &Rc<LiveAuth>, request_id: &str) -> Judged {
        match &auth.settings.kind {
            AuthKind::Forward(settings) => self.judge_by_service(settings, request_id),
            AuthKind::Basic(settings) => self.judge_by_password(auth, settings),
            AuthKind::ApiKey(settings) => Judged::Now(self.judge_by_key(settings)),
            AuthKind::Jwt(settings) => Judged::Now(self.judge_by_token(auth, settings)),
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
async fn any_of(later: Vec<(Rc<LiveAuth>, Judging)>, mut denials: Denials) -> Admitted {
    for (auth, judging) in later {
        match judging.await {
            Verdict::In(lines) => {
                auth.count(AuthOutcome::Allowed);
                return Admitted::On(lines);
            }
            Verdict::Out(denial) => {
                auth.count(denial.outcome);
                denials.push(denial);
            }
        }
    }
    Admitted::Refused(Box::new(denials.refusal()))
}
