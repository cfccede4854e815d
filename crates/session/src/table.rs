//! Where sessions are that no cookie of ours tells of: a table of a fixed size, shared by all workers.
//!
//! Sessions lie in sets of [`WAYS`], by their names. Who reads takes no lock: each set has a version, which is odd while it is written
//! to, and what was read under a version that is not there any more is read again. Who writes keeps other writers of the same set
//! away, for the time of a few stores. Where a set is full, its session that was silent for the longest goes: so a flood of names that
//! nobody comes back with takes the places of its own kind first, and never more memory.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use crossbeam_utils::Backoff;
use sluice_model::Moment;

use crate::signer::{ServerName, SessionName};

/// The sessions of an upstream.
#[derive(Debug)]
pub struct Table {
    sets: Box<[Set]>,
    /// How long a session may be silent, in seconds.
    ttl: u32,
}

/// A session that the table knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its server.
    pub server: ServerName,
    /// How long it was silent, in whole seconds.
    pub silent: Duration,
}

/// What came of remembering a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The server that it has already, and keeps.
    pub known: Option<ServerName>,
    /// Whether another session had to go before its time, as there was no room.
    pub pushed_out: bool,
}

#[derive(Debug)]
#[repr(align(64))]
struct Set {
    /// Odd while it is written to.
    version: AtomicU64,
    slots: [Slot; WAYS],
}

#[derive(Debug, Default)]
struct Slot {
    /// The session's name; zero where there is none.
    session: AtomicU64,
    server: AtomicU64,
    /// When it was heard of last: seconds of the clock, plus one.
    heard: AtomicU32,
}

impl Table {
    /// Room for `sessions`, each of which is forgotten when it was silent for `ttl`. It holds a third more, since they do not spread
    /// evenly; 32 bytes for each.
    pub fn new(sessions: usize, ttl: Duration) -> Self {
        let count = sessions.div_ceil(FILLED).max(1);
        Self {
            sets: (0..count).map(|_| Set::new()).collect(),
            ttl: u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).max(1),
        }
    }

    /// Whether [`Self::new`] with these would make one like it.
    pub fn is_for(&self, sessions: usize, ttl: Duration) -> bool {
        let other = (sessions.div_ceil(FILLED).max(1), ttl.as_secs().max(1));
        other == (self.sets.len(), u64::from(self.ttl))
    }

    /// The server of a session that only is asked about.
    pub fn look_up(&self, session: SessionName, now: Moment) -> Option<ServerName> {
        let (_, server, heard) = self.set_of(session)?.read(session)?;
        let silent = seconds(now).saturating_sub(heard);
        (silent <= self.ttl).then_some(ServerName(server))
    }

    /// The server of a session, which is heard of now.
    pub fn find(&self, session: SessionName, now: Moment) -> Option<Found> {
        let set = self.set_of(session)?;
        let (position, server, heard) = set.read(session)?;
        let silent = seconds(now).saturating_sub(heard);
        if silent > self.ttl {
            return None;
        }
        if silent > 0 {
            // Another session may have got the slot meanwhile. That is one that is heard of now as well.
            let slot = set.slots.get(position)?;
            slot.heard.store(seconds(now), Ordering::Relaxed);
        }
        Some(Found {
            server: ServerName(server),
            silent: Duration::from_secs(u64::from(silent)),
        })
    }

    /// Remembers where a session is, unless that is known already.
    pub fn keep(&self, session: SessionName, server: ServerName, now: Moment) -> Written {
        self.write(session, server, now, false)
    }

    /// Remembers where a session is from now on.
    pub fn put(&self, session: SessionName, server: ServerName, now: Moment) -> Written {
        self.write(session, server, now, true)
    }

    /// How many sessions it holds that are not too old.
    pub fn count(&self, now: Moment) -> usize {
        self.live(now).count()
    }

    /// How many of each server there are, for those of `servers`.
    pub fn count_by_server(&self, servers: &[ServerName], now: Moment) -> Vec<usize> {
        let mut counts = vec![0; servers.len()];
        for (_, server, _) in self.live(now) {
            let position = servers.iter().position(|one| one.0 == server);
            if let Some(count) = position.and_then(|position| counts.get_mut(position)) {
                *count += 1;
            }
        }
        counts
    }

    /// Takes over what another one knows, as far as there is room.
    pub fn take_over(&self, other: &Self, now: Moment) {
        for (session, server, heard) in other.live(now) {
            if let Some(session) = NonZeroU64::new(session).map(SessionName) {
                let heard = Duration::from_secs(u64::from(heard.saturating_sub(1)));
                self.put(session, ServerName(server), Moment::default() + heard);
            }
        }
    }

    fn write(
        &self,
        session: SessionName,
        server: ServerName,
        now: Moment,
        replaces: bool,
    ) -> Written {
        let now = seconds(now);
        let Some(set) = self.set_of(session) else {
            return Written::default();
        };
        let Some(writing) = set.begin_writing() else {
            // A writer was stopped in the middle of it: this one is not remembered.
            return Written::default();
        };
        let is_old = |slot: &Slot| now.saturating_sub(slot.heard()) > self.ttl;
        let (slot, is_known) = match set.slots.iter().find(|slot| slot.is_of(session)) {
            Some(slot) => (Some(slot), true),
            None => (set.slots.iter().min_by_key(|slot| slot.heard()), false),
        };
        let mut written = Written::default();
        if let Some(slot) = slot {
            if is_known && !replaces && !is_old(slot) {
                written.known = Some(ServerName(slot.server.load(Ordering::Relaxed)));
            } else {
                let is_taken = slot.session.load(Ordering::Relaxed) != 0;
                written.pushed_out = !is_known && is_taken && !is_old(slot);
                slot.session.store(session.0.get(), Ordering::Relaxed);
                slot.server.store(server.0, Ordering::Relaxed);
            }
            slot.heard.store(now, Ordering::Relaxed);
        }
        set.end_writing(writing);
        written
    }

    /// Names are hashes: their upper bits say where.
    fn set_of(&self, session: SessionName) -> Option<&Set> {
        let scaled = (u128::from(session.0.get()) * self.sets.len() as u128) >> 64;
        self.sets.get(usize::try_from(scaled).ok()?)
    }

    /// Those that are not too old: name, server and when they were heard of.
    fn live(&self, now: Moment) -> impl Iterator<Item = (u64, u64, u32)> {
        let oldest = seconds(now).saturating_sub(self.ttl);
        let slots = self.sets.iter().flat_map(|set| &set.slots);
        slots.filter_map(move |slot| {
            let session = slot.session.load(Ordering::Relaxed);
            let server = slot.server.load(Ordering::Relaxed);
            let heard = slot.heard();
            (session != 0 && heard >= oldest).then_some((session, server, heard))
        })
    }
}

