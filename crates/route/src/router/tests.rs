use proptest::prelude::*;

use super::*;
use crate::conditions::{ClaimCondition, CookieCondition, FieldCondition, ParameterCondition};
use crate::explain::Aspect;
use crate::facts::{NoFields, Scheme};
use crate::host::HostPattern;
use crate::path::PathPattern;
use crate::pattern::Pattern;

const CLIENT: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn rule(host: &str, path: &str) -> Conditions {
    Conditions {
        hosts: host.split_whitespace().map(host_pattern).collect(),
        path: (!path.is_empty()).then(|| path_pattern(path)),
        ..Conditions::default()
    }
}

fn host_pattern(text: &str) -> HostPattern {
    HostPattern::parse(text).expect("a host")
}

fn path_pattern(text: &str) -> PathPattern {
    PathPattern::parse(text).expect("a path")
}

fn header(name: &str, value: &str) -> FieldCondition {
    FieldCondition::new(name, Pattern::parse(value).expect("a pattern"))
}

fn get<'a>(host: &'a str, path: &'a str) -> Facts<'a> {
    Facts {
        host,
        path,
        query: None,
        method: "GET",
        fields: &NoFields,
        client: CLIENT,
        scheme: Scheme::Http,
        tls_subject: None,
        countries: None,
        json: None,
        identity: None,
    }
}

fn find(router: &Router, facts: &Facts<'_>) -> Option<usize> {
    router.find(facts, &mut Captures::new())
}

#[test]
fn the_first_that_holds_wins() {
    let router = Router::new(vec![
        rule("a.example.com", "/api/*"),
        rule("", "/api/v1/*"),
        rule("*.example.com", ""),
        rule("", "/healthz"),
        rule("", ""),
    ]);
    for (host, path, expected) in [
        ("A.Example.com:8080", "/api/v1/x", 0),
        ("b.example.com", "/api/v1/x", 1),
        ("b.example.com", "/api/v2", 2),
        ("example.com", "/healthz", 3),
        ("", "*", 4),
    ] {
        assert_eq!(
            find(&router, &get(host, path)),
            Some(expected),
            "{host}{path}"
        );
    }
    assert_eq!(find(&Router::default(), &get("a", "/")), None);
}

#[test]
fn methods_and_fields() {
    let mut only_get = rule("", "/a");
    only_get.methods = vec!["GET".into(), "PUT".into()];
    let mut mobile = rule("", "");
    mobile.fields = vec![header("User-Agent", "*Mobile*"), header("x-beta", "*")];
    let router = Router::new(vec![only_get, mobile]);
    let fields = vec![
        ("user-AGENT", "x"),
        ("User-Agent", "a Mobile b"),
        ("X-Beta", ""),
    ];
    let facts = Facts {
        method: "HEAD",
        fields: &fields,
        client: CLIENT,
        scheme: Scheme::Http,
        ..get("", "/a")
    };
    assert_eq!(find(&router, &get("", "/a")), Some(0));
    assert_eq!(find(&router, &facts), Some(1));
    assert_eq!(
        find(
            &router,
            &Facts {
                method: "get",
                ..get("", "/a")
            }
        ),
        None
    );
}

#[test]
fn captures_are_those_of_the_rule_found() {
    let router = Router::new(vec![rule("", "/users/{id}/posts"), rule("", "/users/*")]);
    let mut captures = Captures::new();
    assert_eq!(
        router.find(&get("", "/users/7/posts"), &mut captures),
        Some(0)
    );
    assert_eq!(captures.get(0, "/users/7/posts"), Some("7"));
    assert_eq!(router.find(&get("", "/users/7/x"), &mut captures), Some(1));
    assert_eq!(
        (captures.len(), captures.get(0, "/users/7/x")),
        (1, Some("7/x"))
    );
    assert_eq!(router.find(&get("", "/"), &mut captures), None);
    assert!(captures.is_empty());
}

