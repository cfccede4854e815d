//! `/api/upstreams`: how each server is, and what it is to take.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_control::LiveServer;
use sluice_health::{Admission, ByHand};
use sluice_model::Weight;

use crate::AdminState;
use crate::routes::FRESH;

/// `GET /api/upstreams`
pub(crate) async fn list(State(state): State<AdminState>) -> Response {
    let mut upstreams: Vec<(String, Vec<Value>)> = Vec::new();
    for (server, admission) in state.servers.admissions() {
        let shown = shown(&server, admission);
        match upstreams.last_mut() {
            Some((name, servers)) if name == server.upstream() => servers.push(shown),
            _ => upstreams.push((server.upstream().to_owned(), vec![shown])),
        }
    }
    let upstreams: Vec<_> = upstreams
        .into_iter()
        .map(|(name, servers)| json!({ "name": name, "servers": servers }))
        .collect();
    said(&json!({ "upstreams": upstreams }))
}

/// `GET /api/upstreams/NAME/servers/ADDRESS`
pub(crate) async fn show(
    State(state): State<AdminState>,
    Path((upstream, address)): Path<(String, String)>,
) -> Response {
    match state.servers.get(&upstream, &address) {
        Some(server) => said(&shown(&server, state.servers.admission(&server))),
        None => no_server(&state, &upstream, &address),
    }
}

/// `PUT` there, with `{"state": "drain"}`
pub(crate) async fn set(
    State(state): State<AdminState>,
    Path((upstream, address)): Path<(String, String)>,
    fields: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refused) = refuse_pages(&fields) {
        return refused;
    }
    let Some(server) = state.servers.get(&upstream, &address) else {
        return no_server(&state, &upstream, &address);
    };
    let wanted: Wanted = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => {
            return (
                StatusCode::BAD_REQUEST,
                FRESH,
                format!("{error}; {SETTABLE}\n"),
            )
                .into_response();
        }
    };
    let weight = match wanted.weight.map(WeightWish::read) {
        Some(Err(error)) => {
            return (StatusCode::BAD_REQUEST, FRESH, format!("{error}\n")).into_response();
        }
        Some(Ok(weight)) => Some(weight),
        None => None,
    };
    if let Some(state) = wanted.state {
        server.set(match state {
            Wish::Up => ByHand::Up,
            Wish::Drain => ByHand::Drain,
            Wish::Down => ByHand::Down,
        });
    }
    if let Some(weight) = weight {
        state.servers.set_weight(&server, weight).await;
    }
    said(&shown(&server, state.servers.admission(&server)))
}

/// Browsers say from which page a request comes that changes something. No page has any business here, whatever its host
/// resolves to.
pub(crate) fn refuse_pages(fields: &HeaderMap) -> Option<Response> {
    let text = "not for web pages\n";
    let refused = || (StatusCode::FORBIDDEN, FRESH, text).into_response();
    fields.contains_key(header::ORIGIN).then(refused)
}

const SETTABLE: &str =
    "it is {\"state\": \"up\"}, \"drain\" or \"down\", or {\"weight\": 3}, or both";
/// No body here is as long.
pub(crate) const BODY_MAX: usize = 4 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: Option<Wish>,
    weight: Option<WeightWish>,
}

/// A weight, or the one that the file says.
#[derive(Deserialize)]
#[serde(untagged)]
enum WeightWish {
    Number(i64),
    Word(String),
}

impl WeightWish {
    fn read(self) -> Result<Option<Weight>, String> {
        match self {
            Self::Number(number) => match Weight::try_from(number) {
                Ok(weight) => Ok(Some(weight)),
                Err(error) if number == 0 => Err(format!(
                    "{error}; a server that is to get nothing is set to drain or down"
                )),
                Err(error) => Err(error.to_string()),
            },
            Self::Word(word) if word == "file" => Ok(None),
            Self::Word(word) => Err(format!(
                "`{word}` is no weight: a whole number, or \"file\" for that of the file"
            )),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wish {
    Up,
    Drain,
    Down,
}

fn shown(server: &LiveServer, admission: Admission) -> Value {
    json!({
        "address": server.address(),
        "state": server.state().as_str(),
        "by-hand": server.by_hand().word(),
        "takes": admission.word(),
        "in-flight": server.in_flight(),
        "weight": server.weight().value(),
        "weight-by-hand": server.weight_by_hand().map(Weight::value),
    })
}

pub(crate) fn said(value: &Value) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (FRESH, json, format!("{value}\n")).into_response()
}

fn no_server(state: &AdminState, upstream: &str, address: &str) -> Response {
    let all = state.servers.all();
    let of_upstream: Vec<_> = all
        .iter()
        .filter(|server| server.upstream() == upstream)
        .map(LiveServer::address)
        .collect();
    let text = if of_upstream.is_empty() {
        let mut names: Vec<_> = all.iter().map(LiveServer::upstream).collect();
        names.dedup();
        format!(
            "there is no upstream `{upstream}`; there are: {}\n",
            names.join(", ")
        )
    } else {
        format!(
            "upstream `{upstream}` has no server `{address}`; it has: {}\n",
            of_upstream.join(", ")
        )
    };
    (StatusCode::NOT_FOUND, FRESH, text).into_response()
}
