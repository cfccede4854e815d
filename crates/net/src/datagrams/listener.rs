//! The listener's side: datagrams of all clients, and answers to them.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use quinn_udp::{Transmit, UdpSocketState};
use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use tokio::io::unix::AsyncFd;

use super::BATCH;
use super::answers::{Answer, Answers, run_length, singles};
use super::arrivals::Arrivals;
use super::flow::Flow;
use super::watched::watched;
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
            let socket = self.socket.get_ref();
            let received =
                arrivals.fill(|places, metas| self.state.recv(socket.into(), places, metas));
            match received {
                Ok(count) => {
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
        let most = self.state.max_gso_segments();
        let mut lost = 0;
        let mut rest = answers.list();
        while !rest.is_empty() {
            let singles = if self.has_one_address {
                singles(rest, most)
            } else {
                0
            };
            let count = singles.max(run_length(rest, most));
            let (now, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            lost += if singles > 0 {
                self.send_batch(answers, now)
            } else {
                self.send_run(answers, now)
            };
            rest = behind;
        }
        answers.clear();
        lost
    }

    /// All in one system call, where the kernel takes them.
    fn send_batch(&self, answers: &Answers, list: &[Answer]) -> usize {
        let addresses: Vec<SocketAddrAny> =
            list.iter().map(|answer| answer.flow.peer.into()).collect();
        let slices: Vec<[IoSlice<'_>; 1]> = list
            .chunks(1)
            .map(|answer| [IoSlice::new(answers.bytes(answer))])
            .collect();
        let mut nothing: Vec<SendAncillaryBuffer<'_, '_, '_>> = list
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

    /// As one, or one by one where the kernel does not take them so.
    fn send_run(&self, answers: &Answers, run: &[Answer]) -> usize {
        let Some(first) = run.first() else { return 0 };
        let whole = answers.bytes(run);
        if run.len() > 1 && self.transmit(first.flow, whole, Some(first.length)).is_ok() {
            return 0;
        }
        let failed = |answer: &&[Answer]| {
            self.transmit(first.flow, answers.bytes(answer), None)
                .is_err()
        };
        run.chunks(1).filter(failed).count()
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
