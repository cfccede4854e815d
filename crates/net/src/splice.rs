//! Moving bytes from one socket to another inside the kernel, by `splice(2)` through a pipe.
//!
//! A pipe is lent only while bytes are on their way: an idle connection holds none. With a 1 MiB pipe a gigabyte costs
//! less than half of what copying through user space does; for a few bytes copying is cheaper, so a connection starts
//! with copies and comes here when its reads are large.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;

use crate::socket::Socket;

/// The size asked for a pipe, in bytes. The kernel grants it to every user up to 64 pipes, more to root
/// (`fs.pipe-user-pages-soft`); a smaller pipe works, only slower.
const PIPE_SIZE: usize = 1 << 20;

/// Pipes kept by a worker for the next who needs one.
const SPARE_PIPES: usize = 16;

/// A kernel pipe with the bytes that are in it.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
    held: usize,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        let size = fcntl_setpipe_size(&write, PIPE_SIZE).unwrap_or(DEFAULT_PIPE_SIZE);
        Ok(Self {
            read,
            write,
            size,
            held: 0,
        })
    }

    /// Bytes taken from a source and not yet given on.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes what `source` has, at most `most` bytes, into the pipe; 0 is the end of the stream. Call only while the pipe
    /// is empty: how many packets fit into a pipe that holds some cannot be known, and a full pipe looks like a silent
    /// source.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &Socket,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        debug_assert_eq!(self.held, 0, "a pipe is filled only when it is empty");
        let most = most.min(self.size);
        loop {
            ready!(source.poll_read_ready(cx))?;
            match source.try_io(Interest::READABLE, || {
                splice(source, None, &self.write, None, most, FLAGS).map_err(io::Error::from)
            }) {
                Ok(count) => {
                    self.held += count;
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Gives what the pipe holds to `target`; ready when the pipe is empty.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, target: &Socket) -> Poll<io::Result<()>> {
        while self.held > 0 {
            ready!(target.poll_write_ready(cx))?;
            match target.try_io(Interest::WRITABLE, || {
                splice(&self.read, None, target, None, self.held, FLAGS).map_err(io::Error::from)
            }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => self.held -= count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A worker's spare pipes.
#[derive(Debug, Default)]
pub struct Pipes {
    spare: Vec<Pipe>,
}

impl Pipes {
    /// An empty pipe.
    ///
    /// # Errors
    /// Out of descriptors: copy instead.
    pub fn lend(&mut self) -> io::Result<Pipe> {
        self.spare.pop().map_or_else(Pipe::new, Ok)
    }

    /// Takes a pipe back. One that still holds bytes is closed: they belong to nobody else.
    pub fn give_back(&mut self, pipe: Pipe) {
        if pipe.held == 0 && self.spare.len() < SPARE_PIPES {
            self.spare.push(pipe);
        }
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);
const DEFAULT_PIPE_SIZE: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn pair() -> (TcpStream, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
        let (server, _) = listener.accept().expect("accept");
        server.set_nonblocking(true).expect("nonblocking");
        let server = tokio::net::TcpStream::from_std(server).expect("register");
        (client, Socket::Tcp(server))
    }

    #[test]
    fn bytes_pass_in_order_and_the_end_is_seen() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime");
        runtime.block_on(async {
            let (mut sender, source) = pair();
            let (mut receiver, target) = pair();
            let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
            let expected = sent.clone();
            let writer = std::thread::spawn(move || sender.write_all(&sent).expect("send"));
            let reader = std::thread::spawn(move || {
                let mut received = Vec::new();
                receiver.read_to_end(&mut received).expect("receive");
                received
            });
            let mut pipes = Pipes::default();
            let mut total = 0;
            loop {
                let mut pipe = pipes.lend().expect("pipe");
                let count = poll_fn(|cx| pipe.poll_fill(cx, &source, usize::MAX))
                    .await
                    .expect("fill");
                total += count;
                if count == 0 {
                    break;
                }
                poll_fn(|cx| pipe.poll_drain(cx, &target))
                    .await
                    .expect("drain");
                assert_eq!(pipe.held(), 0);
                pipes.give_back(pipe);
            }
            drop(target);
            writer.join().expect("writer");
            assert_eq!(total, expected.len());
            assert!(reader.join().expect("reader") == expected);
        });
    }
}
