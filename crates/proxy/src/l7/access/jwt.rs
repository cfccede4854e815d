//! `jwt`: a signed token. Where an issuer shows its keys by URL, a token that none of them verifies waits until they were fetched anew.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sluice_auth::jwt::Claims;
use sluice_config::plan::{AuthId, JwtAuth, TokenKeys};
use sluice_http::h1::edits::write_line;

use super::denial::Denial;
use super::{Judged, Verdict};
use crate::auth::{LiveAuth, Verified};
use crate::key_set::KeySet;
use crate::l7::decide::Asked;
use crate::l7::identity::Identity;
use crate::l7::inquiry::Finding;

/// What was found in the tokens of one request: each `[auth.NAME]` is asked once.
#[derive(Default)]
pub(in crate::l7) struct ShownTokens(RefCell<Vec<(AuthId, Shown)>>);

impl ShownTokens {
    /// All of it, so that the request is decided upon by the same once more.
    pub(in crate::l7) fn take(&self) -> Self {
        Self(RefCell::new(self.0.take()))
    }
}

/// What is found in a token.
type Shown = Result<Rc<Verified>, NoToken>;

/// Why there is no token that lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::l7) enum NoToken {
    /// None was shown.
    Missing,
    /// It is wrong, whatever the keys are.
    Wrong,
    /// None of the keys of this number verifies it; 0 where none were ever fetched.
    NoKey(u64),
}

impl Asked<'_, '_, '_> {
    pub(super) fn judge_by_token(
        &self,
        id: AuthId,
        auth: &Rc<LiveAuth>,
        settings: &Arc<JwtAuth>,
    ) -> Judged {
        let found = self.token(id, auth, settings);
        if let Err(NoToken::NoKey(number)) = found
            && let Some(key_set) = &auth.key_set
            && let Some(token) = self.shown_token()
            && key_set.may_differ_from(number)
        {
            return Judged::Later(Box::pin(judge_by_newer_keys(
                Rc::clone(auth),
                Arc::clone(settings),
                Arc::clone(key_set),
                token.to_owned(),
            )));
        }
        Judged::Now(verdict(found))
    }

    /// What this one finds in the token of the request.
    pub(in crate::l7) fn token(&self, id: AuthId, auth: &LiveAuth, settings: &JwtAuth) -> Shown {
        let mut tokens = self.tokens.0.borrow_mut();
        if let Some((_, found)) = tokens.iter().find(|(asked, _)| *asked == id) {
            return found.clone();
        }
        let found = match self.shown_token() {
            Some(token) => verify(token, auth, settings),
            None => Err(NoToken::Missing),
        };
        tokens.push((id, found.clone()));
        found
    }

    /// Where routes have looked for claims in a token which none of the keys verifies: has newer ones fetched, if they may be had.
    pub(in crate::l7) fn newer_keys(&self) -> Option<Finding> {
        let tokens = self.tokens.0.borrow();
        let key_sets: Vec<_> = tokens
            .iter()
            .filter_map(|(id, found)| match found {
                Err(NoToken::NoKey(number)) => {
                    let key_set = self.listener.live.auth(*id)?.key_set.as_ref()?;
                    key_set
                        .may_differ_from(*number)
                        .then(|| Arc::clone(key_set))
                }
                _ => None,
            })
            .collect();
        if key_sets.is_empty() {
            return None;
        }
        Some(Box::pin(async move {
            for key_set in key_sets {
                key_set.renewed().await;
            }
            None
        }))
    }

    fn shown_token(&self) -> Option<&str> {
        self.only_field("authorization").and_then(token_of)
    }
}

/// Judges a token when the keys of its issuer were fetched anew.
async fn judge_by_newer_keys(
    auth: Rc<LiveAuth>,
    settings: Arc<JwtAuth>,
    key_set: Arc<KeySet>,
    token: String,
) -> Verdict {
    let has_waited = key_set.renewed().await;
    match verify(&token, &auth, &settings) {
        // Newer ones may know it.
        Err(NoToken::NoKey(_)) if !has_waited => Verdict::Out(Denial::FAILURE),
        found => verdict(found),
    }
}

fn verdict(found: Shown) -> Verdict {
    match found {
        Ok(token) => Verdict::In(Identity::of_token(token)),
        Err(NoToken::Missing) => Verdict::Out(Denial::missing("Bearer")),
        Err(NoToken::NoKey(0)) => Verdict::Out(Denial::FAILURE),
        Err(NoToken::Wrong | NoToken::NoKey(_)) => {
            Verdict::Out(Denial::refused("Bearer error=\"invalid_token\""))
        }
    }
}

/// Verifies it by the keys that there are now.
fn verify(token: &str, auth: &LiveAuth, settings: &JwtAuth) -> Shown {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(u64::MAX, |now| now.as_secs());
    let number = auth.key_set.as_ref().map_or(0, |set| set.number());
    if let Some(known) = auth.tokens(number).get(token.as_bytes(), now) {
        return Ok(known);
    }
    let shown = auth.key_set.as_ref().map(|set| set.shown());
    let shown = shown.as_deref().and_then(Option::as_ref);
    let (keys, number) = match (&settings.keys, shown) {
        (TokenKeys::Known { keys, .. }, _) => (keys, 0),
        (TokenKeys::Shown(_), Some(shown)) => (&shown.keys, shown.number),
        (TokenKeys::Shown(_), None) => return Err(NoToken::NoKey(0)),
    };
    match settings.rules.verify(token, keys, now) {
        Ok(claims) => {
            let lines = lines(settings, &claims).into();
            let verified = Rc::new(Verified { claims, lines });
            auth.tokens(number).add(token.as_bytes(), &verified, now);
            Ok(verified)
        }
        Err(error) => {
            tracing::debug!(auth = %auth.settings.name, %error, "a token does not let in");
            let may_be_of_others = auth.key_set.is_some() && error.may_be_for_other_keys();
            Err(if may_be_of_others {
                NoToken::NoKey(number)
            } else {
                NoToken::Wrong
            })
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
