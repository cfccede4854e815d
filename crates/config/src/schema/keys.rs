//! Every key of the file: its type, its default, what it does. The only place where they are written down.

use std::time::Duration;

use super::{Choice, Default, Form, Key, Kind, Shape};

/// The file itself.
pub(crate) static FILE: Shape = Shape {
    place: "the file",
    doc: "One TOML file describes everything. A file that sets only what it must is a good file.",
    keys: &[
        Key::new(
            "listeners",
            Kind::Named(&LISTENER),
            Default::Required("[listeners.web]"),
            "Where clients come in, each under a name of its own.",
        )
        .also(&["listener", "frontends", "frontend", "server", "listen", "entrypoints"]),
        Key::new(
            "routes",
            Kind::Tables(&ROUTE),
            Default::Absent("with one upstream everything goes there"),
            "Which request goes where. Tried in the order of the file; the first whose every condition holds wins.",
        )
        .also(&["route", "rules", "locations", "location"]),
        Key::new(
            "upstreams",
            Kind::Named(&UPSTREAM),
            Default::Absent("none: every route then answers or redirects by itself"),
            "Groups of servers, each under a name of its own.",
        )
        .also(&["upstream", "backends", "backend", "clusters", "pools", "services"]),
        Key::new(
            "runtime",
            Kind::Table(&RUNTIME),
            Default::Is("{}"),
            "The process itself.",
        )
        .also(&["global", "process"]),
        Key::new(
            "admin",
            Kind::Table(&ADMIN),
            Default::Absent("no admin listener"),
            "The admin listener: API, metrics, health of the process.",
        )
        .also(&["api", "stats", "metrics", "dashboard"]),
        Key::new("logs", Kind::Table(&LOGS), Default::Is("{}"), "What is written down.")
            .also(&["log", "logging"]),
        Key::not_yet("rate-limits", "Limits by client or key."),
        Key::not_yet("stores", "State shared between balancers."),
        Key::not_yet("auth", "Who is let in."),
        Key::not_yet("tracing", "Traces of requests."),
        Key::not_yet("alerts", "Messages when something is wrong."),
    ],
};

