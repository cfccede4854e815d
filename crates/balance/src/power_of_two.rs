//! The power of two choices: of two servers drawn at random the less loaded one. Nearly as even as looking at all of them,
//! for constant work, and with many balancers better: they do not all run to the same idle server.
//!
//! Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (1996).

use fastrand::Rng;

use crate::random::Random;
use crate::servers::Servers;
use crate::view::View;

/// The lower in flight / weight of two drawn by weight wins; the first where they are equal.
pub(crate) fn pick<S: Servers>(
    view: &View<'_, S>,
    random: &Random,
    rng: &mut Rng,
) -> Option<usize> {
    let first = random.pick(view, rng)?;
    let second = (0..DRAWS)
        .filter_map(|_| random.draw(rng))
        .find(|&place| place != first && view.is_eligible(place));
    let cost = |place| view.in_flight(place) / view.weight(place);
    Some(
        second
            .filter(|&second| cost(second) < cost(first))
            .unwrap_or(first),
    )
}

/// Draws for a second server that is not the first: with two servers of equal weight they fail once in 256 requests.
const DRAWS: usize = 8;
