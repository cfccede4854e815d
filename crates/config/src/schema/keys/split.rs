//! The keys of splits: sides, and the cookie that keeps a client on one.

use super::{DAY, MINUTE, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// One of `split` of `[[routes]]`
pub(crate) static SIDE: Shape = Shape {
    place: "`split` of `[[routes]]`",
    doc: "One side of a split. What a route says of its `upstream` holds for the one that a request goes to: retries stay there.",
    keys: &[
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Required("\"app-v2\""),
            "The upstream of this side. Each has one side of a split.",
        )
        .also(&["backend", "to", "service", "cluster", "name"]),
        Key::new(
            "weight",
            Kind::Number {
                min: 0,
                max: 65_535,
            },
            Default::Is("1"),
            "Its share of the requests beside the other sides'; with 0 it gets none.",
        )
        .also(&["percent", "share"]),
    ],
};

/// `split-by` of `[[routes]]`, as a table
pub(crate) static ASSIGN: Shape = Shape {
    place: "`split-by` of `[[routes]]`",
    doc: "A cookie of our own that keeps a client on its side. It holds a number drawn by chance, which says nothing of the side: as \
          weights grow, clients move as the weights say.",
    keys: &[
        Key::new(
            "assign",
            Kind::Text(Form::CookieName),
            Default::Required("\"ab\""),
            "The cookie's name. A client that comes without it gets it with the answer; with `path=/` and not to be read by scripts.",
        )
        .also(&["cookie", "name", "assign-cookie"]),
        Key::new(
            "ttl",
            duration(MINUTE, DAY.saturating_mul(400)),
            Default::Is("\"30d\""),
            "How long the client keeps it from the day that it gets it; browsers keep none for longer than 400 days.",
        )
        .also(&["max-age", "expires", "lifetime"]),
        Key::new(
            "domain",
            Kind::Text(Form::HostName),
            Default::Absent("only the host that was asked"),
            "The domain whose hosts get the cookie.",
        ),
        Key::new(
            "same-site",
            Kind::Choice(&[Choice::new("lax"), Choice::new("strict"), Choice::new("none")]),
            Default::Is("\"lax\""),
            "Whether requests that begin on other sites carry it: `lax` is those that open a page, `strict` is none, `none` is all, which \
             needs `secure`.",
        )
        .also(&["samesite"]),
        Key::new(
            "secure",
            Kind::Flag,
            Default::Depends("whether the client that gets it speaks TLS"),
            "Whether the client sends it over TLS only.",
        ),
    ],
};
