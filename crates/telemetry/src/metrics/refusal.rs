//! Requests that were refused because there were too many: why, and how much they mattered.

use sluice_model::Priority;

use super::cell::CounterBy;
use crate::end::End;
use crate::word::words;

words! {
    /// Why a request (or a TCP session) was refused that servers had no room for.
    pub enum Refusal {
        /// As many requests were under way as `adaptive-concurrency` allows those of its priority, and there is no queue.
        ConcurrencyLimit = "concurrency-limit",
        /// As many waited in the queue as may, and none of a lower priority.
        QueueFull = "queue-full",
        /// It made room in the queue for one of a higher priority.
        PushedOut = "pushed-out",
        /// It had waited in the queue for its `timeout`.
        QueueTimeout = "queue-timeout",
        /// It had waited for longer than the `target` of the queue, which was overloaded.
        Shed = "shed",
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ConcurrencyLimit => Self::ConcurrencyLimit,
            Refusal::QueueFull => Self::QueueFull,
            Refusal::PushedOut => Self::PushedOut,
            Refusal::QueueTimeout => Self::QueueTimeout,
            Refusal::Shed => Self::Shed,
        }
    }
}

/// How many were refused.
#[derive(Debug, Default)]
pub struct Refusals {
    by_priority: [CounterBy<Refusal, { Refusal::COUNT }>; Priority::COUNT],
}

impl Refusals {
    /// One more.
    pub fn increment(&self, why: Refusal, priority: Priority) {
        if let Some(counters) = self.by_priority.get(priority as usize) {
            counters.increment(why);
        }
    }

    /// How many so far.
    pub fn value(&self, why: Refusal, priority: Priority) -> u64 {
        let counters = self.by_priority.get(priority as usize);
        counters.map_or(0, |counters| counters.value(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word::Word as _;

    #[test]
    fn each_reason_and_priority_is_counted_by_itself() {
        let refusals = Refusals::default();
        refusals.increment(Refusal::Shed, Priority::Critical);
        refusals.increment(Refusal::Shed, Priority::Critical);
        refusals.increment(Refusal::QueueFull, Priority::Low);
        for why in Refusal::ALL {
            for priority in Priority::ALL {
                let expected = match (why, priority) {
                    (Refusal::Shed, Priority::Critical) => 2,
                    (Refusal::QueueFull, Priority::Low) => 1,
                    _ => 0,
                };
                assert_eq!(refusals.value(*why, priority), expected);
            }
        }
    }

    #[test]
    fn a_request_ends_by_the_word_that_it_is_refused_by() {
        for why in Refusal::ALL {
            assert_eq!(End::from(*why).as_str(), why.as_str());
        }
    }
}
