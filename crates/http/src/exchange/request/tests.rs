use http::Request;
use http::request::Builder;

use super::*;

/// `:protocol`, as a request brings it.
#[derive(Clone, Copy)]
struct Protocol(&'static str);

fn get(uri: &str) -> Builder {
    Request::get(uri)
}

fn composed(builder: Builder, has_body: bool) -> Result<(RequestBody, String), Refusal> {
    let (parts, ()) = builder.body(()).expect("a request").into_parts();
    let mut out = Vec::new();
    let request = RequestHead {
        parts: &parts,
        protocol: parts
            .extensions
            .get::<Protocol>()
            .map(|protocol| protocol.0),
        has_body,
    };
    let body = compose_head(request, "KEY", &mut out)?;
    Ok((body, String::from_utf8(out).expect("text")))
}

#[test]
fn heads() {
    let table: Vec<(Builder, bool, RequestBody, &str)> = vec![
        (
            get("http://a/b?c=d"),
            false,
            RequestBody::None,
            "GET /b?c=d HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            get("https://a:8443/").header("x-y", "z").header("x-y", ""),
            false,
            RequestBody::None,
            "GET / HTTP/1.1\r\nhost: a:8443\r\nx-y: z\r\nx-y: \r\n\r\n",
        ),
        (
            get("http://a/")
                .header("cookie", "a=1")
                .header("cookie", "b=2")
                .header("x", "y")
                .header("cookie", "c=3"),
            false,
            RequestBody::None,
            "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\ncookie: a=1; b=2; c=3\r\n\r\n",
        ),
        (
            get("/only-path").header("host", "b"),
            false,
            RequestBody::None,
            "GET /only-path HTTP/1.1\r\nhost: b\r\n\r\n",
        ),
        (
            get("http://a/").header("host", "A"),
            false,
            RequestBody::None,
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        // Both are written: the parser refuses that.
        (
            get("http://a/").header("host", "b"),
            false,
            RequestBody::None,
            "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        ),
        (
            Request::post("http://a/"),
            false,
            RequestBody::None,
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            Request::post("http://a/").header("content-length", "5"),
            true,
            RequestBody::AsIs,
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n",
        ),
        (
            Request::post("http://a/").header("te", "trailers"),
            true,
            RequestBody::Chunked,
            "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            Request::options("*").header("host", "a"),
            false,
            RequestBody::None,
            "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n",
        ),
        (
            Request::connect("a:443"),
            true,
            RequestBody::Chunked,
            "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            Request::connect("http://a/chat")
                .extension(Protocol("websocket"))
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "not this one"),
            true,
            RequestBody::Tunnel,
            "GET /chat HTTP/1.1\r\nhost: a\r\nsec-websocket-version: 13\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-key: KEY\r\n\r\n",
        ),
    ];
    for (builder, has_body, body, head) in table {
        assert_eq!(composed(builder, has_body), Ok((body, head.to_owned())));
    }
}

#[test]
fn refused() {
    for value in [" a", "a ", "\ta", "a\t", " "] {
        let request = get("http://a/").header("x", value);
        assert_eq!(
            composed(request, false),
            Err(Refusal::Malformed),
            "{value:?}"
        );
    }
    assert_eq!(composed(get("ftp://a/"), false), Err(Refusal::Malformed));
    let request = Request::connect("http://a/").extension(Protocol("connect-udp"));
    assert_eq!(composed(request, true), Err(Refusal::Protocol));
}
