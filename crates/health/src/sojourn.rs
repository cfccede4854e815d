//! Whether a line of waiting requests is a burst, which passes, or overload, which does not; and what follows for those in it.
//!
//! ```text
//!               nobody waited less than the target, and the line was not empty, for an interval
//!        ┌──────┐ ────────────────────────────────────────────────────────────────────────────► ┌────────────┐
//!        │ well │                                                                                │ overloaded │
//!        └──────┘ ◄──────────────────────────────────────────────────────────────────────────── └────────────┘
//!   oldest first,                     whoever was last in line was served                     newest first, and
//!   all wait                                                                                  none beyond the target
//! ```
//!
//! The sign is that of RFC 8289 (Nichols and Jacobson): a burst makes long waits too, but somebody waits little before
//! an interval is over. What is done about it is adaptive LIFO (Maurer, *Fail at Scale*): who has just come can still be served
//! in time, while by the time that the oldest would be served its client has given up.
//!
//! Each priority has a line of its own, and higher ones are served first. So the low ones stand before the others do, and are
//! refused before them.

use std::time::Duration;

use sluice_model::{Moment, Priority};

/// When a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SojournSettings {
    /// How long a request should wait at most.
    pub target: Duration,
    /// How long it may be longer for all before that is overload.
    pub interval: Duration,
}

/// The lines of an upstream, one for each priority. Told of all who come and go.
#[derive(Clone, Debug, Default)]
pub struct Sojourn {
    lines: [Line; Priority::COUNT],
}

/// For how long somebody in line may go on waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until then at least: to be asked again at that moment.
    Until(Moment),
    /// No longer.
    Over,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// The last sign that it moves: it was empty, or somebody had waited less than the target. `None` while it is empty.
    moved: Option<Moment>,
    /// When it was emptied by refusals, which shows nothing of the servers.
    cleared: Option<Moment>,
}

impl Sojourn {
    /// Somebody joins the line of `priority`.
    pub fn joined(&mut self, settings: &SojournSettings, now: Moment, priority: Priority) {
        let line = self.line_mut(priority);
        let stands = line.stands(settings, now);
        if line.moved.is_none() || (line.cleared.is_some() && !stands) {
            line.moved = Some(now);
        }
        line.cleared = None;
    }

    /// Somebody got a place after having `waited`; `is_empty` says whether nobody is left in that line.
    pub fn served(
        &mut self,
        settings: &SojournSettings,
        now: Moment,
        priority: Priority,
        waited: Duration,
        is_empty: bool,
    ) {
        let line = self.line_mut(priority);
        if is_empty {
            *line = Line::default();
        } else if waited < settings.target && !line.stands(settings, now) {
            // In a line that stands the newest are served first, who always waited little.
            line.moved = Some(now);
        }
    }

    /// Somebody left without a place: refused, pushed out, or gone away.
    pub fn left(
        &mut self,
        settings: &SojournSettings,
        now: Moment,
        priority: Priority,
        is_empty: bool,
    ) {
        let line = self.line_mut(priority);
        if !is_empty {
            return;
        }
        if line.stands(settings, now) {
            line.cleared = Some(now);
        } else {
            *line = Line::default();
        }
    }

    /// Whether the upstream has too much to do with those of `priority` and above: then the newest of them is served first.
    pub fn is_overloaded(
        &self,
        settings: &SojournSettings,
        now: Moment,
        priority: Priority,
    ) -> bool {
        self.from(priority).any(|line| line.stands(settings, now))
    }

    /// For how long one of `priority` may go on waiting that has done so since `joined`.
    pub fn patience(
        &self,
        settings: &SojournSettings,
        now: Moment,
        priority: Priority,
        joined: Moment,
    ) -> Patience {
        let enough = joined + settings.target;
        if self.is_overloaded(settings, now, priority) {
            return if now < enough {
                Patience::Until(enough)
            } else {
                Patience::Over
            };
        }
        let next = self
            .from(priority)
            .filter(|line| line.cleared.is_none())
            .filter_map(|line| line.moved)
            .min();
        let next = next.unwrap_or(now) + settings.interval;
        Patience::Until(next.max(enough))
    }

    /// The lines of `priority` and above.
    fn from(&self, priority: Priority) -> impl Iterator<Item = &Line> {
        self.lines.iter().skip(priority as usize)
    }

    #[expect(clippy::indexing_slicing, reason = "there is a line for each priority")]
    fn line_mut(&mut self, priority: Priority) -> &mut Line {
        &mut self.lines[priority as usize]
    }
}

impl Line {
    /// Whether it has not moved for an interval.
    fn stands(&self, settings: &SojournSettings, now: Moment) -> bool {
        let lasts = |since: Moment| now.since(since) >= settings.interval;
        self.moved.is_some_and(lasts) && !self.cleared.is_some_and(lasts)
    }
}

#[cfg(test)]
mod tests;
