//! Metrics, access log, structured logs.
