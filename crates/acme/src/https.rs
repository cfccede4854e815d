//! HTTPS to the authority.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use sluice_config::plan::{Authorities, UpstreamTls};
use tokio::time::timeout;

use crate::failure::Failure;

/// A client that trusts the given authorities, or those that this machine trusts.
#[derive(Clone)]
pub(crate) struct Https(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Https {
    pub(crate) fn new(authorities: Option<&Authorities>) -> Result<Self, Failure> {
        let authorities =
            authorities.map_or_else(sluice_tls::system_authorities, |known| Ok(known.clone()));
        let trusted = authorities.and_then(|authorities| {
            sluice_tls::client_config(&UpstreamTls {
                authorities: Some(authorities),
                server_name: None,
                certificate: None,
            })
        });
        let config = trusted.map_err(|wrong| Failure::Internal(wrong.reason))?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config((*config).clone())
            .https_only()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            // Between two requests of an order the authority is at work; after it, nothing is kept for months.
            .pool_idle_timeout(TIMEOUT)
            .build(connector);
        Ok(Self(client))
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let answered = self.0.request(request);
        Box::pin(async move {
            let whole = async {
                let (parts, body) = answered.await.map_err(other)?.into_parts();
                let body = Limited::new(body, MAX_ANSWER).collect().await;
                let body = body.map_err(Error::Other)?.to_bytes();
                Ok(Response::from_parts(parts, Full::new(body)).into())
            };
            timeout(TIMEOUT, whole).await.map_err(|_| late())?
        })
    }
}

fn other(error: hyper_util::client::legacy::Error) -> Error {
    Error::Other(Box::new(error))
}

fn late() -> Error {
    let error = std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!("no answer within {} seconds", TIMEOUT.as_secs()),
    );
    Error::Other(Box::new(error))
}

/// From the connection to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Chains are a few KiB.
const MAX_ANSWER: usize = 1 << 20;
