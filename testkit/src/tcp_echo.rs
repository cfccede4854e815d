//! A TCP server that sends back what it receives.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::accept::{AcceptLoop, Connections};

/// Echoes every byte on a free loopback port; closes its side once the client has closed its own.
#[derive(Debug)]
pub struct TcpEchoServer {
    accepting: AcceptLoop,
    received: Arc<AtomicU64>,
}

impl TcpEchoServer {
    /// Starts a server that greets each connection with `greeting`, which may be empty.
    pub fn start(greeting: &str) -> Self {
        let received = Arc::new(AtomicU64::new(0));
        let accepting = AcceptLoop::start({
            let (greeting, received) = (greeting.to_owned(), received.clone());
            move |stream, _| {
                // A client may leave at any time.
                let _ = echo(&stream, greeting.as_bytes(), &received);
            }
        });
        Self {
            accepting,
            received,
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

    /// Bytes received on all connections.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Closes the listener and all connections: from now on connecting is refused.
    pub fn die(&mut self) {
        self.accepting.stop();
    }
}

fn echo(mut stream: &TcpStream, greeting: &[u8], received: &AtomicU64) -> std::io::Result<()> {
    stream.write_all(greeting)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) => return stream.shutdown(Shutdown::Write),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        received.fetch_add(count as u64, Ordering::SeqCst);
        stream.write_all(&buffer[..count])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::RawClient;

    #[test]
    fn bytes_come_back_and_then_the_end() {
        let server = TcpEchoServer::start("hello ");
        let mut client = RawClient::connect(server.address());
        client.send("world");
        client.half_close();
        assert_eq!(
            client.read_to_end().expect("an orderly close"),
            b"hello world"
        );
        assert_eq!(server.received(), 5);
    }
}