/// `[listeners.NAME]`
pub(crate) static LISTENER: Shape = Shape {
    place: "`[listeners.NAME]`",
    doc: "An address that clients connect to, and what is spoken there.",
    keys: &[
        Key::new(
            "address",
            Kind::Text(Form::Bind),
            Default::Required("\":8080\""),
            "Where to listen. `:port` is every interface, IPv4 and IPv6.",
        )
        .also(&["bind", "listen", "port", "addr", "listen-address"]),
        Key::new(
            "protocol",
            Kind::Choice(&[
                Choice::new("http"),
                Choice::new("tcp"),
                Choice::new("udp"),
            ]),
            Default::Is("\"http\""),
            "`http` routes by request; `tcp` passes the bytes of each connection on to one upstream, `udp` the datagrams of \
             each client.",
        )
        .also(&["mode", "type"]),
        Key::new(
            "protocols",
            Kind::List {
                item: &Kind::Choice(&[
                    Choice::new("h1"),
                    Choice::new("h2"),
                    Choice::new("h3"),
                ]),
                min: 1,
            },
            Default::Depends("`[\"h1\", \"h2\"]` with `tls`, `[\"h1\"]` without"),
            "http only: the versions of HTTP that are spoken. With `tls`, clients choose by ALPN. Without, `h2` is by prior knowledge; \
             beside `h1`, the first bytes of a connection tell which of the two it is. `h3` needs `tls`, and one of the others beside it: \
             it is spoken by UDP on the same port, and answers of the others tell clients so (`Alt-Svc`). [http3.md](http3.md) says more.",
        )
        .also(&["alpn"]),
        Key::new(
            "h2",
            Kind::Table(&HTTP2),
            Default::Is("{ max-concurrent-streams = 128, initial-window = \"128KiB\" }"),
            "http only: what holds for connections of HTTP/2.",
        )
        .also(&["http2"]),
        Key::new(
            "h3",
            Kind::Table(&HTTP3),
            Default::Is("{ max-concurrent-streams = 128, initial-window = \"256KiB\" }"),
            "http only: what holds for connections of HTTP/3.",
        )
        .also(&["http3", "quic"]),
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Depends("the only upstream there is"),
            "tcp and udp only: where connections go.",
        )
        .also(&["backend", "to", "forward-to", "default-backend"]),
        Key::new(
            "proxy-protocol",
            Kind::Choice(&[
                Choice::new("off"),
                Choice::new("accept"),
                Choice::new("require"),
            ]),
            Default::Is("\"off\""),
            "Whether connections begin with a PROXY protocol header, version 1 or 2, that names the client: `accept` reads it \
             where there is one, `require` closes connections without. Switch it on only where every client is a proxy of \
             yours: whoever can connect can claim any address.",
        )
        .also(&["accept-proxy"]),
        Key::new(
            "trusted-proxies",
            Kind::List {
                item: &Kind::Text(Form::Network),
                min: 0,
            },
            Default::Is("[]"),
            "http only: proxies in front of this one whose `X-Forwarded-*` and `Forwarded` are believed; from all others these \
             fields are replaced. A plain `X-Request-ID` is kept from everyone: it names a request and claims nothing.",
        ),
        Key::new(
            "via",
            Kind::Text(Form::Pseudonym),
            Default::Absent("`Via` is left as it is"),
            "http only: the name this proxy adds to `Via` in requests and responses.",
        ),
        Key::new(
            "forwarded",
            Kind::Flag,
            Default::Is("false"),
            "http only: also send `Forwarded` (RFC 7239) to servers, beside `X-Forwarded-For`, `-Proto` and `-Host`.",
        ),
        Key::new(
            "head-timeout",
            duration(SECOND, DAY),
            Default::Is("\"10s\""),
            "http only: how long a request head may take from its first byte to its last; 408 above.",
        )
        .also(&["request-timeout", "header-timeout", "read-timeout"]),
        Key::new(
            "body-timeout",
            duration(SECOND, DAY),
            Default::Is("\"60s\""),
            "http only: how long a body may stand still, in either direction.",
        ),
        Key::new(
            "idle-timeout",
            duration(SECOND, YEAR),
            Default::Depends("`\"60s\"` for http and udp, `\"10m\"` for tcp"),
            "How long a connection may be silent: between two requests for http, in both directions for tcp. For udp, when \
             a session ends: nothing else says that a client is done.",
        )
        .also(&["keep-alive-timeout", "keepalive-timeout", "client-timeout"]),
        Key::new(
            "max-sessions",
            Kind::Number {
                min: 1,
                max: 1_000_000,
            },
            Default::Is("16384"),
            "udp only: the most clients at a time, each of which costs a descriptor. For one more, the one that has been silent \
             longest makes room. Shared evenly among the workers.",
        )
        .also(&["max-clients", "max-connections"]),
        Key::new(
            "responses",
            Kind::Number {
                min: 1,
                max: 1_000,
            },
            Default::Absent("sessions end by silence alone"),
            "udp only: how many datagrams a server sends for each of the client's. A session ends as soon as all have come, \
             which frees its descriptor at once: `1` for protocols of question and answer, such as DNS. A server that \
             has not answered when the session ends is taken for one that fails.",
        )
        .also(&["proxy-responses", "udp-responses"]),
        Key::new(
            "max-head",
            Kind::Size {
                min: 1 << 10,
                max: 1 << 20,
            },
            Default::Is("\"32KiB\""),
            "http only: the largest request head, start line and fields together; 431 above.",
        )
        .also(&["max-header-size", "max-headers-size"]),
        Key::new(
            "max-target",
            Kind::Size {
                min: 256,
                max: 1 << 20,
            },
            Default::Depends("`\"16KiB\"`, or half of `max-head` where that is less"),
            "http only: the longest request target; 414 above. Less than `max-head`.",
        )
        .also(&["max-uri", "max-url"]),
        Key::new(
            "max-fields",
            Kind::Number { min: 8, max: 256 },
            Default::Is("128"),
            "http only: the largest number of header fields in a request; 431 above.",
        )
        .also(&["max-headers"]),
        Key::new(
            "backlog",
            Kind::Number {
                min: 1,
                max: 65_535,
            },
            Default::Is("4096"),
            "Connections that the kernel holds until they are accepted; the kernel's own limit is `net.core.somaxconn`.",
        ),
        Key::new(
            "tcp-keep-alive",
            TCP_KEEP_ALIVE,
            Default::Is("\"60s\""),
            "Silence after which the kernel asks whether the client is still there.",
        )
        .also(&["keep-alive", "keepalive"]),
        Key::new(
            "receive-buffer",
            SOCKET_BUFFER,
            Default::Absent("sized by the kernel as it goes, which is best for nearly all"),
            "The socket's receive buffer.",
        )
        .also(&["rcvbuf"]),
        Key::new(
            "send-buffer",
            SOCKET_BUFFER,
            Default::Absent("sized by the kernel as it goes, which is best for nearly all"),
            "The socket's send buffer.",
        )
        .also(&["sndbuf"]),
        Key::new(
            "fast-open",
            Kind::Number {
                min: 1,
                max: 65_535,
            },
            Default::Absent("off"),
            "TCP Fast Open: how many connections may wait with data in their first packet.",
        )
        .also(&["tfo"]),
        Key::new(
            "defer-accept",
            duration(SECOND, HOUR),
            Default::Absent("off"),
            "Accept a connection only when the client has sent something, waiting this long for it. Not for protocols in which \
             the server speaks first.",
        ),
        Key::new(
            "tls",
            Kind::Table(&TLS),
            Default::Absent("nothing is ciphered"),
            "TLS towards clients, for http and tcp: connections are deciphered here. [tls.md](tls.md) says more.",
        )
        .also(&["ssl", "https"]),
        Key::new(
            "redirect-to-https",
            Kind::Flag,
            Default::Is("false"),
            "http only: answer every request with a redirect (308) to the same URL with `https`, at the port of the listener that has `tls`.",
        )
        .also(&["https-redirect", "force-https", "redirect-https"]),
        Key::new(
            "sni",
            Kind::Map {
                key: Form::Host,
                item: &Kind::Either(&[Kind::Text(Form::Upstream), Kind::Table(&SERVER_NAME)]),
            },
            Default::Absent("what is spoken is not looked at"),
            "tcp only, instead of `upstream`: where TLS connections go by the server name that the client asks for. They are \
             passed on as they are, never deciphered. The narrowest name counts: `a.example.com` before `*.example.com` before \
             `\"*\"`, which is also for clients that name no server. A connection that fits none is closed with a TLS alert.",
        )
        .also(&["server-names", "ssl-preread", "hostsni"]),
        Key::new(
            "hello-timeout",
            duration(SECOND, HOUR),
            Default::Is("\"10s\""),
            "tcp with `sni` only: how long the first message of TLS may take from the connection to its last byte.",
        ),
        Key::new(
            "source-address",
            Kind::Choice(&[Choice::new("balancer"), Choice::new("client")]),
            Default::Is("\"balancer\""),
            "tcp and udp only: whose address servers see. `client` is transparent proxying, from another port: it needs CAP_NET_ADMIN \
             or CAP_NET_RAW, and routes by which answers of servers come back here.",
        )
        .also(&["transparent", "usesrc", "proxy-bind"]),
    ],
};

