//! How much each client may have.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;
use sluice_limit::Quota;
use sluice_route::{Conditions, Facts, IdentityLookup, Pattern};

/// `[rate-limits.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// Its name.
    pub name: Arc<str>,
    /// Who has a quota of their own.
    pub key: LimitKey,
    /// `classes`, in the order of the file: the first that matches holds.
    pub classes: Vec<LimitClass>,
    /// What holds where no class does; `None` is no limit.
    pub quota: Option<Quota>,
    /// `max-concurrent`: requests of one key under way at a time.
    pub max_concurrent: Option<u32>,
    /// `over`: what becomes of those beyond.
    pub over: Over,
    /// `dry-run`: whether it only counts.
    pub dry_run: bool,
    /// `allow`: who is never limited.
    pub allow: Vec<IpNet>,
    /// `fields`: whether answers say how clients stand.
    pub fields: bool,
    /// `max-keys`: how many are remembered, of each class.
    pub max_keys: usize,
    /// `store`: where it is counted for several balancers together.
    pub shared: Option<SharedLimit>,
}

/// A limit that several balancers share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLimit {
    /// `store`, the name of one of the plan's.
    pub store: Arc<str>,
    /// `share-when-alone`: what holds here while the store is away, in percent.
    pub alone: u8,
}

/// A quota of their own for some requests.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitClass {
    /// `match`
    pub conditions: Conditions,
    /// `auth`: let in by one of these `[auth.NAME]`; empty: by any, and by none.
    pub auths: Vec<Box<str>>,
    /// `auth-name`: one of these; empty: any, and none.
    pub names: Vec<Pattern>,
    /// What they may have.
    pub quota: Quota,
}

/// `over`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// `refuse`: with 429.
    Refuse,
    /// `delay`: they wait for their turn.
    Delay {
        /// `max-delay`: how long at most.
        longest: Duration,
        /// `max-waiting`: how many at a time.
        waiting: u32,
    },
}

impl LimitClass {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let by = facts.identity.and_then(IdentityLookup::let_in_by);
        let is_by = |by: &str| self.auths.iter().any(|one| **one == *by);
        let name = facts.identity.and_then(IdentityLookup::name);
        let is_of = |name: &str| self.names.iter().any(|one| one.matches(name.as_bytes()));
        (self.auths.is_empty() || by.is_some_and(is_by))
            && (self.names.is_empty() || name.is_some_and(is_of))
            && self.conditions.hold(facts)
    }

    /// Whether it has to be known who the client is.
    fn goes_by_identity(&self) -> bool {
        !self.auths.is_empty() || !self.names.is_empty() || self.conditions.go_by_claims()
    }
}

impl RateLimit {
    /// The quota that holds for a request, with its place among [`Self::quotas`].
    pub fn quota_of(&self, facts: &Facts<'_>) -> Option<(usize, &Quota)> {
        let mut classes = self.classes.iter();
        match classes.position(|class| class.holds(facts)) {
            Some(place) => Some((place, &self.classes.get(place)?.quota)),
            None => Some((self.classes.len(), self.quota.as_ref()?)),
        }
    }

    /// Whether it has to be known who the client is.
    pub fn goes_by_identity(&self) -> bool {
        let is_of_identity = |part: &KeyPart| matches!(part, KeyPart::Claim(_) | KeyPart::AuthName);
        self.key.parts.iter().any(is_of_identity)
            || self.classes.iter().any(LimitClass::goes_by_identity)
    }

    /// Those of the classes, and then that of all others.
    pub fn quotas(&self) -> impl Iterator<Item = &Quota> {
        let classes = self.classes.iter().map(|class| &class.quota);
        classes.chain(&self.quota)
    }

    /// Whether this client is never limited.
    pub fn lets_pass(&self, client: IpAddr) -> bool {
        !self.allow.is_empty() && {
            let client = client.to_canonical();
            self.allow.iter().any(|network| network.contains(&client))
        }
    }
}

/// What of a request says whose quota it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitKey {
    /// All of these together.
    pub parts: Vec<KeyPart>,
    /// `ipv4-prefix`: bits of an address that count.
    pub ipv4_prefix: u8,
    /// `ipv6-prefix`
    pub ipv6_prefix: u8,
}

/// One of `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// `client-ip`
    ClientIp,
    /// `header:NAME`: the first field of that name, in lower case.
    Header(Box<str>),
    /// `cookie:NAME`
    Cookie(Box<str>),
    /// `jwt:NAME`: a claim of the token by which the client was let in.
    Claim(Box<str>),
    /// `auth-name`: the name under which the client was let in, and by which `[auth.NAME]`.
    AuthName,
    /// `path`, normalised, without the query.
    Path,
    /// `route`
    Route,
    /// `global`
    Global,
}

