//! An HTTP server that says what it received, and by which name.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::accept::{AcceptLoop, Connections};
use crate::message::{Head, MessageReader, ReadError, Response, StartLine, request_framing};

/// A keep-alive HTTP/1.1 server on a free loopback port.
///
/// It answers every request with a JSON [`EchoReply`], except that the last segments of the path choose another answer:
///
/// | path ends in | answer |
/// |---|---|
/// | `/status/503` | that status, and the reply as body |
/// | `/bytes/1000` | that many bytes of [`pattern`], by content-length |
/// | `/chunked/1000` | the same, chunked, with a trailer `x-digest` that holds their [`digest`] in hex |
///
/// A request with `Expect: 100-continue` is told to go on.
#[derive(Debug)]
pub struct EchoServer {
    accepting: AcceptLoop,
    requests: Arc<AtomicUsize>,
}

/// What the server received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoReply {
    /// The server's name.
    pub server: String,
    /// Number of the connection that the request came on, counted from 0.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The target as received.
    pub target: String,
    /// The version as received.
    pub version: String,
    /// Every field, in order, names as received.
    pub fields: Vec<(String, String)>,
    /// Length of the body without its framing.
    pub body_length: u64,
    /// [`digest`] of the body.
    pub body_digest: u64,
    /// Trailers of the request.
    pub trailers: Vec<(String, String)>,
}

impl EchoReply {
    /// Reads the reply out of a response.
    pub fn from_response(response: &Response) -> Self {
        serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("no echo ({error}): {response:?}"))
    }

    /// The values of every field with this name, in order.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let named = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        let fields = self.fields.iter().filter(named);
        fields.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of the only field with this name; `None` when there is none. Panics when there are several.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.fields(name);
        assert!(values.len() < 2, "`{name}` came {} times", values.len());
        values.first().copied()
    }
}

impl EchoServer {
    /// Starts a server that calls itself `name`.
    pub fn start(name: &str) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let accepting = AcceptLoop::start({
            let (name, requests) = (name.to_owned(), requests.clone());
            move |stream, connection| {
                // A client may leave at any time; what it was sent is its own test's to check.
                let _ = Echo {
                    name: &name,
                    connection,
                    requests: &requests,
                }
                .serve(&stream);
            }
        });
        Self {
            accepting,
            requests,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.accepting.address()
    }

    /// Its connections in numbers.
    pub fn connections(&self) -> &Connections {
        self.accepting.connections()
    }

    /// Requests read to their end.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Closes the listener and all connections: from now on connecting is refused.
    pub fn die(&mut self) {
        self.accepting.stop();
    }
}

/// FNV-1a over bytes, 64 bits: tells equal bodies from unequal ones, nothing more.
pub fn digest(bytes: &[u8]) -> u64 {
    add_to_digest(DIGEST_START, bytes)
}

/// `length` bytes whose every run of 251 differs from the next, so that lost, doubled or swapped pieces are seen.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| u8::try_from((index + index / 251 * 7) % 251).expect("below 251"))
        .collect()
}

struct Echo<'a> {
    name: &'a str,
    connection: usize,
    requests: &'a AtomicUsize,
}

impl Echo<'_> {
    fn serve(&self, mut stream: &TcpStream) -> Result<(), ReadError> {
        use std::io::Write;
        let mut reader = MessageReader::default();
        loop {
            let head = reader.head(&mut stream)?;
            if head
                .fields("expect")
                .iter()
                .any(|value| value.eq_ignore_ascii_case("100-continue"))
            {
                stream
                    .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                    .map_err(ReadError::Io)?;
            }
            let (mut length, mut sum) = (0, DIGEST_START);
            let trailers = reader.body(&mut stream, request_framing(&head)?, |bytes| {
                length += bytes.len() as u64;
                sum = add_to_digest(sum, bytes);
            })?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            let answer = self.answer(&head, length, sum, trailers)?;
            stream.write_all(&answer).map_err(ReadError::Io)?;
            if head
                .fields("connection")
                .iter()
                .any(|value| value.eq_ignore_ascii_case("close"))
            {
                return Ok(());
            }
        }
    }

    fn answer(
        &self,
        head: &Head,
        body_length: u64,
        body_digest: u64,
        trailers: Vec<(String, String)>,
    ) -> Result<Vec<u8>, ReadError> {
        let StartLine::Request {
            method,
            target,
            version,
        } = head.start.clone()
        else {
            return Err(ReadError::Malformed("a response as a request".into()));
        };
        let path = target.split('?').next().unwrap_or_default();
        let mut segments = path.rsplit('/');
        let number = segments.next().and_then(|last| last.parse::<u32>().ok());
        let kind = segments.next().unwrap_or_default();
        let bodiless = method == "HEAD";
        if let ("bytes" | "chunked", Some(length)) = (kind, number) {
            let body = pattern(length as usize);
            return Ok(if kind == "chunked" {
                chunked(&body, bodiless)
            } else {
                plain(200, "application/octet-stream", &body, bodiless)
            });
        }
        let status = if kind == "status" {
            number.unwrap_or(200)
        } else {
            200
        };
        let reply = EchoReply {
            server: self.name.to_owned(),
            connection: self.connection,
            method,
            target,
            version,
            fields: head.fields.clone(),
            body_length,
            body_digest,
            trailers,
        };
        let body = serde_json::to_vec(&reply).expect("texts and numbers");
        Ok(plain(status, "application/json", &body, bodiless))
    }
}

