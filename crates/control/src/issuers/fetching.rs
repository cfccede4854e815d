//! One look at the keys that an issuer shows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{Response, StatusCode};
use sluice_auth::jwt::{Keys, KeysError};
use sluice_config::plan::{Authorities, KeySource};
use sluice_fetch::{FetchError, Fetcher, Limits, Schemes};
use thiserror::Error;

/// Whoever fetches the keys of an issuer.
pub(super) trait Fetches: Send {
    /// Fetches them once.
    fn fetch(&mut self) -> impl Future<Output = Result<Fetched, KeySetError>> + Send;
}

/// Keys that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) keys: Keys,
    /// What the issuer says of how long they are good.
    pub(super) cache_control: Option<String>,
}

/// Why there are no keys.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum KeySetError {
    /// There was no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The keys are said to be elsewhere.
    #[error(
        "it is answered by {status}, to {to}: redirects are not followed, write where the keys are"
    )]
    Elsewhere { status: StatusCode, to: String },
    /// It is no answer with keys.
    #[error("it is answered by {0}")]
    Status(StatusCode),
    /// What came is no set of keys.
    #[error("what came cannot be used: {0}")]
    Keys(#[from] KeysError),
}

/// Fetches over the network.
#[derive(Debug)]
pub(super) struct Fetching {
    url: Box<str>,
    authorities: Authorities,
}

impl Fetching {
    pub(super) fn new(source: &KeySource) -> Self {
        // Over http nobody is verified.
        let nobody = || Authorities {
            file: None,
            certificates: Arc::default(),
        };
        Self {
            url: source.url.clone(),
            authorities: source.authorities.clone().unwrap_or_else(nobody),
        }
    }
}

impl Fetches for Fetching {
    async fn fetch(&mut self) -> Result<Fetched, KeySetError> {
        // Made anew each time: minutes pass between two, and what it holds is not small.
        let fetcher = Fetcher::new(Some(&self.authorities), Schemes::HttpOrHttps, LIMITS)?;
        fetched(&fetcher.get(&self.url, ACCEPTED).await?)
    }
}

/// What an answer brings.
fn fetched(answer: &Response<Bytes>) -> Result<Fetched, KeySetError> {
    let field = |name| {
        let value = answer.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let status = answer.status();
    if let Some(to) = field(LOCATION).filter(|_| status.is_redirection()) {
        return Err(KeySetError::Elsewhere { status, to });
    }
    if status != StatusCode::OK {
        return Err(KeySetError::Status(status));
    }
    let text = std::str::from_utf8(answer.body()).map_err(|_| KeysError::NoSet)?;
    Ok(Fetched {
        keys: Keys::published(text)?,
        cache_control: field(CACHE_CONTROL),
    })
}

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(10),
    // A key with its certificates has some KiB, and a set a hundred of them at most.
    body: 512 * 1024,
};
/// RFC 7517, 8.5.2
const ACCEPTED: &str = "application/jwk-set+json, application/json";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn answer(status: u16, field: (&str, &str), body: &str) -> Result<Fetched, KeySetError> {
        let answer = Response::builder().status(status).header(field.0, field.1);
        fetched(&answer.body(body.to_owned().into()).expect("an answer"))
    }

    #[test]
    fn an_answer_brings_keys_or_says_why_not() {
        let set = format!(r#"{{"keys":[{KEY},{{"kty":"oct","k":"AAAA"}},{{"kty":"RSA"}}]}}"#);
        let came = answer(200, ("cache-control", "max-age=60"), &set).expect("keys");
        assert_eq!(came.keys.len(), 1, "no secret, nothing malformed");
        assert_eq!(came.cache_control.as_deref(), Some("max-age=60"));
        for (status, field, body, error) in [
            (200, ("x", "y"), "<html>", "no set of keys"),
            (200, ("x", "y"), r#"{"keys":[]}"#, "no key in it"),
            (
                200,
                ("x", "y"),
                r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#,
                "no key in it",
            ),
            (404, ("x", "y"), &*set, "answered by 404 Not Found"),
            (204, ("x", "y"), "", "answered by 204 No Content"),
            (
                302,
                ("location", "/keys"),
                &set,
                "to /keys: redirects are not followed",
            ),
            (304, ("x", "y"), "", "answered by 304 Not Modified"),
        ] {
            let told = answer(status, field, body).expect_err(error).to_string();
            assert!(told.contains(error), "{told}");
        }
    }
}
