//! Where a tcp listener's connections go: all to one upstream, or by what TLS clients say in the clear.

use std::sync::Arc;
use std::time::Duration;

use sluice_route::HostMap;

use super::UpstreamId;

/// Where the connections of a tcp listener go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpTarget {
    /// `upstream`, or the only one there is.
    Upstream(UpstreamId),
    /// `sni`
    ByName(ServerNames),
}

impl TcpTarget {
    /// Every upstream that connections can go to, in the order of the file; one that stands there twice comes twice.
    pub fn upstreams(&self) -> Vec<UpstreamId> {
        match self {
            Self::Upstream(id) => vec![*id],
            Self::ByName(names) => names
                .entries
                .iter()
                .flat_map(|entry| {
                    let by_protocol = entry.protocols.iter().map(|(_, id)| *id);
                    by_protocol.chain(entry.upstream)
                })
                .collect(),
        }
    }
}

/// `sni`, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerNames {
    /// The names; what it finds is an index into [`Self::entries`].
    pub names: HostMap,
    /// In the order of the file.
    pub entries: Vec<ServerName>,
    /// `hello-timeout`: from the accepted connection to the last byte of the hello.
    pub hello_timeout: Duration,
}

/// One of the names of `sni`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    /// The pattern as it stands in the file, for metrics.
    pub name: Arc<str>,
    /// Where connections go that no protocol sends elsewhere.
    pub upstream: Option<UpstreamId>,
    /// `alpn`, in the order of the file.
    pub protocols: Vec<(Arc<str>, UpstreamId)>,
}

/// Why a hello leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It names no server, and there is no `"*"`.
    NoName,
    /// Nothing is for the name.
    UnknownName,
    /// None of the protocols it offers is one of the name's.
    NoProtocol,
}

impl ServerNames {
    /// Where a connection goes whose client asks for `name` and offers `protocols`, the dearest to it first: the entry and
    /// the upstream.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn choose<'a>(
        &self,
        name: Option<&str>,
        mut protocols: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(usize, UpstreamId), Refused> {
        let (found, missing) = match name {
            Some(name) => (self.names.find(name), Refused::UnknownName),
            None => (self.names.any(), Refused::NoName),
        };
        let at = found.ok_or(missing)?;
        let entry = self.entries.get(at).ok_or(missing)?;
        let by_protocol = if entry.protocols.is_empty() {
            None
        } else {
            protocols.find_map(|offered| {
                let mut known = entry.protocols.iter();
                known
                    .find(|(name, _)| name.as_bytes() == offered)
                    .map(|(_, upstream)| *upstream)
            })
        };
        let upstream = by_protocol.or(entry.upstream).ok_or(Refused::NoProtocol)?;
        Ok((at, upstream))
    }
}

#[cfg(test)]
mod tests {
    use sluice_route::HostPattern;

    use super::*;

    #[test]
    fn names_and_protocols_choose() {
        let entry = |name: &str, upstream: Option<usize>, protocols: &[(&str, usize)]| ServerName {
            name: name.into(),
            upstream: upstream.map(UpstreamId),
            protocols: protocols
                .iter()
                .map(|(name, id)| ((*name).into(), UpstreamId(*id)))
                .collect(),
        };
        let entries = vec![
            entry("a.example", Some(1), &[]),
            entry("b.example", Some(2), &[("h2", 3), ("acme-tls/1", 4)]),
            entry("*.example", None, &[("h2", 5)]),
        ];
        let pattern = |entry: &ServerName| HostPattern::parse(&entry.name).expect("a pattern");
        let mut names = ServerNames {
            names: HostMap::new(entries.iter().map(pattern).collect()),
            entries,
            hello_timeout: Duration::from_secs(1),
        };
        let choose = |names: &ServerNames, name, protocols: &[&'static str]| {
            let offered = protocols.iter().map(|name| name.as_bytes());
            names.choose(name, offered).map(|(at, id)| (at, id.0))
        };
        for (name, protocols, expected) in [
            (Some("a.example"), &["h2"][..], Ok((0, 1))),
            (Some("b.example"), &[], Ok((1, 2))),
            (Some("b.example"), &["http/1.1"], Ok((1, 2))),
            (Some("b.example"), &["acme-tls/1", "h2"], Ok((1, 4))),
            (Some("B.example"), &["h2", "acme-tls/1"], Ok((1, 3))),
            (Some("c.example"), &["http/1.1", "h2"], Ok((2, 5))),
            (Some("c.example"), &["http/1.1"], Err(Refused::NoProtocol)),
            (Some("example"), &["h2"], Err(Refused::UnknownName)),
            (None, &["h2"], Err(Refused::NoName)),
        ] {
            assert_eq!(
                choose(&names, name, protocols),
                expected,
                "{name:?} {protocols:?}"
            );
        }
        names.entries.push(entry("*", Some(6), &[]));
        names.names = HostMap::new(names.entries.iter().map(pattern).collect());
        for name in [None, Some("example")] {
            assert_eq!(choose(&names, name, &[]), Ok((3, 6)));
        }
        assert_eq!(
            TcpTarget::ByName(names).upstreams(),
            [1, 3, 4, 2, 5, 6].map(UpstreamId)
        );
    }
}
