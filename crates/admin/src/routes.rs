//! What there is to ask for.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use sluice_telemetry::ReadyState;
use sluice_telemetry::metrics::CONTENT_TYPE;

use crate::{AdminState, key_sets, servers, sessions, shifts, stores, token};

/// All paths. `/livez` and `/readyz` are for whoever runs the process and need no token; anything else does, unknown
/// paths too, so that nobody learns which there are.
pub(crate) fn routes(state: AdminState) -> Router {
    let guarded = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/api/upstreams", get(servers::list))
        .route(
            "/api/upstreams/{upstream}/servers/{address}",
            get(servers::show).put(servers::set),
        )
        .route("/api/upstreams/{upstream}/sessions", post(sessions::find))
        .route("/api/stores", get(stores::list))
        .route("/api/key-sets", get(key_sets::list))
        .route("/api/shifts", get(shifts::list))
        .route("/api/shifts/{route}", get(shifts::show).put(shifts::set))
        .layer(DefaultBodyLimit::max(servers::BODY_MAX))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(state.token.clone(), token::require));
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(method_not_allowed)
        .merge(guarded)
        .with_state(state)
}

async fn index() -> impl IntoResponse {
    (FRESH, INDEX)
}

async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    let mut text = String::new();
    state.registry.render(&mut text);
    (FRESH, [(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}

async fn live() -> impl IntoResponse {
    (FRESH, "alive\n")
}

async fn ready(State(state): State<AdminState>) -> impl IntoResponse {
    let (status, text) = match state.readiness.state() {
        ReadyState::Ready => (StatusCode::OK, "ready\n"),
        ReadyState::Starting => (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting: not every listener is bound yet\n",
        ),
        ReadyState::Draining => (
            StatusCode::SERVICE_UNAVAILABLE,
            "draining: no new connections are taken\n",
        ),
    };
    (status, FRESH, text)
}

async fn not_found() -> impl IntoResponse {
    (
        StatusCode::NOT_FOUND,
        FRESH,
        "nothing here; / lists what there is\n",
    )
}

async fn method_not_allowed() -> impl IntoResponse {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        FRESH,
        "not with this method\n",
    )
}

/// Every answer is of this moment, and plain text is not to be taken for anything else.
pub(crate) const FRESH: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
];

const INDEX: &str = "\
sluice

/metrics        metrics for Prometheus
/livez          200 as long as the process runs
/readyz         200 while it takes traffic, else 503 and why
/api/upstreams  every server and its state, as JSON
/api/key-sets   the keys of tokens that are fetched, and when they were, as JSON
/api/stores     every store that balancers share, and whether it is here, as JSON
/api/shifts     every split, the shares of its sides, and what shifts them, as JSON

PUT /api/upstreams/NAME/servers/ADDRESS with {\"state\": \"drain\"}, \"down\" or \"up\" sets what a server takes,
    with {\"weight\": 3} how much beside the others; {\"weight\": \"file\"} is what the file says
POST /api/upstreams/NAME/sessions with {\"value\": \"ID\"} of its cookie or field, or {\"client-ip\": \"ADDRESS\"}, asks where a remembered
    session is
PUT /api/shifts/ROUTE with {\"to\": \"UPSTREAM\"} gives a side all requests of a split, with \"step\": \"10%\" and \"every\": \"1m\"
    little by little, with \"abort-if\": [\"error-rate > 1%\"] as long as it does well; \"stop\" and \"back\" end that
";
