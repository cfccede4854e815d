//! TLS on both sides: certificates and their choice, handshakes, sessions as streams.
//!
//! PEM texts and settings flow in, `rustls` configurations and ciphered [`Layered`](sluice_net::Layered) streams flow
//! out. Where connections go is not decided here, and no file is read.
//!
//! A session holds no buffer while it is silent. Everything is received into one [`Workspace`] of the worker, deciphered
//! there in place, and ciphered there for sending; a session owns bytes only while it holds a part of a record, or
//! ciphered bytes that the other side does not take yet.

mod authorities;
mod certificate;
mod choice;
mod client;
mod early;
mod facts;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod handshake;
mod issued;
mod ocsp;
mod proofs;
mod records;
mod resumption;
mod server;
mod session;
mod tickets;
#[cfg(test)]
mod trial;
mod workspace;

pub use authorities::{authorities, check_revoked, system_authorities};
pub use certificate::load;
pub use client::{begin_session, client_config};
pub use early::Early;
pub use facts::{ClientCertificate, Facts};
pub use failure::HandshakeError;
pub use handshake::Handshake;
pub use issued::Issued;
pub use ocsp::ocsp;
pub use proofs::{ACME_TLS, Proof, Proofs};
pub use resumption::Resumption;
pub use rustls::{ClientConfig, ServerConfig};
pub use server::server_config;
pub use session::Session;
pub use tickets::Tickets;
pub use workspace::Workspace;
