//! What a proxy has to do with HTTP/1.1 and HTTP/2, good and bad, as tables of raw bytes; and runners that put them to any
//! subject over the network.
//!
//! - [`requests`]: what clients send, what they must be told, and what a server must see of it.
//! - [`responses`]: what servers send, what the client must be told, and whether the connection to the server may be used
//!   again.
//! - [`http2`]: frames of HTTP/2 that clients send, and what must come of them.
//!
//! A subject is known by its addresses only. Requests are put to it through [`Lane`]s: a listener of the subject, and an
//! [`Origin`] behind it that notes every byte. The subject has to be set up by [`conditions`]. Each request is sent whole,
//! byte by byte, in two pieces cut at every place, behind another request and in front of one; the outcome must always be
//! the same. All that fails is reported together. The balancer of this house is put to it by `crates/sluice/tests/conformance.rs`.

#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is how a test fails: every function here may"
)]

mod case;
mod delivery;
mod origin;
mod report;
mod run;
mod seen;
mod wire;

pub mod conditions;
pub mod http2;
pub mod requests;
pub mod responses;

pub use case::{Answer, Case, Ending, Reaches, Then};
pub use origin::Origin;
pub use report::Failure;
pub use run::{Lane, run};
pub use seen::Seen;