impl Set {
    fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            slots: Default::default(),
        }
    }

    /// Where a session's slot is, its server, and when it was heard of.
    fn read(&self, session: SessionName) -> Option<(usize, u64, u32)> {
        let backoff = Backoff::new();
        for _ in 0..TURNS {
            let version = self.version.load(Ordering::Acquire);
            if version.is_multiple_of(2) {
                let position = self.slots.iter().position(|slot| slot.is_of(session));
                let found = position.and_then(|position| {
                    let slot = self.slots.get(position)?;
                    let server = slot.server.load(Ordering::Relaxed);
                    Some((position, server, slot.heard()))
                });
                // What was read was read before this.
                fence(Ordering::Acquire);
                if self.version.load(Ordering::Relaxed) == version {
                    return found;
                }
            }
            backoff.snooze();
        }
        None
    }

    /// Keeps other writers away; the version that it has then.
    fn begin_writing(&self) -> Option<u64> {
        let backoff = Backoff::new();
        for _ in 0..TURNS {
            let version = self.version.load(Ordering::Relaxed);
            let is_free = version.is_multiple_of(2);
            let writing = version.wrapping_add(1);
            let swap = |from, to| {
                let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
                self.version.compare_exchange(from, to, success, failure)
            };
            if is_free && swap(version, writing).is_ok() {
                // What is written is written after this.
                fence(Ordering::Release);
                return Some(writing);
            }
            backoff.snooze();
        }
        None
    }

    fn end_writing(&self, writing: u64) {
        self.version
            .store(writing.wrapping_add(1), Ordering::Release);
    }
}

impl Slot {
    fn is_of(&self, session: SessionName) -> bool {
        self.session.load(Ordering::Relaxed) == session.0.get()
    }

    fn heard(&self) -> u32 {
        self.heard.load(Ordering::Relaxed)
    }
}

/// Of the clock, plus one: zero is never.
fn seconds(at: Moment) -> u32 {
    let seconds = at.as_nanos() / 1_000_000_000;
    u32::try_from(seconds).unwrap_or(u32::MAX).saturating_add(1)
}

/// Sessions in a set.
const WAYS: usize = 8;
/// How many of a set's slots are filled when the table has as many sessions as it is for: the fewer, the rarer is a set too full.
const FILLED: usize = 6;
/// How often a set is looked at again that is being written to. A writer needs some nanoseconds; unless the system took its core away:
/// then who waits gives it this one, for some milliseconds in all where nothing else wants it.
const TURNS: usize = 10_000;

#[cfg(test)]
mod tests;
