//! The keys of conditions on requests.

use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `match` of `[[routes]]`
pub(crate) static MATCH: Shape = Shape {
    place: "`match` of `[[routes]]`",
    doc: "Conditions on a request. A list holds if any of its items does.",
    keys: &[
        PATH,
        HOST,
        METHOD,
        HEADERS,
        COOKIES,
        QUERY,
        CLIENT_IP,
        SCHEME,
        Key::not_yet("country", "The client's country."),
        Key::new(
            "not",
            Kind::OneOrList(&Kind::Table(&PART)),
            Default::Absent("nothing is excluded"),
            "What must not be: a request for which all of these conditions hold does not match. A list excludes each of its items.",
        )
        .also(&["except", "unless", "exclude", "none"]),
        Key::new(
            "any",
            Kind::List {
                item: &Kind::Table(&PART),
                min: 1,
            },
            Default::Absent("nothing more is asked for"),
            "Alternatives: beside all the other conditions, those of one item must hold.",
        )
        .also(&["or", "one-of", "any-of"]),
    ],
};

/// `not` and `any` of `match`
static PART: Shape = Shape {
    place: "`not` and `any` of `match`",
    doc: "Conditions on a request, all of which must hold together.",
    keys: &[
        PATH, HOST, METHOD, HEADERS, COOKIES, QUERY, CLIENT_IP, SCHEME,
    ],
};

const PATH: Key = Key::new(
    "path",
    Kind::Text(Form::Path),
    Default::Absent("any path"),
    "The request's path: `/login` is that path alone; `/api/*` is `/api` and all below, which is captured as `rest`; \
     `/users/{id}` captures a segment; a regular expression stands after `~`.",
)
.also(&["paths", "uri", "url", "prefix", "path-prefix", "location"]);

const HOST: Key = Key::new(
    "host",
    Kind::OneOrList(&Kind::Text(Form::Host)),
    Default::Absent("any host"),
    "The request's host without its port, case ignored: `example.com`, `*.example.com` (any depth), or a regular \
     expression after `~`.",
)
.also(&["hosts", "hostname", "domain", "server-name"]);

const METHOD: Key = Key::new(
    "method",
    Kind::OneOrList(&Kind::Text(Form::Method)),
    Default::Absent("any method"),
    "The request's method, case kept: `GET`.",
)
.also(&["methods", "verb"]);

const HEADERS: Key = Key::new(
    "headers",
    Kind::Fields(&Kind::Text(Form::Pattern)),
    Default::Absent("any fields"),
    "Header fields that must be there, each with a pattern that its value must match: a literal, a glob if it holds \
     `*`, a regular expression if it begins with `~`. `\"*\"` is any value.",
)
.also(&["header"]);

const COOKIES: Key = Key::new(
    "cookies",
    Kind::Map {
        key: Form::CookieName,
        item: &Kind::Text(Form::Pattern),
    },
    Default::Absent("any cookies"),
    "Cookies that must be there, by their names, whose case counts, each with a pattern that its value must match.",
)
.also(&["cookie"]);

const QUERY: Key = Key::new(
    "query",
    Kind::Map {
        key: Form::Any,
        item: &Kind::Text(Form::Pattern),
    },
    Default::Absent("any query"),
    "Parameters of the query that must be there, by their names, whose case counts, each with a pattern that its value must match; \
     names and values as they are decoded.",
)
.also(&["params", "parameters", "query-params", "arguments"]);

const CLIENT_IP: Key = Key::new(
    "client-ip",
    Kind::OneOrList(&Kind::Text(Form::Network)),
    Default::Absent("any client"),
    "The networks or addresses of clients. Behind `trusted-proxies` of the listener, the client is whom they name by `X-Forwarded-For`.",
)
.also(&["client", "source", "src", "remote-addr", "ip", "source-ip"]);

const SCHEME: Key = Key::new(
    "scheme",
    Kind::Choice(&[Choice::new("http"), Choice::new("https")]),
    Default::Absent("either"),
    "What is spoken with the client: `https` over TLS, `http` without.",
)
.also(&["protocol", "proto"]);
