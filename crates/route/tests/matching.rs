//! What matches what, row by row: `matching.txt` is the table.
//!
//! Each row is asked of its conditions alone, of a router that tries them, and of one that looks them up among many others.

use std::net::IpAddr;

use sluice_model::Country;
use sluice_route::{
    Captures, ClaimCondition, Conditions, CookieCondition, CountryLookup, Facts, FieldCondition,
    IdentityLookup, JsonCondition, ParameterCondition, Pattern, Router, Scheme, normalise_path,
};

#[test]
fn every_row_of_the_table() {
    let (mut rows, mut wrong) = (0, Vec::new());
    for block in TABLE.split("\n== ").skip(1) {
        let (conditions, requests) = block.split_once('\n').expect("requests");
        let conditions = conditions_of(&mut words(conditions).into_iter());
        let [tried, looked_up] = [0, 100].map(|others| {
            let mut rules: Vec<_> = (0..others).map(elsewhere).collect();
            rules.push(conditions.clone());
            Router::new(rules)
        });
        for row in requests
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let (expected, request) = row.split_at(2);
            let request = Request::of(request);
            let mut buffer = String::new();
            let said = match normalise_path(&request.path, &mut buffer) {
                Ok(path) => answers(&conditions, &tried, &looked_up, &request.facts(path)),
                Err(_) => vec!["!"],
            };
            if said.iter().any(|said| *said != expected.trim_end()) {
                wrong.push(format!("{row}\n    of {conditions:?}: {said:?}"));
            }
            rows += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows >= 200, "{rows} rows");
}

/// What each way of asking says.
fn answers(
    conditions: &Conditions,
    tried: &Router,
    looked_up: &Router,
    facts: &Facts<'_>,
) -> Vec<&'static str> {
    let mut captures = Captures::new();
    [
        conditions.hold(facts),
        tried.find(facts, &mut captures) == Some(0),
        looked_up.find(facts, &mut captures) == Some(100),
        tried.explain(facts)[0].matches(),
    ]
    .map(|holds| if holds { "+" } else { "-" })
    .to_vec()
}

/// A rule that no row meets.
fn elsewhere(number: usize) -> Conditions {
    Conditions {
        hosts: vec![format!("other-{number}.test").parse().expect("a host")],
        path: Some(format!("/other/{number}/*").parse().expect("a path")),
        ..Conditions::default()
    }
}

fn conditions_of(words: &mut impl Iterator<Item = String>) -> Conditions {
    let mut all = Conditions::default();
    while let Some(word) = words.next() {
        if word == ")" {
            break;
        }
        match word.as_str() {
            "not(" => all.not.push(conditions_of(words)),
            "any(" => all.any.push(conditions_of(words)),
            _ => add(&mut all, &word),
        }
    }
    all
}

fn add(all: &mut Conditions, word: &str) {
    let (kind, value) = word.split_once('=').expect("a condition");
    let value = value.replace('_', " ");
    let pattern = || Pattern::parse(&value).expect("a pattern");
    match kind.split_once(':').unwrap_or((kind, "")) {
        ("host", _) => all.hosts.push(value.parse().expect("a host")),
        ("path", _) => all.path = Some(value.parse().expect("a path")),
        ("method", _) => all.methods.push(value.into()),
        ("header", name) => all.fields.push(FieldCondition::new(name, pattern())),
        ("cookie", name) => all.cookies.push(CookieCondition {
            name: name.into(),
            value: pattern(),
        }),
        ("query", name) => all.parameters.push(ParameterCondition {
            name: name.into(),
            value: pattern(),
        }),
        ("json", pointer) => all.json.push(JsonCondition {
            pointer: pointer.into(),
            value: pattern(),
        }),
        ("claim", name) => all.claims.push(ClaimCondition {
            name: name.into(),
            value: pattern(),
            verifiers: Box::new([VERIFIER]),
        }),
        ("client", _) => all.clients.push(value.parse().expect("a network")),
        ("country", _) => all.countries.push(value.parse().expect("a country")),
        ("subject", _) => all.tls_subject = Some(pattern()),
        ("scheme", _) => all.scheme = Some(scheme(&value)),
        _ => panic!("{word}"),
    }
}

