//! How much of the traffic a server takes beside the others.

use std::num::NonZeroU16;

use thiserror::Error;

/// The relative share of traffic a server takes: 1 to 65,535, 1 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(NonZeroU16);

impl Weight {
    /// The weight of a server that names none.
    pub const ONE: Self = Self(NonZeroU16::MIN);

    /// The weight as a number, 1 to 65,535.
    pub fn value(self) -> u32 {
        u32::from(self.get())
    }

    /// The same in as few bits as there are.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<i64> for Weight {
    type Error = WeightError;

    fn try_from(value: i64) -> Result<Self, Self::Error> {
        u16::try_from(value)
            .ok()
            .and_then(NonZeroU16::new)
            .map(Self)
            .ok_or(WeightError(value))
    }
}

/// A weight outside 1 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a weight is a whole number from 1 to 65535, not {0}")]
pub struct WeightError(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert_eq!(Weight::try_from(1).map(Weight::value), Ok(1));
        assert_eq!(Weight::try_from(65_535).map(Weight::value), Ok(65_535));
        for wrong in [0, -1, 65_536, i64::MAX] {
            assert_eq!(Weight::try_from(wrong), Err(WeightError(wrong)));
        }
    }
}
