//! Clusters of endpoints, connection pools, connecting.
//!
//! An upstream of the plan flows in; a connection to one of its servers flows out. Two layers:
//!
//! - [`Endpoint`]: the live state of a server, one for the process. Atomics only, shared by all workers, kept over
//!   reloads for as long as the server stays in the file.
//! - [`Cluster`]: what one worker holds of an upstream: its policy, its idle connections, its counters. Plain cells.

mod association;
mod checking;
mod cluster;
mod connection;
mod endpoint;
mod fate;
mod gate;
mod health;
mod hedging;
mod lane;
mod learn;
mod load_report;
mod queue;
mod retrying;
mod session;
mod standing;
mod sticky;
mod throttle;
mod tried;
mod waiting;
mod weights;

pub use association::Association;
pub use cluster::{Asked, Cluster, Offer, OpenTurn};
pub use connection::{ConnectError, Connection};
pub use endpoint::{Endpoint, EndpointKey, Endpoints, ResolveError};
pub use fate::Fate;
pub use gate::bounds;
pub use hedging::Hedging;
pub use lane::{Check, InFlight, Lane, Need};
pub use load_report::read_load_report;
pub use retrying::Retrying;
pub use sticky::{Sessions, ToldSession, Whereabouts};
pub use tried::{MAX_ATTEMPTS, Tried};
pub use waiting::{Turn, Wait};
pub use weights::Weights;
