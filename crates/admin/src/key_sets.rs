//! `/api/key-sets`: the keys of tokens that are fetched.

use std::time::SystemTime;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use sluice_telemetry::metrics::KeySetState;

use crate::AdminState;
use crate::servers::said;

/// `GET /api/key-sets`
pub(crate) async fn list(State(state): State<AdminState>) -> Response {
    let all = state.registry.key_sets().all();
    let shown: Vec<_> = all.iter().map(|(auth, state)| shown(auth, state)).collect();
    said(&json!({ "key-sets": shown }))
}

fn shown(auth: &str, state: &KeySetState) -> Value {
    let age = |fetched| {
        SystemTime::now()
            .duration_since(fetched)
            .unwrap_or_default()
    };
    json!({
        "auth": auth,
        "url": state.url,
        "keys": state.keys,
        "age": state.fetched.map(|fetched| age(fetched).as_secs()),
        "failure": state.failure,
    })
}
