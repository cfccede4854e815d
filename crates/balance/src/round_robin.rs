//! Smooth weighted round robin: each server in turn, as often as its weight says, spread evenly over the cycle.
//!
//! The algorithm is the one nginx has used since 2012: in each turn every server gains its weight, the richest one is
//! chosen and pays the sum of all weights. Weights 5, 1, 1 give a a b a c a a, where plain weighted round robin would
//! send five requests in a row to one server.

use std::sync::Arc;

/// Servers in turn. With all servers eligible a pick takes constant time. Clones share all but where they are.
#[derive(Clone, Debug)]
pub(crate) struct RoundRobin {
    /// Divided by their greatest common divisor.
    weights: Arc<[i64]>,
    /// One whole cycle worked out in advance; empty where it would be longer than [`SCHEDULE_MAX`].
    schedule: Arc<[u32]>,
    /// The turn that it began with, modulo the length of the cycle.
    start: u64,
    /// The next turn in the schedule.
    turn: usize,
    /// What each server has gained and not yet paid. Without a schedule it decides every pick. With one it decides
    /// who takes the turns of servers that are not eligible, so that these spread over the others by weight instead
    /// of all falling to the next in line.
    credit: Box<[i64]>,
}

impl RoundRobin {
    /// Servers with these weights, 16 bits each. The cycle begins at the turn `start` (modulo its length).
    pub(crate) fn new(weights: impl Iterator<Item = u64>, start: u64) -> Self {
        let weights: Vec<i64> = weights
            .filter_map(|weight| i64::try_from(weight).ok())
            .collect();
        let divisor = weights
            .iter()
            .fold(0, |divisor, &weight| gcd(divisor, weight));
        let weights: Arc<[i64]> = weights
            .iter()
            .map(|weight| weight / divisor.max(1))
            .collect();
        let cycle = usize::try_from(weights.iter().sum::<i64>()).unwrap_or(usize::MAX);
        let schedule = if cycle <= SCHEDULE_MAX.max(weights.len()) {
            schedule(&weights, cycle)
        } else {
            Vec::new()
        };
        let mut new = Self {
            weights,
            schedule: schedule.into(),
            start,
            turn: 0,
            credit: Box::default(),
        };
        new.restart(start);
        new
    }

    /// Begins anew, at the turn `start`.
    pub(crate) fn restart(&mut self, start: u64) {
        self.start = start;
        self.credit = self.weights.iter().map(|_| 0).collect();
        let start = usize::try_from(start).unwrap_or(0);
        self.turn = start.checked_rem(self.schedule.len()).unwrap_or(0);
        if self.schedule.is_empty() {
            for _ in 0..start % self.weights.len().clamp(1, ADVANCE_MAX) {
                richest(&self.weights, &mut self.credit, |_| true);
            }
        }
    }

    /// Takes over the weights of `other`, over the same servers, and goes on as far through the cycle as it was: who has just
    /// had a turn does not get the next one for that.
    pub(crate) fn reweigh(&mut self, other: &Self) {
        let (old, new) = (self.schedule.len(), other.schedule.len());
        if new == 0 {
            self.settle();
        }
        let sum = |weights: &[i64]| i128::from(weights.iter().sum::<i64>().max(1));
        let (paid, pays) = (sum(&self.weights), sum(&other.weights));
        for credit in &mut self.credit {
            *credit = i64::try_from(i128::from(*credit) * pays / paid).unwrap_or(0);
        }
        self.turn = (self.turn * new).checked_div(old).unwrap_or_else(|| {
            let start = usize::try_from(self.start).unwrap_or(0);
            start.checked_rem(new).unwrap_or(0)
        });
        self.weights = Arc::clone(&other.weights);
        self.schedule = Arc::clone(&other.schedule);
    }

    /// Writes what servers got by the schedule's turns so far to their credit, as it would be without a schedule.
    fn settle(&mut self) {
        let cycle = self.weights.iter().sum::<i64>();
        let turns = i64::try_from(self.turn).unwrap_or(0);
        for (credit, weight) in self.credit.iter_mut().zip(self.weights.iter()) {
            *credit += weight * turns;
        }
        for server in self.schedule.iter().take(self.turn) {
            let server = usize::try_from(*server).unwrap_or(usize::MAX);
            if let Some(credit) = self.credit.get_mut(server) {
                *credit -= cycle;
            }
        }
    }

    /// The index of the server whose turn it is, `None` where none is eligible. What the servers that are not
    /// eligible would have got is shared by the others in proportion to their weights.
    pub(crate) fn pick(&mut self, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let Some(&server) = self.schedule.get(self.turn) else {
            return richest(&self.weights, &mut self.credit, eligible);
        };
        let mut server = usize::try_from(server).ok()?;
        if !eligible(server) {
            server = richest(&self.weights, &mut self.credit, eligible)?;
        }
        self.turn += 1;
        if self.turn == self.schedule.len() {
            self.turn = 0;
        }
        Some(server)
    }
}

