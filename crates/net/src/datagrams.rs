//! UDP: datagrams from many clients on one socket, and a socket of its own for each client towards its server.
//!
//! Datagrams are received in batches, and merged by the kernel where it can (`recvmmsg(2)`, `UDP_GRO`); answers go out in
//! batches too (`sendmmsg(2)`, `UDP_SEGMENT`). What is merged on the way is told apart again: a datagram leaves as it came.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{
    MMsgHdr, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, recv, send, sendmmsg,
};
use rustix::time::Timespec;
use socket2::{Domain, Protocol, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::connect::Source;
use crate::kernel_option;
use crate::listen::{ListenSocket, canonical};

/// More than the longest datagram (65,507 bytes over IPv4, 65,527 over IPv6).
pub const MAX_DATAGRAM: usize = 1 << 16;

/// From one place for an arrival to the next. Not a power of two, so that the beginnings of a batch, which is all that most
/// datagrams need, do not all fall onto the same few lines of the processor's caches.
const STRIDE: usize = MAX_DATAGRAM + 320;
/// Datagrams, or runs of them, received by one system call.
const BATCH: usize = quinn_udp::BATCH_SIZE;
/// Answers that are gathered before they are sent.
const MAX_ANSWERS: usize = 64;
/// The longest segment that is left to the kernel to cut: more than fits into an Ethernet frame is refused by it.
const MAX_SEGMENT: usize = 1_452;
/// What one system call sends in segments, headers left out.
const MAX_RUN: usize = 65_000;

/// A worker's socket of a UDP listener.
#[derive(Debug)]
pub struct Datagrams {
    /// Watched for what comes in alone: watched for room too, each answer that leaves would wake the worker.
    socket: AsyncFd<OwnedFd>,
    state: UdpSocketState,
    /// Whether it is bound to one address, from which all answers go.
    has_one_address: bool,
    /// Whether the kernel cuts answers that are too long for the way into fragments. Until there is one it need not give
    /// each answer a number by which fragments are put together again.
    cuts: Cell<bool>,
}

/// Where an arrival came from and where it went: the two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The client's address, as the socket needs it to answer.
    peer: SocketAddr,
    /// The address that it spoke to; `None` where the socket has but one.
    local: Option<IpAddr>,
}

impl Flow {
    /// The client's address. An IPv4 client of a dual-stack socket is an IPv4 client.
    pub fn client(&self) -> SocketAddr {
        canonical(self.peer)
    }
}

impl Hash for Flow {
    /// As few words as tell IPv4 clients apart: this is done for each datagram.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.peer {
            SocketAddr::V4(peer) => {
                state.write_u64(u64::from(peer.port()) << 32 | u64::from(peer.ip().to_bits()));
            }
            SocketAddr::V6(peer) => {
                state.write_u128(peer.ip().to_bits());
                state.write_u64(u64::from(peer.port()) << 32 | u64::from(peer.scope_id()));
            }
        }
        match self.local {
            None => {}
            Some(IpAddr::V4(local)) => state.write_u32(local.to_bits()),
            Some(IpAddr::V6(local)) => state.write_u128(local.to_bits()),
        }
    }
}

/// What one call received.
#[derive(Debug)]
pub struct Arrivals {
    /// Places for [`BATCH`] arrivals. What is never used costs no memory.
    buffer: Vec<u8>,
    metas: [RecvMeta; BATCH],
    count: usize,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            buffer: vec![0; BATCH * STRIDE],
            metas: [RecvMeta::default(); BATCH],
            count: 0,
        }
    }
}

/// One or more datagrams of a flow, all of one length but for the last, which may be shorter.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Between whom.
    pub flow: Flow,
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Arrival<'a> {
    /// The datagrams, in the order in which they came. There is at least one, which may be empty.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let empty: Option<&[u8]> = self.bytes.is_empty().then_some(&[]);
        empty
            .into_iter()
            .chain(self.bytes.chunks(self.length.max(1)))
    }
}

impl Arrivals {
    /// The batch, by arrival.
    pub fn iter(&self) -> impl Iterator<Item = Arrival<'_>> {
        let areas = self.buffer.chunks(STRIDE);
        areas.zip(&self.metas).take(self.count).map(|(area, meta)| {
            let flow = Flow {
                peer: meta.addr,
                local: meta.dst_ip,
            };
            Arrival {
                flow,
                bytes: area.get(..meta.len).unwrap_or(area),
                length: meta.stride,
            }
        })
    }
}

