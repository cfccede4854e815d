//! The keys of conditions on requests.

use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `match` of `[[routes]]`
pub(crate) static MATCH: Shape = Shape {
    place: "`match` of `[[routes]]`",
    doc: "Conditions on a request. A list holds if any of its items does.",
    keys: &KEYS,
};

/// `not` and `any` of `match`
static PART: Shape = Shape {
    place: "`not` and `any` of `match`",
    doc: "Conditions on a request, all of which must hold together.",
    keys: KEYS.split_at(KEYS.len() - COMBINING).0,
};

static KEYS: [Key; 14] = [
    PATH,
    HOST,
    METHOD,
    HEADERS,
    COOKIES,
    QUERY,
    CLIENT_IP,
    SCHEME,
    COUNTRY,
    TLS_SUBJECT,
    JSON,
    CLAIMS,
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
];

/// So many keys, the last, are what `not` and `any` do not take themselves.
const COMBINING: usize = 2;

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

const COUNTRY: Key = Key::new(
    "country",
    Kind::OneOrList(&Kind::Text(Form::Country)),
    Default::Absent("any country, and none"),
    "The client's country, by its code of two letters (ISO 3166-1) and the database that `geo` names. A client of whom it knows no \
     country, such as one with a private address, is in none of them.",
)
.also(&["countries", "geo", "geoip", "country-code"]);

const TLS_SUBJECT: Key = Key::new(
    "tls-subject",
    Kind::Text(Form::Pattern),
    Default::Absent("any client, with a certificate or without"),
    "The subject of the certificate that the client has shown and that `tls.client-auth` of the listener has verified, such as `CN=alice, O=Example`; a client without one does not match. `\"*\"` is any certificate.",
)
.also(&["client-cert", "client-certificate", "subject", "client-subject", "ssl-client-dn"]);

const JSON: Key = Key::new(
    "json",
    Kind::Map {
        key: Form::JsonPointer,
        item: &Kind::Text(Form::Pattern),
    },
    Default::Absent("bodies are not looked into"),
    "Values of a body that is JSON, by JSON pointers (RFC 6901) such as `/user/tier`, each with a pattern that the value must match. \
     Bodies of `application/json` and `+json` are then collected before a route is chosen, up to `json-body-limit` of the listener; \
     for all others this does not hold.",
)
.also(&["body", "json-body", "body-json"]);

const CLAIMS: Key = Key::new(
    "claims",
    Kind::Map {
        key: Form::Any,
        item: &Kind::Text(Form::Pattern),
    },
    Default::Absent("any claims, and none"),
    "Claims of the client's token, by their names or, beginning with `/`, by JSON pointers (RFC 6901) such as `/realm_access/roles`, each with a \
     pattern that the value must match; of a list one item must. The token has to be one that a `jwt` of the route's `auth` takes: for \
     requests without such a one this does not hold.",
)
.also(&["claim", "jwt", "token", "jwt-claims"]);
