//! Active health checks: each server of an upstream with checks is asked now and then how it is.
//!
//! Plans flow in, verdicts on endpoints flow out. The checks of all servers are done by one thread of the control plane,
//! whatever the number of workers, so that neither they wait for a reload nor anything waits for them. When a check is due,
//! and what its outcome means, is decided by [`sluice_health::Check`].
//!
//! A check goes the way that a request of the upstream would go (TLS, HTTP/2, PROXY header), on a connection of its own.

mod exchange;
mod failure;
mod kind;
mod prober;
mod round;
mod rounds;
mod way;

pub use prober::{Prober, Wanted};
