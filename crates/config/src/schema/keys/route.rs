//! The keys of routes.

use super::cors::CORS;
use super::headers::{REQUEST_HEADERS, RESPONSE_HEADERS, SECURITY_HEADERS};
use super::matching::MATCH;
use super::mirror::MIRROR;
use super::rewrite::REWRITE;
use super::split::{ASSIGN, SIDE};
use super::{DAY, MILLISECOND, MINUTE, duration};
use crate::schema::{Choice, Default, Form, Key, Kind, Shape};

/// `[[routes]]`
pub(crate) static ROUTE: Shape = Shape {
    place: "`[[routes]]`",
    doc: "What is done with the requests that match. Exactly one of `upstream`, `split`, `respond` and `redirect` is set. A request that \
          no route matches gets 404.",
    keys: &[
        Key::new(
            "name",
            Kind::Text(Form::Name),
            Default::Depends("`route-N`, counted from 1 in the order of the file"),
            "What logs and metrics call the route.",
        )
        .also(&["id"]),
        Key::new(
            "listeners",
            Kind::List {
                item: &Kind::Text(Form::Listener),
                min: 1,
            },
            Default::Depends("every http listener"),
            "The listeners whose requests are tried.",
        )
        .also(&["listener"]),
        Key::new(
            "match",
            Kind::Table(&MATCH),
            Default::Is("{}"),
            "The conditions, all of which must hold; without any, every request matches.",
        )
        .also(&["when", "if", "conditions", "rule"]),
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Absent("one of `split`, `respond` or `redirect` is set"),
            "The upstream that the request goes to.",
        )
        .also(&["backend", "to", "proxy-pass", "forward", "service", "cluster"]),
        Key::new(
            "respond",
            Kind::Table(&RESPOND),
            Default::Absent("one of `upstream` or `redirect` is set"),
            "A fixed answer.",
        )
        .also(&["return", "response"]),
        Key::new(
            "redirect",
            Kind::Table(&REDIRECT),
            Default::Absent("one of `upstream` or `respond` is set"),
            "An answer that sends the client elsewhere.",
        ),
        Key::new(
            "timeout",
            duration(MILLISECOND, DAY),
            Default::Is("\"60s\""),
            "With `upstream`: how long the response head may take from the last byte of the request, all tries together; 504 above.",
        )
        .also(&["read-timeout", "server-timeout", "response-timeout"]),
        Key::new(
            "max-body",
            Kind::Size {
                min: 0,
                max: u64::MAX,
            },
            Default::Absent("no limit; bodies are passed on as they come and never collected"),
            "The largest request body; 413 above.",
        )
        .also(&["client-max-body-size", "max-body-size"]),
        Key::new(
            "split",
            Kind::Tables(&SIDE),
            Default::Absent("all requests go to `upstream`"),
            "Instead of `upstream`: the requests are shared between several upstreams, by their weights. What is said of `upstream` holds \
             here too. [canary.md](canary.md) says how to try a new version so.",
        )
        .also(&["weighted-upstreams", "weighted-clusters", "traffic-split", "canary"]),
        Key::new(
            "split-by",
            Kind::Either(&[Kind::Text(Form::HashKey), Kind::Table(&ASSIGN)]),
            Default::Absent("chance decides for each request by itself"),
            "With `split`: what keeps a client on its side as weights grow. `cookie:NAME`, `header:NAME`, `query:NAME`, `client-ip`, \
             `path`, `jwt:CLAIM` or `auth-name`, by who is let in, and chance for a request that has no such thing; a table is a cookie that sluice itself sets.",
        )
        .also(&["split-on", "split-key", "hash-on", "stickiness"]),
        Key::new(
            "mirror",
            Kind::Table(&MIRROR),
            Default::Absent("requests go to their upstream only"),
            "With `upstream` or `split`: another upstream, which gets copies of the requests and whose answers nobody sees. \
             [canary.md](canary.md#copies) says more.",
        )
        .also(&["shadow", "copy", "tee", "request-mirror", "mirror-to"]),
        Key::new(
            "rewrite",
            Kind::Table(&REWRITE),
            Default::Absent("the server is asked for what the client asks for"),
            "With `upstream`: the path or host that the server is asked for instead. [headers.md](headers.md#rewrites) says how.",
        )
        .also(&["rewrite-path", "url-rewrite", "replace-path"]),
        Key::new(
            "request-headers",
            Kind::Table(&REQUEST_HEADERS),
            Default::Absent("fields go to the server as they came"),
            "With `upstream`: what is changed in the fields of requests. [headers.md](headers.md) says how.",
        )
        .also(&["request-header", "proxy-set-header", "headers", "set-header", "set-headers"]),
        Key::new(
            "response-headers",
            Kind::Table(&RESPONSE_HEADERS),
            Default::Absent("fields go to the client as they came"),
            "What is changed in the fields of answers.",
        )
        .also(&["response-header", "add-header"]),
        Key::new(
            "cors",
            Kind::Table(&CORS),
            Default::Absent("what servers say of it is passed on"),
            "Which pages of other origins may read the answers. [headers.md](headers.md#cors) says how.",
        )
        .also(&["cross-origin", "access-control"]),
        Key::new(
            "security-headers",
            Kind::Either(&[Kind::Flag, Kind::Table(&SECURITY_HEADERS)]),
            Default::Is("false"),
            "Fields that have browsers be careful with the answers; `true` is the usual ones, a table says which.",
        )
        .also(&["secure-headers", "helmet"]),
        Key::new(
            "allow",
            Kind::OneOrList(&Kind::Text(Form::Origin)),
            Default::Absent("clients may come from anywhere"),
            "Where clients may come from: addresses, networks, and countries such as `country:DE`; 403 for all others. Behind \
             `trusted-proxies` of the listener, the client is whom they name by `X-Forwarded-For`.",
        )
        .also(&["allow-from", "whitelist", "allowlist", "allowed"]),
        Key::new(
            "deny",
            Kind::OneOrList(&Kind::Text(Form::Origin)),
            Default::Absent("nobody is kept out"),
            "Where clients may not come from, even if `allow` names it too; 403 for them.",
        )
        .also(&["deny-from", "blacklist", "blocklist", "block", "denied"]),
        Key::new(
            "auth",
            Kind::OneOrList(&Kind::Text(Form::Auth)),
            Default::Absent("everybody is let in"),
            "The `[auth.NAME]` tables by which clients show who they are: any one of them lets in.",
        )
        .also(&["auth-basic", "auth-request", "authentication", "authorization"]),
        Key::new(
            "rate-limits",
            Kind::List {
                item: &Kind::Text(Form::RateLimit),
                min: 1,
            },
            Default::Absent("no limit"),
            "The `[rate-limits.NAME]` that a request must keep within, all of them.",
        )
        .also(&["rate-limit", "limits", "limit-req", "throttle"]),
        Key::new(
            "retry",
            Kind::Table(&RETRY),
            Default::Is("{ attempts = 8, on = [\"connect-failure\", \"reset\"], backoff = \"off\" }"),
            "With `upstream`: what is tried again, on another server.",
        )
        .also(&["retries", "next-upstream", "proxy-next-upstream", "retry-on"]),
        Key::new(
            "fallback",
            Kind::Table(&FALLBACK),
            Default::Absent("the client is told what went wrong"),
            "With `upstream`: what becomes of a request when that has failed it: no server can be reached, none answers in time, or the last \
             try has brought a status of `on` in `retry`.",
        )
        .also(&["error-page", "backup-upstream", "on-failure"]),
        Key::new(
            "hedge",
            Kind::Table(&HEDGE),
            Default::Absent("a request is with one server at a time"),
            "With `upstream`: when a request goes to a second server while the first has not answered yet. Whichever answers first serves \
             the client.",
        )
        .also(&["hedging", "hedged-requests", "hedge-policy"]),
        Key::new(
            "priority",
            Kind::Either(&[Kind::Choice(PRIORITIES), Kind::Table(&PRIORITY)]),
            Default::Is("\"normal\""),
            "With `upstream`: who is served first, and who is refused first, where the upstream cannot serve all. \
             [overload.md](overload.md) says how.",
        )
        .also(&["importance", "criticality"]),
    ],
};

