//! UDP: datagrams from many clients on one socket, and a socket of its own for each client towards its server.
//!
//! Datagrams are received in batches, and merged by the kernel where it can (`recvmmsg(2)`, `UDP_GRO`); they go out in
//! batches too (`sendmmsg(2)`), and those of one client or server as one run (`UDP_SEGMENT`). What is merged on the way is told apart
//! again: a datagram leaves as it came.

mod answers;
mod arrivals;
mod flow;
mod listener;
mod ready;
mod runs;
mod server;
mod watched;

pub use answers::{Answers, Received};
pub use arrivals::Arrivals;
pub use flow::Flow;
pub use listener::Datagrams;
pub use ready::ReadySet;
pub use runs::{Offload, Run};
pub use server::ServerSocket;

/// More than the longest datagram (65,507 bytes over IPv4, 65,527 over IPv6).
pub const MAX_DATAGRAM: usize = 1 << 16;

/// From one place for an arrival to the next. Not a power of two, so that the beginnings of a batch, which is all that most
/// datagrams need, do not all fall onto the same few lines of the processor's caches.
const STRIDE: usize = MAX_DATAGRAM + 320;
/// Datagrams, or runs of them, received by one system call.
const BATCH: usize = quinn_udp::BATCH_SIZE;

#[cfg(test)]
mod tests;
