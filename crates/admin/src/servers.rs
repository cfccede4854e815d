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
    let all = state.servers.admissions();
    let of_upstream = |servers: &[(LiveServer, Admission)]| {
        let name = servers.first().map(|(server, _)| server.upstream());
        let known: Vec<_> = servers.iter().map(|(server, _)| server).collect();
        let mut sessions = state.servers.sessions(&known).map(Vec::into_iter);
        let shown = servers.iter().map(|(server, admission)| {
            let sessions = sessions.as_mut().and_then(Iterator::next);
            shown(server, *admission, sessions)
        });
        json!({ "name": name, "servers": shown.collect::<Vec<_>>() })
    };
    let upstreams: Vec<_> = all
        .chunk_by(|(one, _), (next, _)| one.upstream() == next.upstream())
        .map(of_upstream)
        .collect();
    said(&json!({ "upstreams": upstreams }))
}

/// `GET /api/upstreams/NAME/servers/ADDRESS`
pub(crate) async fn show(
    State(state): State<AdminState>,
    Path((upstream, address)): Path<(String, String)>,
) -> Response {
    match state.servers.get(&upstream, &address) {
        Some(server) => said(&shown_now(&state, &server)),
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
    said(&shown_now(&state, &server))
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

fn shown_now(state: &AdminState, server: &LiveServer) -> Value {
    let sessions = state.servers.sessions(&[server]);
    let sessions = sessions.and_then(|counts| counts.first().copied());
    shown(server, state.servers.admission(server), sessions)
}

fn shown(server: &LiveServer, admission: Admission, sessions: Option<usize>) -> Value {
    json!({
        "address": server.address(),
        "state": server.state().as_str(),
        "by-hand": server.by_hand().word(),
        "takes": admission.word(),
        "in-flight": server.in_flight(),
        "weight": server.weight().value(),
        "weight-by-hand": server.weight_by_hand().map(Weight::value),
        "sessions": sessions,
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
