//! The shared words of the house: addresses, weights, shares, moments.
//!
//! Everything here is a plain value, checked when it is made. No I/O, no clock, no randomness.

mod address;
mod moment;
mod share;
mod weight;

pub use address::{AddressError, BindAddress, ServerAddress};
pub use moment::Moment;
pub use share::{Share, ShareError};
pub use weight::{Weight, WeightError};
