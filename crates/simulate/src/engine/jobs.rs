//! The requests that are under way, in places that are used again.

use std::ops::{Index, IndexMut};

use sluice_balance::Report;

use crate::scenario::Nanos;

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// At the balancer.
    pub(super) arrived: Nanos,
    /// To its server, for the last time.
    pub(super) sent: Nanos,
    /// At its server.
    pub(super) reached: Nanos,
    /// When its service ends; never, while it is not served.
    pub(super) ends: Nanos,
    /// What decides about its work.
    pub(super) lot: u64,
    /// The hash of what it asks for.
    pub(super) key: u64,
    /// Both ways; 0: by its work.
    pub(super) bytes: u64,
    pub(super) balancer: u32,
    /// Where it is; [`NOBODY`] while no server was chosen.
    pub(super) server: u32,
    /// Behind it in its server's queue.
    pub(super) next: u32,
    /// Its place among those that the server works on.
    pub(super) slot: u32,
    /// Tells it from those that had this place before.
    pub(super) generation: u32,
    pub(super) tried: [u32; 3],
    pub(super) report: Report,
    pub(super) state: State,
    /// Servers tried.
    pub(super) attempts: u8,
    pub(super) measured: bool,
    /// The client did not wait any longer.
    pub(super) abandoned: bool,
    pub(super) alive: bool,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Travels,
    Waits,
    Served,
    /// Is about to be answered with an error.
    Fails,
    /// On its way back, as the following.
    Done,
    /// The server began with it, and failed.
    Failed,
    /// The server did not begin with it.
    Refused,
}

/// No server, no request.
pub(super) const NOBODY: u32 = u32::MAX;

impl Default for Job {
    fn default() -> Self {
        Self {
            arrived: 0,
            sent: 0,
            reached: 0,
            ends: Nanos::MAX,
            lot: 0,
            key: 0,
            bytes: 0,
            balancer: 0,
            server: NOBODY,
            next: NOBODY,
            slot: 0,
            generation: 0,
            tried: [NOBODY; 3],
            report: Report::default(),
            state: State::Travels,
            attempts: 0,
            measured: false,
            abandoned: false,
            alive: true,
        }
    }
}

impl Job {
    /// The servers that refused it.
    pub(super) fn tried(&self) -> &[u32] {
        &self.tried[..usize::from(self.attempts).min(self.tried.len())]
    }

    /// Its server refused it.
    pub(super) fn remember_tried(&mut self) {
        if let Some(place) = self.tried.get_mut(usize::from(self.attempts) - 1) {
            *place = self.server;
        }
    }
}

/// All requests under way.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    places: Vec<Job>,
    free: Vec<u32>,
}

impl Jobs {
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    pub(super) fn insert(&mut self, job: Job) -> u32 {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            let generation = place.generation.wrapping_add(1);
            *place = Job { generation, ..job };
            return index;
        }
        let index = u32::try_from(self.places.len()).unwrap_or(NOBODY);
        assert!(index != NOBODY, "four thousand million requests under way");
        self.places.push(job);
        index
    }

    pub(super) fn remove(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        debug_assert!(place.alive, "removed twice");
        place.alive = false;
        place.ends = Nanos::MAX;
        self.free.push(index);
    }

    /// The request that still is what it was, and whose client still waits.
    pub(super) fn find(&mut self, index: u32, generation: u32) -> Option<&mut Job> {
        let job = &mut self.places[index as usize];
        (job.alive && job.generation == generation && !job.abandoned).then_some(job)
    }
}

impl Index<u32> for Jobs {
    type Output = Job;

    fn index(&self, index: u32) -> &Job {
        &self.places[index as usize]
    }
}

impl IndexMut<u32> for Jobs {
    fn index_mut(&mut self, index: u32) -> &mut Job {
        &mut self.places[index as usize]
    }
}
