//! Sets of places that clients come from: networks and countries.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use sluice_model::Country;

use crate::facts::Facts;

/// A place that clients come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A network.
    Network(IpNet),
    /// A country.
    Country(Country),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Country(country) => write!(f, "country:{country}"),
        }
    }
}

/// A set of origins, in which an address is found in the logarithm of their number. Two are equal if they were written alike.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    written: Box<[Origin]>,
    /// First and last address of each range, in order; none touches another one. IPv4 is mapped into IPv6.
    ranges: Box<[(u128, u128)]>,
    countries: Box<[Country]>,
}

impl Origins {
    /// The set of these.
    pub fn new(written: Vec<Origin>) -> Self {
        let mut ranges: Vec<_> = written
            .iter()
            .filter_map(|origin| match origin {
                Origin::Network(network) => Some(range(network)),
                Origin::Country(_) => None,
            })
            .collect();
        ranges.sort_unstable();
        ranges.dedup_by(|later, earlier| {
            let touches = later.0 <= earlier.1.saturating_add(1);
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
        let countries = written.iter().filter_map(|origin| match origin {
            Origin::Country(country) => Some(*country),
            Origin::Network(_) => None,
        });
        Self {
            countries: countries.collect(),
            ranges: ranges.into(),
            written: written.into(),
        }
    }

    /// Whether the client comes from one of them.
    pub fn contain(&self, facts: &Facts<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        let address = number(facts.client);
        let after = self.ranges.partition_point(|(first, _)| *first <= address);
        let last = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        last.is_some_and(|(_, last)| address <= *last)
            || (!self.countries.is_empty()
                && facts
                    .country()
                    .is_some_and(|country| self.countries.contains(&country)))
    }

    /// As they were written.
    pub fn written(&self) -> &[Origin] {
        &self.written
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

impl PartialEq for Origins {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

fn range(network: &IpNet) -> (u128, u128) {
    (number(network.network()), number(network.broadcast()))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
    .to_bits()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::facts::{CountryLookup, NoFields, Scheme};

    struct Odd;

    impl CountryLookup for Odd {
        fn country_of(&self, address: IpAddr) -> Option<Country> {
            let IpAddr::V4(v4) = address.to_canonical() else {
                return None;
            };
            Country::of_code(if v4.octets()[3] % 2 == 1 { "DE" } else { "FR" })
        }
    }

    fn facts(client: IpAddr) -> Facts<'static> {
        Facts {
            host: "",
            path: "/",
            query: None,
            method: "GET",
            fields: &NoFields,
            client,
            scheme: Scheme::Http,
            tls_subject: None,
            countries: Some(&Odd),
            json: None,
            identity: None,
        }
    }

    fn origins(texts: &[&str]) -> Origins {
        let origin = |text: &&str| match text.strip_prefix("country:") {
            Some(code) => Origin::Country(code.parse().unwrap()),
            None => Origin::Network(text.parse().unwrap()),
        };
        Origins::new(texts.iter().map(origin).collect())
    }

    #[test]
    fn addresses_of_both_families_are_found() {
        let inside = origins(&["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "10.1.0.0/16"]);
        for (client, is_inside) in [
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("192.0.2.6", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.2.3.4", true),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("2001:db8::", true),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db9::", false),
            ("::1", false),
        ] {
            let client: IpAddr = client.parse().unwrap();
            assert_eq!(inside.contain(&facts(client)), is_inside, "{client}");
        }
    }

    #[test]
    fn countries_hold_where_networks_do_not() {
        let inside = origins(&["192.0.2.2/32", "country:DE"]);
        for (client, is_inside) in [
            ("192.0.2.1", true),
            ("192.0.2.2", true),
            ("192.0.2.4", false),
            ("::1", false),
        ] {
            let client: IpAddr = client.parse().unwrap();
            assert_eq!(inside.contain(&facts(client)), is_inside, "{client}");
        }
        let unknown = Facts {
            countries: None,
            json: None,
            identity: None,
            ..facts("192.0.2.1".parse().unwrap())
        };
        assert!(!inside.contain(&unknown));
    }

    #[test]
    fn all_addresses_are_in_the_widest_networks() {
        let all = origins(&["::/0", "0.0.0.0/0"]);
        assert!(all.contain(&facts("255.255.255.255".parse().unwrap())));
        assert!(all.contain(&facts(IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)))));
        let four = origins(&["0.0.0.0/0"]);
        assert!(!four.contain(&facts("::1".parse().unwrap())));
    }

    proptest! {
        #[test]
        fn ranges_say_what_networks_say(
            networks in prop::collection::vec((any::<u32>(), 8..=32_u8), 0..20),
            near in any::<prop::sample::Index>(),
            off in -2..=2_i64,
            any in any::<u32>(),
        ) {
            let networks: Vec<IpNet> = networks
                .into_iter()
                .map(|(address, length)| format!("{}/{length}", Ipv4Addr::from_bits(address)).parse::<IpNet>().unwrap().trunc())
                .collect();
            let inside = Origins::new(networks.iter().copied().map(Origin::Network).collect());
            let mut clients = vec![any];
            if !networks.is_empty() {
                let IpAddr::V4(edge) = near.get(&networks).broadcast() else { unreachable!() };
                clients.push(u32::try_from((i64::from(edge.to_bits()) + off).clamp(0, i64::from(u32::MAX))).unwrap());
            }
            for client in clients {
                let client = IpAddr::V4(Ipv4Addr::from_bits(client));
                let naive = networks.iter().any(|network| network.contains(&client));
                prop_assert_eq!(inside.contain(&facts(client)), naive);
            }
        }
    }
}
