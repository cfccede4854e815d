//! The state of each server, for whoever asks for metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_config::Plan;
use sluice_telemetry::metrics::StateOf;
use sluice_upstream::Endpoints;

/// The servers of `plan`, each with what tells its state.
pub(crate) fn states(plan: &Plan, endpoints: &Endpoints) -> BTreeMap<[String; 2], StateOf> {
    let mut states = BTreeMap::new();
    for upstream in &plan.upstreams {
        let breaker = upstream.circuit_breaker.as_ref();
        let settings = breaker.map(|breaker| breaker.settings);
        for server in &upstream.servers {
            let Some(endpoint) = endpoints.get(&upstream.name, &server.address) else {
                continue;
            };
            let names = [upstream.name.to_string(), endpoint.label().to_string()];
            let endpoint = Arc::clone(endpoint);
            let state: StateOf = Box::new(move || endpoint.state(settings.as_ref()));
            states.insert(names, state);
        }
    }
    states
}
