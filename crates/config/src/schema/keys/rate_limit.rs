//! The keys of rate limits.

use super::matching::MATCH;
use super::{MILLISECOND, MINUTE, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `[rate-limits.NAME]`
pub(crate) static RATE_LIMIT: Shape = Shape {
    place: "`[rate-limits.NAME]`",
    doc: "How much each client, or whoever else shares a key, may have on the routes that name it in `rate-limits`. All those routes draw on the same \
          quota. [rate-limits.md](rate-limits.md) says how it is counted.",
    keys: &[
        RATE,
        BURST,
        Key::new(
            "algorithm",
            Kind::Choice(&[
                Choice::new("token-bucket"),
                Choice::new("sliding-window"),
                Choice::new("fixed-window"),
            ]),
            Default::Is("\"token-bucket\""),
            "How requests are held against the rate: tokens that come back one by one, a window that slides, or one window after the other.",
        )
        .also(&["policy", "strategy", "type", "mode"]),
        Key::new(
            "key",
            Kind::OneOrList(&Kind::Text(Form::LimitKey)),
            Default::Is("\"client-ip\""),
            "Who has a quota of their own: `client-ip`, `header:NAME`, `cookie:NAME`, `jwt:CLAIM` (of the token by which the client was let in), `auth-name` (the \
             name under which it was let in), `path`, `route`, `global` (all together), or a list: each combination. Requests without such a field, cookie, claim \
             or name share one quota.",
        )
        .also(&["by", "keys", "per", "zone"]),
        Key::new(
            "ipv4-prefix",
            Kind::Number { min: 1, max: 32 },
            Default::Is("32"),
            "How many bits of an IPv4 address tell clients apart.",
        ),
        Key::new(
            "ipv6-prefix",
            Kind::Number { min: 1, max: 128 },
            Default::Is("64"),
            "The same of an IPv6 address. A client mostly has all of the 64 bits behind these.",
        ),
        Key::new(
            "classes",
            Kind::List {
                item: &Kind::Table(&CLASS),
                min: 1,
            },
            Default::Absent("the same for all"),
            "Rates of their own for some requests; the first class that matches holds.",
        )
        .also(&["tiers", "overrides", "plans"]),
        Key::new(
            "max-concurrent",
            Kind::Number {
                min: 1,
                max: 1_000_000,
            },
            Default::Absent("no limit"),
            "How many requests of one key may be under way at a time. Those beyond are refused.",
        )
        .also(&["concurrency", "max-requests", "limit-conn", "in-flight"]),
        Key::new(
            "over",
            Kind::Choice(&[Choice::new("refuse"), Choice::new("delay")]),
            Default::Is("\"refuse\""),
            "What becomes of requests beyond the rate: they are refused with 429, or wait until there is a token for them.",
        )
        .also(&["on-exceed", "action", "exceeded", "nodelay"]),
        Key::new(
            "max-delay",
            duration(MILLISECOND, MINUTE),
            Default::Is("\"1s\""),
            "With `over = \"delay\"`: how long a request may wait; it is refused where it would have to wait for longer.",
        )
        .also(&["max-wait", "delay"]),
        Key::new(
            "max-waiting",
            Kind::Number {
                min: 1,
                max: 1_000_000,
            },
            Default::Is("1000"),
            "With `over = \"delay\"`: how many may wait at a time; further ones are refused.",
        )
        .also(&["queue", "max-queue", "queue-length"]),
        Key::new(
            "allow",
            Kind::List {
                item: &Kind::Text(Form::Network),
                min: 1,
            },
            Default::Absent("everybody is limited"),
            "Addresses and networks of clients that are never limited.",
        )
        .also(&["exempt", "whitelist", "allowlist", "except"]),
        Key::new(
            "dry-run",
            Kind::Flag,
            Default::Is("false"),
            "Whether it is only counted what would be refused.",
        )
        .also(&["shadow", "report-only", "limit-req-dry-run"]),
        Key::new(
            "fields",
            Kind::Flag,
            Default::Is("false"),
            "Whether answers have the fields `RateLimit-Policy` and `RateLimit`, from which clients see how they stand.",
        )
        .also(&["headers", "add-headers", "send-headers"]),
        Key::new(
            "max-keys",
            Kind::Number {
                min: 1,
                max: 10_000_000,
            },
            Default::Is("100000"),
            "How many keys are remembered, rounded up to eight times a power of two; for each class by itself. One takes 16 bytes. Where there are \
             more, those that have used least are forgotten.",
        )
        .also(&["max-entries", "table-size", "size"]),
        Key::new(
            "store",
            Kind::Text(Form::Name),
            Default::Is("\"local\""),
            "Where rates are counted: `local`, or the name of one of `[stores.NAME]`, for all balancers that have the same store and name of the limit. \
             `max-concurrent` is counted by each for itself.",
        )
        .also(&["stores", "shared", "redis"]),
        Key::new(
            "share-when-alone",
            Kind::Share { min: 1, max: 100 },
            Default::Is("\"50%\""),
            "With `store`: how much of the rate and the burst holds here while the store is away: the share of one of so many balancers.",
        )
        .also(&["fallback-share", "local-share"]),
    ],
};

/// One of `classes`.
static CLASS: Shape = Shape {
    place: "`classes` of `[rate-limits.NAME]`",
    doc: "A rate of its own for some requests.",
    keys: &[
        Key::new(
            "match",
            Kind::Table(&MATCH),
            Default::Absent("any request"),
            "The conditions, as of a route; claims are those of the token by which the client was let in.",
        )
        .also(&["when", "if"]),
        Key::new(
            "auth",
            Kind::OneOrList(&Kind::Text(Form::Auth)),
            Default::Absent("by whichever the client was let in"),
            "The `[auth.NAME]` tables by which clients were let in, of those in `auth` of the route.",
        ),
        Key::new(
            "auth-name",
            Kind::OneOrList(&Kind::Text(Form::Pattern)),
            Default::Absent("whoever the client is"),
            "The names under which clients were let in by `auth` of the route: a literal, a glob if it holds `*`, a regular expression if it begins with `~`.",
        )
        .also(&["name", "names", "user", "users", "consumer"]),
        Key::new(
            "rate",
            Kind::Text(Form::RequestRate),
            Default::Required("\"1000/m\""),
            "How many requests in which time.",
        )
        .also(&["limit"]),
        BURST,
    ],
};

const RATE: Key = Key::new(
    "rate",
    Kind::Text(Form::RequestRate),
    Default::Absent("no limit but those of `classes` and `max-concurrent`"),
    "How many requests in which time: `\"100/s\"`, or `/m`, `/h`, `/d`.",
)
.also(&["limit", "requests", "average", "requests-per-second"]);

const BURST: Key = Key::new(
    "burst",
    Kind::Number {
        min: 1,
        max: 1_000_000_000,
    },
    Default::Depends("as many as `rate` has in its time"),
    "With `token-bucket`: how many there may be at once after a silence, which is what the bucket holds.",
)
.also(&["bucket", "capacity", "max-burst"]);
