//! The keys of another path or host that servers are asked for.

use crate::schema::{Default, Form, Key, Kind, Shape};

/// `rewrite` of `[[routes]]`
pub(crate) static REWRITE: Shape = Shape {
    place: "`rewrite` of `[[routes]]`",
    doc: "What the server is asked for instead of what the client asks for. One of `strip-prefix`, `prefix`, `path` and `regex` says the \
          path, `host` the host; either can be alone. The new path is made of the normalised one, and the query stays.",
    keys: &[
        Key::new(
            "strip-prefix",
            Kind::Text(Form::PathPrefix),
            Default::Absent("nothing is left out"),
            "What is left out at the path's begin: with `\"/api\"`, `/api/users` becomes `/users` and `/api` becomes `/`. A path that does not \
             begin so stays as it is.",
        )
        .also(&["remove-prefix", "trim-prefix", "strip"]),
        Key::new(
            "prefix",
            Kind::Text(Form::PathPrefix),
            Default::Absent("the path begins as it did"),
            "What the path begins with instead of what stands before the `*` of `match.path`: of `/api/*` with `\"/v2\"`, `/api/users` becomes \
             `/v2/users`.",
        )
        .also(&["replace-prefix", "prefix-rewrite", "add-prefix"]),
        Key::new(
            "path",
            Kind::Text(Form::NewTarget),
            Default::Absent("see the others"),
            "The whole path, of captures and variables in braces. With a `?` in it, what follows is the query in the place of the client's.",
        )
        .also(&["replace-path", "uri", "url", "target", "to"]),
        Key::new(
            "regex",
            Kind::Table(&REGEX),
            Default::Absent("see the others"),
            "The whole path, where it matches a regular expression.",
        )
        .also(&["regexp", "regular-expression", "replace-path-regex"]),
        Key::new(
            "host",
            Kind::Text(Form::NewHost),
            Default::Absent("the server gets the client's"),
            "The `Host` that the server gets; captures and variables in braces are filled in. `X-Forwarded-Host` says the client's.",
        )
        .also(&["authority", "host-header", "hostname"]),
    ],
};

/// `regex` of `rewrite`
static REGEX: Shape = Shape {
    place: "`regex` of `rewrite`",
    doc: "A path that matches becomes another; one that does not stays as it is.",
    keys: &[
        Key::new(
            "pattern",
            Kind::Text(Form::PathRegex),
            Default::Required("\"/users/(?<id>[0-9]+)\""),
            "A regular expression that the whole of the normalised path matches. Named groups are captures.",
        )
        .also(&["regex", "from", "match"]),
        Key::new(
            "to",
            Kind::Text(Form::NewTarget),
            Default::Required("\"/u/{id}\""),
            "What becomes of it: as `path` of `rewrite`, with the groups of the pattern as captures.",
        )
        .also(&["replacement", "substitution", "path", "target"]),
    ],
};
