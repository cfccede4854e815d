//! What is kept of the requests of one round.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::load::crowd::Ended;
use crate::load::field::Ledger;

/// What became of the requests while it was measured.
pub(crate) struct Count {
    /// Nanoseconds from due to answered, of good answers.
    pub(crate) latencies: Histogram<u64>,
    /// Not answered well, or not in time.
    pub(crate) errors: u64,
    /// What the first error was.
    pub(crate) first_error: Option<&'static str>,
    /// How many each server took.
    pub(crate) taken: Vec<u64>,
    counting: bool,
}

impl Count {
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    pub(crate) fn new() -> Self {
        Self {
            latencies: Histogram::new_with_bounds(1_000, LONGEST, 3).expect("good bounds"),
            errors: 0,
            first_error: None,
            taken: Vec::new(),
            counting: false,
        }
    }

    fn waited(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(nanoseconds);
    }
}

impl Ledger for Count {
    fn note(&mut self, ended: Ended) {
        if !self.counting {
            return;
        }
        match ended.failure {
            None => self.waited(ended.took()),
            Some(why) => {
                self.errors += 1;
                self.first_error.get_or_insert(why);
            }
        }
    }

    fn turn_page(
        &mut self,
        measuring: bool,
        waiting: &mut dyn Iterator<Item = Instant>,
        taken: Vec<u64>,
    ) {
        self.counting = measuring;
        if !measuring {
            // Those who still wait have waited as long as they have by now, at least.
            let now = Instant::now();
            for due in waiting {
                self.waited(now.saturating_duration_since(due));
            }
            self.taken = taken;
        }
    }
}

/// Nanoseconds that a latency is told from longer ones: a minute.
const LONGEST: u64 = 60_000_000_000;