/// `respond` of `[[routes]]`
pub(crate) static RESPOND: Shape = Shape {
    place: "`respond` of `[[routes]]`",
    doc: "A fixed answer.",
    keys: &[
        Key::new(
            "body",
            Kind::Text(Form::Template),
            Default::Is("\"\""),
            "The body; variables in braces are filled in. At most one of `body`, `json` and `file` is set.",
        )
        .also(&["text", "content"]),
        Key::new(
            "status",
            Kind::Number { min: 200, max: 599 },
            Default::Is("200"),
            "The status code.",
        )
        .also(&["code"]),
        Key::new(
            "content-type",
            Kind::Text(Form::FieldValue),
            Default::Depends("`application/json` with `json`, by the name's ending with `file`, else `text/plain; charset=utf-8`"),
            "The body's media type.",
        ),
        Key::new(
            "json",
            Kind::Json,
            Default::Absent("see `body`"),
            "Instead of `body`: a value that goes out as JSON. Variables in its texts are filled in, escaped as JSON wants it.",
        ),
        Key::new(
            "file",
            Kind::Text(Form::File),
            Default::Absent("see `body`"),
            "Instead of `body`: a file of 1MiB at most, as it is. It is read when the configuration is, and again when it changes.",
        )
        .also(&["path", "body-file", "errorfile"]),
        Key::new(
            "headers",
            Kind::Fields(&Kind::Text(Form::FieldTemplate)),
            Default::Is("{}"),
            "Fields of the answer; as `set` of `response-headers`.",
        )
        .also(&["fields"]),
    ],
};

