use super::*;
use crate::normalise::PathError;
use crate::regular::RegexError;

/// What each capture stood for, `None` where the path does not match.
fn captured(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let pattern = PathPattern::parse(pattern).expect("a pattern");
    pattern.matches(path).then(|| {
        let mut captures = Captures::new();
        pattern.capture(path, &mut captures);
        assert_eq!(captures.len(), pattern.captures().len());
        pattern
            .captures()
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let text = captures.get(index, path).expect("in the path");
                (name.to_string(), text.to_owned())
            })
            .collect()
    })
}

#[test]
fn matching() {
    type Row = (
        &'static str,
        &'static str,
        Option<&'static [(&'static str, &'static str)]>,
    );
    let table: &[Row] = &[
        ("/healthz", "/healthz", Some(&[])),
        ("/healthz", "/healthz/", None),
        ("/healthz", "/Healthz", None),
        ("/", "/", Some(&[])),
        ("/", "/a", None),
        ("/api/*", "/api", Some(&[("rest", "")])),
        ("/api/*", "/api/", Some(&[("rest", "")])),
        ("/api/*", "/api/a/b", Some(&[("rest", "a/b")])),
        ("/api/*", "/apix", None),
        ("/api/**", "/api", Some(&[("rest", "")])),
        ("/*", "/", Some(&[("rest", "")])),
        ("/*", "/a/b", Some(&[("rest", "a/b")])),
        ("/*", "*", None),
        ("/users/{id}", "/users/7", Some(&[("id", "7")])),
        ("/users/{id}", "/users/", None),
        ("/users/{id}", "/users/7/", None),
        ("/users/{id}", "/users/7/posts", None),
        ("/users/{id}/", "/users/7/", Some(&[("id", "7")])),
        ("/users/{id}/posts", "/users/7/posts", Some(&[("id", "7")])),
        ("/{a}/{b}", "/x/y", Some(&[("a", "x"), ("b", "y")])),
        ("/{a}/{b}", "/x", None),
        ("/old/{tail*}", "/old/a/b", Some(&[("tail", "a/b")])),
        ("/old/{tail*}", "/old", Some(&[("tail", "")])),
        (
            "/u/{id}/*",
            "/u/7/a/b",
            Some(&[("id", "7"), ("rest", "a/b")]),
        ),
        ("/u/{id}/*", "/u/7", Some(&[("id", "7"), ("rest", "")])),
        ("/u/{id}/*", "/u/", None),
        ("/v{major}/x", "/v12/x", Some(&[("major", "12")])),
        ("/v{major}/x", "/v/x", None),
        ("/{name}.json", "/a.json", Some(&[("name", "a")])),
        ("/{name}.json", "/.json", None),
        ("/a/*/edit", "/a/b/c/edit", Some(&[])),
        ("/a/*/edit", "/a/edit", None),
        ("*.php", "", None),
        ("/*.php", "/a/b.php", Some(&[])),
        ("/*.php/*", "/a.php", Some(&[])),
        ("/*.php/*", "/a.php/b", Some(&[])),
        ("/*.php/*", "/a.phpx", None),
        ("~/v[0-9]+/(?<rest>.*)", "/v1/a/b", Some(&[("rest", "a/b")])),
        ("~/v[0-9]+", "/v1/a", None),
        ("~/(?<a>a)|/(?<b>b)", "/b", Some(&[("a", ""), ("b", "b")])),
        ("/café", "/caf%C3%A9", Some(&[])),
        ("/caf%c3%a9", "/caf%C3%A9", Some(&[])),
        ("/%61", "/a", Some(&[])),
    ];
    for &(pattern, path, expected) in table {
        if pattern.starts_with('*') {
            assert_eq!(
                PathPattern::parse(pattern),
                Err(PathPatternError::NoLeadingSlash)
            );
            continue;
        }
        let expected = expected.map(|captures| {
            captures
                .iter()
                .map(|&(name, text)| (name.to_owned(), text.to_owned()))
                .collect::<Vec<_>>()
        });
        assert_eq!(captured(pattern, path), expected, "{pattern} {path}");
    }
}

