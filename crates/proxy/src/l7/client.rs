//! Who the client is: the peer, or whom the trusted proxies before it name.

use std::net::{IpAddr, SocketAddr};

use sluice_config::plan::HttpListener;

/// The client of a request from `peer` with these lines of `X-Forwarded-For`: the last address in them that is no trusted
/// proxy's. Each proxy adds whom it has heard, so what stands before that is the client's own claim. What is no address
/// counts as the end of what can be believed; where all are trusted, it is the first.
pub(super) fn client<'v>(
    peer: IpAddr,
    forwarded_for: impl Iterator<Item = &'v [u8]>,
    listener: &HttpListener,
) -> IpAddr {
    if listener.trusted_proxies.is_empty() || !listener.trusts(peer) {
        return peer;
    }
    let mut client = None;
    for named in forwarded_for.flat_map(|line| line.split(|byte| *byte == b',')) {
        match address(named.trim_ascii()) {
            Some(address) if client.is_none() || !listener.trusts(address) => {
                client = Some(address);
            }
            Some(_) => {}
            None => client = None,
        }
    }
    client.unwrap_or(peer)
}

/// Some proxies add the port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some(bare) = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
    {
        return bare.parse().ok();
    }
    text.parse::<SocketAddr>().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use sluice_config::plan::Protocol;

    use super::*;
    use crate::rig;

    #[test]
    fn the_last_that_is_no_trusted_proxy() {
        let plan = rig::plan(
            "[listeners.web]\naddress = \":8080\"\ntrusted-proxies = [\"10.0.0.0/8\", \"2001:db8::/32\"]\n\
             [upstreams.app]\nservers = [\"127.0.0.1:9001\"]\n",
        );
        let Protocol::Http(listener) = &plan.listeners[0].protocol else {
            panic!("a listener of HTTP");
        };
        for (peer, lines, expected) in [
            ("192.0.2.1", &["10.0.0.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
            (
                "10.0.0.1",
                &["198.51.100.1", "192.0.2.7, 10.0.0.2"],
                "192.0.2.7",
            ),
            ("10.0.0.1", &["192.0.2.7,10.0.0.3 , 10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
            ("10.0.0.1", &["192.0.2.7, unknown, 10.0.0.3"], "10.0.0.3"),
            ("10.0.0.1", &["192.0.2.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7, "], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7:4711"], "192.0.2.7"),
            ("2001:db8::1", &["[2001:db9::7]:4711"], "2001:db9::7"),
            ("2001:db8::1", &["[2001:db9::7]"], "2001:db9::7"),
            ("2001:db8::1", &["2001:db9::7"], "2001:db9::7"),
        ] {
            let peer = peer.parse().expect("an address");
            let lines = lines.iter().map(|line| line.as_bytes());
            let found = client(peer, lines, listener);
            assert_eq!(found.to_string(), expected, "{peer}");
        }
    }
}
