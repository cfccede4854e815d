//! What the process does about the memory that it takes: nothing, or it holds back, or it refuses.
//!
//! | is | at or above 90 % of the ceiling | at or above the ceiling | below 95 % | below 80 % |
//! |---|---|---|---|---|
//! | calm | near | full | calm | calm |
//! | near | near | full | near | calm |
//! | full | full | full | near | calm |
//!
//! The gaps between going up and coming down keep it from going to and fro with every connection.

/// How near to its ceiling the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strain {
    /// There is room.
    #[default]
    Calm,
    /// Nearly none: what can be done without is let go, and nobody new comes in.
    Near,
    /// None: only what matters most is still served.
    Full,
}

/// A ceiling, and how near to it the process was last.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    bytes: u64,
    strain: Strain,
}

impl Ceiling {
    /// Of so many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            bytes,
            strain: Strain::Calm,
        }
    }

    /// How many bytes it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Goes on with another ceiling, and what is known from before.
    pub fn moved_to(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// The process takes so many bytes now.
    pub fn look(&mut self, used: u64) -> Strain {
        let is_at = |percent| u128::from(used) * 100 >= u128::from(self.bytes) * percent;
        self.strain = match self.strain {
            _ if is_at(FULL) => Strain::Full,
            Strain::Full if is_at(NO_LONGER_FULL) => Strain::Full,
            Strain::Calm if is_at(NEAR) => Strain::Near,
            Strain::Near | Strain::Full if is_at(NO_LONGER_NEAR) => Strain::Near,
            _ => Strain::Calm,
        };
        self.strain
    }
}

// In percent of the ceiling.
const NEAR: u128 = 90;
const FULL: u128 = 100;
const NO_LONGER_FULL: u128 = 95;
const NO_LONGER_NEAR: u128 = 80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table() {
        use Strain::{Calm, Full, Near};
        // Up to each of these, in percent, from calm, near and full.
        let table = [
            (0, [Calm, Calm, Calm]),
            (79, [Calm, Calm, Calm]),
            (80, [Calm, Near, Near]),
            (89, [Calm, Near, Near]),
            (90, [Near, Near, Near]),
            (94, [Near, Near, Near]),
            (95, [Near, Near, Full]),
            (99, [Near, Near, Full]),
            (100, [Full, Full, Full]),
            (1000, [Full, Full, Full]),
        ];
        for (percent, expected) in table {
            for (from, expected) in [Calm, Near, Full].into_iter().zip(expected) {
                let mut ceiling = Ceiling {
                    bytes: 1000,
                    strain: from,
                };
                assert_eq!(
                    ceiling.look(percent * 10),
                    expected,
                    "{from:?} at {percent} %"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_was_before_the_bounds_hold(bytes in 1..u64::MAX, used in prop::collection::vec(any::<u64>(), 1..20)) {
            let mut ceiling = Ceiling::new(bytes);
            for used in used {
                let strain = ceiling.look(used);
                if used >= bytes {
                    prop_assert_eq!(strain, Strain::Full);
                }
                if used < bytes / 100 * 80 {
                    prop_assert_eq!(strain, Strain::Calm);
                }
                // Nothing changes while the same is taken.
                prop_assert_eq!(ceiling.look(used), strain);
            }
        }
    }
}
