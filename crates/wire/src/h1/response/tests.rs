//! Raw bytes in, verdict out; each also byte by byte.

use super::parse_response;
use crate::h1::{FieldStorage, Framing, Limits, ResponseHead, Version};

const LIMITS: Limits = Limits {
    max_head: 1024,
    max_target: 0,
    max_fields: 10,
};

fn verdict(input: &[u8], to_head: bool) -> String {
    let mut storage = FieldStorage::new();
    match parse_response(input, &mut storage, &LIMITS, to_head) {
        Ok(Some(head)) => facts(&head),
        Ok(None) => "partial".to_owned(),
        Err(error) => format!("{} {}", error.status(), error.reason()),
    }
}

fn facts(head: &ResponseHead<'_, '_>) -> String {
    let version = match head.version {
        Version::Http10 => "1.0",
        Version::Http11 => "1.1",
    };
    let framing = match head.framing {
        Framing::None => "none".to_owned(),
        Framing::Length(length) => length.to_string(),
        Framing::Chunked => "chunked".to_owned(),
        Framing::UntilClose => "until-close".to_owned(),
    };
    let persistent = if head.persistent { "keep" } else { "close" };
    let mut line = format!(
        "{version} {} ({}) {framing} {persistent}",
        head.status, head.reason
    );
    if let Some(protocol) = head.upgrade {
        line.push_str(" upgrade=");
        line.push_str(protocol);
    }
    line
}

fn check(input: &[u8], to_head: bool, expected: &str) {
    let shown = String::from_utf8_lossy(input).into_owned();
    assert_eq!(verdict(input, to_head), expected, "{shown:?}");
    let mut decided = "partial".to_owned();
    for len in 0..=input.len() {
        let so_far = verdict(&input[..len], to_head);
        if decided == "partial" {
            decided = so_far;
        } else {
            assert_eq!(so_far, decided, "{shown:?} at {len}");
        }
    }
    assert_eq!(decided, expected, "{shown:?} byte by byte");
}

#[test]
fn accepted() {
    let table = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "1.1 200 (OK) 5 keep",
        ),
        (
            "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\n",
            "1.1 200 (OK) 5 keep",
        ),
        ("HTTP/1.9 204\r\nA: b\r\n\r\n", "1.1 204 () none keep"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "1.1 200 (OK) 0 keep",
        ),
        (
            "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n",
            "1.1 200 () 5 keep",
        ),
        (
            "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n",
            "1.1 200 () 5 keep",
        ),
        (
            "HTTP/1.1 404 Not Found at all\r\nContent-Length: 5\r\n\r\n",
            "1.1 404 (Not Found at all) 5 keep",
        ),
        (
            "HTTP/1.1 200 \u{e9}\r\nContent-Length: 5\r\n\r\n",
            "1.1 200 () 5 keep",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1.1 200 (OK) chunked keep",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n",
            "1.1 200 (OK) chunked close",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", "1.1 200 (OK) until-close close"),
        (
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n",
            "1.1 200 (OK) until-close close",
        ),
        ("HTTP/1.0 200 OK\r\n\r\n", "1.0 200 (OK) until-close close"),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
            "1.0 200 (OK) 5 close",
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
            "1.0 200 (OK) 5 keep",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n",
            "1.1 204 (No Content) none keep",
        ),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "1.1 204 (No Content) none keep",
        ),
        (
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "1.1 204 (No Content) none close",
        ),
        (
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1.1 204 (No Content) none close",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "1.1 304 (Not Modified) none keep",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            "1.1 304 (Not Modified) none keep",
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\n",
            "1.1 100 (Continue) none keep",
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
            "1.1 103 (Early Hints) none keep",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "1.1 101 (Switching Protocols) none keep upgrade=websocket",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "1.1 101 (Switching Protocols) none keep",
        ),
        (
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
            "1.1 205 (Reset Content) 0 keep",
        ),
        (
            "HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n",
            "1.1 599 (x) 0 keep",
        ),
    ];
    for (input, expected) in table {
        check(input.as_bytes(), false, expected);
    }
    let to_head = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "1.1 200 (OK) none keep",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1.1 200 (OK) none keep",
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", "1.1 200 (OK) none keep"),
        ("HTTP/1.0 200 OK\r\n\r\n", "1.0 200 (OK) none close"),
    ];
    for (input, expected) in to_head {
        check(input.as_bytes(), true, expected);
    }
}

