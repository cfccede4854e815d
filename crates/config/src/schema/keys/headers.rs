//! The keys for fields that routes change.

use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `request-headers` of `[[routes]]`
pub(crate) static REQUEST_HEADERS: Shape = Shape {
    place: "`request-headers` of `[[routes]]`",
    doc: "Changes in the fields of a request on its way to the server, all by what the client sent: what is set here is not seen by \
          `copy`. Fields that concern the connection or the length of the body are sluice's own, and so is `Host`, which `rewrite` changes.",
    keys: &[SET, ADD, REMOVE, COPY],
};

/// `response-headers` of `[[routes]]`
pub(crate) static RESPONSE_HEADERS: Shape = Shape {
    place: "`response-headers` of `[[routes]]`",
    doc: "Changes in the fields of an answer on its way to the client, whatever its status, and whether a server or sluice itself \
          gives it. Variables speak of the request; `{upstream}` and `{server}` are those that answered. Fields that concern the \
          connection or the length of the body are sluice's own.",
    keys: &[SET, ADD, REMOVE, COPY],
};

const SET: Key = Key::new(
    "set",
    Kind::Fields(&Kind::Text(Form::FieldTemplate)),
    Default::Is("{}"),
    "Fields with this value alone, in the place of those of that name; variables in braces are filled in. Where nothing comes out, as of \
     `{header:NAME}` without such a field, there is no such field.",
)
.also(&["replace", "override", "overwrite"]);

const ADD: Key = Key::new(
    "add",
    Kind::Fields(&Kind::OneOrList(&Kind::Text(Form::FieldTemplate))),
    Default::Is("{}"),
    "Fields beside those of that name; of a list, a line for each item.",
)
.also(&["append", "insert"]);

const REMOVE: Key = Key::new(
    "remove",
    Kind::OneOrList(&Kind::Text(Form::FieldName)),
    Default::Absent("nothing is removed"),
    "Fields that are left out; `*` in a name stands for any characters: `x-internal-*`.",
)
.also(&["unset", "delete", "drop", "hide", "del"]);

const COPY: Key = Key::new(
    "copy",
    Kind::Fields(&Kind::Text(Form::FieldName)),
    Default::Is("{}"),
    "Fields whose values another one gets, in the place of its own: `copy = { x-from = \"x-to\" }`. With `remove` of the first it is \
     renamed.",
)
.also(&["rename", "move"]);

/// `security-headers` of `[[routes]]`, as a table
pub(crate) static SECURITY_HEADERS: Shape = Shape {
    place: "`security-headers` of `[[routes]]`",
    doc: "Fields that have browsers be careful, in the place of the server's own of these names. What `response-headers` sets goes before. \
          `Strict-Transport-Security` is `tls.hsts` of the listener.",
    keys: &[
        Key::new(
            "nosniff",
            Kind::Flag,
            Default::Is("true"),
            "`X-Content-Type-Options: nosniff`: what an answer is, its `Content-Type` says and no guess.",
        )
        .also(&["content-type-options", "x-content-type-options"]),
        Key::new(
            "frame-options",
            Kind::Choice(&[Choice::new("deny"), Choice::new("same-origin"), Choice::new("off")]),
            Default::Is("\"deny\""),
            "`X-Frame-Options`: who may show the page within another one, nobody or pages of the same origin; `\"off\"` is no such field.",
        )
        .also(&["frame", "x-frame-options"]),
        Key::new(
            "referrer-policy",
            Kind::Choice(&[
                Choice::new("no-referrer"),
                Choice::new("same-origin"),
                Choice::new("strict-origin"),
                Choice::new("strict-origin-when-cross-origin"),
                Choice::new("origin"),
                Choice::new("origin-when-cross-origin"),
                Choice::new("no-referrer-when-downgrade"),
                Choice::new("unsafe-url"),
                Choice::new("off"),
            ]),
            Default::Is("\"strict-origin-when-cross-origin\""),
            "`Referrer-Policy`: what other sites learn of where a visitor comes from; `\"off\"` is no such field.",
        )
        .also(&["referrer"]),
        Key::new(
            "content-security-policy",
            Kind::Text(Form::FieldValue),
            Default::Absent("the server's own is passed on"),
            "`Content-Security-Policy`: where the page may load scripts and all else from. What is right depends on the page: \
             `\"default-src 'self'\"` is a start.",
        )
        .also(&["csp"]),
        Key::new(
            "permissions-policy",
            Kind::Text(Form::FieldValue),
            Default::Absent("the server's own is passed on"),
            "`Permissions-Policy`: what of the device the page may use, such as `\"camera=(), geolocation=()\"`.",
        )
        .also(&["feature-policy"]),
    ],
};
