//! Signed tokens: JSON Web Tokens (RFC 7519) in the compact form of JWS (RFC 7515).
//!
//! What a key is decides which algorithms it verifies, never what a token says of itself: `none` is no algorithm, and a public key is never
//! taken for a secret (RFC 8725, 3.1).

mod algorithm;
mod claims;
mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use thiserror::Error;

pub use algorithm::Algorithm;
pub use claims::Claims;
pub use keys::{Keys, KeysError};

/// What a token has to be, beside signed by one of the keys that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The algorithms that are taken, of those that the keys are for; empty takes all of them.
    pub algorithms: Box<[Algorithm]>,
    /// Whose it is: one of these is its `iss`. Empty takes any.
    pub issuers: Box<[Box<str>]>,
    /// Whom it is for: one of these is in its `aud`. Empty takes any.
    pub audiences: Box<[Box<str>]>,
    /// Seconds by which clocks may differ.
    pub leeway: u64,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwtError {
    /// It is none, or longer than any that is meant.
    #[error("this is no token")]
    Malformed,
    /// Its algorithm is none of those that are taken.
    #[error("its algorithm is not taken")]
    Algorithm,
    /// It asks for something that is not known here (RFC 7515, 4.1.11).
    #[error("it has critical extensions")]
    Critical,
    /// No key is the one that it names, or is for its algorithm.
    #[error("there is no key for it")]
    NoKey,
    /// It is not what was signed.
    #[error("its signature is wrong")]
    Signature,
    /// It has no end, or that is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not begun.
    #[error("it is not valid yet")]
    Early,
    /// It is somebody else's.
    #[error("its issuer is another")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for somebody else")]
    Audience,
}

impl JwtError {
    /// Whether the token may be right by other keys than those that are known: new ones, under a new name or an old one.
    pub fn may_be_for_other_keys(self) -> bool {
        matches!(self, Self::NoKey | Self::Signature)
    }
}

impl Rules {
    /// What a token claims, where it is signed by one of `keys` and right at `now`, in seconds since 1970.
    pub fn verify(&self, token: &str, keys: &Keys, now: u64) -> Result<Claims, JwtError> {
        let (payload, signature) = self.read(token, keys)?;
        // First what is wrong whatever the keys are, so that nobody looks for others in vain.
        let claims = self.check(&payload, now)?;
        signature.map(|()| claims)
    }

    /// What a payload claims, where that is right.
    fn check(&self, payload: &[u8], now: u64) -> Result<Claims, JwtError> {
        let claims = object(payload).ok_or(JwtError::Malformed)?;
        let claims = Claims::new(claims, self.leeway)?;
        claims.check_time(now, self.leeway)?;
        if !self.issuers.is_empty() && !claims.has_text("iss", &self.issuers) {
            return Err(JwtError::Issuer);
        }
        if !self.audiences.is_empty() && !claims.has_text("aud", &self.audiences) {
            return Err(JwtError::Audience);
        }
        Ok(claims)
    }

    /// What was signed, where the signature is that of one of the keys.
    pub fn verify_signature(&self, token: &str, keys: &Keys) -> Result<Vec<u8>, JwtError> {
        let (payload, signature) = self.read(token, keys)?;
        signature.map(|()| payload)
    }

    /// What a token says, and whether one of the keys has signed it.
    fn read(&self, token: &str, keys: &Keys) -> Result<(Vec<u8>, Result<(), JwtError>), JwtError> {
        if token.len() > LONGEST {
            return Err(JwtError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        let header = decoded(header).and_then(|header| object(&header));
        let header = header.ok_or(JwtError::Malformed)?;
        let payload = decoded(payload).ok_or(JwtError::Malformed)?;
        let signature = decoded(signature).ok_or(JwtError::Malformed)?;
        if header.contains_key("crit") {
            return Err(JwtError::Critical);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(Algorithm::of_name);
        let algorithm = algorithm.ok_or(JwtError::Algorithm)?;
        if !self.algorithms.is_empty() && !self.algorithms.contains(&algorithm) {
            return Err(JwtError::Algorithm);
        }
        let id = match header.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().ok_or(JwtError::Malformed)?),
        };
        let mut fitting = keys.fitting(algorithm, id).peekable();
        if fitting.peek().is_none() {
            return Ok((payload, Err(JwtError::NoKey)));
        }
        let mut fitting = fitting.take(MOST_TRIED);
        let verifies = fitting.any(|key| key.verifies(algorithm, signed.as_bytes(), &signature));
        let signature = if verifies {
            Ok(())
        } else {
            Err(JwtError::Signature)
        };
        Ok((payload, signature))
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(bytes).ok()
}

/// Bytes of a token.
const LONGEST: usize = 16 * 1024;
/// Keys that are tried where a token does not say which one.
const MOST_TRIED: usize = 8;

#[cfg(test)]
mod tests;
