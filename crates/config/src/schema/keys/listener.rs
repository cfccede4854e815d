//! The keys of listeners.

use std::time::Duration;

use super::tls::TLS;
use super::{DAY, HOUR, SECOND, TCP_KEEP_ALIVE, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

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
            "json-body-limit",
            Kind::Size {
                min: 1,
                max: 1 << 20,
            },
            Default::Is("\"64KiB\""),
            "http only: where a route's `match.json` looks into bodies, how much of one is collected for that. Larger ones are passed on as \
             they come, and no `match.json` holds for them.",
        ),
        Key::new(
            "min-body-rate",
            CLIENT_RATE,
            Default::Absent("as slow as `body-timeout` lets it be"),
            "http only: how fast a client has to send a request's body, on the whole and after 5 s; 408 below. Time in which it is the \
             server that is slow does not count, nor does anything once the answer has begun. Not for listeners where requests are streams \
             that stand still for long, such as those of gRPC.",
        )
        .also(&["min-upload-rate", "min-request-rate", "client-body-rate"]),
        Key::new(
            "min-read-rate",
            CLIENT_RATE,
            Default::Absent("as slow as `body-timeout` lets it be"),
            "http only: how fast a client has to take an answer, on the whole and after 5 s, while there is something for it to take; below, the \
             connection (of HTTP/2 and HTTP/3, the stream) is reset.",
        )
        .also(&["min-response-rate", "min-download-rate"]),
        Key::new(
            "tunnel-timeout",
            duration(SECOND, YEAR),
            Default::Is("\"1h\""),
            "http only: how long both directions of a tunnel may be silent, such as a WebSocket's.",
        )
        .also(&["timeout-tunnel", "websocket-timeout"]),
        Key::new(
            "idle-timeout",
            duration(SECOND, YEAR),
            Default::Depends("`\"60s\"` for http and udp, `\"10m\"` for tcp"),
            "How long a connection may be silent: between two requests for http, in both directions for tcp. For udp, when \
             a session ends: nothing else says that a client is done.",
        )
        .also(&["keep-alive-timeout", "keepalive-timeout", "client-timeout"]),
        Key::new(
            "max-connections",
            Kind::Number {
                min: 1,
                max: 4_294_967_295,
            },
            Default::Absent("no limit"),
            "http and tcp: the most connections at a time, over all workers. Further ones are closed at once.",
        )
        .also(&["maxconn", "worker-connections", "connection-limit"]),
        Key::new(
            "max-connections-per-client",
            Kind::Number {
                min: 1,
                max: 4_294_967_295,
            },
            Default::Absent("no limit"),
            "The same for each client: an address of IPv4, a network of 64 bits of IPv6. Not with `proxy-protocol`, where all come from one.",
        )
        .also(&["limit-conn", "max-connections-per-ip", "per-client"]),
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
    keys: &[MAX_CONCURRENT_STREAMS, initial_window("\"128KiB\"")],
};

/// `h3` of `[listeners.NAME]`
pub(crate) static HTTP3: Shape = Shape {
    place: "`h3` of `[listeners.NAME]`",
    doc: "What holds for each connection of HTTP/3. `max-head`, `max-target` and `max-fields` hold for its requests as for others.",
    keys: &[MAX_CONCURRENT_STREAMS, initial_window("\"256KiB\"")],
};

const MAX_CONCURRENT_STREAMS: Key = Key::new(
    "max-concurrent-streams",
    Kind::Number {
        min: 1,
        max: 65_535,
    },
    Default::Is("128"),
    "Requests that a client may have under way on one connection.",
)
.also(&["max-streams"]);

const fn initial_window(default: &'static str) -> Key {
    Key::new(
        "initial-window",
        Kind::Size {
            min: 16 << 10,
            max: 16 << 20,
        },
        Default::Is(default),
        "Bytes of a request's body that a client may send ahead of what the server has taken; a connection holds four times as \
         many at most.",
    )
    .also(&["initial-window-size", "window"])
}

const CLIENT_RATE: Kind = Kind::Rate {
    min: 1,
    max: 1 << 30,
};

const SOCKET_BUFFER: Kind = Kind::Size {
    min: 4 << 10,
    max: 1 << 30,
};

const YEAR: Duration = Duration::from_hours(365 * 24);