#[test]
fn paths_of_very_many_segments() {
    let deep = |last: &str| format!("{}/{last}", "/s".repeat(100));
    let mut rules: Vec<_> = ["a", "b", "*"].map(|last| rule("", &deep(last))).into();
    rules.extend(["/x", "/y", "/z"].map(|path| rule("", path)));
    let router = Router::new(rules);
    for (path, expected) in [
        (deep("a"), Some(0)),
        (deep("b"), Some(1)),
        (deep("b/c"), Some(2)),
        ("/s".repeat(99), None),
        ("/z".to_owned(), Some(5)),
    ] {
        assert_eq!(find(&router, &get("", &path)), expected, "{path}");
    }
}

#[test]
fn explaining() {
    let mut strict = rule("a.example.com *.b.example.com", "/api/*");
    strict.methods = vec!["GET".into(), "HEAD".into()];
    strict.fields = vec![header("X-Tier", "gold"), header("x-beta", "*")];
    let router = Router::new(vec![strict, rule("", "")]);
    let fields = vec![("x-tier", "tin"), ("x-tier", "zinc")];
    let verdicts = router.explain(&Facts {
        method: "PUT",
        fields: &fields,
        client: CLIENT,
        scheme: Scheme::Http,
        ..get("Example.com:80", "/apix")
    });
    let said: Vec<_> = verdicts[0]
        .mismatches
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "host is `example.com`, not `a.example.com, *.b.example.com`",
            "path is `/apix`, not `/api/*`",
            "method is `PUT`, not `GET, HEAD`",
            "header x-tier is `tin, zinc`, not `gold`",
            "no header x-beta, which must be `*`",
        ]
    );
    assert_eq!(verdicts[0].mismatches[0].aspect, Aspect::Host);
    assert!(verdicts[1].matches() && !verdicts[0].matches());
}

#[test]
fn covering() {
    let with = |methods: &[&str], fields: &[(&str, &str)], host: &str, path: &str| Conditions {
        methods: methods.iter().map(|&method| method.into()).collect(),
        fields: fields
            .iter()
            .map(|(name, value)| header(name, value))
            .collect(),
        ..rule(host, path)
    };
    let any = Conditions::default();
    for (wide, narrow, expected) in [
        (any.clone(), with(&["GET"], &[("a", "b")], "h", "/x"), true),
        (with(&["GET"], &[], "", ""), any.clone(), false),
        (
            with(&["GET", "PUT"], &[], "", ""),
            with(&["PUT"], &[], "", "/a"),
            true,
        ),
        (
            with(&["PUT"], &[], "", ""),
            with(&["GET", "PUT"], &[], "", ""),
            false,
        ),
        (
            with(&[], &[("a", "*")], "", ""),
            with(&[], &[("A", "x")], "", ""),
            true,
        ),
        (
            with(&[], &[("a", "x")], "", ""),
            with(&[], &[("a", "*")], "", ""),
            false,
        ),
        (with(&[], &[("a", "*")], "", ""), any.clone(), false),
        (rule("*", ""), any.clone(), true),
        (rule("a", ""), any.clone(), false),
        (rule("*.x.com b", ""), rule("a.x.com b *.y.x.com", ""), true),
        (rule("*.x.com", ""), rule("x.com", ""), false),
        (rule("*.x.com", ""), rule("a.x.com c", ""), false),
        (rule("~a|b", ""), rule("b", ""), true),
        (rule("", "/*"), any, false),
    ] {
        assert_eq!(wide.covers(&narrow), expected, "{wide:?} {narrow:?}");
    }
}

