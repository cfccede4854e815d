//! Servers of one rank, among which an algorithm chooses.

use std::sync::Arc;

use fastrand::Rng;
use sluice_model::{Moment, Weight};

use crate::algorithm::Algorithm;
use crate::decaying::Decay;
use crate::policy::Settings;
use crate::probe::Probe;
use crate::servers::{Ask, ServerShape, Servers};
use crate::survey::Survey;
use crate::view::{Care, Member, View};

/// A tier and its algorithm. Clones share what does not change with requests.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    members: Arc<[Member]>,
    algorithm: Algorithm,
    survey: Survey,
    /// As of the survey.
    care: Care,
    /// As the settings say, in the form that picks need.
    decay: Decay,
    goes_by_key: bool,
    picks: u64,
}

impl Tier {
    /// The servers of `all` with the indices `chosen`, which rise.
    pub(crate) fn new(
        settings: &Settings,
        all: &[ServerShape],
        chosen: &[usize],
        seed: u64,
    ) -> Self {
        let members: Arc<[Member]> = chosen
            .iter()
            .filter_map(|&server| Some(Member::new(server, all.get(server)?)))
            .collect();
        Self {
            algorithm: Algorithm::new(settings.kind, &members, seed),
            members,
            survey: Survey::default(),
            care: Care::NONE,
            decay: Decay::over(settings.latency_decay),
            goes_by_key: settings.kind.signals().key,
            picks: seed,
        }
    }

    /// Begins anew with another seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.algorithm.reseed(seed);
        self.survey = Survey::default();
        self.picks = seed;
    }

    /// Gives its servers their weights among those of `all` servers.
    pub(crate) fn set_weights(&mut self, settings: &Settings, all: &[Weight]) {
        let reweighed = |member: &Member| Member {
            weight: all
                .get(member.server)
                .map_or(member.weight, |&weight| number(weight)),
            ..*member
        };
        let members: Arc<[Member]> = self.members.iter().map(reweighed).collect();
        let pairs = || members.iter().zip(self.members.iter());
        // Tables are not built for nothing.
        if pairs().any(|(new, old)| new.whole_weight() != old.whole_weight()) {
            self.algorithm
                .reweigh(&Algorithm::new(settings.kind, &members, 0));
            self.members = members;
        }
    }

    /// Takes over the weights of `other`, over the same servers.
    pub(crate) fn reweigh(&mut self, other: &Self) {
        if !Arc::ptr_eq(&self.members, &other.members) {
            self.members = Arc::clone(&other.members);
            self.algorithm.reweigh(&other.algorithm);
        }
    }

    /// Requests in flight for each unit of weight, as last looked at.
    pub(crate) fn mean_in_flight(&self) -> f32 {
        self.survey.mean_in_flight
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The index among all servers of one to ask for its load now.
    pub(crate) fn probe_target(&mut self, now: Moment, rng: &mut Rng) -> Option<usize> {
        let place = self.algorithm.probe_target(now, rng)?;
        self.members.get(place).map(|member| member.server)
    }

    /// What a server answered, if it is of this tier.
    pub(crate) fn probed(&mut self, server: usize, probe: Probe, now: Moment, rng: &mut Rng) {
        // Members stand in the order of the servers.
        let place = self
            .members
            .binary_search_by_key(&server, |member| member.server);
        if let Some((place, member)) = place
            .ok()
            .and_then(|place| Some((place, self.members.get(place)?)))
        {
            self.algorithm.probed(place, member, probe, now, rng);
        }
    }

    /// The index among all servers of the one that takes the request. Servers that fail are avoided; where most do, or no
    /// other is left, all are tried.
    pub(crate) fn pick<S: Servers>(
        &mut self,
        settings: &Settings,
        servers: &S,
        ask: &Ask,
        rng: &mut Rng,
    ) -> Option<usize> {
        if self.members.is_empty() {
            return None;
        }
        if self.survey.is_due(ask.now) {
            self.look_around(settings, servers, ask.now);
        }
        self.picks = self.picks.wrapping_add(1);
        let key = ask.key.filter(|_| self.goes_by_key);
        let mut view = View {
            servers,
            members: &self.members,
            survey: &self.survey,
            ask,
            decay: self.decay,
            slow_start: settings.slow_start,
            care: self.care,
            // A key goes round a server that warms up until its time has come, and not to and fro.
            pick: key.unwrap_or(self.picks),
        };
        let place = self.algorithm.pick(&view, rng).or_else(|| {
            view.care = Care::NONE;
            self.algorithm.pick(&view, rng)
        })?;
        self.members.get(place).map(|member| member.server)
    }

    /// What is usual now, and what follows from it until the next look.
    #[cold]
    fn look_around<S: Servers>(&mut self, settings: &Settings, servers: &S, now: Moment) {
        self.survey.refresh(servers, &self.members, now, self.decay);
        // Nobody has to take less than its weight where none warms up and none says how busy it is.
        let any_less = !settings.slow_start.is_zero() || self.survey.mean_utilization.is_some();
        self.care = Care {
            avoids_failing: self.survey.failing_share <= 1.0 - settings.panic_threshold,
            thins: any_less && !settings.kind.weighs_anew(),
        };
    }
}

impl Member {
    fn new(server: usize, shape: &ServerShape) -> Self {
        Self {
            server,
            id: shape.id,
            weight: number(shape.weight),
        }
    }
}

fn number(weight: Weight) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a weight has 16 bits")]
    let number = weight.value() as f32;
    number
}
