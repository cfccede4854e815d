//! The accept loop under every server here: a thread for it, a thread for each connection, all ended on drop.

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::ports::free_address;
use crate::wait::{DEADLINE, wait_until};

/// How many connections a server has seen and how many are open.
#[derive(Debug, Default)]
pub struct Connections {
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Connections {
    /// Connections accepted since the start.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Connections whose script has not ended.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Waits until at least `count` connections were accepted.
    #[track_caller]
    pub fn wait_for_accepted(&self, count: usize) {
        wait_until(&format!("{count} connections accepted"), || {
            self.accepted() >= count
        });
    }

    /// Waits until no connection is open.
    #[track_caller]
    pub fn wait_for_none_open(&self) {
        wait_until("every connection closed", || self.open() == 0);
    }
}

/// Accepts on a loopback port and runs a closure for each connection.
#[derive(Debug)]
pub(crate) struct AcceptLoop {
    address: SocketAddr,
    connections: Arc<Connections>,
    stopping: Arc<AtomicBool>,
    streams: Arc<Mutex<Streams>>,
    accepting: Option<(Arc<TcpListener>, JoinHandle<()>)>,
}

impl AcceptLoop {
    /// `serve` gets each connection and its number, counted from 0. What it returns is closed with it.
    pub(crate) fn start<F>(serve: F) -> Self
    where
        F: Fn(TcpStream, usize) + Send + Sync + 'static,
    {
        // No port that another test could get once this server has stopped.
        let listener = TcpListener::bind(free_address()).expect("a loopback listener");
        Self::on(listener, serve)
    }

    pub(crate) fn on<F>(listener: TcpListener, serve: F) -> Self
    where
        F: Fn(TcpStream, usize) + Send + Sync + 'static,
    {
        let address = listener.local_addr().expect("the listener's address");
        let connections = Arc::new(Connections::default());
        let stopping = Arc::new(AtomicBool::new(false));
        let streams = Arc::new(Mutex::new(Streams::new()));
        let listener = Arc::new(listener);
        let accepting = std::thread::spawn({
            let listener = Arc::clone(&listener);
            let (connections, stopping, streams) =
                (connections.clone(), stopping.clone(), streams.clone());
            move || {
                accept(
                    &listener,
                    &Arc::new(serve),
                    &connections,
                    &stopping,
                    &streams,
                );
            }
        });
        Self {
            address,
            connections,
            stopping,
            streams,
            accepting: Some((listener, accepting)),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Whether the connection with this number was accepted, served and closed: the other side has been told.
    pub(crate) fn is_closed(&self, number: usize) -> bool {
        self.connections.accepted() > number && !lock(&self.streams).contains_key(&number)
    }

    /// Closes the listener and every connection; a later connect is refused. Who waits to be accepted is reset.
    pub(crate) fn stop(&mut self) {
        let Some((listener, accepting)) = self.accepting.take() else {
            return;
        };
        self.stopping.store(true, Ordering::SeqCst);
        // Fails the accept that waits, and every later one. (A connection to wake it would need a free local port.)
        socket2::SockRef::from(&*listener)
            .shutdown(Shutdown::Both)
            .expect("an end to listening");
        let _ = accepting.join();
        for (_, stream) in lock(&self.streams).drain() {
            // Already closed by its own script is fine.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for AcceptLoop {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Second handles of the open connections, by number, to end them from outside.
type Streams = HashMap<usize, TcpStream>;

fn accept<F>(
    listener: &TcpListener,
    serve: &Arc<F>,
    connections: &Arc<Connections>,
    stopping: &AtomicBool,
    streams: &Arc<Mutex<Streams>>,
) where
    F: Fn(TcpStream, usize) + Send + Sync + 'static,
{
    for stream in listener.incoming() {
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        let stream = stream.expect("an accepted connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a read deadline");
        stream
            .set_write_timeout(Some(DEADLINE))
            .expect("a write deadline");
        let clone = stream.try_clone().expect("a second handle");
        let number = connections.accepted();
        lock(streams).insert(number, clone);
        connections.open.fetch_add(1, Ordering::SeqCst);
        connections.accepted.fetch_add(1, Ordering::SeqCst);
        let (serve, connections, streams) = (serve.clone(), connections.clone(), streams.clone());
        std::thread::spawn(move || {
            serve(stream, number);
            // The second handle goes too, or the connection would stay open.
            lock(&streams).remove(&number);
            connections.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_private_network;

    #[test]
    fn stopping_needs_no_local_port() {
        let range = [("net/ipv4/ip_local_port_range", "40000 40003")];
        in_private_network(
            "accept::tests::stopping_needs_no_local_port",
            &range,
            || {
                let mut server = AcceptLoop::start(|stream, _| {
                    let _ = std::io::copy(&mut &stream, &mut std::io::sink());
                });
                let connect = || TcpStream::connect(server.address());
                let taken: Vec<_> = (0..8).map_while(|_| connect().ok()).collect();
                let refused = connect().expect_err("no port is left");
                assert_eq!(refused.kind(), std::io::ErrorKind::AddrNotAvailable);
                server.stop();
                drop(taken);
            },
        );
    }
}
