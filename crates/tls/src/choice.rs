//! Which certificate a client gets: by the host it names, and by what its keys can be checked with.

use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::{FxHashMap, FxHashSet};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::issued::Issued;
use crate::ocsp::Served;

/// The certificates of a listener, by name.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    exact: FxHashMap<Box<str>, Vec<Arc<Served>>>,
    /// By what stands behind `*.`.
    wildcard: FxHashMap<Box<str>, Vec<Arc<Served>>>,
    /// For whoever names no host, or another.
    default: Vec<Arc<Served>>,
    /// What an authority issues, or will.
    awaited: Option<Awaited>,
}

/// A certificate that comes while we run, and the hosts it is for.
#[derive(Debug)]
struct Awaited {
    hosts: FxHashSet<Box<str>>,
    issued: Arc<Issued>,
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

    /// With a certificate for these hosts that is served as soon as it is there, and before all others. It is also the default where there
    /// is no other.
    pub(crate) fn awaiting(mut self, hosts: &[Box<str>], issued: Arc<Issued>) -> Self {
        let hosts = hosts.iter().cloned().collect();
        self.awaited = Some(Awaited { hosts, issued });
        self
    }

    /// The certificates in files that are for a host, the cheapest first. A wildcard stands for one label (RFC 9525, 6.3).
    fn named(&self, name: &str) -> Option<&[Arc<Served>]> {
        let by_wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.wildcard.get(parent)
        };
        let keys = self.exact.get(name).or_else(by_wildcard);
        keys.map(Vec::as_slice)
    }

    fn choose(&self, name: Option<&str>, offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let lower = name.and_then(lower);
        let name = lower.as_deref().or(name);
        let named = name.and_then(|name| self.named(name));
        let Some(awaited) = &self.awaited else {
            return best(named.unwrap_or(&self.default), offered);
        };
        if name.is_some_and(|name| awaited.hosts.contains(name)) {
            // Another host's certificate would only be refused, with an error that misleads.
            let issued = awaited.issued.key();
            return match named {
                Some(named) if !issued.as_ref().is_some_and(|key| is_usable(key, offered)) => {
                    best(named, offered)
                }
                _ => issued,
            };
        }
        let in_files = best(named.unwrap_or(&self.default), offered);
        in_files.or_else(|| awaited.issued.key())
    }
}

/// The first that the client can check; the first of all where there is none.
fn best(certificates: &[Arc<Served>], offered: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
    let usable = certificates
        .iter()
        .find(|served| is_usable(served.key(), offered));
    let served = usable.or(certificates.first())?;
    Some(served.at(SystemTime::now))
}

fn is_usable(key: &CertifiedKey, offered: &[SignatureScheme]) -> bool {
    key.key.choose_scheme(offered).is_some()
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
