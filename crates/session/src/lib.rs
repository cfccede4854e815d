//! Sessions that stay on their servers: by a cookie that says where, or by a table that remembers.
//!
//! The bytes that a client sent, a secret and the time flow in; the name of a server, or the value of a cookie, flows out. Pure: no
//! I/O, no clock, no randomness, and nothing that a client sends can make it panic.
//!
//! ```text
//!   secret, upstream ──► Signer ──┬──► ServerName of each server
//!   cookie ───────────────────────┼──► Pin: a server, and since when
//!   address, field, cookie ───────┴──► SessionName ──► Table ──► ServerName
//! ```
//!
//! Names are made with the secret: balancers that share it make the same ones, and nobody else can tell what they stand for.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod pin;
mod signer;
mod table;

pub use pin::{PIN_LENGTH, Pin};
pub use signer::{ServerName, SessionName, Signer};
pub use table::{Found, Table, Written};
