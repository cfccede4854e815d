//! Confidence intervals of a mean of a few runs (Student, 1908).

use super::Estimate;

/// The mean of independent samples, with the interval that holds the true mean in 95 of 100 cases.
pub(super) fn estimate(samples: impl Iterator<Item = f64> + Clone) -> Estimate {
    let count = samples.clone().count();
    let mean = samples.clone().sum::<f64>() / (count as f64).max(1.0);
    let squares: f64 = samples.map(|sample| (sample - mean).powi(2)).sum();
    let within = (count > 1).then(|| {
        let freedom = count - 1;
        let error = (squares / freedom as f64 / count as f64).sqrt();
        quantile(freedom) * error
    });
    Estimate { mean, within }
}

/// The quantile of 97.5 % of Student's distribution with `freedom` degrees of freedom, at least 1.
fn quantile(freedom: usize) -> f64 {
    if let Some(quantile) = QUANTILES.get(freedom - 1) {
        return *quantile;
    }
    // The expansion about the normal distribution (Cornish and Fisher, 1937): to four digits from here on.
    let (z, freedom) = (1.959_964_f64, freedom as f64);
    z + (z.powi(3) + z) / (4.0 * freedom)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z)
            / (384.0 * freedom.powi(3))
}

const QUANTILES: [f64; 10] = [
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, expected) in [
            (1, 12.706),
            (4, 2.776),
            (10, 2.228),
            (11, 2.201),
            (29, 2.045),
            (100, 1.984),
        ] {
            assert!((quantile(freedom) - expected).abs() < 1e-3, "{freedom}");
        }
    }

    #[test]
    fn estimates() {
        let three = estimate([1.0, 2.0, 3.0].into_iter());
        assert!((three.mean - 2.0).abs() < 1e-12);
        // 4.3027 × 1 / √3
        assert!((three.within.expect("an interval") - 2.4842).abs() < 1e-3);
        assert_eq!(estimate([5.0].into_iter()).within, None);
    }
}
