//! From text to checked plan: syntax, schema, checks, diagnostics.
//!
//! Text flows in, a [`Plan`] or a list of diagnostics flows out. Nothing here opens a file or reads the environment:
//! both are handed in.

pub mod plan;

pub use plan::Plan;