#[test]
fn covering_claims() {
    let with = |claims: &[(&str, &str)], verifiers: &[usize]| {
        let condition = |(name, value): &(&str, &str)| ClaimCondition {
            name: (*name).into(),
            value: Pattern::parse(value).expect("a pattern"),
            verifiers: Box::default(),
        };
        let conditions = Conditions {
            claims: claims.iter().map(condition).collect(),
            ..Conditions::default()
        };
        conditions.verified_by(verifiers)
    };
    for (wide, narrow, expected) in [
        (with(&[("a", "*")], &[1]), with(&[("a", "x")], &[1]), true),
        (
            with(&[("a", "*")], &[1, 2]),
            with(&[("a", "x")], &[2]),
            true,
        ),
        // A token may be one that only the other takes.
        (
            with(&[("a", "*")], &[1]),
            with(&[("a", "x")], &[1, 2]),
            false,
        ),
        (with(&[("a", "*")], &[1]), with(&[("b", "x")], &[1]), false),
        (with(&[("a", "x")], &[1]), with(&[("a", "*")], &[1]), false),
        (with(&[], &[1]), with(&[("a", "*")], &[1]), true),
    ] {
        assert_eq!(wide.covers(&narrow), expected, "{wide:?} {narrow:?}");
    }
    let nested = Conditions {
        not: vec![with(&[("a", "*")], &[])],
        any: vec![with(&[("b", "*")], &[])],
        ..Conditions::default()
    };
    assert!(nested.go_by_claims() && !rule("a", "/").go_by_claims());
    let nested = nested.verified_by(&[7]);
    for part in [&nested.not, &nested.any] {
        assert_eq!(*part[0].claims[0].verifiers, [7]);
    }
}

const HOSTS: &[&str] = &[
    "",
    "",
    "a.com",
    "b.a.com",
    "A.com",
    "*.a.com",
    "*.b.a.com",
    "*.com",
    "*",
    "a*.com",
    "~a\\..*",
    "a.com *.com",
    "[::1]",
];
const REQUEST_HOSTS: &[&str] = &[
    "",
    "a.com",
    "A.COM:80",
    "b.a.com.",
    "c.b.a.com",
    "com",
    ".com",
    "ab.com",
    "[0::1]:80",
    "[::1]",
    "x.org",
];

/// Some with a text that all their paths begin with, some with none.
const REGEXES: &[&str] = &[
    "~/a.*",
    "~/ab?/.*",
    "~/a/(b|c)",
    "~/(a|ab)/c.*",
    "~/a(?i)B.*",
    "~(?i)/A.*",
    "~^/c(?<x>/.*)?$",
    "~/[ab]+",
    "~.*b",
    "~/a/b(?<y>.*)/",
    "~\\*|/a",
];

/// Longer than what of a segment leads to a rule.
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
const LONG_ONE: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1";
const LONG_CAPTURE: &str =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{x}";
const LONG_GLOB: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx*";

/// Paths over few segments, so that they meet often.
fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(&["a", "b", "c", "ab", "abc", LONG_ONE][..]);
    let tail = prop::sample::select(&["", "/"][..]);
    (prop::collection::vec(segment, 0..5), tail).prop_map(|(segments, tail)| {
        if segments.is_empty() {
            return "/".to_owned();
        }
        format!("/{}{tail}", segments.join("/"))
    })
}

fn pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(
        &[
            "a",
            "b",
            "c",
            "ab",
            "{x}",
            "a{x}",
            "ab{x}",
            "{x}b",
            "a{x}c",
            LONG,
            LONG_CAPTURE,
            "*",
            "a*",
            "ab*",
            "*b",
            "a*c",
            LONG_GLOB,
        ][..],
    );
    let tail = prop::sample::select(&["", "", "/", "/*", "/{t*}"][..]);
    let built = (prop::collection::vec(segment, 0..5), tail)
        .prop_map(|(segments, tail)| {
            let mut text: String = segments
                .iter()
                .enumerate()
                .flat_map(|(at, part)| ["/".to_owned(), part.replace('x', &format!("x{at}"))])
                .collect();
            text.push_str(tail);
            text
        })
        .prop_filter("a pattern", |text| PathPattern::parse(text).is_ok());
    prop_oneof![
        8 => built,
        2 => prop::sample::select(REGEXES).prop_map(str::to_owned),
        1 => Just(String::new()),
    ]
}

/// With all kinds of conditions, and others in it.
fn conditions() -> impl Strategy<Value = Conditions> {
    let none = || prop::collection::vec(simple(), 0..1);
    let some = || prop_oneof![6 => none(), 1 => prop::collection::vec(simple(), 1..3)];
    (simple(), some(), some()).prop_map(|(simple, not, any)| Conditions { not, any, ..simple })
}

