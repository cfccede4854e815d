//! A cluster in virtual time, on the very code that balances in production: which policy to choose, and why.
//!
//! A scenario's text flows in, a [`Comparison`] of policies flows out. In between:
//!
//! ```text
//! text ── scenario ──► Scenario ── study: policies × seeds ──► engine ──► Outcome ── report ──► table, CSV, JSON, SVG
//!                                                               │ arrivals ─► balancer (balance::Policy, balance::Load)
//!                                                               └───────────► server (slots, queue, antagonist, restarts)
//! ```
//!
//! Nothing here looks at a clock or at chance that is not seeded: the same scenario and seed give the same bytes.

mod engine;
mod report;
mod scenario;
mod study;

pub use engine::{GroupOutcome, Outcome, Simulation};
pub use report::{Comparison, Estimate, Row};
pub use scenario::{Mistake, NamedPolicy, Scenario, ScenarioError, policy_names};
pub use study::{Progress, run};
