//! A table for each way of rewriting, and what holds for all of them.

use proptest::prelude::*;

use super::*;

fn target_of(text: &str, captures: &[Box<str>]) -> NewTarget {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let parse = |text| Template::parse(text, captures).expect("a template");
    NewTarget {
        path: parse(path),
        query: query.map(parse),
    }
}

/// What is asked for of a server where `target` is asked for and matches `pattern`; variables stand for `value`.
fn rewritten(
    rewrite: &PathRewrite,
    pattern: &str,
    target: &str,
    value: &str,
) -> Result<String, LeadsElsewhere> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut buffer = String::new();
    let path = normalise_path(path, &mut buffer).expect("a path");
    let pattern = PathPattern::parse(pattern).expect("a pattern");
    let captures = pattern.captured(path).expect("a path of the pattern");
    let asked = Requested {
        path,
        query,
        captures: &captures,
    };
    let mut out = "left over".to_owned();
    let value = |_: &Variable, out: &mut Vec<u8>| out.extend_from_slice(value.as_bytes());
    rewrite.target(&asked, value, &mut out)?;
    Ok(out)
}

#[test]
fn a_prefix_is_stripped() {
    let strip = PathRewrite::StripPrefix("/api".into());
    for (target, expected) in [
        ("/api/users", "/users"),
        ("/api/users?a=b&c", "/users?a=b&c"),
        ("/api/users?", "/users?"),
        ("/api", "/"),
        ("/api?x", "/?x"),
        ("/api/", "/"),
        ("/apix/users", "/apix/users"),
        ("/v1/api/users", "/v1/api/users"),
        ("/api/api/x", "/api/x"),
        ("/%61pi/x%2Fy/%c3%a9", "/x%2Fy/%C3%A9"),
        ("//api//x", "/x"),
        ("/x/../api/y", "/y"),
        ("/api//evil.example/x", "/evil.example/x"),
        ("/", "/"),
    ] {
        assert_eq!(
            rewritten(&strip, "/*", target, "").as_deref(),
            Ok(expected),
            "{target}"
        );
    }
    assert_eq!(rewritten(&strip, "~\\*", "*", "").as_deref(), Ok("*"));
}

#[test]
fn a_prefix_becomes_another() {
    for (pattern, prefix, target, expected) in [
        ("/api/*", "/v2", "/api/x?y", "/v2/x?y"),
        ("/api/*", "/v2", "/api", "/v2"),
        ("/api/*", "/v2", "/api/", "/v2/"),
        ("/api/*", "", "/api/x", "/x"),
        ("/api/*", "", "/api", "/"),
        ("/*", "/all", "/x/y/", "/all/x/y/"),
        ("/*", "/all", "/", "/all/"),
        ("/t/{id}/*", "/v2", "/t/7/x/y", "/v2/x/y"),
        ("/t/{id}/*", "/v2", "/t/7", "/v2"),
        ("/t/{id}/{tail*}", "/a/b", "/t/7/%2F", "/a/b/%2F"),
    ] {
        let rewrite = PathRewrite::Prefix(prefix.into());
        let found = rewritten(&rewrite, pattern, target, "");
        assert_eq!(found.as_deref(), Ok(expected), "{pattern} {target}");
    }
}

