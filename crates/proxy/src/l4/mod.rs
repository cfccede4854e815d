//! TCP: bytes from the client to a server and back, understood by neither of us.

mod duplex;
mod hello;
mod tcp;

pub(crate) use duplex::{Duplex, DuplexEnd, Tally};
pub(crate) use tcp::serve;
