//! Where to listen and where servers are.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// Where a listener is bound: `host:port`, `[v6]:port`, `:port` (all interfaces, both families) or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindAddress {
    /// Every interface, IPv4 and IPv6.
    AllInterfaces {
        /// The port; 0 lets the kernel choose one.
        port: u16,
    },
    /// One address.
    Ip(SocketAddr),
    /// A Unix-domain stream socket.
    Unix(PathBuf),
}

impl BindAddress {
    /// Whether only this machine can reach the address.
    pub fn is_local_only(&self) -> bool {
        match self {
            Self::AllInterfaces { .. } => false,
            Self::Ip(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// The port; `None` for a Unix socket, or where the kernel chooses.
    pub fn port(&self) -> Option<u16> {
        let port = match self {
            Self::AllInterfaces { port } => *port,
            Self::Ip(address) => address.port(),
            Self::Unix(_) => 0,
        };
        (port != 0).then_some(port)
    }

    /// Whether both cannot be bound at once: the same port on an address that one of them includes.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Unix(_), _) | (_, Self::Unix(_)) => false,
            (Self::AllInterfaces { port: a }, Self::AllInterfaces { port: b }) => a == b && *a != 0,
            (Self::AllInterfaces { port }, Self::Ip(address))
            | (Self::Ip(address), Self::AllInterfaces { port }) => {
                *port == address.port() && *port != 0
            }
            (Self::Ip(a), Self::Ip(b)) => {
                a.port() == b.port()
                    && a.port() != 0
                    && (a.ip() == b.ip()
                        || (a.is_ipv4() == b.is_ipv4()
                            && (a.ip().is_unspecified() || b.ip().is_unspecified())))
            }
        }
    }
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllInterfaces { port } => write!(f, ":{port}"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for BindAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = unix_path(text)? {
            return Ok(Self::Unix(path));
        }
        let (host, port) = split_port(text)?;
        if host.is_empty() || host == "*" {
            return Ok(Self::AllInterfaces { port });
        }
        if host == "localhost" {
            return Ok(Self::Ip(SocketAddr::from(([127, 0, 0, 1], port))));
        }
        parse_ip(host)?
            .map(|ip| Self::Ip(SocketAddr::new(ip, port)))
            .ok_or_else(|| AddressError::NotAnIp(host.to_owned()))
    }
}

/// Where a server is: an IP address and port, a name and port, or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerAddress {
    /// An IP address and port.
    Ip(SocketAddr),
    /// A host name, resolved when the file is loaded.
    Name {
        /// The name, as written.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// A Unix-domain stream socket.
    Unix(PathBuf),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = unix_path(text)? {
            return Ok(Self::Unix(path));
        }
        let (host, port) = split_port(text)?;
        if port == 0 {
            return Err(AddressError::ServerPortZero);
        }
        if host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if let Some(ip) = parse_ip(host)? {
            return Ok(Self::Ip(SocketAddr::new(ip, port)));
        }
        if is_host_name(host) {
            Ok(Self::Name {
                host: host.to_owned(),
                port,
            })
        } else {
            Err(AddressError::NotAHost(host.to_owned()))
        }
    }
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// No `:port` at the end.
    #[error("no port: write it as host:port")]
    NoPort,
    /// The port is no number from 0 to 65,535.
    #[error("`{0}` is not a port: a port is a number from 1 to 65535")]
    BadPort(String),
    /// A server cannot listen on port 0.
    #[error("port 0 is not a port that a server can listen on")]
    ServerPortZero,
    /// A server needs a host.
    #[error("no host: a server is written as host:port")]
    NoHost,
    /// A listener is bound to addresses, not to names.
    #[error("`{0}` is not an IP address: a listener is bound to an address, or to all as `:port`")]
    NotAnIp(String),
    /// Neither an IP address nor a host name.
    #[error("`{0}` is neither an IP address nor a host name")]
    NotAHost(String),
    /// An IPv6 address outside brackets.
    #[error("an IPv6 address is written in brackets: `[{0}]:port`")]
    Unbracketed(String),
    /// `unix:` without an absolute path.
    #[error("a Unix socket is written as unix:/path")]
    UnixPath,
    /// Longer than `sun_path` holds.
    #[error("the path of a Unix socket has at most 107 bytes")]
    UnixPathLength,
}

