//! Pearson's test: whether counts could have come by chance from the shares that they should have.

/// Fails where counts differ from `shares` more than chance does once in 10,000 times.
pub(crate) fn assert_fits(counts: &[u32], shares: &[i64], what: &str) {
    let total = f64::from(counts.iter().sum::<u32>());
    let whole = shares.iter().sum::<i64>() as f64;
    let statistic: f64 = counts
        .iter()
        .zip(shares)
        .map(|(&count, &share)| {
            let expected = total * share as f64 / whole;
            (f64::from(count) - expected).powi(2) / expected
        })
        .sum();
    let limit = critical((counts.len() - 1) as f64);
    assert!(
        statistic < limit,
        "{what}: {statistic:.1} ≥ {limit:.1}, {counts:?}"
    );
}

/// What the statistic exceeds once in 10,000 times, by Wilson and Hilferty (1931).
fn critical(freedom: f64) -> f64 {
    const DEVIATIONS: f64 = 3.719;
    let variance = 2.0 / (9.0 * freedom);
    freedom * (1.0 - variance + DEVIATIONS * variance.sqrt()).powi(3)
}

#[test]
fn the_limit_is_that_of_tables() {
    for (freedom, limit) in [(1.0, 15.14), (6.0, 27.86), (100.0, 161.3)] {
        assert!(
            (critical(freedom) / limit - 1.0_f64).abs() < 0.08,
            "{freedom}"
        );
    }
}

#[test]
#[should_panic(expected = "biased")]
fn a_bias_of_a_tenth_is_seen() {
    assert_fits(&[11_000, 10_000, 10_000], &[1, 1, 1], "biased");
}