/// `retry` of `[[routes]]`
pub(crate) static RETRY: Shape = Shape {
    place: "`retry` of `[[routes]]`",
    doc: "When a request goes to another server instead of failing. Only a request that may be repeated does: its method is \
          idempotent or the server got nothing of it, and nothing of its body had to be let go.",
    keys: &[
        Key::new(
            "attempts",
            Kind::Number { min: 1, max: 8 },
            Default::Is("3"),
            "Tries in all, the first included, each on another server; 1 is none but the first.",
        )
        .also(&["tries", "max-attempts", "num-retries", "retries", "count"]),
        Key::new(
            "on",
            Kind::List {
                item: &Kind::Choice(&[
                    Choice::new("connect-failure"),
                    Choice::new("reset"),
                    Choice::new("429"),
                    Choice::new("500"),
                    Choice::new("502"),
                    Choice::new("503"),
                    Choice::new("504"),
                    Choice::new("timeout"),
                ]),
                min: 1,
            },
            Default::Is("[\"connect-failure\", \"reset\"]"),
            "What is tried again: `connect-failure` is a server that cannot be connected to, `reset` one that closes or resets \
             the connection before a byte of its answer, `timeout` one that does not answer within `per-try-timeout`, a number an answer \
             with that status, which the client does not see then.",
        )
        .also(&["conditions", "retry-on", "statuses"]),
        Key::new(
            "per-try-timeout",
            duration(MILLISECOND, DAY),
            Default::Absent("`timeout` of the route, which is of all tries together"),
            "With `timeout` in `on`: how long the head of an answer is awaited before another server is tried. The last try has what \
             is left of the route's `timeout`.",
        )
        .also(&["try-timeout"]),
        Key::new(
            "backoff",
            Kind::Either(&[Kind::Choice(&[Choice::new("off")]), duration(MILLISECOND, MINUTE)]),
            Default::Is("\"25ms\""),
            "The pause before another try: by chance between none and this, twice as much with each further try, ten times as much at \
             most. Another server after one that could not be reached is tried at once. With a pause, tries that are left when \
             every server was tried begin with the first again; `\"off\"` is no pause, and one try a server.",
        )
        .also(&["retry-backoff", "delay"]),
        Key::new(
            "budget",
            Kind::Share { min: 0, max: 100 },
            Default::Is("\"20%\""),
            "How many of the requests that are under way to the upstream may be retries, beside `budget-floor`, over all routes. \
             Where there are more, another try waits for a few pauses, and then the failure is passed on. What certainly reached no \
             server does not count.",
        ),
        Key::new(
            "budget-floor",
            Kind::Number { min: 0, max: 1_000_000 },
            Default::Is("10"),
            "So many retries at a time are allowed whatever the budget.",
        )
        .also(&["min-retry-concurrency", "budget-min"]),
        Key::new(
            "buffer",
            Kind::Size {
                min: 0,
                max: 16 << 20,
            },
            Default::Is("\"64KiB\""),
            "How much of the body of a request that may be repeated is kept, so that it can be sent again. One that is longer \
             is sent once.",
        )
        .also(&["retry-buffer"]),
        Key::new(
            "retry-unsafe",
            Kind::Flag,
            Default::Is("false"),
            "Repeats requests whatever their method, POST too: right where the servers themselves see to it that nothing is done twice.",
        )
        .also(&["non-idempotent", "retry-non-idempotent"]),
    ],
};

