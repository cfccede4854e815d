//! `jwt`: a signed token.

use std::time::{SystemTime, UNIX_EPOCH};

use sluice_auth::jwt::Claims;
use sluice_config::plan::{JwtAuth, TokenKeys};
use sluice_http::h1::edits::write_line;

use super::Verdict;
use super::denial::Denial;
use crate::auth::LiveAuth;
use crate::l7::decide::Asked;

impl Asked<'_, '_, '_> {
    pub(super) fn judge_by_token(&self, auth: &LiveAuth, settings: &JwtAuth) -> Verdict {
        let shown = self.only_field("authorization").and_then(token_of);
        let Some(token) = shown else {
            return Verdict::Out(Denial::missing("Bearer"));
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(u64::MAX, |now| now.as_secs());
        if let Some(lines) = auth.tokens().get(token.as_bytes(), now) {
            return Verdict::In(lines);
        }
        let TokenKeys::Known { keys, .. } = &settings.keys;
        match settings.rules.verify(token, keys, now) {
            Ok(claims) => {
                let lines = lines(settings, &claims);
                auth.tokens()
                    .add(token.as_bytes(), &lines, claims.expires(), now);
                Verdict::In(lines)
            }
            Err(error) => {
                tracing::debug!(auth = %auth.settings.name, %error, "a token does not let in");
                Verdict::Out(Denial::refused("Bearer error=\"invalid_token\""))
            }
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
