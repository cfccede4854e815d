//! `/api/stores`: how the stores are that balancers share.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::AdminState;
use crate::servers::said;

/// `GET /api/stores`
pub(crate) async fn list(State(state): State<AdminState>) -> Response {
    let shown = |(name, is_away): (Arc<str>, bool)| {
        let state = if is_away { "away" } else { "here" };
        json!({ "name": *name, "state": state })
    };
    let stores: Vec<_> = state.stores.states().into_iter().map(shown).collect();
    said(&json!({ "stores": stores }))
}
