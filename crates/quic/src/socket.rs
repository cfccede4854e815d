//! A worker's socket: what comes in for another worker goes there, and what others handed over comes in here.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};

use crate::handover::{Datagram, Seat};

/// The socket.
#[derive(Debug)]
pub(crate) struct Socket {
    own: Arc<dyn AsyncUdpSocket>,
    seat: Seat,
}

impl Socket {
    pub(crate) fn new(socket: UdpSocket, seat: Seat) -> io::Result<Self> {
        Ok(Self {
            own: TokioRuntime.wrap_udp_socket(socket)?,
            seat,
        })
    }

    /// Takes what was handed over; how many buffers it fills.
    fn take_handed_over(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> usize {
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(metas) {
            let Poll::Ready(datagram) = self.seat.poll_next(cx) else {
                break;
            };
            let length = datagram.bytes.len();
            if let Some(room) = buffer.get_mut(..length) {
                room.copy_from_slice(&datagram.bytes);
                *meta = RecvMeta::default();
                meta.addr = datagram.from;
                meta.dst_ip = datagram.to;
                meta.ecn = datagram.ecn;
                meta.len = length;
                meta.stride = length;
                count += 1;
            }
        }
        count
    }

    /// Hands over what is others', and moves up what is ours.
    fn sort(&self, buffer: &mut [u8], meta: &mut RecvMeta) {
        let stride = meta.stride.max(1);
        let (mut kept, mut position) = (0, 0);
        while position < meta.len {
            let end = (position + stride).min(meta.len);
            let Some(datagram) = buffer.get(position..end) else {
                break;
            };
            if let Some(worker) = self.seat.other(datagram) {
                let datagram = Datagram {
                    from: meta.addr,
                    to: meta.dst_ip,
                    ecn: meta.ecn,
                    bytes: datagram.into(),
                };
                self.seat.hand_over(worker, datagram);
            } else {
                if kept != position {
                    buffer.copy_within(position..end, kept);
                }
                kept += end - position;
            }
            position = end;
        }
        meta.len = kept;
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.own).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.own.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let handed_over = self.take_handed_over(cx, buffers, metas);
        if handed_over > 0 {
            return Poll::Ready(Ok(handed_over));
        }
        let received = self.own.poll_recv(cx, buffers, metas);
        if let Poll::Ready(Ok(count)) = received {
            for (buffer, meta) in buffers.iter_mut().zip(metas).take(count) {
                self.sort(buffer, meta);
            }
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.own.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.own.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.own.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.own.may_fragment()
    }
}
