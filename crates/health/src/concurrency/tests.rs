//! The word between threads, and the control on servers that are simulated.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "times of a simulation are far from any bound"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use proptest::prelude::*;
use sluice_model::Moment;

use super::*;

fn even(limit: u32) -> Limit {
    Limit {
        limit,
        ceiling: limit,
    }
}

#[test]
fn only_critical_requests_have_the_ceiling() {
    let most = 1_000_000;
    let concurrency = Concurrency::new(Limit {
        limit: 10,
        ceiling: most,
    });
    let enter = |priority| concurrency.try_enter(priority).is_some();
    assert_eq!((0..20).filter(|_| enter(Priority::High)).count(), 9);
    assert!((9..most).all(|_| enter(Priority::Critical)));
    assert!(!enter(Priority::Critical));
    assert_eq!(concurrency.under_way(), most);
    assert_eq!(concurrency.limit().ceiling, most);
}

#[test]
fn each_priority_has_its_share_of_the_limit() {
    for (limit, shares) in [
        (100, [80, 90, 95, 100]),
        (20, [16, 18, 19, 20]),
        (5, [4, 4, 4, 5]),
        (2, [1, 1, 1, 2]),
        (1, [1, 1, 1, 1]),
    ] {
        for (priority, most) in Priority::ALL.into_iter().zip(shares) {
            let concurrency = Concurrency::new(even(limit));
            let entered = (0..limit * 2).filter_map(|_| concurrency.try_enter(priority));
            assert!(entered.eq(1..=most), "{priority} of {limit}");
            assert!(!concurrency.has_place(priority));
            concurrency.leave();
            assert!(concurrency.has_place(priority));
            assert_eq!(concurrency.under_way(), most - 1);
        }
    }
}

#[test]
fn a_lower_limit_leaves_what_is_under_way() {
    let concurrency = Concurrency::new(even(10));
    let enter = || concurrency.try_enter(Priority::Critical);
    assert_eq!((0..8).filter_map(|_| enter()).count(), 8);
    concurrency.set_limit(even(4));
    assert_eq!((concurrency.limit(), concurrency.under_way()), (even(4), 8));
    for _ in 0..4 {
        assert_eq!(enter(), None);
        concurrency.leave();
    }
    assert_eq!(enter(), None);
    concurrency.leave();
    assert_eq!(enter(), Some(4));
}

#[test]
fn the_limit_holds_between_threads() {
    let concurrency = Concurrency::new(even(3));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Some(count) = concurrency.try_enter(Priority::Critical) {
                        assert!(count <= 3);
                        concurrency.leave();
                    }
                }
            });
        }
    });
    assert_eq!((concurrency.limit(), concurrency.under_way()), (even(3), 0));
}

const SETTINGS: ConcurrencySettings = ConcurrencySettings {
    min: 1,
    max: 1_000,
    initial: 20,
    tolerance: 1.5,
};

/// Servers that work on `slots` requests at a time, for `service` seconds each by chance; more wait inside of them.
struct Servers {
    slots: usize,
    service: f64,
    /// When each slot is free.
    free: BinaryHeap<Reverse<u64>>,
    /// When requests end that are under way, and how long they take.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    random: u64,
}

/// What came of some time.
#[derive(Debug, Default)]
struct Outcome {
    served: u32,
    refused: u32,
    critical: u32,
    critical_refused: u32,
    /// In seconds, all together.
    latency: f64,
}

impl Outcome {
    fn latency(&self) -> f64 {
        self.latency / f64::from(self.served)
    }
}

impl Servers {
    fn new(slots: usize, service: f64) -> Self {
        Self {
            slots,
            service,
            free: BinaryHeap::new(),
            ends: BinaryHeap::new(),
            random: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// Requests a second that they can serve.
    fn capacity(&self) -> f64 {
        self.slots as f64 / self.service
    }

    /// 0 to 1, without 0.
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
    }

    /// Nothing is done for some time.
    fn freeze(&mut self, now: u64, seconds: u64) {
        let later = seconds * 1_000_000_000;
        let ends = self.ends.drain();
        self.ends = ends
            .map(|Reverse((end, took))| Reverse((end + later, took + later)))
            .collect();
        self.free = (0..self.slots).map(|_| Reverse(now + later)).collect();
    }

    /// A request begins; when it ends.
    fn begin(&mut self, now: u64) {
        while self.free.len() > self.slots {
            self.free.pop();
        }
        let start = match self.free.peek() {
            Some(_) if self.free.len() < self.slots => now,
            Some(Reverse(free)) => now.max(*free),
            None => now,
        };
        if self.free.len() == self.slots {
            self.free.pop();
        }
        // Between a half and one and a half of the mean.
        let takes = self.service * (0.5 + self.random());
        let end = start + (takes * 1e9) as u64;
        self.free.push(Reverse(end));
        self.ends.push(Reverse((end, end - now)));
    }
}

/// A balancer in front of servers.
struct Room {
    servers: Servers,
    control: Control,
    word: Concurrency,
    now: u64,
    /// The share of critical requests; the others are normal.
    critical: f64,
}

impl Room {
    fn new(servers: Servers) -> Self {
        let mut control = Control::default();
        let word = Concurrency::new(control.limit(&SETTINGS));
        Self {
            servers,
            control,
            word,
            now: 1_000_000_000,
            critical: 1.0,
        }
    }

