//! Requests as fields of HTTP/2 and HTTP/3 (RFC 9113, 8; RFC 9114, 4), and what a server of HTTP/1.1 may see of each.

pub(crate) type Field = (&'static str, &'static str);

/// One request.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) fields: Vec<Field>,
    /// The parts of its body, a frame each.
    pub(crate) body: &'static [&'static str],
    pub(crate) trailers: &'static [Field],
    pub(crate) outcome: Outcome,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its stream or its connection ends, or it is answered with a status of an error; no server gets it.
    Refused,
    /// A server sees this.
    Seen {
        method: &'static str,
        target: &'static str,
        /// All the values of each field; none at all where it must not be there.
        fields: &'static [(&'static str, &'static [&'static str])],
        body: u64,
    },
}

pub(crate) fn cases() -> Vec<Case> {
    let tables = [
        values(),
        names(),
        of_the_connection(),
        lengths(),
        hosts(),
        cookies(),
        paths(),
        schemes_and_methods(),
        pseudo_fields(),
        connect(),
        trailers(),
    ];
    tables.into_iter().flatten().collect()
}

const METHOD: Field = (":method", "GET");
const SCHEME: Field = (":scheme", "https");
const HOST: Field = (":authority", NAME);
const PATH: Field = (":path", "/");
const NAME: &str = "www.example.com";

/// What a server sees of a usual GET.
const AS_EVER: Outcome = Outcome::Seen {
    method: "GET",
    target: "/",
    fields: &[("host", &[NAME])],
    body: 0,
};

fn refused(what: &'static str, fields: &[Field]) -> Case {
    with_outcome(what, fields, Outcome::Refused)
}

fn with_outcome(what: &'static str, fields: &[Field], outcome: Outcome) -> Case {
    Case {
        what,
        fields: fields.to_vec(),
        body: &[],
        trailers: &[],
        outcome,
    }
}

/// A usual GET with more fields.
fn get(more: &[Field]) -> Vec<Field> {
    [&[METHOD, SCHEME, HOST, PATH][..], more].concat()
}

fn post(more: &[Field]) -> Vec<Field> {
    [&[(":method", "POST"), SCHEME, HOST, PATH][..], more].concat()
}

fn get_refused(what: &'static str, more: &[Field]) -> Case {
    refused(what, &get(more))
}

fn seen_with(
    what: &'static str,
    more: &[Field],
    fields: &'static [(&'static str, &'static [&'static str])],
) -> Case {
    let outcome = Outcome::Seen {
        method: "GET",
        target: "/",
        fields,
        body: 0,
    };
    with_outcome(what, &get(more), outcome)
}

fn values() -> Vec<Case> {
    vec![
        with_outcome("a usual request", &get(&[]), AS_EVER),
        get_refused("CR LF in a value", &[("x", "a\r\nb: c")]),
        get_refused("a request in a value", &[("x", "a\r\n\r\nGET /b HTTP/1.1")]),
        get_refused("LF in a value", &[("x", "a\nb: c")]),
        get_refused("CR in a value", &[("x", "a\rb")]),
        get_refused("NUL in a value", &[("x", "a\0b")]),
        get_refused("LF at the end of a value", &[("x", "a\n")]),
        get_refused("a space before a value", &[("x", " a")]),
        get_refused("a space after a value", &[("x", "a ")]),
        get_refused("a tab before a value", &[("x", "\ta")]),
        get_refused("a tab after a value", &[("x", "a\t")]),
        seen_with("an empty value", &[("x", "")], &[("x", &[""])]),
        seen_with(
            "a name twice, in its order",
            &[("x", "b"), ("y", "c"), ("x", "a")],
            &[("x", &["b", "a"]), ("y", &["c"])],
        ),
    ]
}

fn names() -> Vec<Case> {
    vec![
        get_refused("an uppercase letter in a name", &[("X-Test", "a")]),
        get_refused("an uppercase letter in a known name", &[("Accept", "*/*")]),
        get_refused(
            "transfer-encoding in uppercase",
            &[("Transfer-Encoding", "chunked")],
        ),
        get_refused("an empty name", &[("", "a")]),
        get_refused("a space in a name", &[("x y", "a")]),
        get_refused("a space after a name", &[("transfer-encoding ", "chunked")]),
        get_refused("a colon in a name", &[("x:y", "a")]),
        get_refused("CR LF in a name", &[("x: a\r\ny", "b")]),
        get_refused("LF in a name", &[("x\ny", "a")]),
        get_refused("NUL in a name", &[("x\0", "a")]),
        get_refused("a letter beyond ASCII in a name", &[("\u{e9}", "a")]),
    ]
}

