//! Requests that are refused, and the status and reason of each.

use super::check;

#[test]
fn refused_lines_and_words() {
    let table: &[(&[u8], &str)] = &[
        // Before the request.
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end"),
        (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end"),
        (b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 line-end"),
        (
            b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 empty-lines",
        ),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"\tGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        // Methods.
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GET\r\n / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (b"GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n", "400 method"),
        (
            b"A23456789B23456789C23456789D23456 / HTTP/1.1\r\nHost: a\r\n\r\n",
            "400 method",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            "400 method",
        ),
        // Targets.
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET \t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\x80b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET /\r\n", "400 target"),
        (b"GET /\n", "400 target"),
        (b"GET \r\n\r\n", "400 target"),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        (b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", "400 target"),
        // Versions.
        (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400 line-end"),
        (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "400 line-end"),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / Http/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1,1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/11.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / ICAP/1.0\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", "400 version"),
        (
            b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (b"GET / HTTP/2\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/01.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1.01\r\nHost: a\r\n\r\n", "400 line-end"),
        (b"GET / HTTP/2.00\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/2.x\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/x.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/.1\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/3.7 \r\nHost: a\r\n\r\n", "400 version"),
        (
            b"GET / HTTP/3.7\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        // Versions that count as 1.1.
        (b"GET / HTTP/1.2 \r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1.20\r\nHost: a\r\n\r\n", "400 version"),
        (b"GET / HTTP/1.2\nHost: a\r\n\r\n", "400 line-end"),
        (b"GET / HTTP/1.2\rHost: a\r\n\r\n", "400 line-end"),
        (b"GET / HTTP/1.2\r\nHost: a\n\r\n", "400 line-end"),
        (
            b"GET / HTTP/1.2\r\nHost : a\r\n\r\n",
            "400 space-before-colon",
        ),
        (b"GET / HTTP/1.2\r\n\r\n", "400 host-missing"),
        (
            b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (
            b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
            "505 version-unsupported",
        ),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "505 version-unsupported",
        ),
        (b"GET / HTTP/1.1\nHost: a\n\n", "400 line-end"),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", "400 line-end"),
        (b"GET / HTTP/1.1\0\r\nHost: a\r\n\r\n", "400 line-end"),
    ];
    for (input, expected) in table {
        check(input, expected);
    }
}

#[test]
fn refused_fields() {
    // Behind `GET / HTTP/1.1\r\n`.
    let table: &[(&[u8], &str)] = &[
        // Line ends and folding.
        (b"Host: a\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\n\r\n", "400 line-end"),
        (b"Host: a\r\n\n", "400 line-end"),
        (b"Host: a\nX: 1\r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\r\n\r\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\rY: 2\r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\r\r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX:\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: \n\r\n", "400 line-end"),
        (b"Host: a\r\nX:\r \r\n\r\n", "400 line-end"),
        (b"Host: a\r\nX: 1\r\n 2\r\n\r\n", "400 folded-line"),
        (b"Host: a\r\nX: 1\r\n\t2\r\n\r\n", "400 folded-line"),
        (b"Host: a\r\nX:\r\n 2\r\n\r\n", "400 folded-line"),
        (b" Host: a\r\n\r\n", "400 folded-line"),
        (b"\tHost: a\r\n\r\n", "400 folded-line"),
        (b"Host: a\r\n \r\n\r\n", "400 folded-line"),
        // Names.
        (b"Host : a\r\n\r\n", "400 space-before-colon"),
        (b"Host\t: a\r\n\r\n", "400 space-before-colon"),
        (b"Host: a\r\nContent-Length : 5\r\n\r\n", "400 space-before-colon"),
        (b"Host: a\r\nX\r\n\r\n", "400 field-name"),
        (b"Host: a\r\n: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX Y: 1\r\n\r\n", "400 space-before-colon"),
        (b"Host: a\r\nX\0: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX\x0b: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\n\x0bX: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\n\"X\": 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX(: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX\xff: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nX\xc3\xa9: 1\r\n\r\n", "400 field-name"),
        (b"Host: a\r\nGET / HTTP/1.1\r\n\r\n", "400 space-before-colon"),
        // Values.
        (b"Host: a\r\nX: 1\0\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: \x01\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: \x0b1\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: 1\x0c2\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: \x1b[0m\r\n\r\n", "400 field-value"),
        (b"Host: a\r\nX: 1\x7f\r\n\r\n", "400 field-value"),
        // Host.
        (b"\r\n", "400 host-missing"),
        (b"X: 1\r\n\r\n", "400 host-missing"),
        (b"Host: a\r\nHost: a\r\n\r\n", "400 host-repeated"),
        (b"Host: a\r\nX: 1\r\nhOST: b\r\n\r\n", "400 host-repeated"),
        (b"Host:\r\n\r\n", "400 host"),
        (b"Host:  \r\n\r\n", "400 host"),
        (b"Host: a b\r\n\r\n", "400 host"),
        (b"Host: u@a\r\n\r\n", "400 host"),
        (b"Host: a:b\r\n\r\n", "400 host"),
        (b"Host: a:65536\r\n\r\n", "400 host"),
        (b"Host: a/b\r\n\r\n", "400 host"),
        (b"Host: http://a\r\n\r\n", "400 host"),
        (b"Host: ::1\r\n\r\n", "400 host"),
        (b"Host: [::1\r\n\r\n", "400 host"),
        (b"Host: \xc3\xa9\r\n\r\n", "400 host"),
        // Framing.
        (b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400 length-and-transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", "400 length-and-transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n", "400 length-and-transfer-encoding"),
        (b"Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400 content-length-repeated"),
        (b"Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "400 content-length-repeated"),
        (b"Host: a\r\nContent-Length: 5, 5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 5,6\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length:\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: +5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: -5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 0x5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 5 5\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: five\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 18446744073709551621\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nContent-Length: 9223372036854775808\r\n\r\n", "400 content-length"),
        (b"Host: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding:\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: ,chunked\r\n\r\n", "400 transfer-encoding"),
        (b"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 transfer-coding-unknown"),
        (b"Host: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n", "501 transfer-coding-unknown"),
        // Connection.
        (b"Host: a\r\nConnection: \"close\"\r\n\r\n", "400 connection-options"),
        (b"Host: a\r\nConnection: close keep-alive\r\n\r\n", "400 connection-options"),
        (b"Host: a\r\nConnection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,1,2,3,4,5,6,7\r\n\r\n", "400 connection-options"),
    ];
    for (fields, expected) in table {
        let mut input = b"GET / HTTP/1.1\r\n".to_vec();
        input.extend_from_slice(fields);
        check(&input, expected);
    }
    check(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "400 transfer-encoding-http10",
    );
}