/// A table under a name of `sni` in `[listeners.NAME]`
pub(crate) static SERVER_NAME: Shape = Shape {
    place: "a name in `sni`",
    doc: "Where connections go that ask for this server name, by the application protocols (ALPN) that the client offers. A name \
          with an upstream alone is short for `{ upstream = … }`. At least one of the keys is set.",
    keys: &[
        Key::new(
            "alpn",
            Kind::Map {
                key: Form::Protocol,
                item: &Kind::Text(Form::Upstream),
            },
            Default::Absent("what the client offers makes no difference"),
            "Upstreams by protocol. Of what the client offers, in its order of preference, the first that stands here decides.",
        ),
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Absent("a client that offers nothing of `alpn` is refused"),
            "Where all other connections go.",
        )
        .also(&["backend", "to"]),
    ],
};

/// `h2` of `[listeners.NAME]`
pub(crate) static HTTP2: Shape = Shape {
    place: "`h2` of `[listeners.NAME]`",
    doc: "What holds for each connection of HTTP/2. `max-head`, `max-target` and `max-fields` hold for its requests as for others.",
    keys: &[
        Key::new(
            "max-concurrent-streams",
            Kind::Number { min: 1, max: 65_535 },
            Default::Is("128"),
            "Requests that a client may have under way on one connection.",
        )
        .also(&["max-streams"]),
        Key::new(
            "initial-window",
            Kind::Size {
                min: 16 << 10,
                max: 16 << 20,
            },
            Default::Is("\"128KiB\""),
            "Bytes of a request's body that a client may send ahead of what the server has taken; a connection holds four times as \
             many at most.",
        )
        .also(&["initial-window-size", "window"]),
    ],
};

/// `h3` of `[listeners.NAME]`
pub(crate) static HTTP3: Shape = Shape {
    place: "`h3` of `[listeners.NAME]`",
    doc: "What holds for each connection of HTTP/3. `max-head`, `max-target` and `max-fields` hold for its requests as for others.",
    keys: &[
        Key::new(
            "max-concurrent-streams",
            Kind::Number { min: 1, max: 65_535 },
            Default::Is("128"),
            "Requests that a client may have under way on one connection.",
        )
        .also(&["max-streams"]),
        Key::new(
            "initial-window",
            Kind::Size {
                min: 16 << 10,
                max: 16 << 20,
            },
            Default::Is("\"256KiB\""),
            "Bytes of a request's body that a client may send ahead of what the server has taken; a connection holds four times as \
             many at most.",
        )
        .also(&["initial-window-size", "window"]),
    ],
};

/// `tls` of `[listeners.NAME]`
pub(crate) static TLS: Shape = Shape {
    place: "`tls` of `[listeners.NAME]`",
    doc: "TLS 1.2 and 1.3 towards clients.",
    keys: &[
        Key::new(
            "certificates",
            Kind::List {
                item: &Kind::Table(&CERTIFICATE),
                min: 1,
            },
            Default::Required("[{ cert = \"example.com.pem\", key = \"example.com.key\" }]"),
            "The certificates, chosen by the host that a client names (SNI) from the names in each; the first for whoever names another \
             or none. Several may be for one name with keys of different types: a client gets one that it can check.",
        )
        .also(&["certificate", "certs", "cert", "crt"]),
        Key::new(
            "min-version",
            Kind::Choice(&[Choice::new("1.2"), Choice::new("1.3")]),
            Default::Is("\"1.2\""),
            "The oldest version of TLS that is spoken.",
        )
        .also(&["ssl-min-ver", "minimum-version", "protocols", "versions"]),
        Key::new(
            "handshake-timeout",
            duration(MILLISECOND, HOUR),
            Default::Is("\"10s\""),
            "How long a handshake may take.",
        ),
        Key::new(
            "hsts",
            duration(Duration::ZERO, TEN_YEARS),
            Default::Absent("no such field"),
            "http only: adds `Strict-Transport-Security` to every answer: for this long, browsers use https only. `\"0s\"` takes it back.",
        )
        .also(&["strict-transport-security"]),
        Key::new(
            "client-auth",
            Kind::Table(&CLIENT_AUTH),
            Default::Absent("clients are not asked for a certificate"),
            "Certificates of clients (mutual TLS).",
        )
        .also(&["mtls", "client-ca", "verify"]),
        Key::new(
            "ticket-keys",
            Kind::Text(Form::File),
            Default::Depends("keys made of `runtime.secret-key` where that is set, else at random"),
            "A file of which the keys of session tickets are made, the same on several balancers so that each can resume the sessions of \
             the others: a text of at least 32 characters a line, such as `openssl rand -base64 48` prints. The first is for new tickets, all are \
             for those that come back. Read again when it changes.",
        )
        .also(&["tls-ticket-keys", "session-ticket-key", "ticket-key"]),
        Key::not_yet("early-data", "Requests within the handshake (0-RTT)."),
        Key::not_yet("ocsp", "OCSP answers, stapled."),
    ],
};

