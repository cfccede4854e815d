//! The keys of `[auth.NAME]`: who is let in.

use super::{MILLISECOND, MINUTE, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `[auth.NAME]`
pub(crate) static AUTH: Shape = Shape {
    place: "`[auth.NAME]`",
    doc: "A way to show who one is, for routes that name it in `auth`. Exactly one of the keys is set. [auth.md](auth.md) tells more.",
    keys: &[
        Key::new(
            "forward",
            Kind::Table(&FORWARD),
            Default::Absent("another of these is set"),
            "Another service is asked.",
        )
        .also(&[
            "auth-request",
            "ext-authz",
            "forward-auth",
            "external",
            "subrequest",
        ]),
        Key::not_yet("basic", "A name and a password."),
        Key::not_yet("api-key", "A key of the client's."),
        Key::not_yet("jwt", "A signed token."),
    ],
};

/// `forward` of `[auth.NAME]`
pub(crate) static FORWARD: Shape = Shape {
    place: "`forward` of `[auth.NAME]`",
    doc: "A service that is asked for each request, by `GET` with the request's own fields. Where it answers 2xx, the request goes on. 401, \
          403, 429 and redirects go to the client as they are. One of `url` and `upstream` is set.",
    keys: &[
        Key::new(
            "url",
            Kind::Text(Form::HttpUrl),
            Default::Absent("`upstream` is set"),
            "Where the service is. Its connections are kept and counted like those of an upstream `auth:NAME`.",
        )
        .also(&["address", "uri", "to", "server"]),
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Absent("`url` is set"),
            "The upstream whose servers are asked, balanced and checked as it says.",
        )
        .also(&["backend", "cluster", "service"]),
        Key::new(
            "path",
            Kind::Text(Form::Target),
            Default::Is("\"/\""),
            "With `upstream`: the path that is asked for, with or without a query.",
        )
        .also(&["target"]),
        Key::new(
            "timeout",
            duration(MILLISECOND, MINUTE),
            Default::Is("\"1s\""),
            "How long all of it may take, connecting and further tries included.",
        ),
        Key::new(
            "request-headers",
            Kind::List {
                item: &Kind::Text(Form::FieldName),
                min: 0,
            },
            Default::Absent("all of them but those of the connection and the body"),
            "The fields of the request that the service sees.",
        )
        .also(&["auth-request-headers", "pass-headers", "allowed-headers"]),
        Key::new(
            "copy-headers",
            Kind::List {
                item: &Kind::Text(Form::FieldName),
                min: 1,
            },
            Default::Absent("none"),
            "Fields of the service's answer that are sent to the server. The client's of these names are dropped, whatever the answer is.",
        )
        .also(&["auth-response-headers", "allowed-upstream-headers", "response-headers"]),
        Key::new(
            "on-failure",
            Kind::Choice(&[Choice::new("refuse"), Choice::new("allow")]),
            Default::Is("\"refuse\""),
            "What becomes of a request when the service cannot be asked or answers anything else: `refuse` is 503, `allow` lets it in.",
        )
        .also(&["failure-mode", "failure-mode-allow", "fail-open"]),
    ],
};
