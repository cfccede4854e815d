//! Which certificate a client gets: by the host it names, and by what its keys can be checked with.

use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::ocsp::Served;

/// The certificates of a listener, by name.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    exact: FxHashMap<Box<str>, Vec<Arc<Served>>>,
    /// By what stands behind `*.`.
    wildcard: FxHashMap<Box<str>, Vec<Arc<Served>>>,
    /// For whoever names no host, or another.
    default: Vec<Arc<Served>>,
}

impl Choice {
    /// In the order of the file: the first is the default one.
    pub(crate) fn new<'n>(
        certificates: impl IntoIterator<Item = (&'n [Box<str>], Served)>,
    ) -> Self {
        let mut choice = Self::default();
        let mut first_names: Option<&[Box<str>]> = None;
        for (names, served) in certificates {
            let served = Arc::new(served);
            for name in names {
                let (table, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut choice.wildcard, parent),
                    None => (&mut choice.exact, &**name),
                };
                table
                    .entry(name.into())
                    .or_default()
                    .push(Arc::clone(&served));
            }
            // One for the same hosts as the first, with a key of another type, is as good a default.
            if *first_names.get_or_insert(names) == names {
                choice.default.push(served);
            }
        }
        let tables = choice
            .exact
            .values_mut()
            .chain(choice.wildcard.values_mut());
        for keys in tables.chain([&mut choice.default]) {
            keys.sort_by_key(|served| cost(served.key()));
        }
        choice
    }

    /// The certificates for a host, the cheapest first. A wildcard stands for one label (RFC 9525, 6.3).
    fn of(&self, name: Option<&str>) -> &[Arc<Served>] {
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
            .find(|served| served.key().key.choose_scheme(offered).is_some());
        let served = usable.or(keys.first())?;
        Some(served.at(SystemTime::now))
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
