//! The server behind a subject: answers every whole request with what it saw, and notes every byte.
//!
//! One thread watches all connections. It reads whatever has arrived on any of them before it answers anything: so when a
//! client has an answer, what was sent to the server before is noted, on whichever connection it came.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};

use crate::seen::Seen;
use crate::wire::{self, Reading};

/// A server on a free loopback port.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    record: Arc<Mutex<Record>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What came since it was last forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Whole requests.
    pub(crate) requests: Vec<Seen>,
    /// Bytes of requests that were never whole, or none that a proxy may send; a connection each.
    pub(crate) broken: Vec<Vec<u8>>,
    /// Bytes of requests that are not whole yet, on the open connections.
    pub(crate) pending: Vec<u8>,
}

impl Record {
    /// Whether there is not a byte.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Origin {
    /// Starts a server.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback listener");
        listener.set_nonblocking(true).expect("a listener to poll");
        let address = listener.local_addr().expect("the listener's address");
        let record = Arc::new(Mutex::new(Record::default()));
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (record, stopping) = (record.clone(), stopping.clone());
            move || Serving::new(listener, record).run(&stopping)
        });
        Self {
            address,
            record,
            stopping,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn record(&self) -> Record {
        lock(&self.record).clone()
    }

    /// Forgets what has come to its end.
    pub(crate) fn forget(&self) {
        let mut record = lock(&self.record);
        record.requests.clear();
        record.broken.clear();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread; where that fails it has ended already.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Serving {
    listener: TcpListener,
    connections: Vec<Connection>,
    record: Arc<Mutex<Record>>,
}

struct Connection {
    stream: TcpStream,
    /// Received, and not part of a whole request yet.
    bytes: Vec<u8>,
    /// Composed and not sent.
    answers: Vec<u8>,
    continued: bool,
    ended: bool,
}

impl Serving {
    fn new(listener: TcpListener, record: Arc<Mutex<Record>>) -> Self {
        Self {
            listener,
            connections: Vec::new(),
            record,
        }
    }

    fn run(mut self, stopping: &AtomicBool) {
        while !stopping.load(Ordering::SeqCst) {
            self.wait();
            while self.receive() {}
            self.note();
            for connection in &mut self.connections {
                connection.answer();
            }
            self.connections.retain(|connection| !connection.ended);
        }
    }

    fn wait(&self) {
        let mut watched = vec![PollFd::new(&self.listener, PollFlags::IN)];
        let streams = self.connections.iter();
        watched.extend(streams.map(|one| PollFd::new(&one.stream, PollFlags::IN)));
        match poll(&mut watched, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("watching connections: {error}"),
        }
    }

    /// Takes what has arrived; whether there was anything.
    fn receive(&mut self) -> bool {
        let mut any = false;
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).expect("a stream to poll");
            stream.set_nodelay(true).expect("TCP_NODELAY");
            self.connections.push(Connection::new(stream));
            any = true;
        }
        for connection in &mut self.connections {
            any |= connection.receive();
        }
        any
    }

    /// Notes everything before a single answer goes out.
    fn note(&mut self) {
        let mut record = lock(&self.record);
        record.pending.clear();
        for connection in &mut self.connections {
            connection.take_requests(&mut record);
            if connection.ended && !connection.bytes.is_empty() {
                record.broken.push(std::mem::take(&mut connection.bytes));
            }
            record.pending.extend_from_slice(&connection.bytes);
        }
    }
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            bytes: Vec::new(),
            answers: Vec::new(),
            continued: false,
            ended: false,
        }
    }

    fn receive(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.ended = true,
            Ok(count) => self.bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => self.ended = true,
        }
        true
    }

    fn take_requests(&mut self, record: &mut Record) {
        loop {
            match wire::read(&self.bytes) {
                Reading::Whole(seen, length) => {
                    self.bytes.drain(..length);
                    self.continued = false;
                    self.compose_answer(&seen);
                    record.requests.push(seen);
                }
                Reading::Partial { expects_continue } => {
                    if expects_continue && !self.continued {
                        self.continued = true;
                        self.answers
                            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    return;
                }
                Reading::Broken => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn compose_answer(&mut self, seen: &Seen) {
        let body = seen.echo();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        self.answers.extend_from_slice(head.as_bytes());
        if seen.method() != "HEAD" {
            self.answers.extend_from_slice(&body);
        }
    }

    /// Answers are short: a subject that does not take one in one go has broken off.
    fn answer(&mut self) {
        let answers = std::mem::take(&mut self.answers);
        if self.stream.write_all(&answers).is_err() {
            self.ended = true;
        }
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use testkit::{RawClient, wait_until};

    use super::*;

    #[test]
    fn requests_are_answered_and_noted() {
        let origin = Origin::start();
        let mut client = RawClient::connect(origin.address());
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\n\r\nGE");
        assert_eq!(client.response("GET").text(), "GET /a HTTP/1.1\n");
        assert_eq!(client.response("HEAD").text(), "");
        let record = origin.record();
        let expected = [
            Seen::new("GET /a HTTP/1.1\nHost: a", b""),
            Seen::new("HEAD /b HTTP/1.1", b""),
        ];
        assert_eq!(
            (record.requests.as_slice(), record.pending.as_slice()),
            (&expected[..], &b"GE"[..])
        );
        drop(client);
        wait_until("the end to be noted", || !origin.record().broken.is_empty());
        assert_eq!(origin.record().broken, [b"GE".to_vec()]);
        origin.forget();
        assert!(origin.record().is_empty());
    }

    #[test]
    fn a_client_that_waits_is_asked_for_the_body() {
        let origin = Origin::start();
        let mut client = RawClient::connect(origin.address());
        client.send("PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
        client.head().expect("an interim head");
        client.send("hi");
        assert_eq!(client.response("PUT").text(), "PUT / HTTP/1.1\nhi");
    }

    #[test]
    fn what_no_proxy_may_send_ends_the_connection() {
        let origin = Origin::start();
        let mut client = RawClient::connect(origin.address());
        client.send("GET / HTTP/1.1\nA: b\r\n\r\n");
        assert!(client.is_closed_without_a_byte());
        assert_eq!(origin.record().broken.len(), 1);
    }
}
