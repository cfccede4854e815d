//! A client that sends exactly the bytes it is given, and reads with a deadline.

use std::io::Write;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::message::{Head, MessageReader, ReadError, Response};
use crate::wait::DEADLINE;

/// One connection, over TCP or a Unix socket. What is read too much by one call is kept for the next.
#[derive(Debug)]
pub struct RawClient {
    socket: Socket,
    reader: MessageReader,
}

impl RawClient {
    /// Connects to a loopback address.
    pub fn connect(address: SocketAddr) -> Self {
        Self::open(Domain::for_address(address), None, &address.into())
    }

    /// Connects to where nobody may listen, or no local port may be left.
    pub fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        Self::try_open(Domain::for_address(address), None, &address.into())
    }

    /// Connects from a given loopback address, to look like another client.
    pub fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        let source = SocketAddr::new(source, 0).into();
        Self::open(Domain::for_address(address), Some(&source), &address.into())
    }

    /// Connects to a Unix stream socket.
    pub fn connect_unix(path: &Path) -> Self {
        let address = SockAddr::unix(path).expect("a path that fits a socket address");
        Self::open(Domain::UNIX, None, &address)
    }

    fn open(domain: Domain, source: Option<&SockAddr>, address: &SockAddr) -> Self {
        Self::try_open(domain, source, address)
            .unwrap_or_else(|error| panic!("connecting to {address:?}: {error}"))
    }

    fn try_open(
        domain: Domain,
        source: Option<&SockAddr>,
        address: &SockAddr,
    ) -> std::io::Result<Self> {
        let socket = Socket::new(domain, Type::STREAM, None).expect("a socket");
        if let Some(source) = source {
            socket.bind(source).expect("a source address");
        }
        // One that is reset as soon as it is there is a connection too: whoever reads from it will see.
        if let Err(error) = socket.connect(address)
            && error.kind() != std::io::ErrorKind::ConnectionReset
        {
            return Err(error);
        }
        if domain != Domain::UNIX {
            socket.set_tcp_nodelay(true).expect("TCP_NODELAY");
        }
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("a read deadline");
        socket
            .set_write_timeout(Some(DEADLINE))
            .expect("a write deadline");
        Ok(Self {
            socket,
            reader: MessageReader::default(),
        })
    }

    /// Sends bytes in one go.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("sending");
    }

    /// Sends bytes that the other side may already refuse to take.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.socket.write_all(bytes.as_ref())
    }

    /// Sends every byte as a segment of its own. The other side may close before the last: that is no error here.
    pub fn send_byte_by_byte(&mut self, bytes: impl AsRef<[u8]>) {
        self.send_pieces(bytes.as_ref().chunks(1));
    }

    /// Sends bytes in two segments, cut before index `at`. An early close of the other side is no error here.
    pub fn send_split(&mut self, bytes: impl AsRef<[u8]>, at: usize) {
        let (first, second) = bytes.as_ref().split_at(at);
        self.send_pieces([first, second].into_iter());
    }

    fn send_pieces<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) {
        for piece in pieces {
            if self.socket.write_all(piece).is_err() {
                return;
            }
            // Gives the reader its turn, so that pieces are mostly received one by one.
            std::thread::yield_now();
        }
    }

    /// Reads a response to a request with this method, whole.
    #[track_caller]
    pub fn response(&mut self, method: &str) -> Response {
        match self.try_response(method) {
            Ok(response) => response,
            Err(error) => panic!("reading a response to {method}: {error}"),
        }
    }

    /// Like [`Self::response`] for answers that may not come or be cut off.
    pub fn try_response(&mut self, method: &str) -> Result<Response, ReadError> {
        self.reader.response(&mut self.socket, method)
    }

    /// Reads one head, interim or final, and nothing of a body.
    pub fn head(&mut self) -> Result<Head, ReadError> {
        self.reader.head(&mut self.socket)
    }

    /// Reads this many bytes.
    #[track_caller]
    pub fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count);
        let sink = &mut |piece: &[u8]| bytes.extend_from_slice(piece);
        match self.reader.exactly(&mut self.socket, count as u64, sink) {
            Ok(()) => bytes,
            Err(error) => panic!("reading {count} bytes: {error}"),
        }
    }

    /// Reads until these bytes have come; returns all up to their end.
    #[track_caller]
    pub fn read_until(&mut self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        match self.reader.find(&mut self.socket, bytes.as_ref()) {
            Ok(end) => self.reader.buffer.drain(..end).collect(),
            Err(error) => panic!("reading: {error}"),
        }
    }

    /// Reads until the other side closes.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, ReadError> {
        while self.reader.fill(&mut self.socket)? > 0 {}
        Ok(std::mem::take(&mut self.reader.buffer))
    }

    /// Whether the other side has closed or reset the connection without a further byte; waits for it.
    pub fn is_closed_without_a_byte(&mut self) -> bool {
        match self.read_to_end() {
            Ok(bytes) => bytes.is_empty(),
            Err(ReadError::Reset) => self.reader.buffer.is_empty(),
            Err(_) => false,
        }
    }

    /// Closes this side; the other may still be read. Of a connection that has been reset there is none left.
    pub fn half_close(&self) {
        let closed = self.socket.shutdown(Shutdown::Write);
        if let Err(error) = closed {
            assert_eq!(error.kind(), std::io::ErrorKind::NotConnected, "{error}");
        }
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        self.socket
            .set_linger(Some(Duration::ZERO))
            .expect("SO_LINGER");
    }

    /// The address that the server sees.
    pub fn local_address(&self) -> SocketAddr {
        let address = self.socket.local_addr().expect("the local address");
        address.as_socket().expect("an IP socket")
    }

    /// The socket, for options that a test sets itself.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::script::Script;
    use crate::scripted::ScriptedServer;

    #[test]
    fn bytes_arrive_however_they_are_cut() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        let server = ScriptedServer::start([Script::ok("done")]);
        for at in 0..=request.len() {
            let mut client = RawClient::connect(server.address());
            client.send_split(request, at);
            assert_eq!(client.response("POST").text(), "done");
        }
        let mut client = RawClient::connect(server.address());
        client.send_byte_by_byte(request);
        assert_eq!(client.response("POST").text(), "done");
        assert!(
            server
                .records()
                .iter()
                .all(|record| record.received == request)
        );
    }

    #[test]
    fn a_source_address_can_be_chosen() {
        let server = ScriptedServer::start([Script::silent()]);
        let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
        let client = RawClient::connect_from(source, server.address());
        assert_eq!(client.local_address().ip(), source);
    }

    #[test]
    fn a_close_and_a_last_word_are_told_apart() {
        let scripts = [Script::new(), Script::new().write("bye")];
        let server = ScriptedServer::start(scripts);
        assert!(RawClient::connect(server.address()).is_closed_without_a_byte());
        assert!(!RawClient::connect(server.address()).is_closed_without_a_byte());
    }
}
