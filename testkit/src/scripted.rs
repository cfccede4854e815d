//! A server that does exactly what it is told, and remembers every byte it was sent.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use socket2::SockRef;

use crate::accept::{AcceptLoop, Connections};
use crate::message::{MessageReader, ReadError, request_framing};
use crate::script::{Script, Step};
use crate::wait::wait_for;

/// A TCP server on a free loopback port that follows one script for each connection.
///
/// ```
/// use testkit::{RawClient, Script, ScriptedServer};
/// let server = ScriptedServer::start([Script::ok("hello")]);
/// let mut client = RawClient::connect(server.address());
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// assert_eq!(client.response("GET").text(), "hello");
/// assert_eq!(server.received(0), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// ```
#[derive(Debug)]
pub struct ScriptedServer {
    accepting: AcceptLoop,
    records: Arc<Mutex<Vec<Record>>>,
}

/// What happened on one connection.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Every byte that the server read.
    pub received: Vec<u8>,
    /// How many times a request was read to its end.
    pub requests: usize,
    /// How it ended; `None` while it runs.
    pub end: Option<End>,
}

/// How a connection's script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After its last step.
    Done,
    /// The client closed before the script was through.
    ClientClosed,
    /// The client reset the connection.
    ClientReset,
    /// A step failed in another way: a deadline, or bytes that are no request.
    Failed,
}

impl ScriptedServer {
    /// The first connection follows the first script and so on; the last script serves all that follow.
    pub fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let scripts: Vec<_> = scripts.into_iter().collect();
        assert!(!scripts.is_empty(), "at least one script");
        let records = Arc::new(Mutex::new(Vec::<Record>::new()));
        let accepting = AcceptLoop::start({
            let records = records.clone();
            move |stream, number| {
                let script = scripts.get(number).or(scripts.last());
                let script = script.expect("at least one script");
                let end = Follower::new(&stream, number, &records).follow(script);
                change(&records, number, |record| record.end = Some(end));
            }
        });
        Self { accepting, records }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.accepting.address()
    }

    /// Its connections in numbers.
    pub fn connections(&self) -> &Connections {
        self.accepting.connections()
    }

    /// What happened so far on each connection, in the order accepted.
    pub fn records(&self) -> Vec<Record> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The bytes read so far on the connection with this number, counted from 0; empty if there is none.
    pub fn received(&self, number: usize) -> Vec<u8> {
        let mut records = self.records();
        if number < records.len() {
            records.swap_remove(number).received
        } else {
            Vec::new()
        }
    }

    /// Everything read so far, on all connections.
    pub fn received_in_all(&self) -> Vec<u8> {
        self.records()
            .into_iter()
            .flat_map(|record| record.received)
            .collect()
    }

    /// Requests read to their end, on all connections.
    pub fn requests(&self) -> usize {
        self.records().iter().map(|record| record.requests).sum()
    }

    /// Waits for the connection with this number to end: its script has, and it is closed.
    #[track_caller]
    pub fn wait_for_end(&self, number: usize) -> Record {
        wait_for(&format!("connection {number} to end"), || {
            let record = self.records().into_iter().nth(number)?;
            (record.end.is_some() && self.accepting.is_closed(number)).then_some(record)
        })
    }

    /// Waits until the connection with this number has received `bytes` somewhere in what it was sent.
    #[track_caller]
    pub fn wait_for_received(&self, number: usize, bytes: impl AsRef<[u8]>) {
        let wanted = bytes.as_ref();
        let what = format!(
            "connection {number} to receive {:?}",
            String::from_utf8_lossy(wanted)
        );
        wait_for(&what, || {
            let received = self.received(number);
            received
                .windows(wanted.len())
                .any(|window| window == wanted)
                .then_some(())
        });
    }

    /// Closes the listener and all connections: from now on connecting is refused.
    pub fn die(&mut self) {
        self.accepting.stop();
    }
}

/// Carries out a script on one connection.
struct Follower<'a> {
    stream: Recording<'a>,
    reader: MessageReader,
}

impl<'a> Follower<'a> {
    fn new(stream: &'a TcpStream, number: usize, records: &'a Mutex<Vec<Record>>) -> Self {
        change(records, number, |_| {});
        let stream = Recording {
            stream,
            number,
            records,
        };
        Self {
            stream,
            reader: MessageReader::default(),
        }
    }

    fn follow(mut self, script: &Script) -> End {
        loop {
            for step in &script.steps {
                match self.carry_out(step) {
                    Ok(true) => {}
                    Ok(false) => return End::Done,
                    Err(ReadError::Closed | ReadError::Truncated(_)) => return End::ClientClosed,
                    Err(ReadError::Reset) => return End::ClientReset,
                    Err(_) => return End::Failed,
                }
            }
            if !script.forever {
                return End::Done;
            }
        }
    }

