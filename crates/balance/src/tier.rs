//! Servers of one rank, among which an algorithm chooses.

use fastrand::Rng;
use sluice_model::Moment;

use crate::algorithm::Algorithm;
use crate::policy::Settings;
use crate::probe::Probe;
use crate::servers::{Ask, ServerShape, Servers};
use crate::survey::Survey;
use crate::view::{Care, Member, View};

/// A tier and its algorithm.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    members: Box<[Member]>,
    algorithm: Algorithm,
    survey: Survey,
    picks: u64,
}

impl Tier {
    /// The servers of `all` that are `chosen`.
    pub(crate) fn new(
        settings: &Settings,
        all: &[ServerShape],
        chosen: impl Fn(usize, &ServerShape) -> bool,
        seed: u64,
    ) -> Self {
        let (members, shapes): (Vec<Member>, Vec<ServerShape>) = all
            .iter()
            .enumerate()
            .filter(|(server, shape)| chosen(*server, shape))
            .map(|(server, shape)| (Member::new(server, shape), *shape))
            .unzip();
        Self {
            algorithm: Algorithm::new(settings.kind, &shapes, &members, seed),
            members: members.into(),
            survey: Survey::default(),
            picks: seed,
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
        let decay = settings.latency_decay;
        self.survey.refresh(servers, &self.members, ask.now, decay);
        self.picks = self.picks.wrapping_add(1);
        let careful = Care {
            avoids_failing: self.survey.failing_share <= 1.0 - settings.panic_threshold,
            thins: !settings.kind.weighs_anew(),
        };
        let key = ask.key.filter(|_| settings.kind.signals().key);
        let mut view = View {
            servers,
            members: &self.members,
            survey: &self.survey,
            ask,
            decay,
            slow_start: settings.slow_start,
            care: careful,
            // A key goes round a server that warms up until its time has come, and not to and fro.
            pick: key.unwrap_or(self.picks),
        };
        let place = self.algorithm.pick(&view, rng).or_else(|| {
            view.care = Care::NONE;
            self.algorithm.pick(&view, rng)
        })?;
        self.members.get(place).map(|member| member.server)
    }
}

impl Member {
    fn new(server: usize, shape: &ServerShape) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a weight has 16 bits")]
        let weight = shape.weight.value() as f32;
        Self {
            server,
            id: shape.id,
            weight,
        }
    }
}
