//! The keys of the process itself.

use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

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
            "max-connections",
            Kind::Number {
                min: 1,
                max: 4_294_967_295,
            },
            Default::Absent("no limit but that of open files"),
            "The most connections of clients at a time, over all listeners of http and tcp and all workers. Further ones are closed at \
             once. A connection takes a descriptor, and a request under way mostly another one towards its server.",
        )
        .also(&["maxconn", "worker-connections", "global-maxconn"]),
        Key::new(
            "max-memory",
            Kind::Either(&[
                Kind::Size {
                    min: 16 << 20,
                    max: 1 << 50,
                },
                Kind::Share { min: 1, max: 100 },
            ]),
            Default::Absent("no limit: the kernel ends what takes too much"),
            "The most memory that the process is to take (RSS); a share is of what there is: the machine's, or less where a control group (version \
             2) limits it. Near it idle connections are closed and new ones refused, at it new requests: [limits.md](limits.md#memory).",
        )
        .also(&["memory-limit", "max-rss", "memory"]),
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
            "`stdout`, `stderr` or `file:/path`, which is appended to and opened again on reload. A relative path is meant from the configuration file.",
        )
        .also(&["path", "file", "output"]),
    ],
};
