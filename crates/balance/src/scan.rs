//! The eligible server that costs least, among all of a tier or a sample of it.

use fastrand::Rng;

use crate::servers::Servers;
use crate::view::View;

/// Of how many servers a policy that goes by cost looks at the cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sample {
    /// All of a hundred at most; of more, [`Sample::OF_MANY`].
    #[default]
    Auto,
    /// All, however many there are.
    All,
    /// So many, drawn at random for each request.
    Of(usize),
}

impl Sample {
    /// Servers above which not all are looked at, unless that is asked for.
    pub const ALL_UP_TO: usize = 100;
    /// Servers that are looked at then.
    pub const OF_MANY: usize = 32;

    fn of(self, servers: usize) -> Option<usize> {
        let sample = match self {
            Self::All => return None,
            Self::Auto if servers <= Self::ALL_UP_TO => return None,
            Self::Auto => Self::OF_MANY,
            Self::Of(sample) => sample,
        };
        (sample < servers).then_some(sample)
    }
}

/// The place of the eligible server of least cost; equals have chances by their weights. A cost that is not a number never
/// wins against one that is.
pub(crate) fn cheapest<S: Servers>(
    view: &View<'_, S>,
    sample: Sample,
    rng: &mut Rng,
    cost: impl Fn(usize) -> f32,
) -> Option<usize> {
    let servers = view.len();
    let mut cheapest = Cheapest::default();
    if let Some(sample) = sample.of(servers) {
        for _ in 0..sample {
            let place = rng.usize(..servers);
            if view.is_eligible(place) {
                cheapest.consider(view, place, cost(place), rng);
            }
        }
        if cheapest.place.is_some() {
            return cheapest.place;
        }
    }
    for place in (0..servers).filter(|&place| view.is_eligible(place)) {
        cheapest.consider(view, place, cost(place), rng);
    }
    cheapest.place
}

/// The cheapest so far.
#[derive(Default)]
struct Cheapest {
    place: Option<usize>,
    cost: f32,
    /// The weights of the equals together; 0 while there are none.
    equals: f32,
}

impl Cheapest {
    fn consider<S: Servers>(&mut self, view: &View<'_, S>, place: usize, cost: f32, rng: &mut Rng) {
        match self.place {
            #[expect(clippy::float_cmp, reason = "equal is equal: two idle servers")]
            Some(first) if cost == self.cost => {
                if self.equals == 0.0 {
                    self.equals = view.weight(first);
                }
                // The k-th of equals takes over with its share of the k: in the end each has had its own.
                let weight = view.weight(place);
                self.equals += weight;
                if rng.f32() * self.equals < weight {
                    self.place = Some(place);
                }
            }
            Some(_) if cost > self.cost || cost.is_nan() => {}
            _ => (self.place, self.cost, self.equals) = (Some(place), cost, 0.0),
        }
    }
}
