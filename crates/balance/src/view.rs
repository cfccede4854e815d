//! A tier as its algorithm sees it: the servers by their place in the tier, each with its weight, load and latency as
//! they count now.

use std::time::Duration;

use crate::decaying::Decay;
use crate::load::Load;
use crate::servers::{Ask, Servers};
use crate::survey::Survey;

/// A server of a tier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// Its index among all servers of the upstream.
    pub(crate) server: usize,
    /// Its identity.
    pub(crate) id: u64,
    /// Its weight, as the file says.
    pub(crate) weight: f32,
}

impl Member {
    /// Its weight as a number to count with.
    pub(crate) fn whole_weight(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number of 16 bits"
        )]
        let weight = self.weight as u64;
        weight
    }
}

/// What an algorithm may look at for one pick.
pub(crate) struct View<'a, S> {
    pub(crate) servers: &'a S,
    pub(crate) members: &'a [Member],
    pub(crate) survey: &'a Survey,
    pub(crate) ask: &'a Ask,
    /// How long a latency is remembered.
    pub(crate) decay: Decay,
    pub(crate) slow_start: Duration,
    pub(crate) care: Care,
    /// Tells this pick from others, or the request's key where that decides: chance that is the same however often it is
    /// asked within one pick.
    pub(crate) pick: u64,
}

/// How careful a pick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Care {
    /// Servers that fail are left out.
    pub(crate) avoids_failing: bool,
    /// Servers that warm up, or say that they are busy, are left out now and then: for algorithms that do not look at
    /// weights anew with each request.
    pub(crate) thins: bool,
}

impl Care {
    /// Whoever can take the request will do.
    pub(crate) const NONE: Self = Self {
        avoids_failing: false,
        thins: false,
    };
}

impl<'a, S: Servers> View<'a, S> {
    /// Servers in the tier.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the server may be picked.
    pub(crate) fn is_eligible(&self, place: usize) -> bool {
        let Some(member) = self.members.get(place) else {
            return false;
        };
        if !self.servers.is_eligible(member.server) {
            return false;
        }
        if self.care == Care::NONE {
            return true;
        }
        let Some(load) = self.servers.load(member.server) else {
            return false;
        };
        // Nearly always a glance is enough.
        (!self.care.thins && load.is_sound(self.survey.failing_limit))
            || self.is_welcome(member, load)
    }

