//! The admin listener: metrics, liveness, readiness.