fn scheme(word: &str) -> Scheme {
    match word {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => panic!("{word}"),
    }
}

struct Request {
    method: String,
    host: String,
    path: String,
    query: Option<String>,
    fields: Vec<(String, String)>,
    client: IpAddr,
    subject: Option<String>,
    country: Known,
    scheme: Scheme,
    json: Option<serde_json::Value>,
    claims: Claims,
}

impl Request {
    fn of(row: &str) -> Self {
        let mut words = words(row).into_iter();
        let mut next = || words.next().expect("a word").replace("\"\"", "");
        let (method, host, target) = (next(), next(), next());
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target, None),
        };
        let mut request = Self {
            method,
            host,
            path,
            query,
            fields: Vec::new(),
            client: IpAddr::from([127, 0, 0, 1]),
            subject: None,
            country: Known(None),
            scheme: Scheme::Http,
            json: None,
            claims: Claims(None),
        };
        for word in words {
            request.add(&word);
        }
        request
    }

    fn add(&mut self, word: &str) {
        let (sign, rest) = word.split_at(1);
        match sign {
            "{" => {
                let field = rest.strip_suffix('}').expect("a brace");
                let (name, value) = field.split_once(':').expect("a field");
                let value = value.strip_prefix(' ').unwrap_or(value).replace('_', " ");
                self.fields.push((name.to_owned(), value));
            }
            "@" => self.client = rest.parse().expect("an address"),
            "$" => self.subject = Some(rest.replace('_', " ")),
            "/" => self.country = Known(Country::of_code(rest)),
            "#" => self.json = Some(serde_json::from_str(rest).expect("JSON")),
            "%" => self.claims = Claims(serde_json::from_str(rest).ok()),
            "s" => self.scheme = Scheme::Https,
            _ => panic!("{word}"),
        }
    }

    fn facts<'a>(&'a self, path: &'a str) -> Facts<'a> {
        Facts {
            host: &self.host,
            path,
            query: self.query.as_deref(),
            method: &self.method,
            fields: &self.fields,
            client: self.client,
            scheme: self.scheme,
            tls_subject: self.subject.as_deref(),
            countries: Some(&self.country),
            json: self.json.as_ref(),
            identity: Some(&self.claims),
        }
    }
}

/// Of a token that one verifier takes, and no other.
struct Claims(Option<serde_json::Value>);

impl IdentityLookup for Claims {
    fn name(&self) -> Option<&str> {
        None
    }

    fn let_in_by(&self) -> Option<&str> {
        None
    }

    fn any_claim(
        &self,
        verifiers: &[usize],
        name: &str,
        holds: &mut dyn FnMut(&serde_json::Value) -> bool,
    ) -> bool {
        let claims = self.0.as_ref().filter(|_| verifiers.contains(&VERIFIER));
        let found = claims.and_then(|claims| {
            if name.starts_with('/') {
                claims.pointer(name)
            } else {
                claims.get(name)
            }
        });
        found.is_some_and(holds)
    }
}

const VERIFIER: usize = 3;

struct Known(Option<Country>);

impl CountryLookup for Known {
    fn country_of(&self, _: IpAddr) -> Option<Country> {
        self.0
    }
}

/// The words of a line; braces hold what is between them together.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in line.split(' ').filter(|part| !part.is_empty()) {
        match words.last_mut() {
            Some(open) if open.starts_with('{') && !open.ends_with('}') => {
                open.push(' ');
                open.push_str(part);
            }
            _ => words.push(part.to_owned()),
        }
    }
    words
}

const TABLE: &str = include_str!("matching.txt");