    /// The server's load.
    pub(crate) fn load(&self, place: usize) -> Option<&'a Load> {
        self.servers.load(self.members.get(place)?.server)
    }

    /// Requests it works on, as far as is known.
    pub(crate) fn in_flight(&self, place: usize) -> f32 {
        self.load(place)
            .map_or(0.0, |load| load.known_in_flight(self.ask.now))
    }

    /// Its weight as it counts now: less while it warms up, less where it says that it is busier than the others, less where
    /// some of its requests fail. Never 0.
    pub(crate) fn weight(&self, place: usize) -> f32 {
        let (Some(member), Some(load)) = (self.members.get(place), self.load(place)) else {
            return 1.0;
        };
        let weight =
            member.weight * load.warmth(self.ask.now, self.slow_start) * self.modesty(load);
        if self.care.avoids_failing {
            weight * load.soundness(self.ask.now)
        } else {
            weight
        }
    }

    /// Requests as they count for a server of its weight: less where that is above the mean.
    pub(crate) fn by_weight(&self, place: usize, requests: f32) -> f32 {
        requests * self.survey.mean_weight / self.weight(place)
    }

    /// Its average latency in seconds. One that has hardly been tried is taken for average, so that it is tried, and its
    /// first slow answer is not its doom.
    pub(crate) fn latency(&self, place: usize) -> f32 {
        let known = self
            .load(place)
            .and_then(|load| Survey::explored(load.latency(self.ask.now, self.decay)));
        tellable(known.unwrap_or(self.survey.mean_latency))
    }

    /// Seconds that one more request would take beside those it works on. Where that is not known, what is usual for a
    /// server that is as busy, so that a cold one gets its share and not everything.
    pub(crate) fn latency_of_one_more(&self, place: usize) -> f32 {
        let known = self
            .load(place)
            .and_then(|load| load.latency_of_one_more(self.ask.now, self.decay));
        known.unwrap_or_else(|| {
            let in_flight = self.in_flight(place) / self.weight(place);
            self.survey.mean_latency * (in_flight + 1.0) / (self.survey.mean_in_flight + 1.0)
        })
    }

    /// Its average latency in seconds while it worked on nothing else, where that is known.
    pub(crate) fn latency_alone(&self, place: usize) -> Option<f32> {
        let known = self.load(place)?.latency_alone(self.ask.now, self.decay);
        known.map(tellable)
    }

    /// Requests it works on from here.
    pub(crate) fn own_in_flight(&self, place: usize) -> f32 {
        self.load(place).map_or(0.0, |load| load.in_flight() as f32)
    }

    /// Requests it says it works on; none where it says nothing.
    pub(crate) fn reported_in_flight(&self, place: usize) -> f32 {
        self.load(place)
            .and_then(|load| load.reported_in_flight(self.ask.now))
            .unwrap_or(0.0)
    }

    /// As [`View::latency`], of its worst moments.
    pub(crate) fn peak(&self, place: usize) -> f32 {
        let known = self
            .load(place)
            .and_then(|load| Survey::explored(load.peak(self.ask.now, self.decay)));
        tellable(known.unwrap_or(self.survey.mean_latency))
    }

    /// Bytes a second through it.
    pub(crate) fn bandwidth(&self, place: usize) -> f32 {
        self.load(place)
            .map_or(0.0, |load| load.bandwidth(self.ask.now, self.decay))
    }

    #[inline(never)]
    fn is_welcome(&self, member: &Member, load: &Load) -> bool {
        if self.care.avoids_failing && load.is_failing(self.ask.now, self.survey.failing_limit) {
            return false;
        }
        if !self.care.thins {
            return true;
        }
        let share = load.warmth(self.ask.now, self.slow_start) * self.modesty(load).min(1.0);
        share >= 1.0 || chance(self.pick ^ member.id) < share
    }

    /// How much more than now the server could take beside the others, by what they say of themselves: 1 where it says
    /// nothing.
    fn modesty(&self, load: &Load) -> f32 {
        let Some(mean) = self.survey.mean_utilization else {
            return 1.0;
        };
        load.report(self.ask.now).utilization.map_or(1.0, |own| {
            (mean / own.max(UTILIZATION_MIN)).clamp(MODESTY_MIN, MODESTY_MAX)
        })
    }
}

/// A latency as it counts beside others: cut to eight steps to a doubling, and to a millisecond at least. What differs by
/// less is chance, and nobody would notice; servers that are alike share what little there is instead of the luckiest
/// having it all.
pub(crate) fn tellable(latency: f32) -> f32 {
    f32::from_bits(latency.max(LATENCY_MIN).to_bits() & STEPS)
}

/// Seconds below which latencies are not told apart.
const LATENCY_MIN: f32 = 0.001;
/// Sign, exponent and the first three binary digits of the fraction of a number.
const STEPS: u32 = 0xfff0_0000;

/// Below this share of use servers count as equally idle.
const UTILIZATION_MIN: f32 = 0.01;
/// A server's word about its load moves its weight within these bounds.
const MODESTY_MIN: f32 = 0.1;
const MODESTY_MAX: f32 = 2.0;

/// A number from 0 to below 1 that looks random, and is the same for the same `word` (the finaliser of `MurmurHash3`).
pub(crate) fn chance(word: u64) -> f32 {
    let mut mixed = word;
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^= mixed >> 33;
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit exactly")]
    let share = (mixed >> 40) as f32 / (1_u64 << 24) as f32;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_apart_where_the_difference_matters() {
        assert_eq!(tellable(0.000_2).to_bits(), tellable(0.000_9).to_bits());
        assert_eq!(tellable(0.010_0).to_bits(), tellable(0.010_7).to_bits());
        for (shorter, longer) in [
            (0.001, 0.001_2),
            (0.010, 0.0113),
            (1.0, 1.125),
            (0.0, 0.002),
        ] {
            assert!(tellable(shorter) < tellable(longer), "{shorter} {longer}");
        }
        for latency in [0.001_1, 0.012_3, 0.5, 7.7] {
            let cut = tellable(latency);
            assert!(cut <= latency && cut > latency * 0.88, "{latency} {cut}");
        }
    }

    #[test]
    fn chance_is_even() {
        let below = (0..10_000).filter(|&word| chance(word) < 0.3).count();
        assert!((2_800..3_200).contains(&below), "{below}");
        assert_eq!(chance(7).to_bits(), chance(7).to_bits());
    }
}
