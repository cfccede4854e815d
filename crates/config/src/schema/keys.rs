//! Every key of the file: its type, its default, what it does. The only place where they are written down.

mod auth;
mod circuit_breaker;
mod cors;
mod headers;
mod health;
mod listener;
mod matching;
mod mirror;
mod process;
mod rate_limit;
mod rewrite;
mod route;
mod split;
mod sticky;
mod store;
mod tls;
mod upstream;

use std::time::Duration;

use auth::AUTH;
pub(crate) use headers::SECURITY_HEADERS;
use listener::LISTENER;
use process::{ADMIN, LOGS, RUNTIME};
use rate_limit::RATE_LIMIT;
pub(crate) use route::ROUTE;
use store::STORE;
pub(crate) use upstream::UPSTREAM;

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
            "rate-limits",
            Kind::Named(&RATE_LIMIT),
            Default::Absent("nobody is limited"),
            "How much each client may have, each under a name of its own that routes name.",
        )
        .also(&["rate-limit", "limits", "limit-req", "throttle", "quotas"]),
        Key::new(
            "stores",
            Kind::Named(&STORE),
            Default::Absent("each balancer knows only what it sees itself"),
            "Where balancers keep what they share, each under a name of its own.",
        )
        .also(&["store", "redis"]),
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
        Key::new(
            "geo",
            Kind::Table(&GEO),
            Default::Absent("nothing is known of countries"),
            "What is known of where addresses are.",
        )
        .also(&["geoip", "geoip2", "maxmind", "geo-ip"]),
        Key::new(
            "auth",
            Kind::Named(&AUTH),
            Default::Absent("everybody is let in"),
            "Ways to show who one is, each under a name of its own.",
        )
        .also(&["authentication", "authorization", "access"]),
        Key::not_yet("tracing", "Traces of requests."),
        Key::not_yet("alerts", "Messages when something is wrong."),
    ],
};

/// `[geo]`
static GEO: Shape = Shape {
    place: "`[geo]`",
    doc: "What is known of where addresses are.",
    keys: &[Key::new(
        "database",
        Kind::Text(Form::File),
        Default::Required("database = \"GeoLite2-Country.mmdb\""),
        "A file in MaxMind's format (`.mmdb`) with countries in it, such as GeoLite2-Country, DB-IP or a free one; read again when it \
         changes.",
    )
    .also(&["file", "countries", "country", "path", "mmdb"])],
};

/// The kernel counts in seconds and takes no more than this (`MAX_TCP_KEEPIDLE`).
const TCP_KEEP_ALIVE: Kind = Kind::Either(&[
    Kind::Choice(&[Choice::new("off")]),
    duration(SECOND, Duration::from_secs(32_767)),
]);

const MILLISECOND: Duration = Duration::from_millis(1);

const SECOND: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_mins(1);

const HOUR: Duration = Duration::from_hours(1);

const DAY: Duration = Duration::from_hours(24);

const fn duration(min: Duration, max: Duration) -> Kind {
    Kind::Duration { min, max }
}
