//! An issuer of tokens, with a key of its own.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Signs with ES256.
pub(crate) struct Issuer(EcdsaKeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    /// The public key in PEM.
    pub(crate) fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().expect("a key");
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
        let [header, claims] =
            ["{\"alg\":\"ES256\"}", claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.expect("a signature"));
        format!("{signed}.{signature}")
    }

    /// The field that shows such a token.
    pub(crate) fn shows(&self, claims: &str) -> String {
        format!("Authorization: Bearer {}\r\n", self.token(claims))
    }
}