fn simple() -> impl Strategy<Value = Conditions> {
    let more = prop::sample::select(&["", "", "", "cookie", "query", "client", "scheme"][..]);
    (plain(), more).prop_map(|(mut conditions, more)| {
        let (name, value) = ("x".into(), Pattern::parse("1").expect("a pattern"));
        match more {
            "cookie" => conditions.cookies = vec![CookieCondition { name, value }],
            "query" => conditions.parameters = vec![ParameterCondition { name, value }],
            "client" => conditions.clients = vec!["127.0.0.0/8".parse().expect("a network")],
            "scheme" => conditions.scheme = Some(Scheme::Https),
            _ => {}
        }
        conditions
    })
}

fn plain() -> impl Strategy<Value = Conditions> {
    let methods = prop::sample::select(&["", "", "", "GET", "PUT"][..]);
    let fields = prop::sample::select(&["", "", "", "*", "1"][..]);
    (prop::sample::select(HOSTS), pattern(), methods, fields).prop_map(
        |(host, path, method, field)| Conditions {
            methods: method.split_whitespace().map(Into::into).collect(),
            fields: field
                .split_whitespace()
                .map(|value| header("x", value))
                .collect(),
            ..rule(host, &path)
        },
    )
}

type Request = (
    &'static str,
    String,
    &'static str,
    Vec<(&'static str, &'static str)>,
    Option<&'static str>,
    &'static str,
    bool,
);

fn request() -> impl Strategy<Value = Request> {
    (
        prop::sample::select(REQUEST_HOSTS),
        prop_oneof![20 => path(), 1 => Just("*".to_owned())],
        prop::sample::select(&["GET", "PUT"][..]),
        prop::collection::vec(
            prop::sample::select(
                &[("X", "1"), ("X", "2"), ("Cookie", "x=1"), ("Cookie", "x=2")][..],
            ),
            0..3,
        ),
        prop::sample::select(&[None, Some("x=1"), Some("y&x=2")][..]),
        prop::sample::select(&["127.0.0.1", "::ffff:127.0.0.1", "192.0.2.1"][..]),
        any::<bool>(),
    )
}

fn facts((host, path, method, fields, query, client, is_secure): &Request) -> Facts<'_> {
    Facts {
        host,
        path,
        query: *query,
        method,
        fields,
        client: client.parse().expect("an address"),
        scheme: if *is_secure {
            Scheme::Https
        } else {
            Scheme::Http
        },
        tls_subject: None,
        countries: None,
        json: None,
        identity: None,
    }
}

proptest! {
    #[test]
    fn found_is_what_trying_in_order_finds(
        rules in prop::collection::vec(conditions(), 0..60),
        requests in prop::collection::vec(request(), 1..40),
    ) {
        let router = Router::new(rules.clone());
        for request in &requests {
            let facts = facts(request);
            let mut captures = Captures::new();
            let found = router.find(&facts, &mut captures);
            prop_assert_eq!(found, rules.iter().position(|rule| rule.hold(&facts)));
            let said = router.explain(&facts);
            prop_assert_eq!(found, said.iter().position(Verdict::matches));
            let mut by_rule = Captures::new();
            if let Some(path) = found.and_then(|at| rules[at].path.as_ref()) {
                path.capture(facts.path, &mut by_rule);
                prop_assert_eq!(by_rule.len(), path.captures().len());
            }
            let path = facts.path;
            let texts = |captures: &Captures| -> Vec<_> {
                (0..captures.len()).map(|at| captures.get(at, path).map(str::to_owned)).collect()
            };
            prop_assert_eq!(texts(&captures), texts(&by_rule));
        }
    }

    #[test]
    fn what_is_covered_is_never_reached(
        wide in conditions(),
        narrow in conditions(),
        requests in prop::collection::vec(request(), 1..40),
    ) {
        if wide.covers(&narrow) {
            for request in &requests {
                let facts = facts(request);
                prop_assert!(!narrow.hold(&facts) || wide.hold(&facts), "{:?}", request);
            }
        }
        prop_assert!(wide.covers(&wide));
    }
}
