//! An issuer of tokens, with a key of its own.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Signs with ES256.
pub(crate) struct Issuer {
    key: EcdsaKeyPair,
    /// What its tokens call the key.
    id: Option<&'static str>,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self {
            key: key.expect("a key"),
            id: None,
        }
    }

    /// One whose tokens name the key.
    #[allow(dead_code, reason = "one of the files that share this needs it")]
    pub(crate) fn named(id: &'static str) -> Self {
        Self {
            id: Some(id),
            ..Self::new()
        }
    }

    /// The public key in JSON.
    #[allow(dead_code, reason = "one of the files that share this needs it")]
    pub(crate) fn jwk(&self) -> String {
        let point = self.key.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        let id = self.id.unwrap_or_default();
        format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"{id}\",\"x\":\"{x}\",\"y\":\"{y}\"}}")
    }

    /// The public key in PEM.
    #[allow(
        dead_code,
        reason = "one of the files that share this does not need it"
    )]
    pub(crate) fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().expect("a key");
        let text = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// A token with these claims, a JSON object without `exp`, until the year 2100.
    pub(crate) fn token(&self, claims: &str) -> String {
        let claims = claims.strip_suffix('}').expect("an object");
        let separator = if claims == "{" { "" } else { "," };
        self.signed(&format!("{claims}{separator}\"exp\":4102444800}}"))
    }

    /// A token with these claims and no others.
    pub(crate) fn signed(&self, claims: &str) -> String {
        let id = self.id.map(|id| format!(",\"kid\":\"{id}\""));
        let header = format!("{{\"alg\":\"ES256\"{}}}", id.unwrap_or_default());
        let [header, claims] = [&*header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.expect("a signature"));
        format!("{signed}.{signature}")
    }

    /// The field that shows such a token.
    pub(crate) fn shows(&self, claims: &str) -> String {
        format!("Authorization: Bearer {}\r\n", self.token(claims))
    }
}