/// `client-auth` of `tls`
pub(crate) static CLIENT_AUTH: Shape = Shape {
    place: "`client-auth` of `tls` of `[listeners.NAME]`",
    doc: "Whom clients must be certified by. Servers are told the certificate's subject in `X-Client-Cert-Subject` and its SHA-256 in \
          `X-Client-Cert-Fingerprint`; these fields are removed from what clients send, on every listener of the file.",
    keys: &[
        Key::new(
            "ca",
            Kind::Text(Form::File),
            Default::Required("\"clients.pem\""),
            "A PEM file with the certificates of those who issue certificates for clients. Read again when it changes.",
        )
        .also(&["ca-file", "client-ca"]),
        Key::new(
            "mode",
            Kind::Choice(&[Choice::new("require"), Choice::new("request")]),
            Default::Is("\"require\""),
            "`require` refuses clients without a certificate; `request` lets them in, and refuses those with a wrong one.",
        )
        .also(&["verify"]),
        Key::new(
            "crl",
            Kind::Text(Form::File),
            Default::Absent("no certificate is taken for revoked"),
            "A PEM file with lists of revoked certificates, one of each authority that issues for clients. Read again when it changes.",
        )
        .also(&["crl-file", "revoked"]),
    ],
};

/// One of `certificates` of `tls`
pub(crate) static CERTIFICATE: Shape = Shape {
    place: "`certificates` of `tls` of `[listeners.NAME]`",
    doc: "A certificate and its key, each in a PEM file. Relative paths are meant from the configuration file. Both are read again when they \
          change.",
    keys: &[
        Key::new(
            "cert",
            Kind::Text(Form::File),
            Default::Required("\"example.com.pem\""),
            "The certificate, and behind it those that lead to a root.",
        )
        .also(&["certificate", "crt", "chain", "fullchain", "file"]),
        Key::new(
            "key",
            Kind::Text(Form::File),
            Default::Required("\"example.com.key\""),
            "Its private key: RSA, ECDSA or Ed25519, in PKCS#8, PKCS#1 or SEC1 form, not encrypted.",
        )
        .also(&["private-key", "certificate-key"]),
    ],
};

/// `[[routes]]`
pub(crate) static ROUTE: Shape = Shape {
    place: "`[[routes]]`",
    doc: "What is done with the requests that match. Exactly one of `upstream`, `respond` and `redirect` is set. A request that \
          no route matches gets 404.",
    keys: &[
        Key::new(
            "name",
            Kind::Text(Form::Name),
            Default::Depends("`route-N`, counted from 1 in the order of the file"),
            "What logs and metrics call the route.",
        )
        .also(&["id"]),
        Key::new(
            "listeners",
            Kind::List {
                item: &Kind::Text(Form::Listener),
                min: 1,
            },
            Default::Depends("every http listener"),
            "The listeners whose requests are tried.",
        )
        .also(&["listener"]),
        Key::new(
            "match",
            Kind::Table(&MATCH),
            Default::Is("{}"),
            "The conditions, all of which must hold; without any, every request matches.",
        )
        .also(&["when", "if", "conditions", "rule"]),
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Absent("one of `respond` or `redirect` is set"),
            "The upstream that the request goes to.",
        )
        .also(&["backend", "to", "proxy-pass", "forward", "service", "cluster"]),
        Key::new(
            "respond",
            Kind::Table(&RESPOND),
            Default::Absent("one of `upstream` or `redirect` is set"),
            "A fixed answer.",
        )
        .also(&["return", "response"]),
        Key::new(
            "redirect",
            Kind::Table(&REDIRECT),
            Default::Absent("one of `upstream` or `respond` is set"),
            "An answer that sends the client elsewhere.",
        ),
        Key::new(
            "timeout",
            duration(MILLISECOND, DAY),
            Default::Is("\"60s\""),
            "With `upstream`: how long the response head may take from the last byte of the request; 504 above.",
        )
        .also(&["read-timeout", "server-timeout", "response-timeout"]),
        Key::new(
            "max-body",
            Kind::Size {
                min: 0,
                max: u64::MAX,
            },
            Default::Absent("no limit; bodies are passed on as they come and never collected"),
            "The largest request body; 413 above.",
        )
        .also(&["client-max-body-size", "max-body-size"]),
        Key::not_yet("split", "Split traffic between upstreams."),
        Key::not_yet("split-by", "What keeps a client on its side of a split."),
        Key::not_yet("mirror", "Send a copy elsewhere."),
        Key::not_yet("rewrite", "Change path or host."),
        Key::not_yet("request-headers", "Change request fields."),
        Key::not_yet("response-headers", "Change response fields."),
        Key::not_yet("allow", "Who may come in."),
        Key::not_yet("deny", "Who may not come in."),
        Key::not_yet("auth", "Who must show who they are."),
        Key::not_yet("rate-limits", "Limits by client or key."),
        Key::new(
            "retry",
            Kind::Table(&RETRY),
            Default::Is("{ attempts = 8, on = [\"connect-failure\", \"reset\"] }"),
            "With `upstream`: what is tried again, on another server.",
        )
        .also(&["retries", "next-upstream", "proxy-next-upstream", "retry-on"]),
        Key::not_yet("hedge", "Ask a second server when the first is slow."),
        Key::not_yet("priority", "What is shed first under overload."),
    ],
};

