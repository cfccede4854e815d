//! The keys of upstreams, their servers and how these are balanced.

use super::circuit_breaker::CIRCUIT_BREAKER;
use super::health::HEALTH;
use super::sticky::STICKY;
use super::tls::UPSTREAM_TLS;
use super::{DAY, HOUR, MILLISECOND, TCP_KEEP_ALIVE, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

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
            Default::Depends("`\"c3\"`; with `sticky` `\"least-connections\"`, as sessions stay where they begin"),
            "Which server takes the next request: a policy by its name, or with its options as a table. \
             [balancing.md](balancing.md) says what each does.",
        )
        .also(&["algorithm", "policy", "strategy", "lb-policy", "load-balancing"]),
        Key::new(
            "protocol",
            VERSION_TO_SERVERS,
            Default::Is("\"h1\""),
            "The version of HTTP that the servers speak; no matter for tcp. Connections of `h2` and `h3` are shared by requests, and \
             gRPC needs one of them. `h2` is agreed upon by ALPN with `tls`, and by prior knowledge without; `h3` goes by UDP, and needs \
             `tls`. `auto` leaves the choice between `h1` and `h2` to each server, by ALPN; without `tls` it is `h1`.",
        ),
        Key::new(
            "connect-timeout",
            duration(MILLISECOND, HOUR),
            Default::Is("\"3s\""),
            "How long a connection to a server may take to be made: enough for one lost packet to be sent again. With `tls`, the handshake may then \
             take as long once more.",
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
            "Where requests wait while every server has its `max-connections`, or `adaptive-concurrency` lets no more through.",
        ),
        Key::new(
            "adaptive-concurrency",
            Kind::Table(&ADAPTIVE_CONCURRENCY),
            Default::Absent("only `max-connections` of the servers limits how many requests they get at a time"),
            "Find out by how long answers take how many requests the servers can work on at a time, and let no more through. `{}` takes the \
             defaults. Only http. [overload.md](overload.md) says how it works.",
        )
        .also(&["concurrency-limit", "adaptive-limit", "adaptive", "max-concurrency"]),
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
        Key::new(
            "when-all-down",
            Kind::Choice(&[Choice::new("fail-open"), Choice::new("fail-closed")]),
            Default::Is("\"fail-open\""),
            "What becomes of requests when checks and circuit breakers leave no server: `fail-open` tries the servers all the same, the \
             healthiest first; `fail-closed` refuses them with 503 and `Retry-After`. [health.md](health.md) says more.",
        )
        .also(&["on-all-down", "fail-open", "all-down"]),
        Key::new(
            "health",
            Kind::Table(&HEALTH),
            Default::Absent("servers are not asked how they are"),
            "Checks that are made of each server now and then: what fails them takes no traffic. [health.md](health.md) says more.",
        )
        .also(&["health-check", "healthcheck", "check", "checks"]),
        Key::new(
            "circuit-breaker",
            Kind::Table(&CIRCUIT_BREAKER),
            Default::Absent("no server is given a rest for what becomes of its requests"),
            "Stop asking a server that fails, for a while. `{}` takes the defaults. [health.md](health.md) says how it works.",
        )
        .also(&["breaker", "outlier-detection", "passive-health", "ejection"]),
        Key::new(
            "sticky",
            Kind::Table(&STICKY),
            Default::Absent("each request is balanced by itself"),
            "Keep a client on its server. [sessions.md](sessions.md) says more.",
        )
        .also(&["session", "sessions", "persistence", "stickiness", "session-affinity", "affinity", "stick"]),
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
            "`consistent-hash` and `maglev`: what of a request decides about its server: `client-ip`, `path`, `header:NAME`, `cookie:NAME`, \
             `query:NAME`, or who the client is by `auth` of the route: `jwt:CLAIM` or `auth-name`. A request without it goes to any server. Of a tcp connection, only `client-ip` is known.",
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
    doc: "Where requests (http) and connections (tcp) wait for a free place at a server, over all workers: by `priority` of their route, and \
          within it first come first served. [overload.md](overload.md) says more.",
    keys: &[
        Key::new(
            "length",
            Kind::Number {
                min: 1,
                max: 1_000_000,
            },
            Default::Required("100"),
            "How many may wait at a time. The next takes the place of the newest of the lowest priority below its own, or is refused at once, \
             with 503.",
        )
        .also(&["size", "max", "max-pending"]),
        Key::new(
            "timeout",
            duration(MILLISECOND, HOUR),
            Default::Is("\"1s\""),
            "How long one waits at most before it is refused, with 503.",
        ),
        Key::new(
            "target",
            Kind::Either(&[Kind::Choice(&[Choice::new("off")]), duration(MILLISECOND, HOUR)]),
            Default::Is("\"off\""),
            "How long a request should wait at most, `20ms` say: a few times what the servers take to free a place. Where it is longer for all \
             during an `interval`, the newest is served first, and whoever waits longer than this is refused with 503, until the line is empty \
             again. `\"off\"` waits for the whole `timeout`, always.",
        )
        .also(&["sojourn", "sojourn-target", "codel-target"]),
        Key::new(
            "interval",
            duration(MILLISECOND, HOUR),
            Default::Is("\"100ms\""),
            "With `target`: how long waits have to be too long before that is taken for more than a burst.",
        )
        .also(&["codel-interval", "window"]),
    ],
};

/// `adaptive-concurrency` of `[upstreams.NAME]`
pub(crate) static ADAPTIVE_CONCURRENCY: Shape = Shape {
    place: "`adaptive-concurrency` of `[upstreams.NAME]`",
    doc: "How many requests the servers get at a time, all together and over all workers. It follows how long the heads of answers take. At \
          the limit requests wait in the `queue` or, without one, are refused with 503.",
    keys: &[
        Key::new(
            "min",
            Kind::Number { min: 1, max: 1_000_000 },
            Default::Is("4"),
            "Never fewer at a time.",
        )
        .also(&["min-limit", "min-concurrency"]),
        Key::new(
            "max",
            Kind::Number { min: 1, max: 1_000_000 },
            Default::Is("10000"),
            "Never more at a time.",
        )
        .also(&["max-limit", "max-concurrency", "limit"]),
        Key::new(
            "initial",
            Kind::Number { min: 1, max: 1_000_000 },
            Default::Depends("100, within `min` and `max`"),
            "What it begins with. It doubles then, ten times a second at most, until answers get slower.",
        )
        .also(&["initial-limit", "start"]),
        Key::new(
            "tolerance",
            Kind::Decimal { min: 1.1, max: 10.0 },
            Default::Is("1.5"),
            "How many times as long as from idle servers an answer may take before there are fewer at a time.",
        )
        .also(&["rtt-tolerance", "gradient"]),
    ],
};

/// The versions of HTTP that can be spoken to servers.
pub(super) const VERSION_TO_SERVERS: Kind = Kind::Choice(&[
    Choice::new("h1"),
    Choice::new("h2"),
    Choice::new("h3"),
    Choice::new("auto"),
]);

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
