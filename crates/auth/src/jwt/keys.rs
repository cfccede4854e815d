//! What tokens are signed by: a secret, a public key in PEM, or a set of keys in JSON (RFC 7517).

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use thiserror::Error;

use super::algorithm::{Algorithm, Family};
use super::decoded;

/// The keys that verify tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(Box<[Key]>);

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<Box<str>>,
    /// The only one it is for, where it says so.
    algorithm: Option<Algorithm>,
    family: Family,
    material: Material,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Secret(Box<[u8]>),
    /// A point of a curve, or a whole public key (RFC 5280, 4.1.2.7).
    Public(Box<[u8]>),
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
}

/// Why there are no keys in a text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// It is no set of keys.
    #[error("it is no set of keys in JSON: `{{ \"keys\": [ … ] }}`")]
    NoSet,
    /// A key of the set, counted from 1, lacks something or is malformed.
    #[error("key {0} is malformed")]
    Malformed(usize),
    /// There is no key in it that verifies signatures.
    #[error("there is no key in it that verifies tokens")]
    Empty,
    /// It is no public key in PEM.
    #[error("it is no public key in PEM: `-----BEGIN PUBLIC KEY-----`")]
    NoPem,
    /// A key that no algorithm here is for, or one that is too short.
    #[error(
        "it is not RSA with 2048 to 8192 bits, nor ECDSA on P-256, P-384 or P-521, nor Ed25519"
    )]
    Unknown,
}

impl Keys {
    /// A secret that both sides know.
    pub fn secret(secret: &[u8]) -> Self {
        Self(
            [Key {
                id: None,
                algorithm: None,
                family: Family::Secret,
                material: Material::Secret(secret.into()),
            }]
            .into(),
        )
    }

    /// A public key in PEM.
    pub fn public(pem: &str) -> Result<Self, KeysError> {
        let (_, rest) = pem.split_once(BEGIN).ok_or(KeysError::NoPem)?;
        let (text, _) = rest.split_once(END).ok_or(KeysError::NoPem)?;
        let text: String = text.split_ascii_whitespace().collect();
        let der = STANDARD.decode(text).map_err(|_| KeysError::NoPem)?;
        let family = family_of(&der).ok_or(KeysError::Unknown)?;
        Ok(Self(
            [Key {
                id: None,
                algorithm: None,
                family,
                material: Material::Public(der.into()),
            }]
            .into(),
        ))
    }

    /// A set in JSON. Keys that are not for signatures, or of kinds that are not known here, are passed over (RFC 7517, 5).
    pub fn set(text: &str) -> Result<Self, KeysError> {
        let mut keys = Vec::new();
        for (index, key) in items(text)?.iter().take(MOST).enumerate() {
            let read = Key::read(key).map_err(|Malformed| KeysError::Malformed(index + 1))?;
            keys.extend(read);
        }
        Self::of(keys)
    }

    fn of(keys: Vec<Key>) -> Result<Self, KeysError> {
        if keys.is_empty() {
            return Err(KeysError::Empty);
        }
        Ok(Self(keys.into()))
    }

    /// A set that anybody may read, as issuers have it at their `jwks_uri`. A secret in it would be none: whoever reads it could sign
    /// tokens, so secrets are passed over, and so is what is malformed, as nobody is here to mend it (RFC 7517, 5).
    pub fn published(text: &str) -> Result<Self, KeysError> {
        let keys = items(text)?.into_iter().take(MOST);
        let keys = keys.filter_map(|key| Key::read(&key).ok().flatten());
        Self::of(keys.filter(Key::is_public).collect())
    }

    /// How many there are. At least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that may have signed a token of this algorithm and key id.
    pub(super) fn fitting(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            let is_named = match (id, &key.id) {
                (Some(id), Some(known)) => **known == *id,
                _ => true,
            };
            is_named
                && key.family == algorithm.family()
                && key.algorithm.is_none_or(|only| only == algorithm)
        })
    }
}

/// Neither secrets nor keys are shown.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self
            .0
            .iter()
            .map(|key| (&key.id, key.family, key.algorithm));
        f.debug_list().entries(shown).finish()
    }
}

struct Malformed;

impl Key {
    /// RFC 7518, 6; RFC 8037, 2. `None` for one that is not for us.
    fn read(key: &Value) -> Result<Option<Self>, Malformed> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(decoded).ok_or(Malformed);
        let is_for_signatures = text("use").is_none_or(|used| used == "sig")
            && key
                .get("key_ops")
                .and_then(Value::as_array)
                .is_none_or(|operations| {
                    operations
                        .iter()
                        .any(|operation| operation.as_str() == Some("verify"))
                });
        let algorithm = text("alg").map(Algorithm::of_name);
        if !is_for_signatures || algorithm == Some(None) {
            return Ok(None);
        }
        let (family, material) = match (text("kty").ok_or(Malformed)?, text("crv")) {
            ("oct", _) => (Family::Secret, Material::Secret(bytes("k")?.into())),
            ("RSA", _) => {
                let (n, e) = (bytes("n")?.into(), bytes("e")?.into());
                (Family::Rsa, Material::Rsa { n, e })
            }
            ("EC", Some(curve)) => {
                let (family, length) = match curve {
                    "P-256" => (Family::P256, 32),
                    "P-384" => (Family::P384, 48),
                    "P-521" => (Family::P521, 66),
                    _ => return Ok(None),
                };
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != length || y.len() != length {
                    return Err(Malformed);
                }
                (family, Material::Public([&[4][..], &x, &y].concat().into()))
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x")?;
                if x.len() != 32 {
                    return Err(Malformed);
                }
                (Family::Ed25519, Material::Public(x.into()))
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            id: text("kid").map(Into::into),
            algorithm: algorithm.flatten(),
            family,
            material,
        }))
    }

    fn is_public(&self) -> bool {
        !matches!(self.material, Material::Secret(_))
    }

    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if algorithm.family() != self.family {
            return false;
        }
        match &self.material {
            Material::Secret(secret) => algorithm.hmac().is_some_and(|hash| {
                hmac::verify(&hmac::Key::new(hash, secret), signed, signature).is_ok()
            }),
            Material::Public(key) => algorithm.public().is_some_and(|public| {
                let key = UnparsedPublicKey::new(public, key);
                key.verify(signed, signature).is_ok()
            }),
            Material::Rsa { n, e } => algorithm.rsa().is_some_and(|rsa| {
                let key = PublicKeyComponents { n, e };
                key.verify(rsa, signed, signature).is_ok()
            }),
        }
    }
}

/// What a set in JSON has in its `keys`.
fn items(text: &str) -> Result<Vec<Value>, KeysError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(mut set)) => match set.remove("keys") {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(KeysError::NoSet),
        },
        _ => Err(KeysError::NoSet),
    }
}

/// Which algorithms a public key is for: those by which it can be read.
fn family_of(der: &[u8]) -> Option<Family> {
    let reads = [
        (
            Family::Rsa,
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).is_ok(),
        ),
        (
            Family::P256,
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der).is_ok(),
        ),
        (
            Family::P384,
            ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, der).is_ok(),
        ),
        (
            Family::P521,
            ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, der).is_ok(),
        ),
        (Family::Ed25519, ParsedPublicKey::new(&ED25519, der).is_ok()),
    ];
    let mut reads = reads.into_iter();
    reads
        .find(|(_, is_read)| *is_read)
        .map(|(family, _)| family)
}

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// Keys of a set.
const MOST: usize = 100;
