//! How long answers take of late: percentiles of the last some hundred, in bounded memory.
//!
//! A histogram whose buckets grow with what they hold, so that each is wrong by a sixteenth at most. When it is full, every
//! count is halved: what is long ago fades. Of one worker each, so that it is plain numbers.

use std::time::Duration;

/// What share of answers come within a time: 50 % to 99.9 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentile {
    /// In thousandths.
    permille: u16,
}

impl Percentile {
    /// Of so many thousandths; `None` where they are not from 500 to 999.
    pub fn of_permille(permille: u16) -> Option<Self> {
        (500..=999).contains(&permille).then_some(Self { permille })
    }

    /// How many answers have to be known before something can be said: with fewer than two beyond it, one slow answer decides.
    fn needed(self) -> u32 {
        let beyond = u32::from(1000 - self.permille);
        (2_000 / beyond).max(FEWEST)
    }

    /// After how many answers those known count half.
    fn most(self) -> u32 {
        self.needed() * MOST_OF_NEEDED
    }

    /// How many of `total` are beyond it.
    fn beyond(self, total: u32) -> u32 {
        total * u32::from(1000 - self.permille) / 1000
    }
}

/// The times that answers took.
#[derive(Debug)]
pub struct ResponseTimes {
    counts: [u16; BUCKETS],
    total: u32,
    most: u32,
    said: Option<Said>,
}

/// What was said last, as long as it holds.
#[derive(Debug)]
struct Said {
    percentile: Percentile,
    time: Duration,
    /// So many more answers may come until it is looked at again.
    holds: u32,
}

impl Default for ResponseTimes {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            total: 0,
            most: FEWEST * MOST_OF_NEEDED,
            said: None,
        }
    }
}

impl ResponseTimes {
    /// Takes note of an answer.
    pub fn add(&mut self, took: Duration) {
        if self.total >= self.most {
            self.fade();
        }
        if let Some(count) = self.counts.get_mut(bucket(took)) {
            *count = count.saturating_add(1);
            self.total += 1;
        }
        self.said = self.said.take().and_then(|said| {
            let holds = said.holds.checked_sub(1)?;
            Some(Said { holds, ..said })
        });
    }

    /// Within what time so many of the answers came; `None` where too few are known.
    pub fn percentile(&mut self, percentile: Percentile) -> Option<Duration> {
        // Whoever asks for the rarest decides how much is remembered.
        self.most = self.most.max(percentile.most());
        if self.total < percentile.needed() {
            return None;
        }
        if let Some(said) = &self.said
            && said.percentile == percentile
        {
            return Some(said.time);
        }
        let time = self.look(percentile)?;
        self.said = Some(Said {
            percentile,
            time,
            holds: HOLDS,
        });
        Some(time)
    }

    /// From the slowest down, as those are few.
    fn look(&self, percentile: Percentile) -> Option<Duration> {
        let beyond = percentile.beyond(self.total);
        let mut seen = 0;
        let mut slower = self.counts.iter().enumerate().rev();
        let (found, _) = slower.find(|(_, count)| {
            seen += u32::from(**count);
            seen > beyond
        })?;
        Some(end_of(found))
    }

    fn fade(&mut self) {
        self.total = 0;
        for count in &mut self.counts {
            *count /= 2;
            self.total += u32::from(*count);
        }
    }
}

/// The bucket that a time falls into.
fn bucket(took: Duration) -> usize {
    let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    if micros < PARTS {
        return micros as usize;
    }
    let octave = micros.ilog2() - PARTS_BITS;
    // The first bit is known to be set: what follows it tells the part.
    let part = (micros >> octave) - PARTS;
    ((octave + 1) * PARTS + part) as usize
}

/// The end of a bucket: who is in it took at most so long.
fn end_of(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let parts = u64::from(PARTS);
    if bucket < parts {
        return Duration::from_micros(bucket);
    }
    let (octave, part) = (bucket / parts - 1, bucket % parts);
    let micros = ((parts + part + 1) << octave) - 1;
    Duration::from_micros(micros)
}

