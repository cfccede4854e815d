//! Desired and running state: start, reload, drain, stop.
