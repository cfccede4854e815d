//! A server whose health a test decides.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use testkit::free_address;

/// An HTTP/1.1 server on a free loopback port that answers every request with its name; below `/health`, with what it was
/// told to answer.
#[derive(Debug)]
pub(crate) struct Patient {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    name: String,
    /// Status and body below `/health`; without them nothing is said.
    health: Mutex<Option<(u16, String)>>,
    /// Statuses that come first, each once.
    passing: Mutex<VecDeque<u16>>,
    /// The heads of the requests below `/health`.
    checks: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

impl Patient {
    /// A server that is well.
    pub(crate) fn start(name: &str) -> Self {
        // No port that anybody else could get once it has died.
        let listener = TcpListener::bind(free_address()).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            name: name.to_owned(),
            health: Mutex::new(Some((200, "ok".to_owned()))),
            passing: Mutex::default(),
            checks: Mutex::default(),
            open: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let thread = std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    if state.is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let kept = stream.try_clone().expect("a descriptor");
                    state.open.lock().expect("not poisoned").push(kept);
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || state.serve(stream));
                }
            }
        });
        Self {
            address,
            state,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is answered below `/health` from now on.
    pub(crate) fn says(&self, status: u16, body: &str) {
        *self.state.health.lock().expect("not poisoned") = Some((status, body.to_owned()));
    }

    /// The next requests below `/health`, so many, get this status; what comes after them gets what it got before.
    pub(crate) fn says_times(&self, status: u16, times: usize) {
        let passing = std::iter::repeat_n(status, times);
        self.state
            .passing
            .lock()
            .expect("not poisoned")
            .extend(passing);
    }

    /// Below `/health` nothing is answered from now on.
    pub(crate) fn is_silent(&self) {
        *self.state.health.lock().expect("not poisoned") = None;
    }

    /// The heads of the requests below `/health` so far.
    pub(crate) fn checks(&self) -> Vec<String> {
        self.state.checks.lock().expect("not poisoned").clone()
    }

    /// Closes its port and every connection.
    pub(crate) fn die(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes it up; it may be gone already.
        let _ = TcpStream::connect(self.address);
        thread.join().expect("the server's thread");
        for stream in self.state.open.lock().expect("not poisoned").drain(..) {
            // The other side may have closed it.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.die();
    }
}

impl State {
    /// Until the client closes.
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
        while let Some(head) = head(&mut reader) {
            let is_check = head
                .split(' ')
                .nth(1)
                .is_some_and(|path| path.starts_with("/health"));
            let answer = if is_check {
                self.checks.lock().expect("not poisoned").push(head);
                let passing = self.passing.lock().expect("not poisoned").pop_front();
                match passing {
                    Some(status) => Some((status, String::new())),
                    None => self.health.lock().expect("not poisoned").clone(),
                }
            } else {
                Some((200, self.name.clone()))
            };
            let Some((status, body)) = answer else {
                continue;
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// The head of the next request; none of them has a body.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if head.get(before..) == Some("\r\n") {
            return Some(head);
        }
    }
}