#[test]
fn refused() {
    use PathPatternError as E;
    let seventeen = "/{c}".repeat(17).replace("{c}", "{c#}");
    let seventeen = (0..17).fold(seventeen, |text, n| {
        text.replacen("c#", &format!("c{n}"), 1)
    });
    for (pattern, error) in [
        ("", E::NoLeadingSlash),
        ("api/*", E::NoLeadingSlash),
        ("/a?b=c", E::NotPath('?')),
        ("/a#b", E::NotPath('#')),
        ("/a%2", E::Escape(PathError::BadEscape)),
        ("/a%00", E::Escape(PathError::Nul)),
        ("/a//b", E::NeverInPath("//")),
        ("//*", E::NeverInPath("//")),
        ("/a/./b", E::NeverInPath("/./")),
        ("/a/%2e%2E/b", E::NeverInPath("/../")),
        ("/{id", E::Unclosed),
        ("/{id/x}", E::Unclosed),
        ("/id}", E::Unopened),
        ("/}{id}", E::Unopened),
        ("/{id}}", E::Unopened),
        ("/{}", E::CaptureName(String::new())),
        ("/{1st}", E::CaptureName("1st".into())),
        ("/{a b}", E::CaptureName("a b".into())),
        ("/{host}", E::ReservedName("host".into())),
        ("/{country}", E::ReservedName("country".into())),
        ("/{a}/{a}", E::DuplicateCapture("a".into())),
        ("/{rest}/*", E::DuplicateCapture("rest".into())),
        ("/{a}-{b}", E::TwoInSegment),
        ("/{rest*}/a", E::RestNotLast("rest".into())),
        ("/x{rest*}", E::RestNotLast("rest".into())),
        ("/*/{id}", E::CaptureInGlob),
        ("/*/a/{tail*}", E::CaptureInGlob),
        (&seventeen, E::TooManyCaptures),
        ("~", E::EmptyRegex),
        ("~(", E::Regex(RegexError::Syntax("unclosed group".into()))),
        ("~/(?<host>x)", E::ReservedName("host".into())),
    ] {
        assert_eq!(PathPattern::parse(pattern), Err(error), "{pattern}");
    }
}

#[test]
fn covering() {
    for (wide, narrow, expected) in [
        ("/*", "/*", true),
        ("/*", "/a", true),
        ("/*", "/a/*", true),
        ("/*", "/a/{id}", true),
        ("/*", "/*.php", true),
        ("/*", "~.*", false),
        ("/api/*", "/api", true),
        ("/api/*", "/api/*", true),
        ("/api/*", "/api/v1/*", true),
        ("/api/*", "/apix/*", false),
        ("/api/*", "/api/{id}/x", true),
        ("/api/*", "/{id}/x", false),
        ("/api/*", "/api/*/x", true),
        ("/api/*", "/api*/x", false),
        ("/api", "/api/*", false),
        ("/{a}", "/{b}", true),
        ("/{a}", "/x", true),
        ("/{a}", "/x/", false),
        ("/{a}", "/x/*", false),
        ("/{a}/*", "/x/*", true),
        ("/{a}/*", "/*", false),
        ("/{a}/*", "/x/{b}/c", true),
        ("/v{a}", "/v{b}.json", true),
        ("/v{a}.json", "/v{b}", false),
        ("/{a}/b", "/{x}/c", false),
        ("~/a+", "/aa", true),
        ("~/a+", "~/a+", true),
        ("~/a+", "/a*", false),
        ("/a*/b", "/ax/b", true),
    ] {
        let parse = |text| PathPattern::parse(text).expect("a pattern");
        assert_eq!(
            parse(wide).covers(&parse(narrow)),
            expected,
            "{wide} {narrow}"
        );
    }
}
