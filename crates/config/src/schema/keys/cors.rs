//! The keys for pages of other origins.

use std::time::Duration;

use super::{DAY, duration};
use crate::schema::{Default, Form, Key, Kind, Shape};

/// `cors` of `[[routes]]`
pub(crate) static CORS: Shape = Shape {
    place: "`cors` of `[[routes]]`",
    doc: "Which pages of other origins may read the answers. What browsers ask beforehand (`OPTIONS` with \
          `Access-Control-Request-Method`) sluice answers itself, before `auth`; a server's own `Access-Control-*` fields are replaced.",
    keys: &[
        Key::new(
            "origins",
            Kind::OneOrList(&Kind::Text(Form::WebOrigin)),
            Default::Required("[\"https://app.example.com\", \"https://*.example.org\"]"),
            "Whose pages: an origin as browsers write it, a pattern of such, or `\"*\"` for everybody's.",
        )
        .also(&["origin", "allow-origins", "allow-origin", "allowed-origins", "allow-origin-list"]),
        Key::new(
            "methods",
            Kind::OneOrList(&Kind::Text(Form::Method)),
            Default::Is("[\"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"]"),
            "The methods that pages may use.",
        )
        .also(&["allow-methods", "allowed-methods"]),
        Key::new(
            "headers",
            Kind::OneOrList(&Kind::Text(Form::FieldName)),
            Default::Absent("whichever a page asks for"),
            "The fields that pages may send, beside those that every page may.",
        )
        .also(&["allow-headers", "allowed-headers"]),
        Key::new(
            "expose-headers",
            Kind::OneOrList(&Kind::Text(Form::FieldName)),
            Default::Absent("the few that every page may read"),
            "The fields of answers that pages may read.",
        )
        .also(&["exposed-headers", "expose"]),
        Key::new(
            "credentials",
            Kind::Flag,
            Default::Is("false"),
            "Whether pages may send cookies and other credentials along. Not with `\"*\"` in `origins`.",
        )
        .also(&["allow-credentials"]),
        Key::new(
            "max-age",
            duration(Duration::ZERO, DAY),
            Default::Is("\"1h\""),
            "How long browsers remember what they were told; many do for two hours at most.",
        ),
    ],
};
