//! A part of a whole, in percent.

use thiserror::Error;

/// A share in whole percent, 0 to 100. What it is compared with are counts, so nothing is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u8);

impl Share {
    /// Nothing of it.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(100);

    /// So many percent; what is more than all is all.
    pub const fn of_percent(percent: u8) -> Self {
        if percent > Self::ALL.0 {
            return Self::ALL;
        }
        Self(percent)
    }

    /// In percent, 0 to 100.
    pub const fn percent(self) -> u8 {
        self.0
    }

    /// Whether `part` is this share of `whole`, or more of it. Of nothing, nothing is any share.
    pub fn is_reached(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100 >= u128::from(whole) * u128::from(self.0)
    }

    /// So many of `whole`, rounded down.
    pub fn of(self, whole: usize) -> usize {
        let hundreds = (whole / 100).saturating_mul(usize::from(self.0));
        hundreds.saturating_add(whole % 100 * usize::from(self.0) / 100)
    }
}

impl TryFrom<u8> for Share {
    type Error = ShareError;

    fn try_from(percent: u8) -> Result<Self, Self::Error> {
        if percent > Self::ALL.0 {
            return Err(ShareError(percent));
        }
        Ok(Self(percent))
    }
}

/// More than all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a share is 0 to 100 percent, not {0}")]
pub struct ShareError(pub u8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert_eq!(Share::try_from(0), Ok(Share::NONE));
        assert_eq!(Share::try_from(100), Ok(Share::ALL));
        assert_eq!(Share::try_from(101), Err(ShareError(101)));
    }

    #[test]
    fn counts_are_compared_exactly() {
        let third = Share::try_from(33).expect("a share");
        assert!(third.is_reached(33, 100) && !third.is_reached(32, 100));
        assert!(third.is_reached(1, 3) && !third.is_reached(1, 4));
        assert!(Share::ALL.is_reached(u64::MAX, u64::MAX));
        assert!(!Share::ALL.is_reached(u64::MAX - 1, u64::MAX));
        assert!(third.is_reached(0, 0) && Share::NONE.is_reached(0, 7));
    }

    #[test]
    fn so_many_of_a_number() {
        let half = Share::try_from(50).expect("a share");
        for (whole, part) in [(0, 0), (1, 0), (2, 1), (3, 1), (199, 99), (200, 100)] {
            assert_eq!(half.of(whole), part, "of {whole}");
        }
        assert_eq!(Share::ALL.of(usize::MAX), usize::MAX);
    }
}
