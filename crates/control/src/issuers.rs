//! Issuers of tokens that show their keys by URL: each has its keys fetched as long as the plan asks for them.

mod fetching;
mod keeper;
mod schedule;

use std::sync::Arc;

use sluice_config::Plan;
use sluice_config::plan::KeySource;
use sluice_proxy::{KeySet, KeySets};
use sluice_telemetry::metrics::Registry;
use tokio::task::AbortHandle;

use fetching::Fetching;
use keeper::Keeper;

/// Those of a plan, one for each `[auth.NAME]` with a URL.
#[derive(Debug)]
pub(crate) struct Issuers {
    standing: Vec<Standing>,
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct Standing {
    auth: Arc<str>,
    source: KeySource,
    key_set: Arc<KeySet>,
    task: Option<AbortHandle>,
}

impl Issuers {
    /// None yet.
    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        Self {
            standing: Vec::new(),
            registry: Arc::clone(registry),
        }
    }

    /// Makes a place for the keys of each issuer of `plan`. Nothing is asked of any of them yet.
    pub(crate) fn prepare(&mut self, plan: &Plan) {
        for (auth, source) in wanted(plan) {
            if !self.standing.iter().any(|one| one.is_of(auth, source)) {
                self.standing.push(Standing {
                    auth: Arc::clone(auth),
                    source: source.clone(),
                    key_set: Arc::default(),
                    task: None,
                });
            }
        }
    }

    /// The places of `plan`, which fill while workers look at them.
    pub(crate) fn key_sets(&self, plan: &Plan) -> KeySets {
        let place = |(auth, source): (&Arc<str>, &KeySource)| {
            let mut standing = self.standing.iter();
            let one = standing.find(|one| one.is_of(auth, source))?;
            Some((Arc::clone(auth), Arc::clone(&one.key_set)))
        };
        wanted(plan).filter_map(place).collect()
    }

    /// Has the keys fetched that `plan` wants, and no others any more. What is wanted as before goes on, with the keys that are known.
    pub(crate) fn follow(&mut self, plan: &Plan) {
        let is_wanted = |one: &Standing| wanted(plan).any(|(auth, source)| one.is_of(auth, source));
        self.standing.retain(is_wanted);
        let key_sets = self.registry.key_sets();
        key_sets.retain(|name| self.standing.iter().any(|one| &*one.auth == name));
        for one in &mut self.standing {
            let source = wanted(plan).find(|(auth, source)| one.is_of(auth, source));
            let source = source.map(|(_, source)| source);
            let Some(source) = source.filter(|source| one.task.is_none() || **source != one.source)
            else {
                continue;
            };
            if one.task.is_none() {
                key_sets.begin(&one.auth, &source.url);
            }
            one.stop();
            one.source = source.clone();
            let keeper = Keeper {
                auth: Arc::clone(&one.auth),
                source: one.source.clone(),
                key_set: Arc::clone(&one.key_set),
                registry: Arc::clone(&self.registry),
                fetches: Fetching::new(&one.source),
            };
            one.task = Some(tokio::spawn(keeper.run()).abort_handle());
        }
    }
}

impl Standing {
    /// Whether these keys are meant, however often they are fetched.
    fn is_of(&self, auth: &str, source: &KeySource) -> bool {
        *self.auth == *auth
            && self.source.url == source.url
            && self.source.authorities == source.authorities
    }

    fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wanted(plan: &Plan) -> impl Iterator<Item = (&Arc<str>, &KeySource)> {
    plan.auths
        .iter()
        .filter_map(|auth| Some((&auth.name, auth.key_source()?)))
}
