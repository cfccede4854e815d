//! The table of `docs/overload.md`, and what holds whatever happens.

use proptest::prelude::*;

use super::*;

const TARGET: Duration = Duration::from_millis(20);
const INTERVAL: Duration = Duration::from_millis(100);
const SETTINGS: SojournSettings = SojournSettings {
    target: TARGET,
    interval: INTERVAL,
};

fn at(millis: u64) -> Moment {
    Moment::default() + Duration::from_millis(millis)
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// One line, told what happens to it.
#[derive(Default)]
struct OneLine(Sojourn);

impl OneLine {
    fn joined(mut self, now: u64) -> Self {
        self.0.joined(&SETTINGS, at(now), Priority::Normal);
        self
    }

    fn served(mut self, now: u64, waited: u64, is_empty: bool) -> Self {
        let waited = millis(waited);
        let priority = Priority::Normal;
        self.0
            .served(&SETTINGS, at(now), priority, waited, is_empty);
        self
    }

    fn left(mut self, now: u64, is_empty: bool) -> Self {
        self.0.left(&SETTINGS, at(now), Priority::Normal, is_empty);
        self
    }

    fn is_overloaded(&self, now: u64) -> bool {
        self.0.is_overloaded(&SETTINGS, at(now), Priority::Normal)
    }

    fn patience(&self, now: u64, joined: u64) -> Patience {
        self.0
            .patience(&SETTINGS, at(now), Priority::Normal, at(joined))
    }
}

#[test]
fn a_line_that_does_not_move_for_an_interval_is_overload() {
    let line = OneLine::default().joined(0).joined(50);
    assert!(!line.is_overloaded(99));
    assert!(line.is_overloaded(100));
    // Served late: no sign of moving.
    let line = line.served(90, 90, false);
    assert!(!line.is_overloaded(99) && line.is_overloaded(100));
}

#[test]
fn one_short_wait_is_a_sign_that_it_moves() {
    let line = OneLine::default()
        .joined(0)
        .joined(80)
        .joined(85)
        .served(90, 19, false);
    assert!(!line.is_overloaded(189));
    assert!(line.is_overloaded(190));
}

#[test]
fn short_waits_in_overload_show_nothing_as_the_newest_are_served() {
    let line = OneLine::default()
        .joined(0)
        .joined(100)
        .served(101, 1, false);
    assert!(line.is_overloaded(101));
    let line = line.joined(102).served(103, 1, false);
    assert!(line.is_overloaded(103));
}

#[test]
fn overload_ends_when_the_last_in_line_is_served() {
    let line = OneLine::default().joined(0).served(150, 50, true);
    assert!(!line.is_overloaded(150));
    let line = line.joined(151);
    assert!(!line.is_overloaded(250) && line.is_overloaded(251));
}

#[test]
fn overload_goes_on_when_the_last_in_line_is_refused_unless_nobody_comes_for_an_interval() {
    let line = || OneLine::default().joined(0).left(120, true);
    assert!(line().is_overloaded(120) && line().joined(219).is_overloaded(219));
    assert!(!line().is_overloaded(220));
    let again = line().joined(220);
    assert!(!again.is_overloaded(319) && again.is_overloaded(320));
}

#[test]
fn a_line_that_was_not_standing_begins_anew_when_the_last_goes_away() {
    let line = OneLine::default().joined(0).left(60, true).joined(61);
    assert!(!line.is_overloaded(160) && line.is_overloaded(161));
}

#[test]
fn patience_is_the_whole_interval_when_well_and_the_target_in_overload() {
    let line = OneLine::default().joined(0);
    assert_eq!(line.patience(0, 0), Patience::Until(at(100)));
    let line = line.joined(95);
    // Overloaded from 100 on, but this one may wait for the target.
    assert_eq!(line.patience(95, 95), Patience::Until(at(115)));
    assert_eq!(line.patience(100, 0), Patience::Over);
    assert_eq!(line.patience(100, 95), Patience::Until(at(115)));
    assert_eq!(line.patience(115, 95), Patience::Over);
}

#[test]
fn a_line_that_stands_is_overload_for_it_and_those_below_it_only() {
    let mut sojourn = Sojourn::default();
    let now = at(100);
    sojourn.joined(&SETTINGS, at(0), Priority::High);
    sojourn.joined(&SETTINGS, at(90), Priority::Low);
    sojourn.joined(&SETTINGS, at(90), Priority::Critical);
    let overloaded = Priority::ALL.map(|priority| sojourn.is_overloaded(&SETTINGS, now, priority));
    assert_eq!(overloaded, [true, true, true, false]);
    assert_eq!(
        sojourn.patience(&SETTINGS, now, Priority::Low, at(70)),
        Patience::Over
    );
    assert_eq!(
        sojourn.patience(&SETTINGS, now, Priority::Critical, at(70)),
        Patience::Until(at(190))
    );
}

/// What happens in a line, by who is in it.
#[derive(Clone, Copy, Debug)]
enum Event {
    Joins(Priority),
    Serves,
    Leaves(usize),
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let event = prop_oneof![
        3 => priority.prop_map(Event::Joins),
        2 => Just(Event::Serves),
        1 => (0_usize..8).prop_map(Event::Leaves),
    ];
    prop::collection::vec((0_u64..40, event), 0..200)
}

/// Lines as the queue has them.
#[derive(Default)]
struct Lines {
    sojourn: Sojourn,
    waiting: Vec<(Priority, Moment)>,
}

impl Lines {
    fn is_empty(&self, priority: Priority) -> bool {
        self.waiting.iter().all(|(other, _)| *other != priority)
    }

    fn take(&mut self, position: usize) -> (Priority, Moment, bool) {
        let (priority, joined) = self.waiting.remove(position);
        (priority, joined, self.is_empty(priority))
    }

    fn happens(&mut self, now: Moment, event: Event) {
        match event {
            Event::Joins(priority) => {
                self.sojourn.joined(&SETTINGS, now, priority);
                self.waiting.push((priority, now));
            }
            Event::Serves => {
                let Some(highest) = self.waiting.iter().map(|(priority, _)| *priority).max() else {
                    return;
                };
                let is_next = |(priority, _): &(Priority, Moment)| *priority == highest;
                let next = if self.sojourn.is_overloaded(&SETTINGS, now, highest) {
                    self.waiting.iter().rposition(is_next)
                } else {
                    self.waiting.iter().position(is_next)
                };
                let (priority, joined, is_empty) = self.take(next.expect("it is there"));
                let waited = now.since(joined);
                self.sojourn
                    .served(&SETTINGS, now, priority, waited, is_empty);
            }
            Event::Leaves(position) => {
                if position < self.waiting.len() {
                    let (priority, _, is_empty) = self.take(position);
                    self.sojourn.left(&SETTINGS, now, priority, is_empty);
                }
            }
        }
    }
}

proptest! {
    /// Whatever happens: who is refused has waited for the target at least; a higher priority is never worse off; and a line
    /// that has just been served empty is well, as far as those of its priority are concerned.
    #[test]
    fn what_holds_always(events in events()) {
        let mut lines = Lines::default();
        let mut now = Moment::default();
        for (later, event) in events {
            now = now + millis(later);
            lines.happens(now, event);
            let overloaded = Priority::ALL.map(|one| lines.sojourn.is_overloaded(&SETTINGS, now, one));
            prop_assert!(overloaded.is_sorted_by(|low, high| low >= high), "{overloaded:?}");
            for (priority, joined) in &lines.waiting {
                match lines.sojourn.patience(&SETTINGS, now, *priority, *joined) {
                    Patience::Over => prop_assert!(now.since(*joined) >= TARGET && overloaded[*priority as usize]),
                    Patience::Until(until) => prop_assert!(until > now, "{until:?} at {now:?}"),
                }
            }
        }
    }

    /// Where all who are over their patience are refused at once, nobody waits for longer than an interval and the target.
    #[test]
    fn no_wait_is_longer_than_an_interval_and_the_target_where_nobody_is_served(
        gaps in prop::collection::vec(1_u64..60, 1..100),
    ) {
        let mut lines = Lines::default();
        let mut now = 0;
        for gap in gaps {
            for _ in 0..gap {
                now += 1;
                while let Some(position) = lines.waiting.iter().position(|(priority, joined)| {
                    lines.sojourn.patience(&SETTINGS, at(now), *priority, *joined) == Patience::Over
                }) {
                    lines.happens(at(now), Event::Leaves(position));
                }
            }
            lines.happens(at(now), Event::Joins(Priority::Normal));
            for (_, joined) in &lines.waiting {
                prop_assert!(at(now).since(*joined) <= INTERVAL + TARGET);
            }
        }
    }
}