/// Turns in the longest cycle that is worked out in advance: 16 KiB.
const SCHEDULE_MAX: usize = 4096;

/// How far into a cycle without a schedule a worker begins at most.
const ADVANCE_MAX: usize = 64;

/// One turn of the algorithm among the eligible servers; the first of equals wins.
fn richest(weights: &[i64], credit: &mut [i64], eligible: impl Fn(usize) -> bool) -> Option<usize> {
    let mut total = 0;
    let mut best: Option<(usize, i64)> = None;
    for (server, (weight, credit)) in weights.iter().zip(credit.iter_mut()).enumerate() {
        if !eligible(server) {
            continue;
        }
        total += weight;
        *credit += weight;
        if best.is_none_or(|(_, most)| *credit > most) {
            best = Some((server, *credit));
        }
    }
    let (server, _) = best?;
    *credit.get_mut(server)? -= total;
    Some(server)
}

fn schedule(weights: &[i64], cycle: usize) -> Vec<u32> {
    if weights.iter().all(|&weight| weight == 1) {
        // What the algorithm would give, without its n² steps.
        return (0..u32::try_from(cycle).unwrap_or(0)).collect();
    }
    let mut credit = vec![0; weights.len()];
    (0..cycle)
        .filter_map(|_| richest(weights, &mut credit, |_| true))
        .filter_map(|server| u32::try_from(server).ok())
        .collect()
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(values: &[i64]) -> impl Iterator<Item = u64> {
        values.iter().map(|value| value.unsigned_abs())
    }

    fn letters(values: &[i64], start: u64, turns: usize, ineligible: &[usize]) -> String {
        let mut policy = RoundRobin::new(weights(values), start);
        (0..turns)
            .map(|_| {
                let server = policy.pick(|server| !ineligible.contains(&server));
                server.map_or('-', |server| {
                    char::from(b'a' + u8::try_from(server).expect("few"))
                })
            })
            .collect()
    }

    #[test]
    fn smooth() {
        assert_eq!(letters(&[5, 1, 1], 0, 14, &[]), "aabacaaaabacaa");
        assert_eq!(letters(&[10, 2, 2], 0, 7, &[]), "aabacaa");
        assert_eq!(letters(&[5, 1, 1], 2, 7, &[]), "bacaaaa");
        assert_eq!(letters(&[1, 1, 1], 0, 7, &[]), "abcabca");
        assert_eq!(letters(&[3, 3, 3], 5, 4, &[]), "cabc");
        assert_eq!(letters(&[1], 9, 3, &[]), "aaa");
    }

    #[test]
    fn a_long_cycle_needs_no_schedule() {
        let long = RoundRobin::new(weights(&[65_535, 65_534, 1]), 0);
        assert!(long.schedule.is_empty());
        assert_eq!(letters(&[65_535, 65_534, 1], 0, 4, &[]), "abab");
        assert_eq!(letters(&[65_535, 65_534, 1], 1, 4, &[]), "baba");
        assert_eq!(letters(&[65_535, 65_534, 1], 0, 3, &[0, 1]), "ccc");
        assert_eq!(letters(&[65_535, 65_534, 1], 0, 3, &[0, 1, 2]), "---");
        let many = RoundRobin::new((0..10_000).map(|_| 1), 9_999);
        assert_eq!((many.schedule.len(), many.turn), (10_000, 9_999));
    }

    #[test]
    fn turns_of_the_ineligible_do_not_fall_to_the_next_in_line() {
        let picks = letters(&[1, 1, 1, 1], 0, 12, &[1]);
        for server in ['a', 'c', 'd'] {
            assert_eq!(picks.matches(server).count(), 4, "{picks}");
        }
        assert_eq!(letters(&[1, 1], 0, 3, &[0, 1]), "---");
    }

    /// Picks of each server in `turns` turns.
    fn counts(policy: &mut RoundRobin, turns: i64, mask: u32) -> [i64; 8] {
        let mut counts = [0; 8];
        for _ in 0..turns {
            if let Some(server) = policy.pick(|server| mask >> server & 1 == 1) {
                counts[server] += 1;
            }
        }
        counts
    }

    #[test]
    fn new_weights_go_on_where_the_old_ones_were() {
        let mut policy = RoundRobin::new(weights(&[1, 1, 1, 1]), 0);
        let (doubled, long) = (
            RoundRobin::new(weights(&[2, 2, 2, 2]), 9),
            RoundRobin::new(weights(&[65_535, 65_534, 65_534, 65_534]), 9),
        );
        assert!(long.schedule.is_empty());
        let mut picks = Vec::new();
        for other in [&doubled, &long, &doubled, &long, &long, &long, &doubled] {
            picks.extend(policy.pick(|_| true));
            picks.extend(policy.pick(|_| true));
            policy.reweigh(other);
        }
        assert_eq!(picks[..6], [0, 1, 2, 3, 0, 1]);
        for server in 0..4 {
            let count = picks.iter().filter(|&&picked| picked == server).count();
            assert!((3..=4).contains(&count), "{picks:?}");
        }
    }

    #[test]
    fn turns_of_a_schedule_count_where_there_is_none_any_more() {
        let mut policy = RoundRobin::new(weights(&[1, 1, 1, 1]), 0);
        let served: Vec<_> = (0..2).filter_map(|_| policy.pick(|_| true)).collect();
        policy.reweigh(&RoundRobin::new(
            weights(&[65_535, 65_534, 65_534, 65_534]),
            0,
        ));
        assert!(policy.schedule.is_empty());
        let next: Vec<_> = (0..2).filter_map(|_| policy.pick(|_| true)).collect();
        assert_eq!((served, next), (vec![0, 1], vec![2, 3]));
    }

    proptest! {
        #[test]
        fn shares_hold_while_weights_change(
            changes in prop::collection::vec((prop::collection::vec(1..9_i64, 5), 1..40_i64), 1..20),
            factor in prop_oneof![Just(1_i64), Just(7_001)],
        ) {
            let mut policy = RoundRobin::new(weights(&[1, 2, 3, 4, 5]), 0);
            let (mut counts_all, mut expected) = ([0; 8], [0.0; 8]);
            for (values, turns) in &changes {
                // Odd weights have no schedule: the cycle is too long.
                let values: Vec<i64> = values.iter().map(|value| value * factor + i64::from(factor > 1)).collect();
                policy.reweigh(&RoundRobin::new(weights(&values), 3));
                for (all, count) in counts_all.iter_mut().zip(counts(&mut policy, *turns, u32::MAX)) {
                    *all += count;
                }
                let sum: i64 = values.iter().sum();
                for (expected, value) in expected.iter_mut().zip(&values) {
                    *expected += *turns as f64 * *value as f64 / sum as f64;
                }
            }
            for (count, expected) in counts_all.iter().zip(expected) {
                // A turn for each change.
                let most = 2.0 + changes.len() as f64;
                prop_assert!((*count as f64 - expected).abs() <= most, "{} {}", count, expected);
            }
        }

        #[test]
        fn shares_are_exact_over_a_cycle(
            values in prop::collection::vec(1..60_i64, 1..8),
            start in any::<u64>(),
        ) {
            let mut policy = RoundRobin::new(weights(&values), start);
            let counts = counts(&mut policy, values.iter().sum(), u32::MAX);
            prop_assert_eq!(&counts[..values.len()], &values[..]);
        }

        #[test]
        fn without_some_servers_the_others_keep_their_proportions(
            values in prop::collection::vec(1..30_i64, 1..8),
            start in any::<u64>(),
            mask in any::<u32>(),
        ) {
            let all: i64 = values.iter().sum();
            let left = |at: usize| if mask >> at & 1 == 1 { values[at] } else { 0 };
            let left: Vec<i64> = (0..values.len()).map(left).collect();
            let rest: i64 = left.iter().sum();
            let mut policy = RoundRobin::new(weights(&values), start);
            let counts = counts(&mut policy, all * rest, mask);
            let expected: Vec<i64> = left.iter().map(|weight| weight * all).collect();
            prop_assert_eq!(&counts[..values.len()], &expected[..]);
        }

        #[test]
        fn what_was_ineligible_before_hardly_matters_later(
            values in prop::collection::vec(1..30_i64, 1..8),
            history in prop::collection::vec(any::<u32>(), 0..200),
        ) {
            let mut policy = RoundRobin::new(weights(&values), 0);
            for mask in history {
                counts(&mut policy, 1, mask);
            }
            let counts = counts(&mut policy, values.iter().sum(), u32::MAX);
            prop_assert_eq!(&counts[..values.len()], &values[..]);
            let most = policy.credit.iter().map(|credit| credit.abs()).max().unwrap_or(0);
            prop_assert!(most <= 8 * values.iter().sum::<i64>(), "credit {}", most);
        }

        #[test]
        fn with_and_without_a_schedule_shares_are_the_same(
            values in prop::collection::vec(1..30_i64, 2..8),
        ) {
            let mut scheduled = RoundRobin::new(weights(&values), 0);
            let mut classical = RoundRobin { schedule: Arc::default(), ..scheduled.clone() };
            for _ in 0..values.iter().sum() {
                prop_assert_eq!(scheduled.pick(|_| true), classical.pick(|_| true));
            }
        }
    }
}
