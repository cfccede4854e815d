//! `/api/upstreams/NAME/sessions`: where a session is that is remembered.
//!
//! What tells a session is as good as a password while it lasts: it is asked for in a body, which no log of addresses keeps.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use sluice_control::{ToldSession, Whereabouts};

use crate::AdminState;
use crate::routes::FRESH;
use crate::servers::{refuse_pages, said};

/// `POST` there, with `{"value": "…"}` of the cookie or the field, or `{"client-ip": "192.0.2.7"}`
pub(crate) async fn find(
    State(state): State<AdminState>,
    Path(upstream): Path<String>,
    fields: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refused) = refuse_pages(&fields) {
        return refused;
    }
    let asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => {
            let text = format!("{error}; {ASKABLE}\n");
            return (StatusCode::BAD_REQUEST, FRESH, text).into_response();
        }
    };
    let told = match &asked {
        Asked::Value(value) => ToldSession::Value(value.as_bytes()),
        Asked::ClientIp(address) => ToldSession::Address(*address),
    };
    match state.servers.session(&upstream, &told) {
        Some(Whereabouts::At(server)) => {
            said(&json!({ "session": "remembered", "server": server }))
        }
        Some(Whereabouts::Gone) => said(&json!({ "session": "remembered", "server": null })),
        Some(Whereabouts::Unknown) => said(&json!({ "session": "unknown", "server": null })),
        None => {
            let text = format!("there is no upstream `{upstream}` whose sessions are remembered\n");
            (StatusCode::NOT_FOUND, FRESH, text).into_response()
        }
    }
}

const ASKABLE: &str = "it is {\"value\": \"…\"}, or {\"client-ip\": \"192.0.2.7\"}";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Asked {
    Value(String),
    ClientIp(IpAddr),
}
