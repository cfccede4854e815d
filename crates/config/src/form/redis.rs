//! Where a Redis is.

use sluice_model::ServerAddress;

use super::Misfit;
use crate::plan::RedisAddress;

/// `redis://HOST[:PORT][/NUMBER]` or `unix:/path`.
pub(super) fn address(text: &str) -> Result<RedisAddress, Misfit> {
    if text.starts_with("unix:") {
        let address = text.parse().map_err(|error| Misfit::of(&error))?;
        return Ok(RedisAddress {
            address,
            database: 0,
        });
    }
    let Some(rest) = text.strip_prefix("redis://") else {
        let misfit = Misfit::new("it is redis://HOST:PORT or unix:/path");
        return Err(match text.split_once("://") {
            Some(("rediss", _)) => Misfit::new("Redis is not spoken to by TLS").help(
                "let a tunnel or a proxy on this machine do it, or keep to a network of your own",
            ),
            Some((_, rest)) => misfit.help(format!("did you mean \"redis://{rest}\"?")),
            None if host(text).is_some() => {
                misfit.help(format!("did you mean \"redis://{text}\"?"))
            }
            None => misfit,
        });
    };
    if rest.contains('@') {
        return Err(Misfit::new("a password does not belong here, where it would be shown")
            .help("write it apart: `password = \"file:/run/secrets/redis\"`, and `username` where there is one"));
    }
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let database = match database {
        "" => 0,
        number => number
            .parse()
            .map_err(|_| Misfit::new("behind the `/` stands the number of a database"))?,
    };
    match host(authority) {
        Some(address) => Ok(RedisAddress { address, database }),
        None => Err(Misfit::new(
            "a host is missing, or what stands there is none",
        )),
    }
}

/// With or without a port.
fn host(authority: &str) -> Option<ServerAddress> {
    let with_port = format!("{authority}:{PORT}");
    let address = authority.parse().or_else(|_| with_port.parse()).ok()?;
    match address {
        ServerAddress::Unix(_) => None,
        address => Some(address),
    }
}

const PORT: u16 = 6379;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected, database) in [
            ("redis://127.0.0.1:6380", "127.0.0.1:6380", 0),
            ("redis://127.0.0.1", "127.0.0.1:6379", 0),
            ("redis://redis.internal/", "redis.internal:6379", 0),
            ("redis://redis.internal/3", "redis.internal:6379", 3),
            ("redis://[::1]:6380/15", "[::1]:6380", 15),
            ("redis://[::1]", "[::1]:6379", 0),
            ("unix:/run/redis.sock", "unix:/run/redis.sock", 0),
        ] {
            let found = address(text).unwrap_or_else(|misfit| panic!("{text}: {misfit:?}"));
            assert_eq!(found.address.to_string(), expected);
            assert_eq!(found.database, database, "{text}");
        }
        for text in [
            "",
            "redis://",
            "redis:///1",
            "redis://a/b",
            "redis://a/-1",
            "redis://user:word@a",
            "redis://unix:/run/redis.sock",
            "rediss://a",
            "http://a",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