#[test]
fn a_template_is_the_whole() {
    for (pattern, to, target, value, expected) in [
        ("/old/*", "/v2/{rest}", "/old/a/b?c", "", Some("/v2/a/b?c")),
        ("/old/*", "/v2/{rest}", "/old", "", Some("/v2/")),
        ("/old/*", "/v2/{rest}/end", "/old", "", Some("/v2/end")),
        ("/old/*", "/fixed", "/old/a?b=c", "", Some("/fixed?b=c")),
        ("/old/*", "/fixed?", "/old/a?b=c", "", Some("/fixed")),
        (
            "/u/{id}",
            "/users?id={id}",
            "/u/7?b=c",
            "",
            Some("/users?id=7"),
        ),
        (
            "/u/{id}",
            "/users?{query}&id={id}",
            "/u/7?b=c+d",
            "",
            Some("/users?b=c+d&id=7"),
        ),
        (
            "/u/{id}",
            "/users?id={id}&{query}",
            "/u/7",
            "",
            Some("/users?id=7"),
        ),
        (
            "/u/{id}",
            "/users?id={id}&{query}",
            "/u/7?&",
            "",
            Some("/users?id=7&&"),
        ),
        (
            "/u/{id}",
            "/users?id={id}",
            "/u/a&admin=1+2;x",
            "",
            Some("/users?id=a%26admin%3D1%2B2%3Bx"),
        ),
        (
            "/u/{id}",
            "/users?id={id}",
            "/u/a%26b",
            "",
            Some("/users?id=a%26b"),
        ),
        (
            "/u/{id}",
            "/x/{id}",
            "/u/caf%c3%a9%20%2F",
            "",
            Some("/x/caf%C3%A9%20%2F"),
        ),
        ("/*", "{path}/x", "/a//b", "", Some("/a/b/x")),
        ("/*", "/p?of={path}", "/a/b", "", Some("/p?of=/a/b")),
        // What is no part of the path is one segment and no more.
        ("/*", "/t/{header:x}/{rest}", "/a", "b", Some("/t/b/a")),
        (
            "/*",
            "/t/{header:x}/{rest}",
            "/a",
            "b/c?d#e%2f \r\n\u{e9}",
            Some("/t/b%2Fc%3Fd%23e%252f%20%0D%0A%C3%A9/a"),
        ),
        ("/*", "/t/{header:x}/{rest}", "/a", "", None),
        ("/*", "/t/{header:x}{path}", "/a", "", None),
        ("/*", "/t/{header:x}", "/a", "", None),
        ("/*", "/t/{header:x}{header:y}/b", "/a", "", None),
        ("/*", "/t/x{header:x}/{rest}", "/a", "", Some("/t/x/a")),
        ("/*", "/t/{header:x}{rest}", "/a", "", Some("/t/a")),
        ("/*", "/t/{rest}", "/", "", Some("/t/")),
        ("/*", "/t/{header:x}/{rest}", "/a", "..", None),
        ("/*", "/t/{header:x}/{rest}", "/a", ".", None),
        ("/*", "/t/{header:x}/{rest}", "/a", "../..", None),
        ("/*", "/t/.{header:x}", "/a", ".", None),
        ("/*", "/{header:x}/{rest}", "/evil.example", "", None),
        (
            "/*",
            "/x?q={header:x}",
            "/a",
            "1&b=2 3",
            Some("/x?q=1%26b%3D2%203"),
        ),
        ("/v{major}/x", "/{major}/x", "/v../x", "", None),
    ] {
        let captures = PathPattern::parse(pattern)
            .expect("a pattern")
            .captures()
            .to_vec();
        let rewrite = PathRewrite::Whole(target_of(to, &captures));
        let found = rewritten(&rewrite, pattern, target, value);
        assert_eq!(found.ok().as_deref(), expected, "{to} {target} {value}");
    }
}

#[test]
fn a_regular_expression_matches_the_whole_or_changes_nothing() {
    let pattern = PathPattern::parse("~/users/(?<id>[0-9]+)(/(?<rest>.*))?").expect("a pattern");
    let to = target_of("/u/{id}?rest={rest}", pattern.captures());
    let rewrite = PathRewrite::Matching { pattern, to };
    for (target, expected) in [
        ("/users/7/a/b?q", "/u/7?rest=a/b"),
        ("/users/7", "/u/7?rest="),
        ("/users/x?q", "/users/x?q"),
        ("/a/users/7", "/a/users/7"),
    ] {
        assert_eq!(
            rewritten(&rewrite, "/*", target, "").as_deref(),
            Ok(expected),
            "{target}"
        );
    }
    // A group can take half of an escape.
    let pattern = PathPattern::parse("~/(?<half>.*%).*").expect("a pattern");
    let to = target_of("/{half}", pattern.captures());
    let rewrite = PathRewrite::Matching { pattern, to };
    assert_eq!(
        rewritten(&rewrite, "/*", "/a%20b", ""),
        Err(LeadsElsewhere::ByDots)
    );
}

#[test]
fn what_patterns_say_of_prefixes() {
    for (pattern, prefix, rest, below) in [
        ("/api/*", "/api", true, true),
        ("/api/v1/*", "/api", true, true),
        ("/*", "/api", true, true),
        ("/apis/*", "/api", true, false),
        ("/api", "/api", false, true),
        ("/healthz", "/api", false, false),
        ("/{a}/*", "/api", true, true),
        ("/{a}", "/api", false, true),
        ("~/x", "/api", false, true),
    ] {
        let parsed = PathPattern::parse(pattern).expect("a pattern");
        assert_eq!(parsed.captures_the_rest(), rest, "{pattern}");
        assert_eq!(parsed.may_be_below(prefix), below, "{pattern}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_a_normal_path_below_what_the_template_says(
        path in "/([ab.;&=]|/|\\.\\./|%2[eEfF5]|%5c|%61|%c3){0,10}",
        value in "[a./%?#&\\\\ \u{e9}]{0,6}",
        query in proptest::option::of("[a=&%?/]{0,6}"),
    ) {
        let target = match &query {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        };
        let mut buffer = String::new();
        if normalise_path(&path, &mut buffer).is_ok() {
            let captures: [Box<str>; 1] = ["rest".into()];
            for to in ["/t/{header:x}/{rest}", "/t/x{rest}{header:x}", "/t?a={rest}&b={header:x}", "/t/{rest}?"] {
                let rewrite = PathRewrite::Whole(target_of(to, &captures));
                let Ok(written) = rewritten(&rewrite, "/*", &target, &value) else {
                    continue;
                };
                let (path, _) = written.split_once('?').unwrap_or((&written, ""));
                let mut buffer = String::new();
                prop_assert_eq!(normalise_path(path, &mut buffer), Ok(path));
                prop_assert!(path == "/t" || path.starts_with("/t/"), "{}", written);
                prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{}", written);
                if to.starts_with("/t?") {
                    prop_assert_eq!(written.matches('&').count(), 1, "{}", written);
                }
            }
        }
    }
}
