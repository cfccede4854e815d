//! `jwt`: a signed token.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use sluice_auth::jwt::Claims;
use sluice_config::plan::{AuthId, JwtAuth, TokenKeys};
use sluice_http::h1::edits::write_line;

use super::Verdict;
use super::denial::Denial;
use crate::auth::{LiveAuth, Verified};
use crate::l7::decide::Asked;
use crate::l7::identity::Identity;

/// What was found in the tokens of one request: each `[auth.NAME]` is asked once.
#[derive(Default)]
pub(in crate::l7) struct ShownTokens(RefCell<Vec<(AuthId, Result<Rc<Verified>, NoToken>)>>);

/// Why there is no token that lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::l7) enum NoToken {
    /// None was shown.
    Missing,
    /// It is wrong.
    Wrong,
}

impl Asked<'_, '_, '_> {
    pub(super) fn judge_by_token(
        &self,
        id: AuthId,
        auth: &LiveAuth,
        settings: &JwtAuth,
    ) -> Verdict {
        match self.token(id, auth, settings) {
            Ok(token) => Verdict::In(Identity::of_token(token)),
            Err(NoToken::Missing) => Verdict::Out(Denial::missing("Bearer")),
            Err(NoToken::Wrong) => Verdict::Out(Denial::refused("Bearer error=\"invalid_token\"")),
        }
    }

    /// What this one finds in the token of the request.
    pub(in crate::l7) fn token(
        &self,
        id: AuthId,
        auth: &LiveAuth,
        settings: &JwtAuth,
    ) -> Result<Rc<Verified>, NoToken> {
        let mut tokens = self.tokens.0.borrow_mut();
        if let Some((_, found)) = tokens.iter().find(|(asked, _)| *asked == id) {
            return found.clone();
        }
        let shown = self.only_field("authorization").and_then(token_of);
        let found = match shown {
            Some(token) => verify(token, auth, settings),
            None => Err(NoToken::Missing),
        };
        tokens.push((id, found.clone()));
        found
    }
}

fn verify(token: &str, auth: &LiveAuth, settings: &JwtAuth) -> Result<Rc<Verified>, NoToken> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(u64::MAX, |now| now.as_secs());
    if let Some(known) = auth.tokens().get(token.as_bytes(), now) {
        return Ok(known);
    }
    let TokenKeys::Known { keys, .. } = &settings.keys;
    match settings.rules.verify(token, keys, now) {
        Ok(claims) => {
            let lines = lines(settings, &claims).into();
            let verified = Rc::new(Verified { claims, lines });
            auth.tokens().add(token.as_bytes(), &verified, now);
            Ok(verified)
        }
        Err(error) => {
            tracing::debug!(auth = %auth.settings.name, %error, "a token does not let in");
            Err(NoToken::Wrong)
        }
    }
}

/// RFC 6750, 2.1
fn token_of(value: &[u8]) -> Option<&str> {
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    let token = std::str::from_utf8(token).ok()?.trim();
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}

/// What the server is told of the claims.
fn lines(settings: &JwtAuth, claims: &Claims) -> Vec<u8> {
    let mut lines = Vec::new();
    for (claim, field) in &settings.claims {
        if let Some(text) = claims.text(claim) {
            write_line(field, text.as_bytes(), &mut lines);
        }
    }
    lines
}

const SCHEME: &[u8] = b"Bearer ";
