//! Which certificate a client gets: by the host it names, and by what its keys can be checked with.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

/// The certificates of a listener, by name.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    exact: FxHashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// By what stands behind `*.`.
    wildcard: FxHashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// For whoever names no host, or another.
    default: Vec<Arc<CertifiedKey>>,
}

impl Choice {
    /// In the order of the file: the first is the default one.
    pub(crate) fn new<'n>(
        certificates: impl IntoIterator<Item = (&'n [Box<str>], Arc<CertifiedKey>)>,
    ) -> Self {
        let mut choice = Self::default();
        let mut first_names: Option<&[Box<str>]> = None;
        for (names, key) in certificates {
            for name in names {
                let (table, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut choice.wildcard, parent),
                    None => (&mut choice.exact, &**name),
                };
                table.entry(name.into()).or_default().push(Arc::clone(&key));
            }
            // One for the same hosts as the first, with a key of another type, is as good a default.
            if *first_names.get_or_insert(names) == names {
                choice.default.push(key);
            }
        }
        let tables = choice
            .exact
            .values_mut()
            .chain(choice.wildcard.values_mut());
        for keys in tables.chain([&mut choice.default]) {
            keys.sort_by_key(|key| cost(key));
        }
        choice
    }

    /// The certificates for a host, the cheapest first. A wildcard stands for one label (RFC 9525, 6.3).
    fn of(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let Some(name) = name else {
            return &self.default;
        };
        let lower = lower(name);
        let name = lower.as_deref().unwrap_or(name);
        let by_wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        };
        self.exact
            .get(name)
            .or_else(by_wildcard)
            .unwrap_or(&self.default)
    }

    fn choose(&self, name: Option<&str>, offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let keys = self.of(name);
        let usable = keys
            .iter()
            .find(|key| key.key.choose_scheme(offered).is_some());
        usable.or(keys.first()).map(Arc::clone)
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

/// Clients nearly always send lower case already.
fn lower(name: &str) -> Option<String> {
    let has_upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    has_upper.then(|| name.to_ascii_lowercase())
}

/// What a signature costs us: RSA takes ten times as long as the others.
fn cost(key: &CertifiedKey) -> u8 {
    match key.key.algorithm() {
        SignatureAlgorithm::ED25519 => 1,
        SignatureAlgorithm::RSA => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
