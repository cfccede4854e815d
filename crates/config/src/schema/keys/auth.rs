//! The keys of `[auth.NAME]`: who is let in.

use std::time::Duration;

use super::{DAY, MILLISECOND, MINUTE, SECOND, duration};
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
        Key::new(
            "basic",
            Kind::Table(&BASIC),
            Default::Absent("another of these is set"),
            "A name and a password, by `Authorization: Basic`.",
        )
        .also(&["basic-auth", "password", "auth-basic", "http-basic"]),
        Key::new(
            "api-key",
            Kind::Table(&API_KEY),
            Default::Absent("another of these is set"),
            "A key in a header field or in the query.",
        )
        .also(&["key-auth", "key", "apikey", "api-keys"]),
        Key::new(
            "jwt",
            Kind::Table(&JWT),
            Default::Absent("another of these is set"),
            "A signed token, by `Authorization: Bearer`.",
        )
        .also(&["token", "bearer", "oidc", "jwt-auth"]),
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

/// `basic` of `[auth.NAME]`
pub(crate) static BASIC: Shape = Shape {
    place: "`basic` of `[auth.NAME]`",
    doc: "Names and passwords (RFC 7617). A password that was right is remembered for five minutes; others are checked aside, so that nobody \
          else waits.",
    keys: &[
        Key::new(
            "users",
            Kind::Text(Form::File),
            Default::Required("\"file:users.htpasswd\""),
            "A file with a name, a colon and a hash of the password a line, as `htpasswd -B` writes it: bcrypt or argon2. It is read again when \
             it changes.",
        )
        .also(&["user-file", "auth-user-file", "htpasswd", "file"]),
        Key::new(
            "realm",
            Kind::Text(Form::FieldValue),
            Default::Depends("the name of the table"),
            "What clients are told that the password is for.",
        ),
        NAME_HEADER,
        STRIP,
    ],
};

/// `api-key` of `[auth.NAME]`
pub(crate) static API_KEY: Shape = Shape {
    place: "`api-key` of `[auth.NAME]`",
    doc: "Keys of which the file has only a digest. One of `header` and `query` is set.",
    keys: &[
        Key::new(
            "keys",
            Kind::Text(Form::File),
            Default::Required("\"file:keys.txt\""),
            "A file with a name and the SHA-256 of a key a line, in hexadecimal digits, as `printf %s \"$KEY\" | sha256sum` computes it. It is read \
             again when it changes.",
        )
        .also(&["file", "key-file"]),
        Key::new(
            "header",
            Kind::Text(Form::FieldName),
            Default::Absent("`query` is set"),
            "The header field with the key; a `Bearer` before it is passed over.",
        )
        .also(&["field", "key-names"]),
        Key::new(
            "query",
            Kind::Text(Form::Any),
            Default::Absent("`header` is set"),
            "The parameter of the query with the key. Such keys end up in logs: prefer `header`.",
        )
        .also(&["parameter"]),
        NAME_HEADER,
        STRIP,
    ],
};

const NAME_HEADER: Key = Key::new(
    "name-header",
    Kind::Text(Form::FieldName),
    Default::Absent("the server is not told"),
    "A field that tells the server the name under which the client was let in. The client's of this name are dropped.",
)
.also(&["user-header", "consumer-header", "header-field"]);

const STRIP: Key = Key::new(
    "strip",
    Kind::Flag,
    Default::Is("false"),
    "Whether the field that the client has shown itself by is kept from the server.",
)
.also(&["remove-header", "hide-credentials", "forward-credentials"]);

/// `jwt` of `[auth.NAME]`
pub(crate) static JWT: Shape = Shape {
    place: "`jwt` of `[auth.NAME]`",
    doc: "Tokens (RFC 7519) that are signed and come to an end: one without `exp` lets nobody in. One of `jwks`, `public-key` and `secret` is set. What \
          a key is decides which algorithms it verifies: a public key is never taken for a secret, and `none` is no algorithm.",
    keys: &[
        Key::new(
            "jwks",
            Kind::Text(Form::FileOrUrl),
            Default::Absent("another key is set"),
            "A set of keys in JSON (RFC 7517): a file, read again when it changes, or a URL, from which it is fetched again and again. A token of a \
             key that is not in it yet has it fetched at once.",
        )
        .also(&["jwk-set", "jwks-file", "jwks-uri", "jwks-url", "remote-jwks", "keys"]),
        Key::new(
            "ca",
            Kind::Text(Form::File),
            Default::Absent("the authorities that this machine trusts"),
            "With `jwks` by https: a PEM file with the certificates by which the issuer is known to be the one it says it is; for private \
             authorities. Read again when it changes.",
        )
        .also(&["ca-file", "roots", "ca-certificates"]),
        Key::new(
            "refresh",
            duration(SECOND, DAY),
            Default::Depends("what the issuer says by `Cache-Control: max-age`, from 1m to 1h; 10m where it says nothing"),
            "With `jwks` by URL: how old the keys may become. A key that was withdrawn lets in for so long at most, while the issuer can be reached.",
        )
        .also(&["cache-duration", "refresh-interval", "max-age", "interval", "ttl"]),
        Key::new(
            "public-key",
            Kind::Text(Form::File),
            Default::Absent("another key is set"),
            "A file with a public key in PEM: RSA, ECDSA on P-256, P-384 or P-521, or Ed25519.",
        )
        .also(&["key", "pem", "public-key-file"]),
        Key::new(
            "secret",
            Kind::Secret { min: 32 },
            Default::Absent("another key is set"),
            "A secret that who signs has too. At least 32 bytes.",
        )
        .also(&["hmac-secret", "shared-secret"]),
        Key::new(
            "algorithms",
            Kind::List {
                item: &Kind::Choice(&[
                    Choice::new("HS256"),
                    Choice::new("HS384"),
                    Choice::new("HS512"),
                    Choice::new("RS256"),
                    Choice::new("RS384"),
                    Choice::new("RS512"),
                    Choice::new("PS256"),
                    Choice::new("PS384"),
                    Choice::new("PS512"),
                    Choice::new("ES256"),
                    Choice::new("ES384"),
                    Choice::new("ES512"),
                    Choice::new("EdDSA"),
                ]),
                min: 1,
            },
            Default::Absent("all that the keys are for"),
            "The algorithms that are taken.",
        )
        .also(&["algorithm", "alg"]),
        Key::new(
            "issuer",
            Kind::OneOrList(&Kind::Text(Form::Any)),
            Default::Absent("any"),
            "Whose tokens are taken: `iss` is one of these.",
        )
        .also(&["iss", "issuers"]),
        Key::new(
            "audience",
            Kind::OneOrList(&Kind::Text(Form::Any)),
            Default::Absent("any"),
            "Whom tokens have to be for: `aud` is or has one of these.",
        )
        .also(&["aud", "audiences"]),
        Key::new(
            "leeway",
            duration(Duration::ZERO, Duration::from_mins(10)),
            Default::Is("\"30s\""),
            "By how much clocks may differ, for `exp` and `nbf`.",
        )
        .also(&["clock-skew"]),
        Key::new(
            "claims-to-headers",
            Kind::Map {
                key: Form::Any,
                item: &Kind::Text(Form::FieldName),
            },
            Default::Absent("the server is told nothing"),
            "Claims, each with the field in which the server gets it: texts, numbers, and lists of them joined by commas. The client's fields of \
             these names are dropped.",
        )
        .also(&["claim-headers", "forward-claims"]),
        STRIP,
    ],
};
