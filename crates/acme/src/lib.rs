//! Certificates by ACME (RFC 8555): accounts, orders, storage, renewal.
//!
//! Settings flow in, certificates flow out: into the [`Issued`](sluice_tls::Issued) place that a listener's handshakes look at, and onto
//! the disk. What the authority wants to see on the way is shown by [`Proofs`](sluice_tls::Proofs). All of it runs on the control plane;
//! a worker never waits for any of it.

mod account;
mod failure;
mod https;
mod order;
mod orders;
mod renewal;
mod schedule;
mod storage;

pub use orders::Orders;
