//! What the balancer tells about itself: metrics, access log, structured logs.
//!
//! Facts flow in from the data plane without locks or waiting and out to a scrape, a log file or a terminal. A request
//! never waits for any of them.

mod end;
pub mod metrics;
mod word;

pub use end::End;
pub use metrics::Registry;
pub use word::Word;