    /// Lets requests come at random, `rate` a second.
    fn run(&mut self, seconds: f64, rate: f64) -> Outcome {
        let until = self.now + (seconds * 1e9) as u64;
        let mut outcome = Outcome::default();
        let mut observed = Observed::default();
        let mut told = self.now;
        while self.now < until {
            let gap = -self.servers.random().ln() / rate;
            let next = self.now + (gap * 1e9) as u64;
            while let Some(Reverse((end, took))) = self.servers.ends.peek().copied() {
                if end > next {
                    break;
                }
                self.servers.ends.pop();
                self.word.leave();
                observed.answered(Duration::from_nanos(took));
                outcome.served += 1;
                outcome.latency += took as f64 / 1e9;
                if end - told >= 20_000_000 {
                    let now = Moment::from_nanos(end);
                    self.word
                        .set_limit(self.control.observe(&SETTINGS, now, &observed));
                    observed = Observed::default();
                    told = end;
                }
            }
            self.now = next;
            let priority = if self.servers.random() <= self.critical {
                outcome.critical += 1;
                Priority::Critical
            } else {
                Priority::Normal
            };
            if let Some(count) = self.word.try_enter(priority) {
                observed.under_way(count);
                self.servers.begin(next);
            } else {
                outcome.refused += 1;
                outcome.critical_refused += u32::from(priority == Priority::Critical);
            }
        }
        outcome
    }
}

#[test]
fn an_overloaded_server_works_at_its_capacity_and_its_answers_stay_fast() {
    for (slots, service) in [(1, 0.01), (4, 0.02), (32, 0.05), (100, 0.1)] {
        for (load, critical) in [(1.2, 1.0), (1.2, 0.0), (3.0, 1.0), (3.0, 0.1)] {
            let mut room = Room::new(Servers::new(slots, service));
            room.critical = critical;
            let capacity = room.servers.capacity();
            room.run(15.0, capacity * load);
            let outcome = room.run(60.0, capacity * load);
            let goodput = f64::from(outcome.served) / 60.0 / capacity;
            assert!(
                goodput > 0.9,
                "{slots} × {service} at {load}: {goodput} of it, {outcome:?}"
            );
            let slower = outcome.latency() / service;
            assert!(
                slower < 4.0,
                "{slots} × {service} at {load}: {slower} times, limit {}",
                room.word.limit().limit
            );
        }
    }
}

/// However the limit is moved to find out about the servers.
#[test]
fn critical_requests_are_hardly_ever_refused_beside_others() {
    for (slots, service) in [(20, 0.05), (100, 0.02)] {
        for load in [1.2, 2.0] {
            let mut room = Room::new(Servers::new(slots, service));
            room.critical = 0.1;
            let rate = room.servers.capacity() * load;
            room.run(15.0, rate);
            let outcome = room.run(120.0, rate);
            assert!(
                outcome.critical_refused * 1_000 <= outcome.critical,
                "{slots} × {service} at {load}: {outcome:?}"
            );
            assert!(f64::from(outcome.served) / 120.0 > room.servers.capacity() * 0.9);
        }
    }
}

#[test]
fn a_server_that_is_not_overloaded_refuses_nobody() {
    for (slots, service) in [(32, 0.05), (200, 0.1)] {
        let mut room = Room::new(Servers::new(slots, service));
        let rate = room.servers.capacity() * 0.7;
        room.run(10.0, rate);
        let outcome = room.run(30.0, rate);
        assert!(
            outcome.refused * 1_000 < outcome.served,
            "{slots}: {outcome:?}, limit {}",
            room.word.limit().limit
        );
    }
}

#[test]
fn a_limit_that_begins_far_too_low_is_found_within_seconds() {
    let mut room = Room::new(Servers::new(500, 0.05));
    let rate = room.servers.capacity() * 0.9;
    room.run(2.0, rate);
    let outcome = room.run(1.0, rate);
    assert!(
        outcome.refused * 100 < outcome.served,
        "{outcome:?}, limit {}",
        room.word.limit().limit
    );
}

/// The latency of answers under overload is not taken for that of an idle server, however long it lasts.
#[test]
fn the_limit_does_not_creep_up_under_lasting_overload() {
    let mut room = Room::new(Servers::new(16, 0.05));
    let rate = room.servers.capacity() * 1.5;
    room.run(60.0, rate);
    for minute in 0..10 {
        let outcome = room.run(60.0, rate);
        assert!(
            outcome.latency() < 0.05 * 2.5,
            "minute {minute}: {outcome:?}"
        );
    }
}

#[test]
fn servers_that_stood_still_for_a_moment_are_soon_asked_as_before() {
    for load in [0.7, 1.2] {
        let mut room = Room::new(Servers::new(20, 0.05));
        room.critical = 0.1;
        let rate = room.servers.capacity() * load;
        room.run(60.0, rate);
        room.servers.freeze(room.now, 5);
        room.run(5.0, rate);
        let after = room.run(3.0, rate);
        let later = room.run(5.0, rate);
        for (outcome, seconds) in [(after, 3.0), (later, 5.0)] {
            let goodput = f64::from(outcome.served) / seconds / rate.min(room.servers.capacity());
            assert!(
                goodput > 0.8,
                "{load}: {goodput} of it, {outcome:?}, {:?}",
                room.control
            );
        }
    }
}

#[test]
fn the_limit_follows_a_capacity_that_changes() {
    let mut room = Room::new(Servers::new(64, 0.05));
    let rate = room.servers.capacity() * 1.3;
    room.run(30.0, rate);
    let before = room.word.limit().limit;
    // Three of four machines go away.
    room.servers.slots = 16;
    room.run(20.0, rate);
    let outcome = room.run(60.0, rate);
    let low = room.word.limit().limit;
    assert!(low * 2 < before, "{before} and {low}");
    assert!(outcome.latency() < 0.2, "{outcome:?}");
    assert!(f64::from(outcome.served) / 60.0 > room.servers.capacity() * 0.9);
    // They come back.
    room.servers.slots = 64;
    room.run(20.0, rate);
    let outcome = room.run(60.0, rate);
    assert!(f64::from(outcome.served) / 60.0 > room.servers.capacity() * 0.9);
}

#[test]
fn answers_that_take_longer_for_good_are_not_taken_for_overload() {
    for critical in [0.0, 0.2, 1.0] {
        let mut room = Room::new(Servers::new(64, 0.02));
        room.critical = critical;
        room.run(20.0, room.servers.capacity() * 0.5);
        room.servers.service = 0.1;
        let rate = room.servers.capacity() * 0.7;
        room.run(30.0, rate);
        let outcome = room.run(60.0, rate);
        assert!(
            outcome.refused * 100 < outcome.served,
            "{critical}: {outcome:?}, limit {}",
            room.word.limit().limit
        );
    }
}

#[test]
fn drops_halve_the_limit_at_most_each_time() {
    let mut control = Control::default();
    let mut now = Moment::from_nanos(1);
    let mut before = f64::from(control.limit(&SETTINGS).limit);
    for _ in 0..10 {
        now = now + Duration::from_secs(1);
        let mut observed = Observed::default();
        (0..20).for_each(|_| observed.dropped());
        observed.under_way(20);
        let limit = f64::from(control.observe(&SETTINGS, now, &observed).limit);
        assert!(limit >= (before / 2.0).floor() && limit <= before);
        before = limit;
    }
    assert_eq!(control.limit(&SETTINGS).limit, 1);
}

proptest! {
    /// Whatever is told, and however the settings change: the limit is within them.
    #[test]
    fn the_limit_is_within_its_bounds(
        told in prop::collection::vec((0_u64..20_000_000_000, 0_u32..60, 0_u64..u64::MAX, 0_u32..40, 0_u32..2_000), 0..200),
        bounds in prop::collection::vec((1_u32..50, 0_u32..500, 0_u32..100, 1.0_f32..10.0), 1..4),
    ) {
        let mut control = Control::default();
        let mut now = Moment::default();
        for (position, (later, answers, nanos, drops, most)) in told.into_iter().enumerate() {
            let (min, more, initial, tolerance) = bounds[position % bounds.len()];
            let settings = ConcurrencySettings { min, max: min + more, initial: min + initial.min(more), tolerance };
            now = now + Duration::from_nanos(later);
            let mut observed = Observed::default();
            (0..answers).for_each(|_| observed.answered(Duration::from_nanos(nanos)));
            (0..drops).for_each(|_| observed.dropped());
            observed.under_way(most);
            let limit = control.observe(&settings, now, &observed);
            prop_assert!((min..=min + more).contains(&limit.limit), "{limit:?} of {settings:?}");
            prop_assert!((limit.limit..=min + more).contains(&limit.ceiling), "{limit:?} of {settings:?}");
        }
    }
}
