//! Desired and running state: start, reload, drain, stop.
//!
//! A [`Source`] says what is wanted, a [`Fleet`] of workers is what runs, and the [`Supervisor`] makes the second follow
//! the first: at the start, on SIGHUP, when the file changes, and when the process is told to stop. A wrong file changes
//! nothing.

mod descriptors;
mod expiry;
mod files;
mod fleet;
mod issuers;
mod logs;
mod memory;
mod offers;
mod ports;
mod servers;
mod shifts;
mod source;
mod stores;
mod supervisor;

pub use fleet::{ApplyError, Fleet};
pub use logs::{log_format, log_level};
pub use servers::{LiveServer, Servers};
pub use shifts::{ConditionError, OrderError, Shift, ShiftError, Shifts, Side, SplitState, Wanted};
pub use sluice_upstream::{ToldSession, Whereabouts};
pub use source::{LoadError, Source};
pub use stores::LiveStores;
pub use supervisor::{StartError, Stopped, Supervisor};