/// `fallback` of `[[routes]]`
pub(crate) static FALLBACK: Shape = Shape {
    place: "`fallback` of `[[routes]]`",
    doc: "Another upstream, which gets a request that can be sent again, or an answer instead of one of 502, 503 and 504. One of \
          `upstream` and `status` is set.",
    keys: &[
        Key::new(
            "upstream",
            Kind::Text(Form::Upstream),
            Default::Absent("`status` is set"),
            "The upstream that has its turn then, with as many tries and as much time.",
        )
        .also(&["to", "backend", "cluster"]),
        Key::new(
            "status",
            Kind::Number { min: 200, max: 599 },
            Default::Absent("`upstream` is set"),
            "The status code.",
        )
        .also(&["code"]),
        Key::new(
            "body",
            Kind::Text(Form::Any),
            Default::Is("\"\""),
            "With `status`: the body, as it is.",
        )
        .also(&["text", "content"]),
        Key::new(
            "content-type",
            Kind::Text(Form::FieldValue),
            Default::Is("\"text/plain; charset=utf-8\""),
            "With `status`: the body's media type.",
        ),
    ],
};

/// `hedge` of `[[routes]]`
pub(crate) static HEDGE: Shape = Shape {
    place: "`hedge` of `[[routes]]`",
    doc: "When another server is asked too, as the answer is late. Only a request that may be repeated is: its method is idempotent \
          (or `retry` has `retry-unsafe`), its body is here as a whole and no longer than `buffer` of `retry`, and it does not ask to switch \
          protocols.",
    keys: &[
        Key::new(
            "after",
            Kind::Text(Form::HedgeAfter),
            Default::Is("\"p95\""),
            "How long the head of an answer is awaited: `p50` to `p99.9` is the time within which that share of the upstream's recent \
             answers to such requests came, on this worker; as long as too few are known, nothing is hedged. Or a duration from 1ms to 1m.",
        )
        .also(&["delay", "hedging-delay", "percentile"]),
        Key::new(
            "max",
            Kind::Number { min: 1, max: 3 },
            Default::Is("1"),
            "How many further servers are asked, one after the other, each after the same time.",
        )
        .also(&["max-hedges", "count", "attempts"]),
        Key::new(
            "budget",
            Kind::Share { min: 0, max: 100 },
            Default::Is("\"10%\""),
            "How many of the requests that are under way to the upstream may be hedges, beside `budget-floor`, over all routes. Where \
             there are more, the first server is waited for. Retries have a budget of their own.",
        ),
        Key::new(
            "budget-floor",
            Kind::Number { min: 0, max: 1_000_000 },
            Default::Is("3"),
            "So many hedges at a time are allowed whatever the budget.",
        )
        .also(&["budget-min"]),
    ],
};

/// `priority` of `[[routes]]`, as a table
pub(crate) static PRIORITY: Shape = Shape {
    place: "`priority` of `[[routes]]`",
    doc: "A priority that trusted clients say themselves.",
    keys: &[
        Key::new(
            "header",
            Kind::Text(Form::FieldName),
            Default::Required("\"X-Priority\""),
            "The header field that says it: `low`, `normal`, `high` or `critical`. Believed of clients in `trusted-proxies` of the listener. \
             From others it is not passed on.",
        )
        .also(&["field", "name"]),
        Key::new(
            "default",
            Kind::Choice(PRIORITIES),
            Default::Is("\"normal\""),
            "The priority of a request whose field is missing, says something else or is not believed.",
        )
        .also(&["otherwise", "else"]),
    ],
};

static PRIORITIES: &[Choice] = &[
    Choice::new("low"),
    Choice::new("normal"),
    Choice::new("high"),
    Choice::new("critical"),
];

/// `redirect` of `[[routes]]`
pub(crate) static REDIRECT: Shape = Shape {
    place: "`redirect` of `[[routes]]`",
    doc: "Sends the client elsewhere.",
    keys: &[
        Key::new(
            "to",
            Kind::Text(Form::Location),
            Default::Required("\"/new/{rest}\""),
            "A path or a whole URL; captures of the path and variables in braces are filled in.",
        )
        .also(&["location", "url", "target"]),
        Key::new(
            "status",
            Kind::OneOf(&[301, 302, 303, 307, 308]),
            Default::Is("308"),
            "The status code: 308 and 307 keep the method, 308 and 301 are remembered by clients.",
        )
        .also(&["code"]),
    ],
};
