//! Registering with the reactor for reading alone.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that the current reactor watches for what can be read from it.
pub(super) fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(
        unsafe_code,
        reason = "the safe constructor is deprecated for types that may change their descriptor"
    )]
    // SAFETY: an owned descriptor stays the same one, and open, for as long as it is held; nobody takes it out.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE)? };
    Ok(watched)
}
