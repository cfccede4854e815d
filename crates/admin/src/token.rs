//! Who may ask: `Authorization: Bearer TOKEN` (RFC 6750), compared in constant time.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

/// The secret that lets a client in. Never shown, not even in debug output.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// Wraps a secret text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether the value of an `Authorization` field holds this token. Takes as long for a token that is wrong in its
    /// first byte as for one that is wrong in its last; only the length can be told from the time.
    fn admits(&self, authorization: &[u8]) -> bool {
        let Some((scheme, credentials)) = authorization.split_at_checked(SCHEME.len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(SCHEME)
            && credentials.starts_with(b" ")
            && credentials
                .trim_ascii_start()
                .ct_eq(self.0.as_bytes())
                .into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Lets a request through if it carries the token, or none is set.
pub(crate) async fn require(
    State(token): State<Option<Token>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(token) = token else {
        return next.run(request).await;
    };
    let challenge = match request.headers().get(header::AUTHORIZATION) {
        Some(value) if token.admits(value.as_bytes()) => return next.run(request).await,
        Some(_) => "Bearer realm=\"sluice\", error=\"invalid_token\"",
        None => "Bearer realm=\"sluice\"",
    };
    let challenge = [(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    )];
    (
        StatusCode::UNAUTHORIZED,
        challenge,
        "a token is needed: Authorization: Bearer TOKEN\n",
    )
        .into_response()
}

const SCHEME: &[u8] = b"Bearer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_admitted() {
        let token = Token::new("s3cret");
        for (authorization, admitted) in [
            ("Bearer s3cret", true),
            ("bearer  s3cret", true),
            ("Bearer s3cre", false),
            ("Bearer s3crets", false),
            ("Bearer S3CRET", false),
            ("Bearers3cret", false),
            ("Bearer ", false),
            ("Bearer", false),
            ("Basic s3cret", false),
            ("s3cret", false),
            ("", false),
        ] {
            assert_eq!(
                token.admits(authorization.as_bytes()),
                admitted,
                "{authorization:?}"
            );
        }
    }

    #[test]
    fn never_shown() {
        assert_eq!(format!("{:?}", Token::new("s3cret")), "Token(…)");
    }
}
