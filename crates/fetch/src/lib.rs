//! What the control plane asks of others by HTTP and HTTPS: authorities, issuers of tokens.
//!
//! A request flows out, its whole answer flows in, within a time and a length. Redirects are not followed: where something is, the
//! configuration says, and what is trusted by its name does not come from elsewhere. No worker is ever in here.

mod causes;

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sluice_config::plan::{Authorities, UpstreamTls};
use thiserror::Error;
use tokio::time::timeout;

pub use causes::with_causes;

/// Asks over HTTP/1.1. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limits: Limits,
}

/// How far an answer may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the connection to the end of the answer.
    pub timeout: Duration,
    /// Bytes of its body.
    pub body: usize,
}

/// Over what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemes {
    /// TLS only, whatever a URL says.
    Https,
    /// As each URL says.
    HttpOrHttps,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// Whom to trust cannot be told.
    #[error("{0}")]
    Trust(String),
    /// It is no URL.
    #[error("{0}")]
    Url(String),
    /// There was no connection, or it broke.
    #[error("{0}")]
    Unreachable(String),
    /// It took longer than [`Limits::timeout`].
    #[error("no answer within {} seconds", .0.as_secs())]
    Late(Duration),
    /// The answer is longer than [`Limits::body`].
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Fetcher {
    /// Trusts the given authorities, or those that this machine trusts.
    pub fn new(
        authorities: Option<&Authorities>,
        schemes: Schemes,
        limits: Limits,
    ) -> Result<Self, FetchError> {
        let authorities =
            authorities.map_or_else(sluice_tls::system_authorities, |known| Ok(known.clone()));
        let trusted = authorities.and_then(|authorities| {
            sluice_tls::client_config(&UpstreamTls {
                authorities: Some(authorities),
                server_name: None,
                certificate: None,
            })
        });
        let config = trusted.map_err(|wrong| FetchError::Trust(wrong.reason))?;
        let builder = HttpsConnectorBuilder::new().with_tls_config((*config).clone());
        let builder = match schemes {
            Schemes::Https => builder.https_only(),
            Schemes::HttpOrHttps => builder.https_or_http(),
        };
        let client = Client::builder(TokioExecutor::new())
            // What is asked next follows soon, or in minutes: nothing is kept for those.
            .pool_idle_timeout(limits.timeout)
            .build(builder.enable_http1().build());
        Ok(Self { client, limits })
    }

    /// What is at a URL, by whatever status.
    pub async fn get(&self, url: &str, accept: &str) -> Result<Response<Bytes>, FetchError> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(url)
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("sluice/", env!("CARGO_PKG_VERSION")))
            .body(Full::default())
            .map_err(|error| FetchError::Url(error.to_string()))?;
        self.send(request).await
    }

    /// The whole answer to a request.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, FetchError> {
        let Limits {
            timeout: time,
            body,
        } = self.limits;
        let whole = async {
            let answered = self.client.request(request).await;
            let (parts, answer) = answered.map_err(|error| unreachable(&error))?.into_parts();
            let collected = Limited::new(answer, body).collect().await;
            let collected = collected.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    FetchError::TooLong(body)
                } else {
                    unreachable(&*error)
                }
            })?;
            Ok(Response::from_parts(parts, collected.to_bytes()))
        };
        let late = |_| FetchError::Late(time);
        timeout(time, whole).await.map_err(late)?
    }
}

fn unreachable(error: &(dyn std::error::Error + 'static)) -> FetchError {
    FetchError::Unreachable(with_causes(error))
}

#[cfg(test)]
mod tests;