/// `match` of `[[routes]]`
pub(crate) static MATCH: Shape = Shape {
    place: "`match` of `[[routes]]`",
    doc: "Conditions on a request. A list holds if any of its items does.",
    keys: &[
        Key::new(
            "path",
            Kind::Text(Form::Path),
            Default::Absent("any path"),
            "The request's path: `/login` is that path alone; `/api/*` is `/api` and all below, which is captured as `rest`; \
             `/users/{id}` captures a segment; a regular expression stands after `~`.",
        )
        .also(&["paths", "uri", "url", "prefix", "path-prefix", "location"]),
        Key::new(
            "host",
            Kind::OneOrList(&Kind::Text(Form::Host)),
            Default::Absent("any host"),
            "The request's host without its port, case ignored: `example.com`, `*.example.com` (any depth), or a regular \
             expression after `~`.",
        )
        .also(&["hosts", "hostname", "domain", "server-name"]),
        Key::new(
            "method",
            Kind::OneOrList(&Kind::Text(Form::Method)),
            Default::Absent("any method"),
            "The request's method, case kept: `GET`.",
        )
        .also(&["methods", "verb"]),
        Key::new(
            "headers",
            Kind::Fields(&Kind::Text(Form::Pattern)),
            Default::Absent("any fields"),
            "Header fields that must be there, each with a pattern that its value must match: a literal, a glob if it holds \
             `*`, a regular expression if it begins with `~`. `\"*\"` is any value.",
        )
        .also(&["header"]),
        Key::not_yet("cookies", "Cookies."),
        Key::not_yet("query", "Query parameters."),
        Key::not_yet("client-ip", "The client's address."),
        Key::not_yet("country", "The client's country."),
        Key::not_yet("not", "Conditions that must not hold."),
        Key::not_yet("any", "Conditions of which one must hold."),
    ],
};

/// `respond` of `[[routes]]`
pub(crate) static RESPOND: Shape = Shape {
    place: "`respond` of `[[routes]]`",
    doc: "A fixed answer.",
    keys: &[
        Key::new(
            "body",
            Kind::Text(Form::Template),
            Default::Is("\"\""),
            "The body; variables in braces are filled in.",
        )
        .also(&["text", "content"]),
        Key::new(
            "status",
            Kind::Number { min: 200, max: 599 },
            Default::Is("200"),
            "The status code.",
        )
        .also(&["code"]),
        Key::new(
            "content-type",
            Kind::Text(Form::FieldValue),
            Default::Is("\"text/plain; charset=utf-8\""),
            "The body's media type.",
        ),
    ],
};

/// `retry` of `[[routes]]`
pub(crate) static RETRY: Shape = Shape {
    place: "`retry` of `[[routes]]`",
    doc: "When a request goes to another server instead of failing. Only a request that may be repeated does: its method is \
          idempotent or the server got nothing of it, and nothing of its body had to be let go.",
    keys: &[
        Key::new(
            "attempts",
            Kind::Number { min: 1, max: 8 },
            Default::Is("3"),
            "Tries in all, the first included, each on another server; 1 is none but the first.",
        )
        .also(&["tries", "max-attempts", "num-retries", "retries", "count"]),
        Key::new(
            "on",
            Kind::List {
                item: &Kind::Choice(&[
                    Choice::new("connect-failure"),
                    Choice::new("reset"),
                    Choice::new("429"),
                    Choice::new("500"),
                    Choice::new("502"),
                    Choice::new("503"),
                    Choice::new("504"),
                    Choice::not_yet("timeout"),
                ]),
                min: 1,
            },
            Default::Is("[\"connect-failure\", \"reset\"]"),
            "What is tried again: `connect-failure` is a server that cannot be connected to, `reset` one that closes or resets \
             the connection before a byte of its answer, a number an answer with that status, which the client does not see then.",
        )
        .also(&["conditions", "retry-on", "statuses"]),
        Key::not_yet("backoff", "A pause before another try."),
        Key::not_yet("budget", "The share of requests that may be retries."),
    ],
};

/// `redirect` of `[[routes]]`
pub(crate) static REDIRECT: Shape = Shape {
    place: "`redirect` of `[[routes]]`",
    doc: "Sends the client elsewhere.",
    keys: &[
        Key::new(
            "to",
            Kind::Text(Form::Location),
            Default::Required("\"/new/{rest}\""),
            "A path or a whole URL; captures of the path and variables in braces are filled in.",
        )
        .also(&["location", "url", "target"]),
        Key::new(
            "status",
            Kind::OneOf(&[301, 302, 303, 307, 308]),
            Default::Is("308"),
            "The status code: 308 and 307 keep the method, 308 and 301 are remembered by clients.",
        )
        .also(&["code"]),
    ],
};