const PARTS_BITS: u32 = 4;
/// Buckets to an octave.
const PARTS: u32 = 1 << PARTS_BITS;
/// Up to 2³² µs, 71 minutes.
const BUCKETS: usize = ((32 - PARTS_BITS + 1) * PARTS) as usize;
/// However near the middle a percentile is, so many answers have to be known.
const FEWEST: u32 = 50;
/// How many more are remembered than are needed.
const MOST_OF_NEEDED: u32 = 10;
/// What was said holds for so many answers.
const HOLDS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn percentile(permille: u16) -> Percentile {
        Percentile::of_permille(permille).expect("a percentile")
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Whether it is the wanted time, as exactly as it is known.
    #[track_caller]
    fn assert_near(time: Option<Duration>, wanted: Duration) {
        let time = time.expect("enough is known");
        let most = wanted + wanted / 16;
        assert!((wanted..=most).contains(&time), "{time:?}, not {wanted:?}");
    }

    #[test]
    fn only_those_between_the_middle_and_all() {
        for permille in [0, 1, 499, 1000, u16::MAX] {
            assert_eq!(Percentile::of_permille(permille), None);
        }
        assert!(Percentile::of_permille(500).is_some() && Percentile::of_permille(999).is_some());
    }

    #[test]
    fn with_too_few_nothing_is_said() {
        for (permille, needed) in [(500, 50), (950, 50), (990, 200), (999, 2000)] {
            let mut times = ResponseTimes::default();
            for _ in 1..needed {
                times.add(millis(10));
                assert_eq!(times.percentile(percentile(permille)), None);
            }
            times.add(millis(10));
            assert_near(times.percentile(percentile(permille)), millis(10));
        }
    }

    #[test]
    fn a_hundred_of_them() {
        let mut times = ResponseTimes::default();
        for number in 1..=100 {
            times.add(millis(number));
        }
        assert_near(times.percentile(percentile(500)), millis(50));
        assert_near(times.percentile(percentile(950)), millis(95));
        assert_near(times.percentile(percentile(900)), millis(90));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let mut times = ResponseTimes::default();
        for _ in 0..100_000 {
            times.add(millis(800));
        }
        assert_near(times.percentile(percentile(950)), millis(800));
        for _ in 0..10_000 {
            times.add(millis(5));
        }
        assert_near(times.percentile(percentile(950)), millis(5));
        for _ in 0..10_000 {
            times.add(millis(700));
        }
        assert_near(times.percentile(percentile(950)), millis(700));
    }

    #[test]
    fn a_new_time_shows_soon() {
        let mut times = ResponseTimes::default();
        for _ in 0..50 {
            times.add(millis(10));
        }
        assert_near(times.percentile(percentile(950)), millis(10));
        for _ in 0..20 {
            times.add(millis(90));
        }
        assert_near(times.percentile(percentile(950)), millis(90));
    }

    #[test]
    fn the_shortest_and_the_longest() {
        for (took, shown) in [
            (Duration::ZERO, Duration::ZERO),
            (Duration::from_micros(7), Duration::from_micros(7)),
            (Duration::MAX, Duration::from_micros(u32::MAX.into())),
        ] {
            let mut times = ResponseTimes::default();
            for _ in 0..60 {
                times.add(took);
            }
            assert_eq!(times.percentile(percentile(990)), None);
            assert_eq!(times.percentile(percentile(500)), Some(shown));
        }
    }

    proptest! {
        #[test]
        fn every_time_is_within_its_bucket(micros in any::<u32>()) {
            let bucket = bucket(Duration::from_micros(micros.into()));
            prop_assert!(bucket < BUCKETS);
            let end = end_of(bucket).as_micros();
            let micros = u128::from(micros);
            prop_assert!(micros <= end && end <= micros + micros / 16, "{micros} in {end}");
            prop_assert!(bucket == 0 || end_of(bucket - 1).as_micros() < micros);
        }

        #[test]
        fn it_is_a_time_within_which_so_many_came(
            times in prop::collection::vec(1_u64..2_000_000, 50..400),
            permille in 500_u16..=980,
        ) {
            let mut known = ResponseTimes::default();
            for micros in &times {
                known.add(Duration::from_micros(*micros));
            }
            let said = known.percentile(percentile(permille)).map(|time| time.as_micros());
            let mut sorted = times.clone();
            sorted.sort_unstable();
            let beyond = times.len() * usize::from(1000 - permille) / 1000;
            let exact = u128::from(sorted[times.len() - 1 - beyond]);
            if times.len() >= percentile(permille).needed() as usize {
                let said = said.expect("enough is known");
                prop_assert!(exact <= said && said <= exact + exact / 16, "{exact} as {said}");
            }
        }
    }
}