impl fmt::Display for KeyPart {
    /// As the file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientIp => f.write_str("client-ip"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Claim(name) => write!(f, "jwt:{name}"),
            Self::AuthName => f.write_str("auth-name"),
            Self::Path => f.write_str("path"),
            Self::Route => f.write_str("route"),
            Self::Global => f.write_str("global"),
        }
    }
}

impl LimitKey {
    /// Appends the key of a request. Requests with different parts have different keys, and those that lack a part have one
    /// together.
    pub fn write(&self, facts: &Facts<'_>, route: &str, out: &mut Vec<u8>) {
        for part in &self.parts {
            let begun = out.len();
            match part {
                KeyPart::ClientIp => self.write_network(facts.client, out),
                KeyPart::Path => out.extend_from_slice(facts.path.as_bytes()),
                KeyPart::Route => out.extend_from_slice(route.as_bytes()),
                KeyPart::Global => {}
                KeyPart::Header(name) => {
                    facts.fields.any(name, &mut |value| {
                        out.extend_from_slice(value);
                        true
                    });
                }
                KeyPart::AuthName => {
                    if let Some(known) = facts.identity {
                        known.write_full_name(out);
                    }
                }
                KeyPart::Claim(name) => {
                    if let Some(known) = facts.identity {
                        known.any_claim(&[], name, &mut |claim| {
                            out.extend_from_slice(text_of(claim).as_bytes());
                            true
                        });
                    }
                }
                KeyPart::Cookie(name) => {
                    facts.any_cookie(name, &mut |value| {
                        out.extend_from_slice(value);
                        true
                    });
                }
            }
            // No text of a client reads like the end of one part and the beginning of the next.
            let length = (out.len() - begun) as u64;
            out.extend_from_slice(&length.to_le_bytes());
        }
    }

    /// The network that an address stands for.
    pub fn network(&self, client: IpAddr) -> IpAddr {
        let client = client.to_canonical();
        let prefix = match client {
            IpAddr::V4(_) => self.ipv4_prefix,
            IpAddr::V6(_) => self.ipv6_prefix,
        };
        IpNet::new(client, prefix).map_or(client, |network| network.network())
    }

    fn write_network(&self, client: IpAddr, out: &mut Vec<u8>) {
        match self.network(client) {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        }
    }
}

/// A text as it is, anything else as JSON.
pub(super) fn text_of(claim: &Value) -> Cow<'_, str> {
    match claim {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use sluice_route::Scheme;

    use super::*;

    fn key(parts: &[KeyPart], client: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        let fields = fields.to_vec();
        let facts = Facts {
            host: "a",
            path: "/p/q",
            query: Some("x=1"),
            method: "GET",
            fields: &fields,
            client: client.parse().expect("an address"),
            scheme: Scheme::Http,
            tls_subject: None,
            countries: None,
            json: None,
            identity: None,
        };
        let key = LimitKey {
            parts: parts.to_vec(),
            ipv4_prefix: 24,
            ipv6_prefix: 64,
        };
        let mut out = Vec::new();
        key.write(&facts, "shop", &mut out);
        out
    }

    #[test]
    fn networks_are_clients() {
        let of = |client| key(&[KeyPart::ClientIp], client, &[]);
        assert_eq!(of("192.0.2.7"), of("192.0.2.200"));
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.3.7"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn all_parts_count_and_none_reads_like_another() {
        let parts = [KeyPart::Header("x-a".into()), KeyPart::Cookie("c".into())];
        let of = |fields: &[(&str, &str)]| key(&parts, "192.0.2.7", fields);
        assert_eq!(
            of(&[("X-A", "1"), ("Cookie", "c=2")]),
            of(&[("cookie", "b=0; c=2"), ("x-a", "1")])
        );
        assert_ne!(of(&[("x-a", "12")]), of(&[("x-a", "1"), ("cookie", "c=2")]));
        assert_ne!(of(&[("x-a", "1")]), of(&[("cookie", "c=1")]));
        assert_eq!(of(&[]), of(&[("x-b", "1")]), "those without are one");
        assert_ne!(
            key(&[KeyPart::Path], "192.0.2.7", &[]),
            key(&[KeyPart::Route], "192.0.2.7", &[])
        );
    }
}