/// `[upstreams.NAME]`
pub(crate) static UPSTREAM: Shape = Shape {
    place: "`[upstreams.NAME]`",
    doc: "A group of servers that can each take the same requests.",
    keys: &[
        Key::new(
            "servers",
            Kind::List {
                item: &Kind::Either(&[Kind::Text(Form::Server), Kind::Table(&SERVER)]),
                min: 1,
            },
            Default::Required("[\"127.0.0.1:9001\"]"),
            "The servers, each an address or a table.",
        )
        .also(&["server", "backends", "members", "targets", "nodes", "endpoints", "hosts"]),
        Key::new(
            "balance",
            Kind::Either(&[Kind::Choice(POLICIES), Kind::Table(&BALANCE)]),
            Default::Is("\"c3\""),
            "Which server takes the next request: a policy by its name, or with its options as a table. \
             [balancing.md](balancing.md) says what each does.",
        )
        .also(&["algorithm", "policy", "strategy", "lb-policy", "load-balancing"]),
        Key::new(
            "protocol",
            Kind::Choice(&[
                Choice::new("h1"),
                Choice::new("h2"),
                Choice::not_yet("auto"),
            ]),
            Default::Is("\"h1\""),
            "The version of HTTP that the servers speak; no matter for tcp. `h2` is by prior knowledge; its connections are shared by \
             requests, and gRPC needs it.",
        ),
        Key::new(
            "connect-timeout",
            duration(MILLISECOND, HOUR),
            Default::Is("\"3s\""),
            "How long a connection to a server may take to be made: enough for one lost packet to be sent again.",
        ),
        Key::new(
            "idle-connections",
            Kind::Number {
                min: 0,
                max: 65_535,
            },
            Default::Is("128"),
            "Unused connections kept open for each server and worker; 0 opens one for each request.",
        )
        .also(&["keepalive", "pool-size", "max-idle-connections"]),
        Key::new(
            "idle-timeout",
            duration(MILLISECOND, DAY),
            Default::Is("\"4s\""),
            "How long an unused connection is kept. Less than the servers' own keep-alive timeout, or a request may meet a \
             connection that the server is just closing; many servers wait only 5 seconds.",
        )
        .also(&["keep-alive-timeout", "keepalive-timeout"]),
        Key::new(
            "drain-timeout",
            duration(MILLISECOND, DAY),
            Default::Is("\"30s\""),
            "How long what runs on a server may go on after the server has left the file or the process was told to stop.",
        ),
        Key::new(
            "send-proxy-protocol",
            Kind::Choice(&[Choice::new("off"), Choice::new("v1"), Choice::new("v2")]),
            Default::Is("\"off\""),
            "Begin each connection with a PROXY protocol header that names the client. Connections are then not shared \
             between clients.",
        )
        .also(&["send-proxy", "proxy-protocol"]),
        Key::new(
            "source-addresses",
            Kind::List {
                item: &Kind::Text(Form::Ip),
                min: 1,
            },
            Default::Absent("the kernel's choice"),
            "Local addresses that connections start from, in turn: each adds some 28,000 connections to each server.",
        )
        .also(&["source-address", "bind", "source"]),
        Key::new(
            "tcp-keep-alive",
            TCP_KEEP_ALIVE,
            Default::Is("\"off\""),
            "Silence after which the kernel asks whether the server is still there. Off, as the idle timeouts find out too, and each \
             new connection would pay for three system calls.",
        ),
        Key::new(
            "slow-start",
            Kind::Either(&[Kind::Choice(&[Choice::new("off")]), duration(MILLISECOND, DAY)]),
            Default::Is("\"off\""),
            "How long a server that a reload has added takes from a twentieth of its share to all of it. None warms up at the start of the \
             process.",
        )
        .also(&["slowstart", "warm-up"]),
        Key::new(
            "panic-threshold",
            Kind::Share { min: 0, max: 100 },
            Default::Is("\"50%\""),
            "Servers whose requests mostly fail get none while others can take them. Where less than this share of the servers is free of \
             that, all are tried: the others could not bear it all.",
        )
        .also(&["healthy-panic-threshold"]),
        Key::new(
            "zone-spill",
            Kind::Decimal { min: 1.0, max: 1_000.0 },
            Default::Is("1.5"),
            "How many times as loaded as the others the servers of the own zone may be, by requests in flight for their weight, before \
             requests leave it. Matters where `runtime.zone` and a server's `zone` are the same.",
        ),
        Key::new(
            "subset",
            Kind::Number {
                min: 1,
                max: 1_000_000,
            },
            Default::Absent("every balancer uses every server"),
            "How many of the servers this balancer keeps to, as long as any of them can take a request; for many balancers in front of many \
             servers. Needs `runtime.balancer`. Subsets overlap so that every server has as many balancers.",
        )
        .also(&["subset-size", "aperture"]),
        Key::new(
            "queue",
            Kind::Table(&QUEUE),
            Default::Absent("a request for which every server is full is refused at once, with 503"),
            "Where requests wait while every server has its `max-connections`.",
        ),
        Key::new(
            "load-report",
            Kind::Text(Form::LoadReport),
            Default::Absent("servers are not listened to"),
            "Where an answer says how loaded its server is: `orca` is the field `endpoint-load-metrics` in its text or JSON form, \
             `header:NAME` a field with a single number, the share of the server's capacity that is used. A server that says it is busier \
             than the others gets less. The field is removed from the answer.",
        )
        .also(&["orca"]),
        Key::new(
            "tls",
            Kind::Either(&[Kind::Flag, Kind::Table(&UPSTREAM_TLS)]),
            Default::Is("false"),
            "TLS towards the servers: `true` verifies them by the authorities that this machine trusts and by the hosts of their addresses; \
             a table says otherwise.",
        )
        .also(&["ssl", "https", "proxy-ssl"]),
        Key::not_yet("when-all-down", "What to do when no server is up."),
        Key::not_yet("health", "Health checks."),
        Key::not_yet("circuit-breaker", "Stop asking what fails."),
        Key::not_yet("sticky", "Keep a client on its server."),
    ],
};

/// `tls` of `[upstreams.NAME]`, as a table
pub(crate) static UPSTREAM_TLS: Shape = Shape {
    place: "`tls` of `[upstreams.NAME]`",
    doc: "TLS 1.2 and 1.3 towards the servers of an upstream.",
    keys: &[
        Key::new(
            "ca",
            Kind::Text(Form::File),
            Default::Absent("the authorities that this machine trusts"),
            "A PEM file with the certificates of those who may have issued the servers' own. Read again when it changes.",
        )
        .also(&["ca-file", "cafile", "trusted-certificate", "roots"]),
        Key::new(
            "server-name",
            Kind::Text(Form::HostName),
            Default::Depends("the host of each server's address"),
            "The name that servers are asked for (SNI) and that their certificates must be for.",
        )
        .also(&["sni", "server-hostname", "verify-host"]),
        Key::new(
            "cert",
            Kind::Text(Form::File),
            Default::Absent("servers are shown none"),
            "A PEM file with the certificate that servers are shown, for those that ask for one.",
        )
        .also(&["certificate", "client-certificate", "crt"]),
        Key::new(
            "key",
            Kind::Text(Form::File),
            Default::Absent("set where `cert` is"),
            "Its private key.",
        )
        .also(&["private-key", "client-key"]),
        Key::new(
            "verify",
            Kind::Flag,
            Default::Is("true"),
            "Whether servers must prove who they are. `false` takes any certificate, so whoever stands on the way can read and change \
             everything.",
        )
        .also(&["insecure", "skip-verify"]),
    ],
};