#[test]
fn partial() {
    for input in [
        "",
        "H",
        "HTTP/1.1",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r",
    ] {
        check(input.as_bytes(), false, "partial");
    }
}

#[test]
fn refused() {
    let table: &[(&[u8], &str)] = &[
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "502 status-line"),
        (b"\nHTTP/1.1 200 OK\r\n\r\n", "502 status-line"),
        (b" HTTP/1.1 200 OK\r\n\r\n", "502 status-line"),
        (b"<html>", "502 status-line"),
        (b"http/1.1 200 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/0.9 200 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.2\r\n\r\n", "502 status-line"),
        (b"HTTP/1.20 200 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.2 600 OK\r\n\r\n", "502 status"),
        (b"HTTP/1.2 200 OK\n\r\n", "502 line-end"),
        (b"HTTP/1.2 200 OK\r\nA : b\r\n\r\n", "502 space-before-colon"),
        (b"HTTP/01.1 200 OK\r\n\r\n", "502 status-line"),
        (b"ICY 200 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1 +20 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1\t200 OK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1 200 O\0K\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1 200 O\rK\r\n\r\n", "502 status-line"),
        (b"HTTP/1.1 000 x\r\n\r\n", "502 status"),
        (b"HTTP/1.1 099 x\r\n\r\n", "502 status"),
        (b"HTTP/1.1 600 x\r\n\r\n", "502 status"),
        (b"HTTP/1.1 999 x\r\n\r\n", "502 status"),
        (b"HTTP/1.1 200 OK\n\n", "502 line-end"),
        (b"HTTP/1.1 200\nA: b\r\n\r\n", "502 line-end"),
        (b"HTTP/1.1 200 OK\r\nA: b\n\r\n", "502 line-end"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\n", "502 line-end"),
        (b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "502 line-end"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "502 folded-line"),
        (b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "502 folded-line"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "502 space-before-colon"),
        (b"HTTP/1.1 200 OK\r\nA B: b\r\n\r\n", "502 space-before-colon"),
        (b"HTTP/1.1 200 OK\r\n: b\r\n\r\n", "502 field-name"),
        (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", "502 field-value"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "502 content-length-repeated"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "502 content-length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "502 content-length"),
        (b"HTTP/1.1 304 x\r\nContent-Length: x\r\n\r\n", "502 content-length"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "502 length-and-transfer-encoding",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "502 transfer-coding-unknown"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "502 transfer-encoding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "502 transfer-encoding"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "502 transfer-encoding-http10"),
        (
            b"HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\nA: 7\r\nA: 8\r\nA: 9\r\nA: a\r\nA: b\r\n\r\n",
            "502 too-many-fields",
        ),
    ];
    for (input, expected) in table {
        check(input, false, expected);
    }
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(2000));
    check(long.as_bytes(), false, "502 head-too-long");
}

#[test]
fn what_is_passed_on() {
    let table = [
        (
            "200",
            "Content-Length: 5\r\nA: b\r\nConnection: close\r\n",
            "Content-Length: 5\r\nA: b\r\n",
        ),
        ("204", "Content-Length: 5\r\nA: b\r\n", "A: b\r\n"),
        (
            "103",
            "A: b\r\nContent-Length: 0\r\nC: d\r\n",
            "A: b\r\nC: d\r\n",
        ),
        (
            "304",
            "Content-Length: 5\r\nKeep-Alive: 3\r\n",
            "Content-Length: 5\r\n",
        ),
        ("200", "", ""),
    ];
    for (status, fields, expected) in table {
        let input = format!("HTTP/1.1 {status} x\r\n{fields}\r\nrest");
        let mut storage = FieldStorage::new();
        let head = parse_response(input.as_bytes(), &mut storage, &LIMITS, false)
            .unwrap()
            .unwrap();
        let mut out = Vec::new();
        head.fields.write_kept(&mut out, |_| true);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{input:?}");
        assert_eq!(head.len, input.len() - 4);
    }
}
