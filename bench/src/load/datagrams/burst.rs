//! Several datagrams at once, as QUIC sends them: a burst by one system call (`UDP_SEGMENT`, `UDP_GRO`).

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};

use super::Volley;

/// A socket that sends a burst and waits for all of it.
pub(crate) struct Burst {
    socket: UdpSocket,
    state: UdpSocketState,
    /// The proxy; of a server its own address.
    to: SocketAddr,
    /// Datagrams of which no echo has come.
    missing: usize,
}

/// Places for what one system call receives.
pub(crate) struct Received {
    buffer: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl Volley for Burst {
    type Space = Received;

    fn client(to: SocketAddr) -> io::Result<Self> {
        let client = Self::server((std::net::Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { to, ..client })
    }

    fn server(at: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(at)?;
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self {
            socket,
            state,
            to: at,
            missing: 0,
        })
    }

    fn send(&mut self) -> io::Result<()> {
        self.missing = BURST;
        self.pass_on(self.to, &[b'x'; BURST * LENGTH], LENGTH)
    }

    fn receive(&mut self, space: &mut Received) -> io::Result<usize> {
        let mut count = 0;
        for (meta, bytes) in self.arrivals(space)? {
            if !bytes.len().is_multiple_of(LENGTH) || meta.stride != LENGTH {
                return Err(io::ErrorKind::InvalidData.into());
            }
            count += bytes.len() / LENGTH;
        }
        self.missing = self.missing.saturating_sub(count);
        Ok(count)
    }

    fn is_whole(&self) -> bool {
        self.missing == 0
    }

    fn echo(&self, space: &mut Received) {
        while let Ok(arrivals) = self.arrivals(space) {
            for (meta, bytes) in arrivals {
                // What is lost shows as a client that gets no answer.
                let _ = self.pass_on(meta.addr, bytes, meta.stride);
            }
        }
    }
}

impl Burst {
    /// Datagrams of `length`, as one; the last may be shorter.
    fn pass_on(&self, to: SocketAddr, bytes: &[u8], length: usize) -> io::Result<()> {
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: bytes,
            segment_size: Some(length),
            src_ip: None,
        };
        self.state.try_send((&self.socket).into(), &transmit)
    }

    fn arrivals<'a>(
        &self,
        received: &'a mut Received,
    ) -> io::Result<impl Iterator<Item = (&'a RecvMeta, &'a [u8])>> {
        let mut places = received.buffer.chunks_mut(PLACE).map(IoSliceMut::new);
        let mut places: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| places.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let socket = (&self.socket).into();
        let count = self.state.recv(socket, &mut places, &mut received.metas)?;
        let metas = received.metas.iter().take(count);
        let arrivals = metas.zip(received.buffer.chunks(PLACE));
        Ok(arrivals.map(|(meta, place)| (meta, place.get(..meta.len).unwrap_or(place))))
    }
}

impl AsFd for Burst {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Default for Received {
    fn default() -> Self {
        Self {
            buffer: vec![0; BATCH_SIZE * PLACE],
            metas: [RecvMeta::default(); BATCH_SIZE],
        }
    }
}

/// What a client sends at once.
const BURST: usize = 8;
/// A full packet of QUIC or video.
const LENGTH: usize = 1_200;
/// As long as what is merged gets; not a power of two, so that places do not share the same lines of caches.
const PLACE: usize = (1 << 16) + 320;
