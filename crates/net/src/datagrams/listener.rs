//! The listener's side: datagrams of all clients, and answers to them.

use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use quinn_udp::{Transmit, UdpSocketState};
use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use tokio::io::unix::AsyncFd;

use super::answers::{Answer, Answers, run_length};
use super::arrivals::Arrivals;
use super::flow::Flow;
use super::watched::watched;
use super::{BATCH, STRIDE};
use crate::kernel_option;
use crate::listen::ListenSocket;

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
