//! Listeners, socket options, splice: everything that touches a file descriptor.
//!
//! Addresses and settings flow in; bound listeners, connected streams and moved bytes flow out. Nothing here decides
//! where traffic goes.

pub mod connect;
pub mod datagrams;
pub mod descriptors;
mod kernel_option;
pub mod listen;
pub mod memory;
pub mod ports;
mod socket;
pub mod splice;
mod stream;

pub use socket::Socket;
pub use stream::{Layered, Stream};