const UNIX_PATH_MAX: usize = 107;

fn unix_path(text: &str) -> Result<Option<PathBuf>, AddressError> {
    match text.strip_prefix("unix:") {
        None => Ok(None),
        Some(path) if path.len() > UNIX_PATH_MAX => Err(AddressError::UnixPathLength),
        Some(path) if path.starts_with('/') && path.len() > 1 => Ok(Some(PathBuf::from(path))),
        Some(_) => Err(AddressError::UnixPath),
    }
}

fn split_port(text: &str) -> Result<(&str, u16), AddressError> {
    let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
    if port.ends_with(']') {
        return Err(AddressError::NoPort);
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(number) if digits => Ok((host, number)),
        _ => Err(AddressError::BadPort(port.to_owned())),
    }
}

/// `Ok(None)` where the host is not meant as an IP address.
fn parse_ip(host: &str) -> Result<Option<IpAddr>, AddressError> {
    if let Some(inner) = host.strip_prefix('[') {
        return match inner.strip_suffix(']').map(str::parse) {
            Some(Ok(ip)) => Ok(Some(IpAddr::V6(ip))),
            _ => Err(AddressError::NotAHost(host.to_owned())),
        };
    }
    if host.contains(':') {
        return Err(AddressError::Unbracketed(host.to_owned()));
    }
    let only_digits = host
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match host.parse() {
        Ok(ip) => Ok(Some(IpAddr::V4(ip))),
        Err(_) if only_digits => Err(AddressError::NotAHost(host.to_owned())),
        Err(_) => Ok(None),
    }
}

/// RFC 1123 §2.1, with `_` allowed as container networks use it.
fn is_host_name(host: &str) -> bool {
    host.len() <= 253
        && host.trim_end_matches('.').split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_addresses() {
        for text in [":8080", "127.0.0.1:80", "[::1]:443", "unix:/run/s.sock"] {
            assert_eq!(
                text.parse::<BindAddress>().map(|a| a.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!("*:80".parse(), Ok(BindAddress::AllInterfaces { port: 80 }));
        for (text, error) in [
            ("8080", AddressError::NoPort),
            ("[::1]", AddressError::NoPort),
            (":http", AddressError::BadPort("http".into())),
            (":+80", AddressError::BadPort("+80".into())),
            (":65536", AddressError::BadPort("65536".into())),
            ("::1:80", AddressError::Unbracketed("::1".into())),
            (
                "example.com:80",
                AddressError::NotAnIp("example.com".into()),
            ),
            ("unix:run", AddressError::UnixPath),
        ] {
            assert_eq!(text.parse::<BindAddress>(), Err(error), "{text}");
        }
    }

    #[test]
    fn server_addresses() {
        for text in [
            "10.0.0.1:80",
            "[fe80::1]:80",
            "db_1.internal:5432",
            "unix:/a",
        ] {
            assert_eq!(
                text.parse::<ServerAddress>().map(|a| a.to_string()),
                Ok(text.to_owned())
            );
        }
        for (text, error) in [
            ("10.0.0.1", AddressError::NoPort),
            (":80", AddressError::NoHost),
            ("a:0", AddressError::ServerPortZero),
            ("256.0.0.1:80", AddressError::NotAHost("256.0.0.1".into())),
            ("http://a:80", AddressError::Unbracketed("http://a".into())),
            ("a b:80", AddressError::NotAHost("a b".into())),
            ("-a:80", AddressError::NotAHost("-a".into())),
        ] {
            assert_eq!(text.parse::<ServerAddress>(), Err(error), "{text}");
        }
    }

    #[test]
    fn conflicts() {
        let parse = |text: &str| text.parse::<BindAddress>().expect("an address");
        for (a, b, expected) in [
            (":80", ":80", true),
            (":80", ":81", false),
            (":0", ":0", false),
            (":80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.2:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("unix:/a", "unix:/a", true),
            ("unix:/a", ":80", false),
        ] {
            assert_eq!(parse(a).conflicts_with(&parse(b)), expected, "{a} {b}");
            assert_eq!(parse(b).conflicts_with(&parse(a)), expected, "{b} {a}");
        }
    }
}