    /// `false` when nothing may follow.
    fn carry_out(&mut self, step: &Step) -> Result<bool, ReadError> {
        let stream = &mut self.stream;
        match step {
            Step::ReadHead => {
                self.reader.head(stream)?;
            }
            Step::ReadRequest => {
                let head = self.reader.head(stream)?;
                self.reader.body(stream, request_framing(&head)?, |_| {})?;
                change(stream.records, stream.number, |record| record.requests += 1);
            }
            Step::ReadUntil(bytes) => {
                let end = self.reader.find(stream, bytes)?;
                self.reader.buffer.drain(..end);
            }
            Step::ReadExactly(count) => self.reader.exactly(stream, *count, &mut |_| {})?,
            Step::ReadToEnd | Step::StayOpen => {
                while self.reader.fill(stream)? > 0 {
                    self.reader.buffer.clear();
                }
                if matches!(step, Step::StayOpen) {
                    return Err(ReadError::Closed);
                }
            }
            Step::Write(bytes) => stream.write_all(bytes)?,
            Step::WritePieces(bytes, size) => {
                for piece in bytes.chunks(*size) {
                    stream.write_all(piece)?;
                }
            }
            Step::WriteLast(bytes) => {
                // Held back until the end of the stream lets it go.
                SockRef::from(stream.stream)
                    .set_tcp_cork(true)
                    .map_err(sent)?;
                stream.write_all(bytes)?;
                stream.stream.shutdown(Shutdown::Write).map_err(sent)?;
            }
            Step::Switch(early) => {
                let head = self.reader.head(stream)?;
                let key = head.field("sec-websocket-key").unwrap_or_default();
                let mut answer = switch(key).into_bytes();
                answer.extend_from_slice(early);
                stream.write_all(&answer)?;
            }
            Step::Wait(gate) => {
                if !gate.wait() {
                    return Err(ReadError::Deadline("a gate stayed closed".into()));
                }
            }
            Step::HalfClose => stream.stream.shutdown(Shutdown::Write).map_err(sent)?,
            Step::Reset => {
                SockRef::from(stream.stream)
                    .set_linger(Some(std::time::Duration::ZERO))
                    .map_err(sent)?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// RFC 6455, 4.2.2
fn switch(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(digest)
    )
}

/// A stream that notes every byte it reads.
struct Recording<'a> {
    stream: &'a TcpStream,
    number: usize,
    records: &'a Mutex<Vec<Record>>,
}

impl Read for Recording<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        change(self.records, self.number, |record| {
            record.received.extend_from_slice(&buffer[..count]);
        });
        Ok(count)
    }
}

impl Recording<'_> {
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        self.stream.write_all(bytes).map_err(sent)
    }
}

fn sent(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => ReadError::Reset,
        _ => ReadError::Io(error),
    }
}

fn change(records: &Mutex<Vec<Record>>, number: usize, change: impl FnOnce(&mut Record)) {
    let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
    if records.len() <= number {
        records.resize_with(number + 1, Record::default);
    }
    change(&mut records[number]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::RawClient;
    use crate::wait::Gate;

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn each_connection_follows_its_script() {
        let server = ScriptedServer::start([Script::ok("one"), Script::ok("more")]);
        for expected in ["one", "more", "more"] {
            let mut client = RawClient::connect(server.address());
            client.send(GET);
            assert_eq!(client.response("GET").text(), expected);
            client.send(GET);
            assert_eq!(client.response("GET").text(), expected);
        }
        assert_eq!(server.requests(), 6);
        assert_eq!(server.received(2), format!("{GET}{GET}").into_bytes());
        assert_eq!(server.wait_for_end(0).end, Some(End::ClientClosed));
    }

    #[test]
    fn a_gate_holds_the_rest_of_an_answer_back() {
        let gate = Gate::new();
        let script = Script::new()
            .read_head()
            .write("first")
            .wait(&gate)
            .write("second");
        let server = ScriptedServer::start([script]);
        let mut client = RawClient::connect(server.address());
        client.send(GET);
        assert_eq!(client.read_exactly(5), b"first");
        gate.open();
        assert_eq!(client.read_to_end().expect("an orderly close"), b"second");
        assert_eq!(server.wait_for_end(0).end, Some(End::Done));
    }

    #[test]
    fn a_reset_and_a_half_close_reach_the_client() {
        let scripts = [
            Script::new().read_head().reset(),
            Script::new().half_close().read_to_end(),
        ];
        let server = ScriptedServer::start(scripts);
        let mut client = RawClient::connect(server.address());
        client.send(GET);
        assert!(matches!(client.read_to_end(), Err(ReadError::Reset)));
        let mut client = RawClient::connect(server.address());
        assert_eq!(client.read_to_end().expect("an orderly close"), b"");
        client.send("still read");
        client.half_close();
        assert_eq!(server.wait_for_end(1).received, b"still read");
    }

    #[test]
    fn a_client_that_leaves_is_noticed() {
        let server = ScriptedServer::start([Script::silent()]);
        let client = RawClient::connect(server.address());
        server.connections().wait_for_accepted(1);
        client.reset();
        assert_eq!(server.wait_for_end(0).end, Some(End::ClientReset));
        server.connections().wait_for_none_open();
    }

    #[test]
    fn a_dead_server_refuses() {
        let mut server = ScriptedServer::start([Script::silent()]);
        let mut client = RawClient::connect(server.address());
        server.connections().wait_for_accepted(1);
        server.die();
        assert!(TcpStream::connect(server.address()).is_err());
        assert_eq!(client.read_to_end().expect("an orderly close"), b"");
    }
}