fn plain(status: u32, content_type: &str, body: &[u8], bodiless: bool) -> Vec<u8> {
    let length = body.len();
    let mut bytes = match status {
        204 | 304 => return format!("HTTP/1.1 {status} Echo\r\n\r\n").into_bytes(),
        _ => format!("HTTP/1.1 {status} Echo\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"),
    }
    .into_bytes();
    if !bodiless {
        bytes.extend_from_slice(body);
    }
    bytes
}

fn chunked(body: &[u8], bodiless: bool) -> Vec<u8> {
    let mut bytes =
        b"HTTP/1.1 200 Echo\r\nTransfer-Encoding: chunked\r\nTrailer: x-digest\r\n\r\n".to_vec();
    if bodiless {
        return bytes;
    }
    for chunk in body.chunks(CHUNK) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("0\r\nx-digest: {:016x}\r\n\r\n", digest(body)).as_bytes());
    bytes
}

fn add_to_digest(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

const DIGEST_START: u64 = 0xcbf2_9ce4_8422_2325;
/// Odd, so that chunks never end where buffers do.
const CHUNK: usize = 1021;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::RawClient;

    #[test]
    fn a_request_comes_back_as_it_was() {
        let server = EchoServer::start("a");
        let mut client = RawClient::connect(server.address());
        client.send("POST /x?y=1 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n");
        let reply = EchoReply::from_response(&client.response("POST"));
        assert_eq!(
            (reply.server.as_str(), reply.target.as_str()),
            ("a", "/x?y=1")
        );
        assert_eq!(reply.fields("x-a"), ["1", "2"]);
        assert_eq!((reply.body_length, reply.body_digest), (3, digest(b"abc")));
        assert_eq!(reply.trailers, [("T".into(), "u".into())]);
        assert_eq!((server.requests(), server.connections().accepted()), (1, 1));
    }

    #[test]
    fn the_path_chooses_the_answer() {
        let server = EchoServer::start("a");
        let mut client = RawClient::connect(server.address());
        client.send("GET /status/503 HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response("GET").status, 503);
        client.send("GET /any/bytes/70000 HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response("GET").body, pattern(70_000));
        client.send("GET /chunked/5000 HTTP/1.1\r\nHost: h\r\n\r\n");
        let response = client.response("GET");
        assert_eq!(response.body, pattern(5000));
        let sum = format!("{:016x}", digest(&response.body));
        assert_eq!(response.trailers, [("x-digest".into(), sum)]);
        client.send("HEAD /bytes/9 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert_eq!(client.response("HEAD").field("content-length"), Some("9"));
        assert!(client.is_closed_without_a_byte());
    }

    #[test]
    fn a_client_that_expects_is_told_to_go_on() {
        let server = EchoServer::start("a");
        let mut client = RawClient::connect(server.address());
        client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
        assert!(
            client
                .head()
                .expect("an interim head")
                .raw
                .starts_with(b"HTTP/1.1 100")
        );
        client.send("x");
        assert_eq!(
            EchoReply::from_response(&client.response("POST")).body_length,
            1
        );
    }

    #[test]
    fn the_pattern_shows_swapped_pieces() {
        let bytes = pattern(1000);
        assert_ne!(bytes[0..251], bytes[251..502]);
        assert_ne!(digest(b"ab"), digest(b"ba"));
    }
}