impl Datagrams {
    /// Registers the socket with the current reactor.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn new(socket: ListenSocket) -> io::Result<Self> {
        let socket = std::net::UdpSocket::from(socket.0);
        let address = socket.local_addr()?;
        let state = UdpSocketState::new((&socket).into())?;
        let has_one_address = !address.ip().is_unspecified();
        kernel_option::plain_datagrams(socket.as_fd(), address.is_ipv6(), has_one_address)?;
        kernel_option::cut_datagrams(socket.as_fd(), false)?;
        Ok(Self {
            has_one_address,
            socket: watched(socket.into())?,
            state,
            cuts: Cell::new(false),
        })
    }

    /// Receives what has come, a batch at a time.
    ///
    /// # Errors
    /// The kernel's.
    pub fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        arrivals: &mut Arrivals,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            let Arrivals { buffer, metas, .. } = arrivals;
            let mut areas = buffer.chunks_mut(STRIDE).map(IoSliceMut::new);
            let mut slices: [IoSliceMut<'_>; BATCH] =
                std::array::from_fn(|_| areas.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            let socket = self.socket.get_ref();
            match self.state.recv(socket.into(), &mut slices, metas) {
                Ok(count) => {
                    arrivals.count = count;
                    if count < BATCH {
                        // The next event of the reactor says that there is more, which saves asking for nothing.
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends what was gathered, each from the address that its client spoke to. How many were not taken: UDP loses what
    /// there is no room for.
    pub fn send(&self, answers: &mut Answers) -> usize {
        let lost = if self.has_one_address && !answers.has_runs(self.state.max_gso_segments()) {
            self.send_batch(answers)
        } else {
            self.send_runs(answers)
        };
        answers.list.clear();
        answers.used = 0;
        lost
    }

    /// All in one system call, where the kernel takes them.
    fn send_batch(&self, answers: &Answers) -> usize {
        let addresses: Vec<SocketAddrAny> = answers
            .list
            .iter()
            .map(|answer| answer.flow.peer.into())
            .collect();
        let slices: Vec<[IoSlice<'_>; 1]> = answers
            .list
            .iter()
            .map(|answer| [IoSlice::new(answers.bytes(answer))])
            .collect();
        let mut nothing: Vec<SendAncillaryBuffer<'_, '_, '_>> = answers
            .list
            .iter()
            .map(|_| SendAncillaryBuffer::default())
            .collect();
        let mut messages: Vec<MMsgHdr<'_>> = addresses
            .iter()
            .zip(&slices)
            .zip(&mut nothing)
            .map(|((address, slices), nothing)| MMsgHdr::new_with_addr(address, slices, nothing))
            .collect();
        let mut rest = messages.as_mut_slice();
        let mut lost = 0;
        while !rest.is_empty() {
            let sent = match sendmmsg(self.socket.get_ref(), rest, SendFlags::DONTWAIT) {
                Ok(sent) if sent > 0 => sent,
                Err(error) if self.has_begun_to_cut(&error.into()) => 0,
                // The first of the rest is not taken; those behind it may be.
                _ => {
                    lost += 1;
                    1
                }
            };
            rest = rest.get_mut(sent..).unwrap_or_default();
        }
        lost
    }

    fn send_runs(&self, answers: &Answers) -> usize {
        let mut lost = 0;
        let mut rest = answers.list.as_slice();
        while let Some(first) = rest.first() {
            let count = run_length(rest, self.state.max_gso_segments());
            let (run, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = behind;
            let length = run.iter().map(|answer| answer.length).sum();
            let whole = answers.area(first.start, length);
            if count > 1 && self.transmit(first.flow, whole, Some(first.length)).is_ok() {
                continue;
            }
            let failed = |answer: &&Answer| {
                self.transmit(answer.flow, answers.bytes(answer), None)
                    .is_err()
            };
            lost += run.iter().filter(failed).count();
        }
        lost
    }

    fn transmit(&self, flow: Flow, contents: &[u8], segment: Option<usize>) -> io::Result<()> {
        let transmit = Transmit {
            destination: flow.peer,
            ecn: None,
            contents,
            segment_size: segment,
            src_ip: flow.local,
        };
        let send = || {
            let socket = self.socket.get_ref();
            self.state.try_send(socket.into(), &transmit)
        };
        match send() {
            Err(error) if segment.is_none() && self.has_begun_to_cut(&error) => send(),
            outcome => outcome,
        }
    }

    /// Whether an answer that was refused may be sent now, since the kernel has been told to cut what is too long.
    fn has_begun_to_cut(&self, refusal: &io::Error) -> bool {
        let is_too_long = Errno::from_io_error(refusal) == Some(Errno::MSGSIZE);
        is_too_long
            && !self.cuts.replace(true)
            && kernel_option::cut_datagrams(self.socket.as_fd(), true).is_ok()
    }
}

/// Answers on their way to clients, gathered to be sent together.
#[derive(Debug)]
pub struct Answers {
    buffer: Vec<u8>,
    used: usize,
    list: Vec<Answer>,
}

#[derive(Debug)]
struct Answer {
    flow: Flow,
    start: usize,
    length: usize,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            buffer: vec![0; 4 * MAX_DATAGRAM],
            used: 0,
            list: Vec::with_capacity(MAX_ANSWERS),
        }
    }
}

impl Answers {
    /// Whether they have to be sent before there is room for another.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_ANSWERS || self.buffer.len() - self.used < MAX_DATAGRAM
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Receives one datagram of a server for the client of `flow`; its length.
    ///
    /// # Errors
    /// The kernel's: `WouldBlock` where nothing is there, `ConnectionRefused` where the server's machine has said that
    /// nobody listens there.
    pub fn receive(&mut self, flow: Flow, from: &ServerSocket) -> io::Result<usize> {
        let room = self.buffer.get_mut(self.used..).unwrap_or_default();
        let (_, length) = recv(from, room, RecvFlags::DONTWAIT)?;
        self.list.push(Answer {
            flow,
            start: self.used,
            length,
        });
        self.used += length;
        Ok(length)
    }

    fn bytes(&self, answer: &Answer) -> &[u8] {
        self.area(answer.start, answer.length)
    }

    fn area(&self, start: usize, length: usize) -> &[u8] {
        self.buffer.get(start..start + length).unwrap_or_default()
    }

    fn has_runs(&self, most: usize) -> bool {
        let mut pairs = self.list.windows(2);
        pairs.any(|pair| run_length(pair, most) > 1)
    }
}

/// How many of the first go to one client and can be left to the kernel to cut: all as long as the first, but for the
/// last, which may be shorter.
fn run_length(list: &[Answer], most: usize) -> usize {
    let Some(first) = list.first() else { return 0 };
    if first.length == 0 || first.length > MAX_SEGMENT {
        return 1;
    }
    let most = most.min(MAX_RUN / first.length);
    let fits = |answer: &&Answer| answer.flow == first.flow && answer.length == first.length;
    let equal = list.iter().take(most).take_while(fits).count();
    let is_tail =
        |answer: &Answer| answer.flow == first.flow && (1..first.length).contains(&answer.length);
    if equal < most && list.get(equal).is_some_and(is_tail) {
        equal + 1
    } else {
        equal.max(1)
    }
}

/// A client's own socket towards its server.
#[derive(Debug)]
pub struct ServerSocket(OwnedFd);

impl ServerSocket {
    /// A socket connected to `server`. Connecting sends nothing.
    ///
    /// # Errors
    /// The kernel's: out of descriptors, no way there, no port free.
    pub fn connect(server: SocketAddr, source: Source) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            Domain::for_address(server),
            Type::DGRAM.nonblocking(),
            Some(Protocol::UDP),
        )?;
        source.bind(&socket)?;
        socket.connect(&server.into())?;
        Ok(Self(socket.into()))
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// The kernel's: `ConnectionRefused` where an earlier one met nobody; this one was not sent then.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        send(self, datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

impl From<ServerSocket> for std::net::UdpSocket {
    fn from(socket: ServerSocket) -> Self {
        socket.0.into()
    }
}

impl AsFd for ServerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Many sockets watched as one, so that a session costs a descriptor and no task.
pub struct ReadySet {
    epoll: AsyncFd<OwnedFd>,
    events: Vec<epoll::Event>,
}

impl ReadySet {
    /// An empty set on the current reactor.
    ///
    /// # Errors
    /// Out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self {
            epoll: watched(epoll)?,
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// Watches a socket, until it is closed.
    ///
    /// # Errors
    /// Out of memory.
    pub fn add(&self, socket: &ServerSocket, id: usize) -> io::Result<()> {
        let data = epoll::EventData::new_u64(id as u64);
        epoll::add(self.epoll.get_ref(), socket, data, epoll::EventFlags::IN)?;
        Ok(())
    }

    /// Ready when there is something to receive on some: [`Self::found`] says which.
    ///
    /// # Errors
    /// The kernel's.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.epoll.poll_read_ready(cx))?;
            self.events.clear();
            let room = spare_capacity(&mut self.events);
            match epoll::wait(guard.get_inner(), room, Some(&AT_ONCE)) {
                Ok(0) => guard.clear_ready(),
                Ok(_) => return Poll::Ready(Ok(())),
                Err(Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// The number that was given for the socket that the last poll found at this position, counted from 0.
    pub fn found(&self, position: usize) -> Option<usize> {
        let event = self.events.get(position)?;
        usize::try_from(event.data.u64()).ok()
    }
}

impl std::fmt::Debug for ReadySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadySet").finish_non_exhaustive()
    }
}

/// A descriptor that the current reactor watches for what can be read from it.
fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        unsafe_code,
        reason = "the safe constructor is deprecated for types that may change their descriptor"
    )]
    // SAFETY: an owned descriptor stays the same one, and open, for as long as it is held; nobody takes it out.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? };
    Ok(watched)
}

const EVENTS: usize = 256;
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

#[cfg(test)]
mod tests;
