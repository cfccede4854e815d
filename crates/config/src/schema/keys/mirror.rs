//! The keys of mirrors.

use crate::schema::{Default, Form, Key, Kind, Shape};

/// `mirror` of `[[routes]]`
pub(crate) static MIRROR: Shape = Shape {
    place: "`mirror` of `[[routes]]`",
    doc: "Another upstream, which gets copies of requests. The client is answered as if there were none: a copy is sent once the answer is \
          through, what is answered to it is thrown away, and it says `X-Mirrored: 1`. Requests that ask to switch protocols are not copied.",
    keys: &[
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Required("\"app-shadow\""),
            "The upstream that the copies go to.",
        )
        .also(&["to", "backend", "cluster", "service"]),
        Key::new(
            "share",
            Kind::Share { min: 1, max: 100 },
            Default::Is("\"100%\""),
            "How many of the requests are copied, drawn by chance.",
        )
        .also(&["percent", "sample", "fraction", "ratio"]),
        Key::new(
            "max-body",
            Kind::Size {
                min: 0,
                max: 16 << 20,
            },
            Default::Is("\"64KiB\""),
            "The longest body that is copied, as it is sent: it is kept in memory until the answer is through. A request with a longer one is \
             not copied, and counted.",
        )
        .also(&["buffer", "max-body-size"]),
        Key::new(
            "max-in-flight",
            Kind::Number {
                min: 1,
                max: 65_535,
            },
            Default::Is("64"),
            "How many copies each worker may have under way. Where there are as many, a request is not copied, and counted.",
        )
        .also(&["max-requests", "concurrency", "max-concurrency"]),
    ],
};
