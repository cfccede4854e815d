//! Random by weight: needs no knowledge at all, and many balancers that do not know of each other cannot fall into step.

use std::sync::Arc;

use fastrand::Rng;

use crate::servers::Servers;
use crate::view::{Member, View};

/// Servers drawn by their weights, in constant time (Walker's alias method, 1977, as built by Vose, 1991).
#[derive(Clone, Debug)]
pub(crate) struct Random {
    /// For each place the share of draws that stay there, and the place that takes the others.
    columns: Arc<[(f32, u32)]>,
}

impl Random {
    /// Draws by the weights of the file.
    pub(crate) fn new(members: &[Member]) -> Self {
        let total: f64 = members.iter().map(|member| f64::from(member.weight)).sum();
        let count = f64::from(u32::try_from(members.len()).unwrap_or(u32::MAX));
        let mut shares: Vec<f64> = members
            .iter()
            .map(|member| f64::from(member.weight) * count / total)
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..shares.len())
            .partition(|&place| shares.get(place).is_some_and(|&share| share < 1.0));
        let mut columns: Vec<(f32, u32)> =
            (0..).take(shares.len()).map(|place| (1.0, place)).collect();
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            let own = shares.get(poor).copied().unwrap_or(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a share of 24 bits is even enough"
            )]
            if let (Some(column), Ok(taker)) = (columns.get_mut(poor), u32::try_from(rich)) {
                *column = (own as f32, taker);
            }
            let Some(left) = shares.get_mut(rich) else {
                break;
            };
            *left -= 1.0 - own;
            if *left < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self {
            columns: columns.into(),
        }
    }

    /// A place drawn by weight, whether eligible or not; `None` without servers.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Option<usize> {
        if self.columns.is_empty() {
            return None;
        }
        let place = rng.usize(..self.columns.len());
        let (stays, other) = *self.columns.get(place)?;
        if rng.f32() < stays {
            Some(place)
        } else {
            usize::try_from(other).ok()
        }
    }

    /// An eligible place drawn by weight.
    pub(crate) fn pick<S: Servers>(&self, view: &View<'_, S>, rng: &mut Rng) -> Option<usize> {
        (0..DRAWS)
            .filter_map(|_| self.draw(rng))
            .find(|&place| view.is_eligible(place))
            .or_else(|| any_eligible(view, rng))
    }
}

/// An eligible place drawn by weight, by looking at all of them.
fn any_eligible<S: Servers>(view: &View<'_, S>, rng: &mut Rng) -> Option<usize> {
    let (mut chosen, mut total) = (None, 0.0);
    for (place, member) in view.members.iter().enumerate() {
        if view.is_eligible(place) {
            total += member.weight;
            if rng.f32() * total < member.weight {
                chosen = Some(place);
            }
        }
    }
    chosen
}

/// Draws before all servers are looked at: with one in two eligible they fail once in 65,536 requests.
const DRAWS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn members(weights: &[f32]) -> Vec<Member> {
        let member = |(server, &weight)| Member {
            server,
            id: 0,
            weight,
        };
        weights.iter().enumerate().map(member).collect()
    }

    #[test]
    fn draws_follow_the_weights() {
        for weights in [
            &[1.0][..],
            &[1.0, 1.0],
            &[5.0, 1.0, 1.0],
            &[1.0, 0.1, 9.0, 2.0, 2.0],
            &[65_535.0, 1.0],
        ] {
            let random = Random::new(&members(weights));
            let mut rng = Rng::with_seed(3);
            let mut counts = vec![0_u32; weights.len()];
            (0..100_000)
                .filter_map(|_| random.draw(&mut rng))
                .for_each(|place| counts[place] += 1);
            let total: f32 = weights.iter().sum();
            for (count, weight) in counts.iter().zip(weights) {
                let expected = f64::from(100_000.0 * weight / total);
                assert!(
                    (f64::from(*count) - expected).abs() < 5.0 * expected.sqrt() + 5.0,
                    "{counts:?}"
                );
            }
        }
        assert_eq!(Random::new(&[]).draw(&mut Rng::with_seed(0)), None);
    }
}