fn of_the_connection() -> Vec<Case> {
    vec![
        get_refused("connection: close", &[("connection", "close")]),
        get_refused(
            "connection that names a field",
            &[("connection", "x-secret")],
        ),
        get_refused("keep-alive", &[("keep-alive", "timeout=5")]),
        get_refused("proxy-connection", &[("proxy-connection", "keep-alive")]),
        get_refused("upgrade", &[("upgrade", "websocket")]),
        get_refused(
            "transfer-encoding: chunked",
            &[("transfer-encoding", "chunked")],
        ),
        get_refused(
            "transfer-encoding: identity",
            &[("transfer-encoding", "identity")],
        ),
        get_refused(
            "transfer-encoding beside a length",
            &[("content-length", "0"), ("transfer-encoding", "chunked")],
        ),
        Case {
            body: &["0\r\n\r\nGET /b HTTP/1.1\r\nhost: b\r\n\r\n"],
            ..refused(
                "a request behind chunks that are none",
                &post(&[("transfer-encoding", "chunked")]),
            )
        },
        get_refused("te: gzip", &[("te", "gzip")]),
        get_refused("te: trailers and more", &[("te", "trailers, deflate")]),
        with_outcome("te: trailers", &get(&[("te", "trailers")]), AS_EVER),
    ]
}

fn lengths() -> Vec<Case> {
    let lying = |what, length, body| Case {
        body,
        ..refused(what, &post(&[("content-length", length)]))
    };
    let seen = |what, more: &[Field], body, fields| Case {
        body,
        ..with_outcome(
            what,
            &post(more),
            Outcome::Seen {
                method: "POST",
                target: "/",
                fields,
                body: 3,
            },
        )
    };
    vec![
        seen(
            "a true length",
            &[("content-length", "3")],
            &["ab", "c"],
            &[("content-length", &["3"]), ("transfer-encoding", &[])],
        ),
        seen(
            "no length",
            &[],
            &["ab", "c"],
            &[("content-length", &[]), ("transfer-encoding", &["chunked"])],
        ),
        seen(
            "a body that looks like chunks",
            &[],
            &["0\r\n"],
            &[("content-length", &[]), ("transfer-encoding", &["chunked"])],
        ),
        lying("a body shorter than said", "5", &["abc"]),
        lying("a body longer than said", "2", &["abc"]),
        lying("a body longer than said, in parts", "3", &["ab", "cd"]),
        lying("a body where none was said", "0", &["abc"]),
        lying("no body where one was said", "3", &[""]),
        lying(
            "a request behind a body",
            "3",
            &["abcGET /b HTTP/1.1\r\nhost: b\r\n\r\n"],
        ),
        get_refused(
            "a length, and nothing behind it",
            &[("content-length", "1")],
        ),
        get_refused(
            "two lengths",
            &[("content-length", "0"), ("content-length", "1")],
        ),
        Case {
            body: &["abc"],
            ..refused(
                "two lengths, one of them true",
                &post(&[("content-length", "3"), ("content-length", "4")]),
            )
        },
        lying("a list of two lengths", "3, 4", &["abc"]),
        lying("a length with a sign", "+3", &["abc"]),
        lying("a negative length", "-1", &["abc"]),
        lying("a hexadecimal length", "0x3", &["abc"]),
        lying("an empty length", "", &["abc"]),
        lying("a length with a fraction", "3.0", &["abc"]),
        lying(
            "a length that no number holds",
            "18446744073709551619",
            &["abc"],
        ),
    ]
}

