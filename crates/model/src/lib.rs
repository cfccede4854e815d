//! The shared words of the house: addresses, countries, weights, shares, priorities, moments.
//!
//! Everything here is a plain value, checked when it is made. No I/O, no clock, no randomness.

mod address;
mod country;
mod moment;
mod priority;
mod share;
mod weight;

pub use address::{AddressError, BindAddress, ServerAddress};
pub use country::{Country, CountryError};
pub use moment::Moment;
pub use priority::Priority;
pub use share::{Share, ShareError};
pub use weight::{Weight, WeightError};
