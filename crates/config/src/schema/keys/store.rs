//! The keys of stores.

use super::{MILLISECOND, SECOND, duration};
use crate::schema::{Default, Form, Key, Kind, Shape};

/// `[stores.NAME]`
pub(crate) static STORE: Shape = Shape {
    place: "`[stores.NAME]`",
    doc: "Where balancers keep what they share. One that cannot be reached fails no request: each balancer goes on by what it knows, and says so.",
    keys: &[
        Key::new(
            "redis",
            Kind::Text(Form::Redis),
            Default::Required("\"redis://127.0.0.1:6379\""),
            "Where a Redis is: `redis://HOST`, with a port and the number of a database where they are not 6379 and 0, as in \
             `redis://HOST:PORT/NUMBER`; or `unix:/path`. Redis 5 or later, or what speaks its protocol.",
        )
        .also(&["address", "url", "valkey"]),
        Key::new(
            "username",
            Kind::Text(Form::Any),
            Default::Absent("the user `default`"),
            "The user to log in as.",
        )
        .also(&["user"]),
        Key::new(
            "password",
            Kind::Secret { min: 1 },
            Default::Absent("no login"),
            "The password to log in with.",
        )
        .also(&["auth", "requirepass", "secret"]),
        Key::new(
            "timeout",
            duration(MILLISECOND, SECOND),
            Default::Is("\"20ms\""),
            "How long an operation may take. After three in a row that take longer it is away, and is connected to again.",
        )
        .also(&["response-timeout", "command-timeout"]),
        Key::new(
            "prefix",
            Kind::Text(Form::Any),
            Default::Is("\"sluice:\""),
            "What the names of all keys begin with. Balancers share what has the same name.",
        )
        .also(&["key-prefix", "namespace"]),
    ],
};
