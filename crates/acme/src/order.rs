//! One order, from the domains to the certificate (RFC 8555, 7.4).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeType, Identifier, KeyAuthorization,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use sluice_config::plan::Challenge;
use sluice_tls::{Proof, Proofs};

use crate::failure::{Failure, words};

/// A certificate as it was issued, in PEM.
pub(crate) struct Obtained {
    pub(crate) private_key: String,
    pub(crate) chain: String,
}

/// Orders a certificate for `domains`, shows what the authority wants to see, and fetches it.
pub(crate) async fn order(
    account: &Account,
    domains: &[Box<str>],
    challenge: Challenge,
    proofs: &Arc<Proofs>,
) -> Result<Obtained, Failure> {
    let identifiers: Vec<Identifier> = domains
        .iter()
        .map(|domain| Identifier::Dns(domain.to_string()))
        .collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let shown = prove(&mut order, challenge, proofs).await?;
    let ready = order.poll_ready(&PATIENCE).await;
    // Whatever came of it, nobody looks any more.
    drop(shown);
    if !matches!(ready, Ok(OrderStatus::Ready)) {
        // The order tells that it is void, the authorizations why.
        if let Some(said) = what_was_said(&mut order).await {
            return Err(Failure::NotProven(said));
        }
        ready?;
        return Err(Failure::Refused("the order is void".to_owned()));
    }
    let private_key = order.finalize().await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Obtained { private_key, chain })
}

/// Shows a proof for each domain that needs one, and says so to the authority.
async fn prove(
    order: &mut Order,
    challenge: Challenge,
    proofs: &Arc<Proofs>,
) -> Result<Vec<Proof>, Failure> {
    let mut shown = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // One that was proven lately is not asked for again.
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let domain = domain(&authorization);
        let offered = offered(&authorization);
        let Some(mut asked) = authorization.challenge(kind(challenge)) else {
            return Err(Failure::NotOffered {
                challenge: word(challenge),
                domain,
                offered,
            });
        };
        let answer = asked.key_authorization();
        shown.push(match challenge {
            Challenge::Http01 => proofs.show_answer(&asked.token, answer.as_str()),
            Challenge::TlsAlpn01 => certificate(&domain, &answer, proofs)?,
        });
        asked.set_ready().await?;
    }
    Ok(shown)
}

/// The certificate that proves a domain: signed by itself, with a digest of the answer in it (RFC 8737, 3).
fn certificate(
    domain: &str,
    answer: &KeyAuthorization,
    proofs: &Arc<Proofs>,
) -> Result<Proof, Failure> {
    let wrong = |error: rcgen::Error| Failure::Internal(error.to_string());
    let key = KeyPair::generate().map_err(wrong)?;
    let mut params = CertificateParams::new(vec![domain.to_owned()]).map_err(wrong)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(
        answer.digest().as_ref(),
    )];
    let certificate = params.self_signed(&key).map_err(wrong)?;
    proofs
        .show_certificate(domain, &certificate.pem(), &key.serialize_pem())
        .map_err(|wrong| Failure::Internal(wrong.reason))
}

/// What the authority found wrong with the proofs, domain by domain.
async fn what_was_said(order: &mut Order) -> Option<String> {
    let mut text = String::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        authorization.refresh().await.ok()?;
        let problems = authorization
            .challenges
            .iter()
            .filter_map(|one| one.error.as_ref());
        for problem in problems {
            let separator = if text.is_empty() { "" } else { "; of " };
            let domain = domain(&authorization);
            // Writing to a text cannot fail.
            let _ = write!(text, "{separator}{domain}: {}", words(problem));
        }
    }
    (!text.is_empty()).then_some(text)
}

fn domain(authorization: &AuthorizationHandle<'_>) -> String {
    authorization.identifier().to_string()
}

fn offered(authorization: &AuthorizationHandle<'_>) -> String {
    let names = authorization
        .challenges
        .iter()
        .map(|one| match &one.r#type {
            ChallengeType::Http01 => "http-01",
            ChallengeType::Dns01 => "dns-01",
            ChallengeType::TlsAlpn01 => "tls-alpn-01",
            _ => "others",
        });
    let names: Vec<&str> = names.collect();
    names.join(", ")
}

fn kind(challenge: Challenge) -> ChallengeType {
    match challenge {
        Challenge::Http01 => ChallengeType::Http01,
        Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
    }
}

/// As the configuration file has it.
pub(crate) fn word(challenge: Challenge) -> &'static str {
    match challenge {
        Challenge::Http01 => "http-01",
        Challenge::TlsAlpn01 => "tls-alpn-01",
    }
}

/// How long the authority may look for proofs, and then be at work on the certificate.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_mins(2));