fn hosts() -> Vec<Case> {
    let authority = |authority| [METHOD, SCHEME, (":authority", authority), PATH];
    vec![
        get_refused("another host", &[("host", "b.example")]),
        get_refused("another port", &[("host", "www.example.com:8443")]),
        get_refused("an empty host beside an authority", &[("host", "")]),
        get_refused(
            "two hosts, one of them another",
            &[("host", NAME), ("host", "b.example")],
        ),
        // Whether its case counts is left open: it does over HTTP/3 here.
        with_outcome("the same host", &get(&[("host", NAME)]), AS_EVER),
        with_outcome(
            "a host instead of an authority",
            &[METHOD, SCHEME, PATH, ("host", NAME)],
            AS_EVER,
        ),
        refused("neither a host nor an authority", &[METHOD, SCHEME, PATH]),
        refused(
            "two hosts and no authority",
            &[METHOD, SCHEME, PATH, ("host", NAME), ("host", "b")],
        ),
        refused("an empty authority", &authority("")),
        refused(
            "a host behind an empty authority",
            &[&authority("")[..], &[("host", NAME)]].concat(),
        ),
        refused(
            "an empty host and no authority",
            &[METHOD, SCHEME, PATH, ("host", "")],
        ),
        refused("user information", &authority("user@www.example.com")),
        refused(
            "user information with a password",
            &authority("www.example.com:80@b.example"),
        ),
        refused("an authority with a path", &authority("www.example.com/b")),
        refused("an authority with a query", &authority("www.example.com?b")),
        refused("an authority with a space", &authority("www.example.com b")),
        refused(
            "an authority with CR LF",
            &authority("www.example.com\r\nx: y"),
        ),
        refused(
            "an authority with a port that is none",
            &authority("www.example.com:x"),
        ),
        refused(
            "a host with user information",
            &[METHOD, SCHEME, PATH, ("host", "user@www.example.com")],
        ),
    ]
}

fn cookies() -> Vec<Case> {
    vec![
        seen_with(
            "one cookie",
            &[("cookie", "a=1; b=2")],
            &[("cookie", &["a=1; b=2"])],
        ),
        seen_with(
            "cookies in crumbs",
            &[
                ("cookie", "a=1"),
                ("x", "y"),
                ("cookie", "b=2"),
                ("cookie", "c=3; d=4"),
            ],
            &[("cookie", &["a=1; b=2; c=3; d=4"]), ("x", &["y"])],
        ),
        get_refused(
            "CR LF in a crumb",
            &[("cookie", "a=1"), ("cookie", "b=2\r\nx: y")],
        ),
        get_refused(
            "a crumb with a space behind it",
            &[("cookie", "a=1; "), ("cookie", "b=2")],
        ),
    ]
}

fn paths() -> Vec<Case> {
    let path = |path| [METHOD, SCHEME, HOST, (":path", path)];
    let seen = |what, asked, target| {
        let outcome = Outcome::Seen {
            method: "GET",
            target,
            fields: &[("host", &[NAME])],
            body: 0,
        };
        with_outcome(what, &path(asked), outcome)
    };
    vec![
        seen("a path and a query", "/a?b=c&d", "/a?b=c&d"),
        seen("an empty query", "/a?", "/a?"),
        seen("two slashes", "//b.example/c", "//b.example/c"),
        refused("an empty path", &path("")),
        refused("no slash", &path("a")),
        refused("a query alone", &path("?a")),
        refused("an asterisk that is not for OPTIONS", &path("*")),
        refused("an asterisk and more", &path("*a")),
        refused("a whole URI", &path("http://b.example/")),
        refused("a space", &path("/a b")),
        refused("a version", &path("/a HTTP/1.0")),
        refused("CR LF", &path("/ HTTP/1.1\r\nx: y")),
        refused("LF", &path("/a\nb")),
        refused("a tab", &path("/a\tb")),
        refused("NUL", &path("/a\0b")),
        with_outcome(
            "OPTIONS of the whole server",
            &[(":method", "OPTIONS"), SCHEME, HOST, (":path", "*")],
            Outcome::Seen {
                method: "OPTIONS",
                target: "*",
                fields: &[("host", &[NAME])],
                body: 0,
            },
        ),
    ]
}

fn schemes_and_methods() -> Vec<Case> {
    let scheme = |scheme| [METHOD, (":scheme", scheme), HOST, PATH];
    let method = |method| [(":method", method), SCHEME, HOST, PATH];
    vec![
        refused("another scheme", &scheme("ftp")),
        refused("an empty scheme", &scheme("")),
        refused("a scheme with CR LF", &scheme("https\r\nx: y")),
        refused("a scheme with a host", &scheme("https://b.example/")),
        refused("an empty method", &method("")),
        refused("a method with a space", &method("GET /b HTTP/1.1")),
        refused(
            "a method with CR LF",
            &method("GET / HTTP/1.1\r\nx: y\r\n\r\nGET"),
        ),
        refused("a method with a tab", &method("GET\t")),
        refused("a method with NUL", &method("GET\0")),
        with_outcome(
            "a method that nobody knows",
            &method("BREW"),
            Outcome::Seen {
                method: "BREW",
                target: "/",
                fields: &[],
                body: 0,
            },
        ),
    ]
}

