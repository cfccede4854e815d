//! The keys of active health checks.

use super::upstream::VERSION_TO_SERVERS;
use super::{DAY, HOUR, MILLISECOND, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `health` of `[upstreams.NAME]`
pub(crate) static HEALTH: Shape = Shape {
    place: "`health` of `[upstreams.NAME]`",
    doc: "Checks of each server, made once by the process whatever the number of its workers. One of `tcp`, `http`, `grpc` and `udp` says \
          what is checked. A server that was not checked yet takes no traffic while another is known to be healthy.",
    keys: &[
        Key::new(
            "tcp",
            Kind::Flag,
            Default::Is("false"),
            "A connection can be made; with `tls`, the handshake is done as well.",
        )
        .also(&["connect"]),
        Key::new(
            "http",
            Kind::Table(&HEALTH_HTTP),
            Default::Absent("no such check"),
            "A request is answered as it should be; `{}` asks for `/`.",
        )
        .also(&["https", "httpchk", "path"]),
        Key::new(
            "grpc",
            Kind::Table(&HEALTH_GRPC),
            Default::Absent("no such check"),
            "The server says by the gRPC health protocol that it serves; `{}` asks for the server as a whole.",
        ),
        Key::new(
            "udp",
            Kind::Table(&HEALTH_UDP),
            Default::Absent("no such check"),
            "A datagram is answered.",
        ),
        Key::new(
            "interval",
            duration(MILLISECOND, DAY),
            Default::Is("\"5s\""),
            "From one check of a server to the next.",
        )
        .also(&["inter", "period"]),
        Key::new(
            "fast-interval",
            duration(MILLISECOND, DAY),
            Default::Depends("`\"1s\"`, or `interval` where that is less"),
            "The same while a server may be changing: it was not checked yet, or its last check was the first to say something else.",
        )
        .also(&["fastinter"]),
        Key::new(
            "slow-interval",
            duration(MILLISECOND, DAY),
            Default::Depends("twice `interval`"),
            "The same once a server has been healthy for `slow-after` and no check has failed since.",
        )
        .also(&["slowinter"]),
        Key::new(
            "slow-after",
            duration(MILLISECOND, DAY),
            Default::Is("\"10m\""),
            "How long a server has to be well before it is checked at `slow-interval`.",
        ),
        Key::new(
            "jitter",
            Kind::Share { min: 0, max: 50 },
            Default::Is("\"10%\""),
            "Each interval is longer or shorter by up to this share, so that checks do not fall together.",
        )
        .also(&["spread"]),
        Key::new(
            "timeout",
            duration(MILLISECOND, HOUR),
            Default::Depends("`\"2s\"`, or `interval` where that is less"),
            "How long a check may take, from connecting to the end of the answer.",
        ),
        Key::new(
            "healthy-after",
            Kind::Number { min: 1, max: 1_000 },
            Default::Is("2"),
            "So many good checks in a row make an unhealthy server healthy. The first check of a server decides alone.",
        )
        .also(&["rise", "healthy-threshold", "success-threshold"]),
        Key::new(
            "unhealthy-after",
            Kind::Number { min: 1, max: 1_000 },
            Default::Is("3"),
            "So many failed checks in a row make a healthy server unhealthy.",
        )
        .also(&["fall", "unhealthy-threshold", "failure-threshold", "max-fails"]),
        Key::new(
            "port",
            Kind::Number { min: 1, max: 65_535 },
            Default::Absent("the server's own"),
            "Another port of the servers' hosts that is checked instead.",
        ),
        Key::new(
            "protocol",
            VERSION_TO_SERVERS,
            Default::Depends("the upstream's `protocol`"),
            "The version of HTTP that checks speak, where it is not that of requests: on another `port`, mostly.",
        ),
        Key::new(
            "tls",
            Kind::Flag,
            Default::Depends("`true` where the upstream has `tls`"),
            "Whether checks are ciphered, as the upstream's `tls` says.",
        )
        .also(&["ssl", "check-ssl"]),
        Key::new(
            "send-proxy-protocol",
            Kind::Choice(&[Choice::new("off"), Choice::new("v1"), Choice::new("v2")]),
            Default::Depends("the upstream's `send-proxy-protocol`"),
            "Whether a check begins with a PROXY protocol header. It says that the balancer speaks for itself.",
        )
        .also(&["send-proxy", "check-send-proxy"]),
    ],
};

/// `http` of `health`
static HEALTH_HTTP: Shape = Shape {
    place: "`http` of `health` of `[upstreams.NAME]`",
    doc: "A request, spoken as the upstream's `protocol` and `tls` have it, and the answer that is expected. At most 64 KiB of the answer's \
          body are read.",
    keys: &[
        Key::new(
            "path",
            Kind::Text(Form::Target),
            Default::Is("\"/\""),
            "What is asked for, with a query where it needs one.",
        )
        .also(&["uri", "url", "target"]),
        Key::new(
            "method",
            Kind::Text(Form::Method),
            Default::Is("\"GET\""),
            "The method.",
        ),
        Key::new(
            "host",
            Kind::Text(Form::Authority),
            Default::Depends("the server's address"),
            "The `Host` of the request.",
        )
        .also(&["hostname", "authority"]),
        Key::new(
            "headers",
            Kind::Fields(&Kind::Text(Form::FieldValue)),
            Default::Absent("no further ones"),
            "Further header fields of the request.",
        )
        .also(&["header", "fields"]),
        Key::new(
            "status",
            Kind::OneOrList(&Kind::Either(&[
                Kind::Number { min: 100, max: 599 },
                Kind::Text(Form::Statuses),
            ])),
            Default::Is("\"200-299\""),
            "Statuses of a good answer: `200`, `\"200-299\"`, `\"2xx\"`, or a list of such.",
        )
        .also(&["expect", "expected", "codes", "statuses", "expect-status"]),
        Key::new(
            "body",
            Kind::Text(Form::Pattern),
            Default::Absent("any"),
            "What the body has to be: a text in which `*` stands for anything, `*ok*` say, or a regular expression after `~`.",
        ),
        Key::new(
            "json",
            Kind::Map {
                key: Form::JsonPath,
                item: &Kind::Either(&[
                    Kind::Flag,
                    Kind::Number {
                        min: i64::MIN,
                        max: i64::MAX,
                    },
                    Kind::Text(Form::JsonTest),
                ]),
            },
            Default::Absent("the body need not be JSON"),
            "What values of a JSON body have to be, all of them: `{ \"status\" = \"healthy\", \"checks.database.latency_ms\" = \"< 50\" }`. Names are \
             joined by `.`, places in lists are numbers from 0. A value is a text in which `*` stands for anything, or begins with one \
             of `<`, `<=`, `>`, `>=`, `=` and `!=`.",
        ),
    ],
};

/// `grpc` of `health`
static HEALTH_GRPC: Shape = Shape {
    place: "`grpc` of `health` of `[upstreams.NAME]`",
    doc: "A call of `grpc.health.v1.Health/Check`. Needs an upstream that speaks HTTP/2.",
    keys: &[Key::new(
        "service",
        Kind::Text(Form::Template),
        Default::Is("\"\""),
        "The service that is asked for; the server as a whole where it is empty.",
    )
    .also(&["name", "service-name"])],
};

/// `udp` of `health`
static HEALTH_UDP: Shape = Shape {
    place: "`udp` of `health` of `[upstreams.NAME]`",
    doc: "A datagram, and the answer that is expected.",
    keys: &[
        Key::new(
            "send",
            Kind::Text(Form::Datagram),
            Default::Required("\"ping\""),
            "What is sent: a text, or bytes after `hex:`.",
        )
        .also(&["payload", "request"]),
        Key::new(
            "expect",
            Kind::Text(Form::Pattern),
            Default::Absent("any answer will do"),
            "What the answer has to be: a text in which `*` stands for anything, or a regular expression after `~`.",
        )
        .also(&["receive", "response", "answer"]),
    ],
};
