//! HTTPS to the authority, as `instant-acme` asks for it.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use sluice_config::plan::Authorities;
use sluice_fetch::{Fetcher, Limits, Schemes};

use crate::failure::Failure;

/// A client that trusts the given authorities, or those that this machine trusts.
#[derive(Clone)]
pub(crate) struct Https(Fetcher);

impl Https {
    pub(crate) fn new(authorities: Option<&Authorities>) -> Result<Self, Failure> {
        Fetcher::new(authorities, Schemes::Https, LIMITS)
            .map(Self)
            .map_err(|error| Failure::Internal(error.to_string()))
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let fetcher = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(other)?.to_bytes();
            let request = Request::from_parts(parts, Full::new(body));
            let answer = fetcher.send(request).await.map_err(other)?;
            Ok(answer.map(Full::new).into())
        })
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(30),
    // Chains are a few KiB.
    body: 1 << 20,
};