fn pseudo_fields() -> Vec<Case> {
    vec![
        refused("no method", &[SCHEME, HOST, PATH]),
        refused("no scheme", &[METHOD, HOST, PATH]),
        refused("no path", &[METHOD, SCHEME, HOST]),
        refused("nothing", &[]),
        refused(
            "two methods",
            &[METHOD, (":method", "POST"), SCHEME, HOST, PATH],
        ),
        refused("a method twice", &[METHOD, METHOD, SCHEME, HOST, PATH]),
        refused(
            "two schemes",
            &[METHOD, SCHEME, (":scheme", "http"), HOST, PATH],
        ),
        refused(
            "two authorities",
            &[METHOD, SCHEME, HOST, (":authority", "b.example"), PATH],
        ),
        refused("two paths", &[METHOD, SCHEME, HOST, PATH, (":path", "/b")]),
        refused(
            "a path after a field",
            &[METHOD, SCHEME, HOST, ("x", "y"), PATH],
        ),
        get_refused(
            "a second path after a field",
            &[("x", "y"), (":path", "/b")],
        ),
        get_refused("an authority after a field", &[("x", "y"), HOST]),
        get_refused("an unknown pseudo-field", &[(":other", "a")]),
        get_refused("a pseudo-field without a name", &[(":", "a")]),
        get_refused("a pseudo-field of answers", &[(":status", "200")]),
        get_refused("a pseudo-field in uppercase", &[(":Path", "/b")]),
        get_refused("a protocol without CONNECT", &[(":protocol", "websocket")]),
    ]
}

fn connect() -> Vec<Case> {
    let connect = (":method", "CONNECT");
    let to = (":authority", "www.example.com:443");
    vec![
        refused("CONNECT to anywhere", &[connect, to]),
        refused("CONNECT to nowhere", &[connect]),
        refused("CONNECT with a path", &[connect, to, PATH]),
        refused("CONNECT with a scheme", &[connect, to, SCHEME]),
        refused(
            "CONNECT with a scheme and a path",
            &[connect, SCHEME, HOST, PATH],
        ),
        refused(
            "CONNECT with user information",
            &[connect, (":authority", "a@b:443")],
        ),
        refused(
            "CONNECT with CR LF",
            &[connect, (":authority", "a:443\r\nx: y")],
        ),
        refused(
            "a protocol that nobody knows",
            &[connect, (":protocol", "connect-udp"), SCHEME, HOST, PATH],
        ),
        refused(
            "a protocol without a path",
            &[connect, (":protocol", "websocket"), SCHEME, HOST],
        ),
        refused(
            "a protocol without a scheme",
            &[connect, (":protocol", "websocket"), HOST, PATH],
        ),
        refused(
            "two protocols",
            &[
                connect,
                (":protocol", "websocket"),
                (":protocol", "websocket"),
                SCHEME,
                HOST,
                PATH,
            ],
        ),
    ]
}

fn trailers() -> Vec<Case> {
    let behind = |what, trailers| Case {
        body: &["abc"],
        trailers,
        ..refused(what, &post(&[]))
    };
    vec![
        Case {
            outcome: Outcome::Seen {
                method: "POST",
                target: "/",
                fields: &[("x-after", &[]), ("transfer-encoding", &["chunked"])],
                body: 3,
            },
            ..behind("trailers", &[("x-after", "a")])
        },
        behind("CR LF in a trailer", &[("x", "a\r\n\r\nGET /b HTTP/1.1")]),
        behind("an uppercase letter in a trailer", &[("X", "a")]),
        behind("connection as a trailer", &[("connection", "close")]),
        behind(
            "transfer-encoding as a trailer",
            &[("transfer-encoding", "chunked")],
        ),
        Case {
            fields: post(&[("content-length", "5")]),
            ..behind("trailers before the length is full", &[("x", "a")])
        },
    ]
}
