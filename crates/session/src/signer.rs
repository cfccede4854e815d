//! The keys of one upstream's sessions, and the names that are made with them.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU64;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key, Tag};

/// Makes names and signs cookies, for one upstream. What is signed for one is nothing to another.
#[derive(Clone)]
pub struct Signer {
    cookies: Key,
    names: Key,
}

/// What a server is called in cookies and tables. It says nothing of the server's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(pub u64);

/// What a session is called in tables. It says nothing of what the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(pub NonZeroU64);

impl Signer {
    /// The keys of the upstream of that name, made of `secret`: the same on every balancer that has both.
    pub fn new(secret: &[u8], upstream: &str) -> Self {
        let secret = Key::new(HMAC_SHA256, secret);
        // One key for each purpose (NIST SP 800-108, 4.1: a label, a zero byte, what it is for).
        let key = |label: &[u8]| {
            let derived = tag(&secret, &[label, &[0], upstream.as_bytes()]);
            Key::new(HMAC_SHA256, derived.as_ref())
        };
        Self {
            cookies: key(b"sluice sticky cookie"),
            names: key(b"sluice sticky names"),
        }
    }

    /// The name of the server at `address`, as the file writes it.
    pub fn server(&self, address: &str) -> ServerName {
        ServerName(self.name(b"server", address.as_bytes()))
    }

    /// The name of the session that a client tells by `value`.
    pub fn session(&self, value: &[u8]) -> SessionName {
        let name = NonZeroU64::new(self.name(b"session", value));
        SessionName(name.unwrap_or(NonZeroU64::MIN))
    }

    /// The name of the session of all that comes from an address. IPv4 is the same behind an IPv6 socket.
    pub fn session_of(&self, client: IpAddr) -> SessionName {
        match client.to_canonical() {
            IpAddr::V4(address) => self.session(&address.octets()),
            IpAddr::V6(address) => self.session(&address.octets()),
        }
    }

    pub(crate) fn signature(&self, of: &[u8]) -> Tag {
        hmac::sign(&self.cookies, of)
    }

    fn name(&self, kind: &[u8], of: &[u8]) -> u64 {
        let tag = tag(&self.names, &[kind, &[0], of]);
        let first = tag.as_ref().first_chunk::<8>();
        u64::from_be_bytes(first.copied().unwrap_or_default())
    }
}

/// Keys are not shown.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

fn tag(key: &Key, parts: &[&[u8]]) -> Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef";

    #[test]
    fn names_never_change() {
        // Were they others, every session would move with the next version.
        let signer = Signer::new(SECRET, "app");
        assert_eq!(
            signer.server("127.0.0.1:9001"),
            ServerName(0xca92_86cf_6a7e_6f8b)
        );
        assert_eq!(signer.session(b"abc").0.get(), 0x9bd7_2396_b37d_8c75);
    }

    #[test]
    fn names_differ_by_secret_upstream_and_purpose() {
        let name = |secret: &[u8], upstream| Signer::new(secret, upstream).server("a:1");
        let ours = name(SECRET, "app");
        assert_eq!(ours, name(SECRET, "app"));
        assert_ne!(ours, name(b"another secret..", "app"));
        assert_ne!(ours, name(SECRET, "api"));
        let signer = Signer::new(SECRET, "app");
        assert_ne!(signer.server("a:1"), signer.server("a:2"));
        assert_ne!(signer.session(b"a:1").0.get(), ours.0);
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", Signer::new(SECRET, "app")), "Signer(…)");
    }
}
