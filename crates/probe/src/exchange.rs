//! A request and its answer, in the form of HTTP/1.1.

use std::fmt;
use std::future::poll_fn;
use std::io;

use sluice_net::Stream;
use sluice_telemetry::metrics::CheckOutcome;
use sluice_wire::h1::{Chunks, Decoder, FieldStorage, Limits, Step, parse_response};

use crate::failure::Failure;
use crate::way::send;

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of the head, then of the trailers: names in lower case, and values.
    pub(crate) fields: Vec<(String, String)>,
    /// Its first [`MOST_BODY`] bytes.
    pub(crate) body: Vec<u8>,
    /// Whether there is more of the body.
    pub(crate) is_cut: bool,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Sends a whole request, and receives its final answer.
pub(crate) async fn exchange(
    stream: &mut Stream,
    request: &[u8],
    is_head: bool,
) -> Result<Answer, Failure> {
    let mut received = Vec::new();
    // Whoever answers before it has read everything may well close: what it said counts.
    let sent = send(stream, request).await;
    let (mut answer, mut decoder) = loop {
        if let Some((len, answer, decoder)) = head(&received, is_head)? {
            received.drain(..len);
            if answer.status >= 200 {
                break (answer, decoder);
            }
            if answer.status == 101 {
                return Err(invalid(&"it switches protocols unasked"));
            }
            continue;
        }
        if receive(stream, &mut received).await? == 0 {
            sent?;
            let reason = if received.is_empty() {
                "closed without an answer"
            } else {
                "closed within the head of its answer"
            };
            return Err(Failure::new(CheckOutcome::Closed, reason));
        }
    };
    loop {
        let used = match decoder.decode(&received).map_err(|error| invalid(&error))? {
            Step::Forward(used) => {
                let room = MOST_BODY - answer.body.len();
                let part = received.get(..used.min(room)).unwrap_or_default();
                answer.body.extend_from_slice(part);
                if used > room {
                    answer.is_cut = true;
                    return Ok(answer);
                }
                used
            }
            Step::Skip(used) | Step::Trailers(used) => used,
            Step::Done => {
                answer.fields.extend(trailers(decoder.trailers()));
                return Ok(answer);
            }
            Step::NeedMore => {
                received.clear();
                if receive(stream, &mut received).await? == 0 {
                    let whole = decoder.finish();
                    whole.map_err(|error| Failure::new(CheckOutcome::Closed, error.to_string()))?;
                    return Ok(answer);
                }
                continue;
            }
        };
        received.drain(..used);
    }
}

/// The head of an answer, where it is whole, and its length.
fn head(received: &[u8], is_head: bool) -> Result<Option<(usize, Answer, Decoder)>, Failure> {
    let mut storage = FieldStorage::new();
    let parsed = parse_response(received, &mut storage, &Limits::default(), is_head);
    let Some(head) = parsed.map_err(|error| invalid(&error))? else {
        return Ok(None);
    };
    let fields = head.fields.iter().map(|field| {
        let value = String::from_utf8_lossy(field.value).into_owned();
        (field.name.to_ascii_lowercase(), value)
    });
    let answer = Answer {
        status: head.status,
        fields: fields.collect(),
        ..Answer::default()
    };
    let decoder = Decoder::new(head.framing, Chunks::Removed);
    Ok(Some((head.len, answer, decoder)))
}

fn trailers(section: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(section);
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    text.split("\r\n").filter_map(field).collect()
}

/// Appends what comes next; how much that is.
async fn receive(stream: &mut Stream, received: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let count = poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await?;
    received.extend_from_slice(buffer.get(..count).unwrap_or_default());
    Ok(count)
}

fn invalid(why: &dyn fmt::Display) -> Failure {
    Failure::new(CheckOutcome::Protocol, format!("not HTTP: {why}"))
}

/// How much of a body is read.
const MOST_BODY: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use sluice_net::connect::{Destination, Source, connect};

    use super::*;

    /// What is made of these bytes, after which the server closes.
    fn answered(is_head: bool, answer: &[u8]) -> Result<Answer, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut request = [0; 4];
                stream.read_exact(&mut request).expect("the request");
                assert_eq!(&request, b"ask\n");
                for part in answer.chunks(1_000) {
                    if stream.write_all(part).is_err() {
                        // Enough was read.
                        return;
                    }
                }
            });
            runtime.block_on(async {
                let destination = Destination::Ip(address);
                let connected = connect(&destination, Source::Any, None).await;
                let mut stream = Stream::from(connected.expect("a connection"));
                exchange(&mut stream, b"ask\n", is_head).await
            })
        })
    }

    #[test]
    fn interim_answers_are_passed_over_and_trailers_are_fields() {
        let bytes = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n\
            5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nGrpc-Status: 0\r\n\r\n";
        let answer = answered(false, bytes).expect("an answer");
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"hello world"[..])
        );
        assert_eq!(answer.field("x-a"), Some("b"));
        assert_eq!(answer.field("grpc-status"), Some("0"));
        assert_eq!(answer.field("link"), None);
        assert!(!answer.is_cut);
    }

    #[test]
    fn bodies_end_as_their_framing_says() {
        let body = |head: bool, answer: &str| {
            let answer = answered(head, answer.as_bytes());
            answer
                .map(|answer| answer.body)
                .map_err(|failure| failure.outcome)
        };
        assert_eq!(
            body(false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore"),
            Ok(b"ok".to_vec())
        );
        assert_eq!(
            body(false, "HTTP/1.0 200 OK\r\n\r\nto the end"),
            Ok(b"to the end".to_vec())
        );
        assert_eq!(
            body(true, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            Ok(Vec::new())
        );
        for cut in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ] {
            assert_eq!(body(false, cut), Err(CheckOutcome::Closed), "{cut}");
        }
        for wrong in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx",
        ] {
            assert_eq!(body(false, wrong), Err(CheckOutcome::Protocol), "{wrong}");
        }
    }

    #[test]
    fn no_more_than_so_much_is_read() {
        let long = |length: usize| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let bytes = [head.as_bytes(), &vec![b'x'; length]].concat();
            answered(false, &bytes).expect("an answer")
        };
        let most = long(MOST_BODY);
        assert_eq!((most.body.len(), most.is_cut), (MOST_BODY, false));
        let more = long(MOST_BODY + 1);
        assert_eq!((more.body.len(), more.is_cut), (MOST_BODY, true));
        assert!(long(8 * MOST_BODY).is_cut);
    }
}
