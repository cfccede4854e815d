use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Positions as good as any: the mixed numbers from 0 on.
fn positions(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(|number| mixed(mixed(number)))
}

/// Sides with these weights, each with an id of its own.
fn sides(weights: &[u32]) -> Vec<Side> {
    let side = |(index, weight): (u64, &u32)| Side {
        id: side_id(index),
        weight: *weight,
    };
    (0..).zip(weights).map(side).collect()
}

/// How far the counts are from what the weights say: chi-square, with a degree of freedom less than there are weights above 0.
fn chi_square(counts: &[u32], weights: &[u32]) -> f64 {
    let requests: f64 = counts.iter().copied().map(f64::from).sum();
    let total: f64 = weights.iter().copied().map(f64::from).sum();
    let term = |(count, weight): (&u32, &u32)| {
        let expected = requests * f64::from(*weight) / total;
        (f64::from(*count) - expected).powi(2) / expected
    };
    let pairs = counts.iter().zip(weights);
    pairs.filter(|(_, weight)| **weight > 0).map(term).sum()
}

/// Weights with the bound of chi-square that chance passes once in a thousand times.
const CASES: &[(&[u32], f64)] = &[
    (&[90, 10], 10.83),
    (&[1, 1], 10.83),
    (&[65_535, 1_000], 10.83),
    (&[99, 1], 10.83),
    (&[50, 30, 20], 13.82),
    (&[5, 0, 3, 1], 13.82),
    (&[1, 2, 3, 4, 5, 6, 7, 8], 24.32),
];

#[test]
fn by_chance_each_side_gets_its_share() {
    for (weights, bound) in CASES {
        let mut counts = vec![0; weights.len()];
        for chance in positions(200_000) {
            let side = side_by_chance(chance, weights.iter().copied()).expect("a side");
            counts[side] += 1;
        }
        let found = chi_square(&counts, weights);
        assert!(found < *bound, "{weights:?}: {found}, {counts:?}");
        let resting = counts
            .iter()
            .zip(*weights)
            .filter(|(_, weight)| **weight == 0);
        assert!(resting.clone().all(|(count, _)| *count == 0), "{counts:?}");
    }
}

#[test]
fn by_position_each_side_gets_its_share() {
    for (weights, bound) in CASES {
        let sides = sides(weights);
        let mut counts = vec![0; weights.len()];
        for position in positions(200_000) {
            counts[side_of(position, sides.iter().copied()).expect("a side")] += 1;
        }
        let found = chi_square(&counts, weights);
        assert!(found < *bound, "{weights:?}: {found}, {counts:?}");
    }
}

#[test]
fn as_a_side_grows_step_by_step_only_movers_move() {
    let at = |share| sides(&[100 - share, share]);
    let steps: Vec<_> = (0..=100).map(at).collect();
    let mut moved = 0_u32;
    for position in positions(2_000) {
        let on: Vec<_> = steps
            .iter()
            .map(|sides| side_of(position, sides.iter().copied()).expect("a side"))
            .collect();
        assert!(on.is_sorted(), "{position} came back: {on:?}");
        assert_eq!((on[0], on[100]), (0, 1));
        moved += u32::from(on[10] == 0 && on[20] == 1);
    }
    assert!((160..240).contains(&moved), "a tenth of 2000: {moved}");
}

#[test]
fn positions_never_change_sides_between_versions() {
    // Were these others, every client of a running test would change sides with the next version of this program.
    let sides = sides(&[70, 20, 10]);
    let on: Vec<_> = (0..16)
        .map(|position| side_of(position, sides.iter().copied()).expect("a side"))
        .collect();
    assert_eq!(on, ON_SIDES);
}

/// Worked out apart from this code.
const ON_SIDES: [usize; 16] = [0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];

#[test]
fn the_ends_of_chance() {
    let side = |chance, weights: &[u32]| side_by_chance(chance, weights.iter().copied());
    assert_eq!(side(0, &[1, 1]), Some(0));
    assert_eq!(side(u64::MAX, &[1, 1]), Some(1));
    assert_eq!(side(0, &[0, 1, 0]), Some(1));
    assert_eq!(side(u64::MAX, &[0, 1, 0]), Some(1));
    assert_eq!(side(u64::MAX, &[u32::MAX; 16]), Some(15));
    assert_eq!(side(7, &[0, 0]), None);
    assert_eq!(side(7, &[]), None);
    assert_eq!(side_of(7, sides(&[0, 0])), None);
    assert!(unit(0) > 0.0 && unit(u64::MAX) < 1.0);
}

proptest! {
    /// Whatever changes: who moves goes where the weight has grown beside the one that is left.
    #[test]
    fn only_movers_move(
        weights in vec((0_u32..1_000, 0_u32..1_000), 2..6),
        position: u64,
    ) {
        let (before, after): (Vec<_>, Vec<_>) = weights.into_iter().unzip();
        let from = side_of(position, sides(&before));
        let to = side_of(position, sides(&after));
        if let (Some(from), Some(to)) = (from, to)
            && from != to
        {
            let weight = |weights: &[u32], side: usize| u64::from(weights[side]);
            let left = weight(&before, from) * weight(&after, to);
            let stayed = weight(&before, to) * weight(&after, from);
            prop_assert!(left > stayed, "{from} to {to}: {before:?} to {after:?}");
        }
    }

    #[test]
    fn the_order_and_the_scale_of_sides_do_not_matter(
        weights in vec(0_u32..1_000, 1..6),
        by in 1_u32..1_000,
        position: u64,
    ) {
        let written = sides(&weights);
        let mut turned = written.clone();
        turned.reverse();
        for side in &mut turned {
            side.weight *= by;
        }
        let id = |sides: &[Side]| {
            side_of(position, sides.iter().copied()).map(|side| sides[side].id)
        };
        prop_assert_eq!(id(&written), id(&turned));
    }

    #[test]
    fn a_side_of_weight_0_gets_nothing(weights in vec(0_u32..3, 1..6), bits: u64) {
        let chosen = [
            side_of(bits, sides(&weights)),
            side_by_chance(bits, weights.iter().copied()),
        ];
        for side in chosen {
            match side {
                Some(side) => prop_assert!(weights[side] > 0),
                None => prop_assert!(weights.iter().all(|weight| *weight == 0)),
            }
        }
    }
}
