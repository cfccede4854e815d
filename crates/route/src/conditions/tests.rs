use std::net::IpAddr;

use super::*;
use crate::facts::{CountryLookup, NoFields};
use crate::path::PathPattern;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).expect("a pattern")
}

fn facts<'a>(query: &'a str, fields: &'a Vec<(&'a str, &'a str)>, client: &str) -> Facts<'a> {
    Facts {
        host: "a.example.com",
        path: "/a",
        query: Some(query).filter(|query| !query.is_empty()),
        method: "GET",
        fields,
        client: client.parse().expect("an address"),
        scheme: Scheme::Http,
        tls_subject: None,
        countries: None,
        json: None,
        identity: None,
    }
}

#[test]
fn cookies() {
    for (name, value, lines, expected) in [
        ("canary", "v2", &["canary=v2"][..], true),
        ("canary", "v2", &["a=1; canary=v2; b=2"], true),
        ("canary", "v2", &["a=1;canary=v2"], true),
        ("canary", "v2", &["a=1", "canary=v2"], true),
        ("canary", "v2", &["canary=v1; canary=v2"], true),
        ("canary", "v2", &["canary=v1"], false),
        ("canary", "v2", &["Canary=v2"], false),
        ("canary", "v2", &["xcanary=v2"], false),
        ("canary", "v2", &["canary"], false),
        ("canary", "*", &["canary="], true),
        ("canary", "*", &["canaryx=1"], false),
        ("canary", "v*", &["canary=v2"], true),
        ("canary", "~v[0-9]", &["canary=v23"], false),
        ("canary", "a=b", &["canary=a=b"], true),
        ("canary", "*", &[], false),
    ] {
        let condition = CookieCondition {
            name: name.into(),
            value: pattern(value),
        };
        let fields = lines.iter().map(|line| ("Cookie", *line)).collect();
        let holds = condition.holds(&facts("", &fields, "192.0.2.1"));
        assert_eq!(holds, expected, "{name}={value} {lines:?}");
    }
}

#[test]
fn parameters() {
    for (name, value, query, expected) in [
        ("beta", "true", "beta=true", true),
        ("beta", "true", "a=1&beta=true&b", true),
        ("beta", "true", "beta=false&beta=true", true),
        ("beta", "true", "beta=false", false),
        ("beta", "true", "Beta=true", false),
        ("beta", "true", "", false),
        ("beta", "*", "beta", true),
        ("beta", "*", "beta=", true),
        ("beta", "*", "betax=1", false),
        ("beta", "", "beta", true),
        ("q", "a b", "q=a+b", true),
        ("q", "a b", "q=a%20b", true),
        ("q", "a+b", "q=a%2Bb", true),
        ("q", "a&b", "q=a%26b", true),
        ("q", "50%", "q=50%", true),
        ("q", "%zz", "q=%zz", true),
        ("q", "%4", "q=%4", true),
        ("q", "\u{e9}", "q=%C3%a9", true),
        ("a b", "1", "a%20b=1", true),
        ("a[]", "1", "a[]=1", true),
        ("a[]", "1", "a%5B%5D=1", true),
    ] {
        let condition = ParameterCondition {
            name: name.into(),
            value: pattern(value),
        };
        let fields = Vec::new();
        let holds = condition.holds(&facts(query, &fields, "192.0.2.1"));
        assert_eq!(holds, expected, "{name}={value} {query}");
    }
}

#[test]
fn clients() {
    let conditions = Conditions {
        clients: ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]
            .map(|network| network.parse().expect("a network"))
            .to_vec(),
        ..Conditions::default()
    };
    for (client, expected) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("2001:db8::1", true),
        ("2001:db9::1", false),
    ] {
        assert_eq!(
            conditions.hold(&facts("", &Vec::new(), client)),
            expected,
            "{client}"
        );
    }
}

#[test]
fn schemes() {
    let https = Conditions {
        scheme: Some(Scheme::Https),
        ..Conditions::default()
    };
    let fields = Vec::new();
    let plain = facts("", &fields, "192.0.2.1");
    assert!(!https.hold(&plain));
    let secure = Facts {
        scheme: Scheme::Https,
        ..plain
    };
    assert!(https.hold(&secure));
}

fn path(text: &str) -> Conditions {
    Conditions {
        path: Some(PathPattern::parse(text).expect("a path")),
        ..Conditions::default()
    }
}

fn host(text: &str) -> Conditions {
    Conditions {
        hosts: vec![HostPattern::parse(text).expect("a host")],
        ..Conditions::default()
    }
}

fn asks(host: &'static str, path: &'static str) -> Facts<'static> {
    Facts {
        host,
        path,
        query: None,
        method: "GET",
        fields: &NoFields,
        client: "192.0.2.1".parse().expect("an address"),
        scheme: Scheme::Http,
        tls_subject: None,
        countries: None,
        json: None,
        identity: None,
    }
}

