//! Weights with which one side has a share of the requests, and the others what is left as they had it before.

/// The weights with `percent` of the requests, 0 to 100, on the side at `side`, and the rest on the others in the proportions of `before`.
/// Where the others had nothing, the side has all.
pub(super) fn with_share(before: &[u32], side: usize, percent: u8) -> Vec<u32> {
    let others = before
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != side);
    let sum: u64 = others.map(|(_, weight)| u64::from(*weight)).sum();
    let share = u64::from(percent.min(100));
    let mut weights: Vec<u64> = before
        .iter()
        .enumerate()
        .map(|(index, weight)| match (index == side, sum) {
            (true, 0) => 1,
            (true, sum) => share * sum,
            (false, _) => (100 - share) * u64::from(*weight),
        })
        .collect();
    let divisor = weights
        .iter()
        .copied()
        .fold(0, greatest_common_divisor)
        .max(1);
    let largest = weights.iter().max().map_or(0, |largest| largest / divisor);
    // Only weights beyond any file's are that large.
    let scale = largest / u64::from(u32::MAX) + 1;
    for weight in &mut weights {
        *weight = (*weight / divisor).div_ceil(scale);
    }
    let fits = |weight: u64| u32::try_from(weight).unwrap_or(u32::MAX);
    weights.into_iter().map(fits).collect()
}

/// The share of each, 0 to 1.
pub(super) fn shares(weights: &[u32]) -> Vec<f64> {
    let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let share = |weight: &u32| f64::from(*weight) / sum.max(1.0);
    weights.iter().map(share).collect()
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_exact_and_the_others_keep_their_proportions() {
        for (before, side, percent, expected) in [
            (&[90, 10][..], 1, 20, &[4, 1][..]),
            (&[90, 10], 1, 0, &[1, 0]),
            (&[90, 10], 1, 100, &[0, 1]),
            (&[90, 10], 0, 95, &[19, 1]),
            (&[50, 30, 20], 2, 40, &[15, 9, 16]),
            (&[1, 0], 1, 33, &[67, 33]),
            (&[0, 7], 1, 50, &[0, 1]),
            (&[3, 0, 1], 1, 50, &[3, 4, 1]),
        ] {
            assert_eq!(
                with_share(before, side, percent),
                expected,
                "{before:?} {percent}%"
            );
        }
    }

    #[test]
    fn no_weight_is_too_large_and_none_is_lost() {
        let before = [u32::MAX, 0, u32::MAX - 1, 1];
        let weights = with_share(&before, 1, 37);
        assert!(weights.iter().all(|weight| *weight > 0), "{weights:?}");
        let share = shares(&weights)[1];
        assert!((share - 0.37).abs() < 1e-6, "{share}");
    }
}
