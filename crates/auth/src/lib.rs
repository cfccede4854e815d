//! Who a client is, by what it shows: a name and a password, a key, a signed token.
//!
//! Texts of files become what clients are compared with, and what a client has sent is judged by that. Nothing here reads a file,
//! a clock or a socket, and no input makes it panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod basic;
mod hexadecimal;
pub mod jwt;
mod keys;
mod passwords;

pub use basic::{Credentials, basic_credentials};
pub use keys::{ApiKeys, KeysError};
pub use passwords::{PasswordsError, Users};
