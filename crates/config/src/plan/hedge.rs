//! Hedged requests.

use std::time::Duration;

use sluice_health::Percentile;
use sluice_model::Share;

/// `hedge = { after, max, … }`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// `after`
    pub after: HedgeAfter,
    /// `max`: further servers at a time, 1 to 3.
    pub max: u8,
    /// `budget`
    pub budget: Share,
    /// `budget-floor`
    pub budget_floor: u32,
}

/// How long the answer is waited for before another server is asked too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAfter {
    /// As long as so many of the recent answers took.
    Percentile(Percentile),
    /// This long: 1 ms to a minute.
    Fixed(Duration),
}