/// One of `servers` of `[upstreams.NAME]`
pub(crate) static SERVER: Shape = Shape {
    place: "`servers` of `[upstreams.NAME]`",
    doc: "One server, where it needs more than an address.",
    keys: &[
        Key::new(
            "address",
            Kind::Text(Form::Server),
            Default::Required("\"127.0.0.1:9001\""),
            "Where the server is: `host:port`, `[v6]:port` or `unix:/path`. A name is resolved when the file is loaded.",
        )
        .also(&["host", "url", "addr", "target"]),
        Key::new(
            "weight",
            Kind::Number {
                min: 1,
                max: 65_535,
            },
            Default::Is("1"),
            "Its share of the traffic beside the other servers'.",
        ),
        Key::new(
            "max-connections",
            Kind::Number {
                min: 1,
                max: u32::MAX as i64,
            },
            Default::Absent("no limit"),
            "Requests (http) or connections (tcp) that it takes at a time, over all workers.",
        )
        .also(&["max-conns", "maxconn", "max-requests"]),
        Key::new(
            "backup",
            Kind::Flag,
            Default::Is("false"),
            "Used only when no other server can be.",
        ),
        Key::new(
            "zone",
            Kind::Text(Form::Name),
            Default::Absent("in no zone"),
            "Where the server stands. Servers in the zone that `runtime.zone` names are preferred, until they are overloaded.",
        )
        .also(&["region", "locality", "availability-zone"]),
    ],
};

/// `balance` of `[upstreams.NAME]`, as a table
pub(crate) static BALANCE: Shape = Shape {
    place: "`balance` of `[upstreams.NAME]`",
    doc: "A policy with its options.",
    keys: &[
        Key::new(
            "policy",
            Kind::Choice(POLICIES),
            Default::Required("\"round-robin\""),
            "The policy.",
        )
        .also(&["algorithm", "name", "type"]),
        Key::new(
            "sample",
            Kind::Either(&[
                Kind::Choice(&[Choice::new("auto"), Choice::new("all")]),
                Kind::Number {
                    min: 2,
                    max: 65_535,
                },
            ]),
            Default::Depends("`\"auto\"`: all of a hundred servers at most, 32 of more"),
            "Policies that look for the least of something: at how many servers, drawn at random for each request.",
        ),
        Key::new(
            "balancers",
            Kind::Number {
                min: 1,
                max: 100_000,
            },
            Default::Depends("the `count` of `runtime.balancer`, else 1"),
            "`c3`: how many balancers send to the same servers, this one among them. The more there are, the less one believes that what it \
             has in flight at a server is all that the server has.",
        ),
        Key::new(
            "key",
            Kind::Text(Form::HashKey),
            Default::Depends("`\"client-ip\"`"),
            "`consistent-hash` and `maglev`: what of a request decides about its server: `client-ip`, `path`, `header:NAME`, `cookie:NAME` \
             or `query:NAME`. A request without it goes to any server. Of a tcp connection, only `client-ip` is known.",
        ),
        Key::new(
            "virtual-nodes",
            Kind::Number {
                min: 1,
                max: 65_535,
            },
            Default::Depends("150"),
            "`consistent-hash`: points on the ring for a server of average weight. The more, the more even are the shares: 150 make them \
             differ by 8 %.",
        ),
        Key::new(
            "load-bound",
            Kind::Either(&[
                Kind::Choice(&[Choice::new("off")]),
                Kind::Decimal {
                    min: 1.0,
                    max: 1_000.0,
                },
            ]),
            Default::Depends("`\"off\"`"),
            "`consistent-hash`: how many times the mean of requests in flight a server may have before its requests go on to the next one \
             on the ring, 1.25 say. `\"off\"`: a key always has the same server.",
        ),
        Key::new(
            "table-size",
            Kind::Number {
                min: 101,
                max: 8_388_608,
            },
            Default::Depends("65,537, or at least a hundred for each server"),
            "`maglev`: entries of the table, rounded up to a prime, 4 bytes each. A hundred for each server keep shares within 1 %.",
        ),
    ],
};

/// `queue` of `[upstreams.NAME]`
pub(crate) static QUEUE: Shape = Shape {
    place: "`queue` of `[upstreams.NAME]`",
    doc: "Where requests (http) and connections (tcp) wait for a free place at a server, first come first served, over all workers.",
    keys: &[
        Key::new(
            "length",
            Kind::Number {
                min: 1,
                max: 1_000_000,
            },
            Default::Required("100"),
            "How many may wait at a time. The next is refused at once, with 503.",
        )
        .also(&["size", "max", "max-pending"]),
        Key::new(
            "timeout",
            duration(MILLISECOND, HOUR),
            Default::Is("\"1s\""),
            "How long one waits at most before it is refused, with 503.",
        ),
    ],
};

