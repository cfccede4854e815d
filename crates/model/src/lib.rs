//! The shared words of the house: addresses and weights.
//!
//! Everything here is a plain value, checked when it is made. No I/O, no clock, no randomness.

mod address;
mod weight;

pub use address::{AddressError, BindAddress, ServerAddress};
pub use weight::{Weight, WeightError};
