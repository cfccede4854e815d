//! QUIC on a worker: its socket, its connections' ids, and the datagrams that come to the wrong one.
//!
//! Each worker has a socket of its own on the listener's address and an endpoint of `quinn` over it. The kernel spreads
//! datagrams by the addresses of both sides; a client whose address changes may so come to another worker than the one
//! that holds its connection. The connection's id names the worker ([`ids`]), and a worker hands over what is another's
//! ([`handover`]).
//!
//! A connection to a server has a socket to itself ([`client`]), which the kernel tells whether anybody listens there.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod client;
mod endpoint;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod handover;
mod ids;
mod runtime;
mod server_socket;
mod session;
mod socket;

pub use client::{ClientSettings, ConnectFailure, Dialed, Windows, connect};
pub use endpoint::{Limits, NoQuic, Settings, open};
pub use handover::{Seat, seats};
pub use quinn::rustls::pki_types::CertificateDer;
pub use quinn::{
    Connecting, Connection, ConnectionError, Endpoint, Incoming, ServerConfig, TransportErrorCode,
    VarInt, ZeroRttAccepted,
};
pub use server_socket::Unreachable;
pub use session::HandshakeData;
