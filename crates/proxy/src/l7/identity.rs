//! Who a client is: as whom it was let in, and what the tokens say that it shows.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use sluice_config::plan::{AuthId, AuthKind};
use sluice_route::IdentityLookup;

use super::decide::Asked;
use crate::auth::{LiveAuth, Verified};

/// As whom a client was let in. Where nobody asks, it is nobody.
#[derive(Debug, Default)]
pub(super) struct Identity {
    name: Option<Arc<str>>,
    token: Option<Rc<Verified>>,
    lines: Vec<u8>,
    by: Option<Rc<LiveAuth>>,
}

impl Identity {
    /// By a name, or by none.
    pub(super) fn of_name(name: Option<Arc<str>>, lines: Vec<u8>) -> Self {
        Self {
            name,
            lines,
            ..Self::default()
        }
    }

    pub(super) fn of_token(token: Rc<Verified>) -> Self {
        Self {
            token: Some(token),
            ..Self::default()
        }
    }

    /// The same, let in by this one.
    pub(super) fn by(self, auth: &Rc<LiveAuth>) -> Self {
        Self {
            by: Some(Rc::clone(auth)),
            ..self
        }
    }

    /// The token by which it was let in.
    pub(super) fn token(&self) -> Option<&Rc<Verified>> {
        self.token.as_ref()
    }

    /// The field lines that are vouched for towards the server.
    pub(super) fn lines(&self) -> &[u8] {
        match &self.token {
            Some(token) => &token.lines,
            None => &self.lines,
        }
    }
}

impl IdentityLookup for Identity {
    /// Of a token its `sub` (RFC 7519, 4.1.2).
    fn name(&self) -> Option<&str> {
        let subject = || self.token.as_ref()?.claims.get("sub")?.as_str();
        self.name.as_deref().or_else(subject)
    }

    fn let_in_by(&self) -> Option<&str> {
        self.by.as_ref().map(|auth| &*auth.settings.name)
    }

    fn any_claim(
        &self,
        _verifiers: &[usize],
        name: &str,
        holds: &mut dyn FnMut(&Value) -> bool,
    ) -> bool {
        let claim = self.token.as_ref().and_then(|token| token.claims.get(name));
        claim.is_some_and(holds)
    }
}

/// Before a client is let in: what can be said of the token that it shows.
impl IdentityLookup for Asked<'_, '_, '_> {
    fn name(&self) -> Option<&str> {
        None
    }

    fn let_in_by(&self) -> Option<&str> {
        None
    }

    fn any_claim(
        &self,
        verifiers: &[usize],
        name: &str,
        holds: &mut dyn FnMut(&Value) -> bool,
    ) -> bool {
        verifiers.iter().any(|id| {
            let Some(auth) = self.listener.live.auth(AuthId(*id)) else {
                return false;
            };
            let AuthKind::Jwt(settings) = &auth.settings.kind else {
                return false;
            };
            let token = self.token(AuthId(*id), auth, settings).ok();
            let claim = token.as_ref().and_then(|token| token.claims.get(name));
            claim.is_some_and(&mut *holds)
        })
    }
}
