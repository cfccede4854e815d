//! How an upstream chooses its servers.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use sluice_balance::{ServerShape, Settings, key_hash};
use sluice_health::SojournSettings;
use sluice_route::Facts;

use super::rate_limit::text_of;
use super::{Server, Upstream};

/// Which server takes the next request.
#[derive(Clone, Debug, PartialEq)]
pub struct Balance {
    /// The policy's name, as the file writes it.
    pub name: &'static str,
    /// The policy with its options, and what holds around any.
    pub settings: Settings,
    /// What decides about a request's server, for the policies that go by it.
    pub key: Option<HashKey>,
}

impl Upstream {
    /// What the policy knows of the servers from the start, in the order of the file.
    pub fn shapes(&self) -> Vec<ServerShape> {
        let shape = |server: &Server| ServerShape {
            id: key_hash(server.address.to_string().as_bytes()),
            weight: server.weight,
            backup: server.backup,
            in_own_zone: server.in_own_zone,
        };
        self.servers.iter().map(shape).collect()
    }
}

/// What of a request decides about its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashKey {
    /// `client-ip`
    ClientIp,
    /// `header:NAME`: the first field of that name, in lower case.
    Header(Box<str>),
    /// `cookie:NAME`
    Cookie(Box<str>),
    /// `query:NAME`: the first parameter of that name, as it was sent, its percent-encoding too.
    Query(Box<str>),
    /// `jwt:NAME`: a claim of the token by which the client was let in.
    Claim(Box<str>),
    /// `auth-name`: the name under which the client was let in, and by which `[auth.NAME]`.
    AuthName,
    /// `path`, normalised, without the query.
    Path,
}

impl fmt::Display for HashKey {
    /// As the file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientIp => f.write_str("client-ip"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Claim(name) => write!(f, "jwt:{name}"),
            Self::AuthName => f.write_str("auth-name"),
            Self::Path => f.write_str("path"),
        }
    }
}

/// Where requests wait while every server has its `max-connections`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// `length`: how many at a time.
    pub length: usize,
    /// `timeout`: how long each.
    pub timeout: Duration,
    /// `target` and `interval`; `None` where nobody is refused before the `timeout`.
    pub sojourn: Option<SojournSettings>,
}

/// Where a server's answer says how loaded it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadReport {
    /// `orca`: the field `endpoint-load-metrics`.
    Orca,
    /// `header:NAME`, in lower case: the share of the server's capacity that is used, as a number.
    Field(Box<str>),
}

impl LoadReport {
    /// The name of the field, in lower case.
    pub fn field(&self) -> &str {
        match self {
            Self::Orca => "endpoint-load-metrics",
            Self::Field(name) => name,
        }
    }
}

impl HashKey {
    /// The key's hash for a request: the same in every process and on every machine. `None` where the request has no such
    /// field, cookie, parameter, claim or name.
    pub fn of_request(&self, facts: &Facts<'_>) -> Option<u64> {
        match self {
            Self::ClientIp => Some(Self::of_address(facts.client)),
            Self::Path => Some(key_hash(facts.path.as_bytes())),
            Self::Query(name) => {
                let mut parameters = facts.parameters();
                let found = parameters.find(|(found, _)| **found == **name);
                found.map(|(_, value)| key_hash(value.as_bytes()))
            }
            Self::AuthName => {
                let mut name = Vec::new();
                let has_one = facts.identity?.write_full_name(&mut name);
                has_one.then(|| key_hash(&name))
            }
            Self::Claim(name) => {
                let mut hash = None;
                facts.identity?.any_claim(&[], name, &mut |claim| {
                    hash = Some(key_hash(text_of(claim).as_bytes()));
                    true
                });
                hash
            }
            Self::Header(name) => {
                let mut hash = None;
                facts.fields.any(name, &mut |value| {
                    hash = Some(key_hash(value));
                    true
                });
                hash
            }
            Self::Cookie(name) => {
                let mut hash = None;
                facts.any_cookie(name, &mut |value| {
                    hash = Some(key_hash(value));
                    true
                });
                hash
            }
        }
    }

    /// The hash of a client's address: of its 4 or 16 bytes. IPv4 is the same behind an IPv6 socket.
    pub fn of_address(client: IpAddr) -> u64 {
        match client.to_canonical() {
            IpAddr::V4(address) => key_hash(&address.octets()),
            IpAddr::V6(address) => key_hash(&address.octets()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sluice_route::{FieldLookup, IdentityLookup, NoFields, Scheme};

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn of(key: &HashKey, query: Option<&str>, fields: &[(&str, &str)]) -> Option<u64> {
        key.of_request(&facts(query, &fields.to_vec()))
    }

    fn facts<'a>(query: Option<&'a str>, fields: &'a dyn FieldLookup) -> Facts<'a> {
        Facts {
            host: "a",
            path: "/p/q",
            query,
            method: "GET",
            fields,
            client: CLIENT,
            scheme: Scheme::Http,
            tls_subject: None,
            countries: None,
            json: None,
            identity: None,
        }
    }

    /// As whom a client was let in, and by which `[auth.NAME]`.
    struct LetIn(Option<&'static str>, &'static str);

    impl IdentityLookup for LetIn {
        fn name(&self) -> Option<&str> {
            self.0
        }

        fn let_in_by(&self) -> Option<&str> {
            Some(self.1)
        }

        fn any_claim(&self, _: &[usize], _: &str, _: &mut dyn FnMut(&Value) -> bool) -> bool {
            false
        }
    }

    #[test]
    fn names_are_those_of_who_has_let_in() {
        let of = |name, by| {
            let facts = Facts {
                identity: Some(&LetIn(name, by)),
                ..facts(None, &NoFields)
            };
            HashKey::AuthName.of_request(&facts)
        };
        let shop = of(Some("shop"), "keys");
        assert_eq!(shop, Some(key_hash(b"keys\0shop")));
        assert_ne!(shop, of(Some("shop"), "tokens"));
        assert_ne!(of(Some("b"), "ax"), of(Some("xb"), "a"));
        assert_eq!(of(None, "ask"), None);
    }

    #[test]
    fn what_is_hashed() {
        let hash = |text: &str| Some(key_hash(text.as_bytes()));
        let fields = [
            ("Cookie", "a=1; uid=seven"),
            ("X-User", "u1"),
            ("x-user", "u2"),
        ];
        let header = HashKey::Header("x-user".into());
        let cookie = HashKey::Cookie("uid".into());
        let query = HashKey::Query("id".into());
        assert_eq!(of(&header, None, &fields), hash("u1"));
        assert_eq!(of(&header, None, &[]), None);
        assert_eq!(of(&cookie, None, &fields), hash("seven"));
        assert_eq!(of(&cookie, None, &[("cookie", "uidx=1")]), None);
        assert_eq!(of(&query, Some("x=1&id=%41&id=2"), &[]), hash("%41"));
        assert_eq!(of(&query, Some("x=1&idx=2"), &[]), None);
        assert_eq!(of(&query, None, &[]), None);
        assert_eq!(of(&HashKey::Path, Some("id=1"), &[]), hash("/p/q"));
        assert_eq!(
            of(&HashKey::ClientIp, None, &[]),
            Some(key_hash(&[192, 0, 2, 7]))
        );
    }

    #[test]
    fn an_address_is_the_same_behind_both_kinds_of_socket() {
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().expect("an address");
        assert_eq!(HashKey::of_address(mapped), HashKey::of_address(CLIENT));
    }
}
