//! Weights that were set by hand, on their way to the workers' policies.

use std::sync::Arc;

use sluice_balance::{Policy, ServerShape};
use sluice_config::plan::Upstream;

use crate::cluster::Cluster;
use crate::endpoint::Endpoints;

/// The weights of an upstream's servers, with what its policy works out from them.
#[derive(Clone, Debug)]
pub struct Weights {
    upstream: Arc<str>,
    policy: Policy,
}

impl Weights {
    /// The upstream's name.
    pub fn upstream(&self) -> &Arc<str> {
        &self.upstream
    }
}

impl Endpoints {
    /// The weights of an upstream's servers as they are now: by hand, or as the file says.
    pub fn weights(&self, upstream: &Upstream) -> Weights {
        let shapes = self.shapes(upstream);
        let policy = match self.common_policy(upstream) {
            Some(known) => {
                let weights: Vec<_> = shapes.iter().map(|shape| shape.weight).collect();
                let mut policy = known.clone();
                policy.set_weights(&weights);
                policy
            }
            None => Policy::new(upstream.balance.settings, &shapes, 0),
        };
        Weights {
            upstream: Arc::clone(&upstream.name),
            policy,
        }
    }

    /// The upstream's servers as policies see them.
    pub(crate) fn shapes(&self, upstream: &Upstream) -> Vec<ServerShape> {
        let mut shapes = upstream.shapes();
        for (shape, server) in shapes.iter_mut().zip(&upstream.servers) {
            let endpoint = self.get(&upstream.name, &server.address);
            if let Some(weight) = endpoint.and_then(|endpoint| endpoint.weight_by_hand()) {
                shape.weight = weight;
            }
        }
        shapes
    }
}

impl Cluster {
    /// Balances by these weights from now on. They have to be of this upstream as it is in the same plan.
    pub fn reweigh(&self, weights: &Weights) {
        self.share_weights(&weights.policy);
    }
}
