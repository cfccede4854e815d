//! The eligible server that costs least, among all of a tier or a sample of it.

use std::cmp::Ordering;

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

/// The place of the eligible server of least cost; equals have chances by their weights. A cost that cannot be compared,
/// as one that is not a number, never wins against one that can.
pub(crate) fn cheapest<S: Servers, C: PartialOrd>(
    view: &View<'_, S>,
    sample: Sample,
    rng: &mut Rng,
    cost: impl Fn(usize) -> C,
) -> Option<usize> {
    let servers = view.len();
    let mut cheapest = Cheapest::new();
    if let Some(sample) = sample.of(servers) {
        for _ in 0..sample {
            let place = rng.usize(..servers);
            if view.is_eligible(place) {
                cheapest.consider(view, place, cost(place), rng);
            }
        }
        if cheapest.place().is_some() {
            return cheapest.place();
        }
    }
    for place in (0..servers).filter(|&place| view.is_eligible(place)) {
        cheapest.consider(view, place, cost(place), rng);
    }
    cheapest.place()
}

/// The cheapest so far.
pub(crate) struct Cheapest<C> {
    best: Option<(usize, C)>,
    /// The weights of the equals together; 0 while there are none.
    equals: f32,
}

impl<C: PartialOrd> Cheapest<C> {
    /// None so far.
    pub(crate) const fn new() -> Self {
        Self {
            best: None,
            equals: 0.0,
        }
    }

    /// Where the cheapest is.
    pub(crate) fn place(&self) -> Option<usize> {
        self.best.as_ref().map(|&(place, _)| place)
    }

    /// Takes it where it costs less.
    pub(crate) fn consider<S: Servers>(
        &mut self,
        view: &View<'_, S>,
        place: usize,
        cost: C,
        rng: &mut Rng,
    ) {
        let Some((first, least)) = &mut self.best else {
            self.best = Some((place, cost));
            return;
        };
        match cost.partial_cmp(least) {
            Some(Ordering::Equal) => {
                if self.equals == 0.0 {
                    self.equals = view.weight(*first);
                }
                // The k-th of equals takes over with its share of the k: in the end each has had its own.
                let weight = view.weight(place);
                self.equals += weight;
                if rng.f32() * self.equals < weight {
                    *first = place;
                }
            }
            Some(Ordering::Less) => (self.best, self.equals) = (Some((place, cost)), 0.0),
            None if cost.partial_cmp(&cost).is_some() => self.best = Some((place, cost)),
            Some(Ordering::Greater) | None => {}
        }
    }
}
