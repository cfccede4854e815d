//! The keys of sessions that stay on their servers.

use super::{DAY, SECOND, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `sticky` of `[upstreams.NAME]`
pub(crate) static STICKY: Shape = Shape {
    place: "`sticky` of `[upstreams.NAME]`",
    doc: "By what a client is kept on its server: one of `cookie`, `app-cookie`, `header` and `client-ip`. Only http.",
    keys: &[
        Key::new(
            "cookie",
            Kind::Either(&[Kind::Text(Form::CookieName), Kind::Table(&STICKY_COOKIE)]),
            Default::Absent("no cookie of ours"),
            "A cookie that sluice sets, by its name or as a table. It is signed with `runtime.secret-key`, names the server without its \
             address, and servers do not get to see it. Every balancer with the same key takes it.",
        )
        .also(&["sticky-cookie", "insert-cookie", "lb-cookie"]),
        Key::new(
            "app-cookie",
            Kind::Text(Form::CookieName),
            Default::Absent("the application's cookies do not matter"),
            "The name of a cookie that the application sets, such as `JSESSIONID`: whoever brings it along, or has it in the path (`;jsessionid=…`), goes to the server that set it.",
        )
        .also(&["appsession", "application-cookie", "learn", "session-cookie"]),
        Key::new(
            "header",
            Kind::Text(Form::FieldName),
            Default::Absent("header fields do not matter"),
            "The name of a header field: requests with the same value go to the same server.",
        ),
        Key::new(
            "client-ip",
            Kind::Flag,
            Default::Is("false"),
            "Whether requests of the same address go to the same server.",
        )
        .also(&["source", "source-ip", "ip", "ip-hash"]),
        Key::new(
            "ttl",
            duration(SECOND, DAY.saturating_mul(30)),
            Default::Is("\"1h\""),
            "How long a session may be silent before its server is forgotten. Not for `cookie`, which has a `ttl` of its own.",
        )
        .also(&["timeout", "expire", "expires", "idle-timeout"]),
        Key::new(
            "max-sessions",
            Kind::Number {
                min: 1,
                max: 100_000_000,
            },
            Default::Is("100000"),
            "For how many sessions there is room; where more come, those go that were silent for the longest. Each takes 32 bytes, from the \
             start. Not for `cookie`, which needs none.",
        )
        .also(&["size", "table-size", "zone", "max-entries"]),
        Key::new(
            "store",
            Kind::Text(Form::Name),
            Default::Is("\"local\""),
            "Where sessions are remembered: `local`, or the name of one of `[stores.NAME]`, which several balancers share. Needs \
             `runtime.secret-key`, the same on each. Not for `cookie`, which needs none.",
        )
        .also(&["stores", "shared", "redis"]),
    ],
};

/// `cookie` of `sticky`
pub(crate) static STICKY_COOKIE: Shape = Shape {
    place: "`cookie` of `sticky`",
    doc: "The cookie that sluice sets. Scripts in the page do not get to see it (`HttpOnly`).",
    keys: &[
        Key::new(
            "name",
            Kind::Text(Form::CookieName),
            Default::Depends("`sluice-` and the upstream's name"),
            "Its name. Upstreams that the same client talks to need different ones.",
        ),
        Key::new(
            "ttl",
            duration(SECOND, DAY.saturating_mul(366)),
            Default::Absent("until the browser is closed"),
            "How long it is good for since the client was last here (`Max-Age`). It is set again when half of that has passed.",
        )
        .also(&["max-age", "expires", "timeout"]),
        Key::new(
            "domain",
            Kind::Text(Form::CookieDomain),
            Default::Absent("only the host that set it"),
            "The domain whose hosts get it, such as `.example.com`.",
        ),
        Key::new(
            "path",
            Kind::Text(Form::CookiePath),
            Default::Is("\"/\""),
            "The path below which it is sent.",
        ),
        Key::new(
            "same-site",
            Kind::Choice(&[Choice::new("lax"), Choice::new("strict"), Choice::new("none")]),
            Default::Is("\"lax\""),
            "Whether it is sent when other sites lead here: `lax` with links only, `strict` never, `none` always, which browsers take of \
             `secure` cookies only.",
        )
        .also(&["samesite"]),
        Key::new(
            "secure",
            Kind::Flag,
            Default::Depends("true for clients that came by TLS"),
            "Whether it is sent over TLS only.",
        ),
    ],
};
