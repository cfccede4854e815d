//! What the balancer tells about itself: metrics, access log, structured logs.
//!
//! Facts flow in from the data plane without locks or waiting and out to a scrape, a log file or a terminal. A request
//! never waits for any of them.

pub mod access;
mod end;
mod json;
pub mod logging;
pub mod metrics;
mod readiness;
mod sink;
mod timestamp;
pub mod word;

pub use access::{
    AccessLog, AccessLogWriter, AccessRecord, HttpVersion, RequestLine, TcpRecord, TlsRecord,
};
pub use end::End;
pub use metrics::Registry;
pub use readiness::{Readiness, ReadyState};
pub use sink::Target;
pub use word::Word;
