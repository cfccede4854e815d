//! Smooth weighted round robin: each server in turn, as often as its weight says, spread evenly over the cycle.
//!
//! The algorithm is the one nginx has used since 2012: in each turn every server gains its weight, the richest one is
//! chosen and pays the sum of all weights. Weights 5, 1, 1 give a a b a c a a, where plain weighted round robin would
//! send five requests in a row to one server.

use sluice_model::Weight;

/// Servers in turn. With all servers eligible a pick takes constant time.
#[derive(Clone, Debug)]
pub(crate) struct RoundRobin {
    /// Divided by their greatest common divisor.
    weights: Box<[i64]>,
    /// One whole cycle worked out in advance; empty where it would be longer than [`SCHEDULE_MAX`].
    schedule: Box<[u32]>,
    /// The next turn in the schedule.
    turn: usize,
    /// What each server has gained and not yet paid. Without a schedule it decides every pick. With one it decides
    /// who takes the turns of servers that are not eligible, so that these spread over the others by weight instead
    /// of all falling to the next in line.
    credit: Box<[i64]>,
}

impl RoundRobin {
    /// Servers with these weights. The cycle begins at the turn `start` (modulo its length).
    pub(crate) fn new(weights: &[Weight], start: u64) -> Self {
        let divisor = weights
            .iter()
            .fold(0, |divisor, weight| gcd(divisor, weight.value()));
        let weights: Box<[i64]> = weights
            .iter()
            .map(|weight| i64::from(weight.value() / divisor.max(1)))
            .collect();
        let mut credit: Box<[i64]> = weights.iter().map(|_| 0).collect();
        let start = usize::try_from(start).unwrap_or(0);
        let cycle = usize::try_from(weights.iter().sum::<i64>()).unwrap_or(usize::MAX);
        let schedule = if cycle <= SCHEDULE_MAX.max(weights.len()) {
            schedule(&weights, cycle)
        } else {
            for _ in 0..start % weights.len().clamp(1, ADVANCE_MAX) {
                richest(&weights, &mut credit, |_| true);
            }
            Box::default()
        };
        Self {
            turn: start.checked_rem(schedule.len()).unwrap_or(0),
            weights,
            schedule,
            credit,
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

fn schedule(weights: &[i64], cycle: usize) -> Box<[u32]> {
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

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weights(values: &[i64]) -> Vec<Weight> {
        values
            .iter()
            .map(|&value| Weight::try_from(value).expect("a weight"))
            .collect()
    }

    fn letters(values: &[i64], start: u64, turns: usize, ineligible: &[usize]) -> String {
        let mut policy = RoundRobin::new(&weights(values), start);
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
        let long = RoundRobin::new(&weights(&[65_535, 65_534, 1]), 0);
        assert!(long.schedule.is_empty());
        assert_eq!(letters(&[65_535, 65_534, 1], 0, 4, &[]), "abab");
        assert_eq!(letters(&[65_535, 65_534, 1], 1, 4, &[]), "baba");
        assert_eq!(letters(&[65_535, 65_534, 1], 0, 3, &[0, 1]), "ccc");
        assert_eq!(letters(&[65_535, 65_534, 1], 0, 3, &[0, 1, 2]), "---");
        let many = RoundRobin::new(&vec![Weight::ONE; 10_000], 9_999);
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

    proptest! {
        #[test]
        fn shares_are_exact_over_a_cycle(
            values in prop::collection::vec(1..60_i64, 1..8),
            start in any::<u64>(),
        ) {
            let mut policy = RoundRobin::new(&weights(&values), start);
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
            let mut policy = RoundRobin::new(&weights(&values), start);
            let counts = counts(&mut policy, all * rest, mask);
            let expected: Vec<i64> = left.iter().map(|weight| weight * all).collect();
            prop_assert_eq!(&counts[..values.len()], &expected[..]);
        }

        #[test]
        fn what_was_ineligible_before_hardly_matters_later(
            values in prop::collection::vec(1..30_i64, 1..8),
            history in prop::collection::vec(any::<u32>(), 0..200),
        ) {
            let mut policy = RoundRobin::new(&weights(&values), 0);
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
            let mut scheduled = RoundRobin::new(&weights(&values), 0);
            let mut classical = RoundRobin { schedule: Box::default(), ..scheduled.clone() };
            for _ in 0..values.iter().sum() {
                prop_assert_eq!(scheduled.pick(|_| true), classical.pick(|_| true));
            }
        }
    }
}