#[test]
fn not_and_any() {
    let internal_of_b = Conditions {
        hosts: host("b.example").hosts,
        ..path("/api/internal/*")
    };
    let conditions = Conditions {
        not: vec![internal_of_b, path("/api/secret")],
        any: vec![host("a.example"), host("b.example")],
        ..path("/api/*")
    };
    for (host, path, expected) in [
        ("a.example", "/api/x", true),
        ("a.example", "/x", false),
        ("c.example", "/api/x", false),
        ("b.example", "/api/x", true),
        ("b.example", "/api/internal/x", false),
        ("a.example", "/api/internal/x", true),
        ("a.example", "/api/secret", false),
        ("B.example:8080", "/api/internal/x", false),
    ] {
        assert_eq!(conditions.hold(&asks(host, path)), expected, "{host}{path}");
        let router = crate::Router::new(vec![conditions.clone()]);
        let found = router.find(&asks(host, path), &mut crate::Captures::new());
        assert_eq!(found.is_some(), expected, "{host}{path}");
    }
}

#[test]
fn what_covers_what() {
    let cookie = |value| Conditions {
        cookies: vec![CookieCondition {
            name: "c".into(),
            value: pattern(value),
        }],
        ..Conditions::default()
    };
    let parameter = |value| Conditions {
        parameters: vec![ParameterCondition {
            name: "q".into(),
            value: pattern(value),
        }],
        ..Conditions::default()
    };
    let clients = |network: &str| Conditions {
        clients: vec![network.parse().expect("a network")],
        ..Conditions::default()
    };
    let scheme = |scheme| Conditions {
        scheme: Some(scheme),
        ..Conditions::default()
    };
    let not = |not| Conditions {
        not: vec![not],
        ..Conditions::default()
    };
    let any = |any: &[Conditions]| Conditions {
        any: any.to_vec(),
        ..Conditions::default()
    };
    let all = Conditions::default();
    let both = any(&[host("a"), host("b")]);
    for (wider, later, expected) in [
        (&all, &cookie("v2"), true),
        (&cookie("v2"), &all, false),
        (&cookie("*"), &cookie("v2"), true),
        (&cookie("v2"), &cookie("*"), false),
        (&cookie("*"), &parameter("*"), false),
        (&parameter("*"), &parameter("1"), true),
        (&parameter("1"), &all, false),
        (&clients("10.0.0.0/8"), &clients("10.1.0.0/16"), true),
        (&clients("10.1.0.0/16"), &clients("10.0.0.0/8"), false),
        (&clients("10.0.0.0/8"), &all, false),
        (&scheme(Scheme::Https), &scheme(Scheme::Https), true),
        (&scheme(Scheme::Https), &scheme(Scheme::Http), false),
        (&scheme(Scheme::Https), &all, false),
        (&all, &not(path("/a")), true),
        (&not(path("/a")), &all, false),
        (&not(path("/a")), &not(path("/a")), true),
        (&both, &both, true),
        (&both, &host("a"), true),
        (&both, &host("c"), false),
        (&both, &all, false),
    ] {
        assert_eq!(wider.covers(later), expected, "{wider:?} {later:?}");
    }
}

struct Half;

impl CountryLookup for Half {
    fn country_of(&self, address: IpAddr) -> Option<Country> {
        address.is_ipv4().then(|| "DE".parse().unwrap())
    }
}

#[test]
fn a_client_is_in_a_country_or_in_none() {
    let no_fields = Vec::new();
    let wanted = |codes: &[&str]| Conditions {
        countries: codes.iter().map(|code| code.parse().unwrap()).collect(),
        ..Conditions::default()
    };
    let four = Facts {
        client: "192.0.2.1".parse().unwrap(),
        countries: Some(&Half),
        ..facts("", &no_fields, "192.0.2.9")
    };
    let six = Facts {
        client: "2001:db8::1".parse().unwrap(),
        ..four
    };
    let unasked = Facts {
        countries: None,
        json: None,
        identity: None,
        ..four
    };
    assert!(wanted(&["FR", "DE"]).hold(&four));
    assert!(!wanted(&["FR"]).hold(&four));
    assert!(!wanted(&["DE"]).hold(&six));
    assert!(!wanted(&["DE"]).hold(&unasked));
    assert!(wanted(&[]).hold(&unasked));
    let elsewhere = Conditions {
        not: vec![wanted(&["DE"])],
        ..Conditions::default()
    };
    assert!(elsewhere.hold(&six) && !elsewhere.hold(&four));
}

#[test]
fn the_subject_of_a_certificate_is_a_condition() {
    let no_fields = Vec::new();
    let wanted = |pattern: &str| Conditions {
        tls_subject: Some(Pattern::parse(pattern).unwrap()),
        ..Conditions::default()
    };
    let shown = Facts {
        tls_subject: Some("CN=alice, O=Example"),
        ..facts("", &no_fields, "192.0.2.9")
    };
    let none = Facts {
        tls_subject: None,
        ..shown
    };
    for (pattern, holds) in [
        ("*", true),
        ("CN=alice, O=Example", true),
        ("CN=alice,*", true),
        ("~.*O=Exam.*", true),
        ("CN=bob*", false),
    ] {
        assert_eq!(wanted(pattern).hold(&shown), holds, "{pattern}");
        assert!(!wanted(pattern).hold(&none), "{pattern}");
    }
    assert!(wanted("*").covers(&wanted("CN=alice*")));
    assert!(!wanted("CN=alice*").covers(&wanted("*")));
}
