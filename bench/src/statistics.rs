//! Medians and spreads of a few rounds.

use serde::Serialize;

/// What several rounds of one measurement came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// None without samples.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&least, &most) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self {
            median,
            least,
            most,
        })
    }
}

/// The figure among `sorted` ones that so many of a thousand do not exceed; none where there are none.
pub(crate) fn quantile(sorted: &[f64], of_a_thousand: usize) -> Option<f64> {
    let rank = (of_a_thousand * sorted.len()).div_ceil(1000);
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_figures_that_were_measured() {
        assert_eq!(quantile(&[], 500), None);
        let figures = [1.0, 2.0, 3.0, 4.0];
        for (of_a_thousand, figure) in [(0, 1.0), (500, 2.0), (501, 3.0), (990, 4.0), (1000, 4.0)] {
            let found = quantile(&figures, of_a_thousand);
            assert_eq!(found, Some(figure), "{of_a_thousand}");
        }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(
            Spread::of(&[3.0, 1.0, 2.0]),
            Some(Spread {
                median: 2.0,
                least: 1.0,
                most: 3.0
            })
        );
        assert_eq!(
            Spread::of(&[4.0, 1.0, 2.0, 3.0]).map(|spread| spread.median),
            Some(2.5)
        );
    }
}