/// `[runtime]`
pub(crate) static RUNTIME: Shape = Shape {
    place: "`[runtime]`",
    doc: "The process itself.",
    keys: &[
        Key::new(
            "workers",
            Kind::Either(&[Kind::Choice(&[Choice::new("auto")]), Kind::Number { min: 1, max: 1_024 }]),
            Default::Is("\"auto\""),
            "Threads that carry traffic; `\"auto\"` is one for each core.",
        )
        .also(&["threads", "nbthread", "worker-processes", "concurrency"]),
        Key::new(
            "secret-key",
            Kind::Secret { min: 16 },
            Default::Absent("made at random at each start"),
            "What cookies and tickets are signed with; the same on every balancer. At least 16 bytes.",
        )
        .also(&["secret", "key"]),
        Key::new(
            "zone",
            Kind::Text(Form::Name),
            Default::Absent("zones do not matter"),
            "Where this balancer stands: servers of the same `zone` are preferred.",
        )
        .also(&["region", "locality", "availability-zone"]),
        Key::new(
            "balancer",
            Kind::Table(&BALANCER),
            Default::Absent("the only balancer of its servers"),
            "Which of several balancers of the same servers this is, for `subset` and `c3`.",
        ),
        Key::new(
            "watch",
            Kind::Flag,
            Default::Is("true"),
            "Reload when the file changes. SIGHUP reloads in any case.",
        )
        .also(&["reload", "auto-reload"]),
    ],
};

/// `balancer` of `[runtime]`
pub(crate) static BALANCER: Shape = Shape {
    place: "`balancer` of `[runtime]`",
    doc: "Which of several balancers of the same servers this is, each with the same file but for its index.",
    keys: &[
        Key::new(
            "index",
            Kind::Number {
                min: 0,
                max: 99_999,
            },
            Default::Required("0"),
            "Which one, counted from 0, where zones matter among those of its own zone; such as the ordinal of a replica, `\"${ORDINAL}\"`.",
        ),
        Key::new(
            "count",
            Kind::Number {
                min: 1,
                max: 100_000,
            },
            Default::Required("3"),
            "How many there are.",
        ),
    ],
};

/// `[admin]`
pub(crate) static ADMIN: Shape = Shape {
    place: "`[admin]`",
    doc: "Without this table there is no admin listener.",
    keys: &[
        Key::new(
            "address",
            Kind::Text(Form::Bind),
            Default::Required("\"127.0.0.1:9900\""),
            "Where the admin listener is: metrics at `/metrics`, the process's health at `/livez` and `/readyz`.",
        )
        .also(&["bind", "listen", "port", "addr"]),
        Key::new(
            "token",
            Kind::Secret { min: 1 },
            Default::Absent("needed unless only this machine can reach the address"),
            "What a caller must send as `Authorization: Bearer …`.",
        )
        .also(&["password", "secret", "api-key"]),
    ],
};

/// `[logs]`
pub(crate) static LOGS: Shape = Shape {
    place: "`[logs]`",
    doc: "The process's own log, and the access log.",
    keys: &[
        Key::new(
            "level",
            Kind::Choice(&[
                Choice::new("error"),
                Choice::new("warn"),
                Choice::new("info"),
                Choice::new("debug"),
                Choice::new("trace"),
            ]),
            Default::Is("\"info\""),
            "How much the process says of itself.",
        ),
        Key::new(
            "format",
            Kind::Choice(&[Choice::new("text"), Choice::new("json")]),
            Default::Is("\"text\""),
            "How the process's own log is written, to standard error.",
        ),
        Key::new(
            "access",
            Kind::Either(&[Kind::Choice(&[Choice::new("off")]), Kind::Table(&ACCESS)]),
            Default::Is("\"off\""),
            "A line for each request or connection.",
        )
        .also(&["access-log"]),
    ],
};

/// `access` of `[logs]`
pub(crate) static ACCESS: Shape = Shape {
    place: "`access` of `[logs]`",
    doc: "The access log.",
    keys: &[
        Key::new(
            "format",
            Kind::Choice(&[
                Choice::new("json"),
                Choice::new("combined"),
                Choice::new("off"),
            ]),
            Default::Is("\"json\""),
            "`json` is an object a line; `combined` is the format of Apache httpd and nginx; `off` writes none.",
        ),
        Key::new(
            "to",
            Kind::Text(Form::LogTarget),
            Default::Is("\"stdout\""),
            "`stdout`, `stderr` or `file:/path`, which is appended to and opened again on reload.",
        )
        .also(&["path", "file", "output"]),
    ],
};

/// The policies of the language.
static POLICIES: &[Choice] = &[
    Choice::new("round-robin"),
    Choice::new("weighted-round-robin"),
    Choice::new("least-connections"),
    Choice::new("weighted-least-connections"),
    Choice::new("least-response-time"),
    Choice::new("peak-ewma"),
    Choice::new("least-bandwidth"),
    Choice::new("random"),
    Choice::new("power-of-two"),
    Choice::new("ip-hash"),
    Choice::new("consistent-hash"),
    Choice::new("maglev"),
    Choice::new("prequal"),
    Choice::new("c3"),
];

/// The kernel counts in seconds and takes no more than this (`MAX_TCP_KEEPIDLE`).
const TCP_KEEP_ALIVE: Kind = Kind::Either(&[
    Kind::Choice(&[Choice::new("off")]),
    duration(SECOND, Duration::from_secs(32_767)),
]);

const SOCKET_BUFFER: Kind = Kind::Size {
    min: 4 << 10,
    max: 1 << 30,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);
const TEN_YEARS: Duration = Duration::from_hours(10 * 365 * 24);

const fn duration(min: Duration, max: Duration) -> Kind {
    Kind::Duration { min, max }
}
