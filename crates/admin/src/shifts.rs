//! `/api/shifts`: the shares of the sides of splits, and what shifts them.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_control::{Shift, ShiftError, Side, SplitState, Wanted};

use crate::AdminState;
use crate::routes::FRESH;
use crate::servers::{refuse_pages, said};

/// `GET /api/shifts`
pub(crate) async fn list(State(state): State<AdminState>) -> Response {
    let routes: Vec<_> = state.shifts.all().iter().map(shown).collect();
    said(&json!({ "routes": routes }))
}

/// `GET /api/shifts/ROUTE`
pub(crate) async fn show(State(state): State<AdminState>, Path(route): Path<String>) -> Response {
    told(state.shifts.get(&route))
}

/// `PUT` there, with `{"to": "v2", "step": "10%", "every": "1m"}`, `"stop"` or `"back"`
pub(crate) async fn set(
    State(state): State<AdminState>,
    Path(route): Path<String>,
    fields: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refused) = refuse_pages(&fields) {
        return refused;
    }
    match serde_json::from_slice(&body) {
        Ok(Asked::Word(Word::Stop)) => told(state.shifts.stop(&route)),
        Ok(Asked::Word(Word::Back)) => told(state.shifts.back(&route)),
        Ok(Asked::Shift(shift)) => told(state.shifts.begin(&route, &shift.into())),
        Err(_) => {
            let text = format!("it is {SETTABLE}\n");
            (StatusCode::BAD_REQUEST, FRESH, text).into_response()
        }
    }
}

const SETTABLE: &str = "{\"to\": \"UPSTREAM\"}, with or without \"step\": \"10%\", \"every\": \"1m\", \"abort-if\": [\"error-rate > 1%\"] and \
    \"min-requests\": 50; or \"stop\", or \"back\"";

#[derive(Deserialize)]
#[serde(untagged)]
enum Asked {
    Word(Word),
    Shift(AskedShift),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Stop,
    Back,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AskedShift {
    to: String,
    step: Option<String>,
    every: Option<String>,
    #[serde(default)]
    abort_if: Vec<String>,
    min_requests: Option<u64>,
}

impl From<AskedShift> for Wanted {
    fn from(asked: AskedShift) -> Self {
        Self {
            to: asked.to,
            step: asked.step,
            every: asked.every,
            abort_if: asked.abort_if,
            min_requests: asked.min_requests,
        }
    }
}

fn told(outcome: Result<SplitState, ShiftError>) -> Response {
    match outcome {
        Ok(state) => said(&shown(&state)),
        Err(error) => {
            let status = match error {
                ShiftError::NoSplit(..) => StatusCode::NOT_FOUND,
                ShiftError::NoSide(..) | ShiftError::Order(_) => StatusCode::BAD_REQUEST,
                ShiftError::UnderWay(_) | ShiftError::NotUnderWay(_) | ShiftError::HasAll(_) => {
                    StatusCode::CONFLICT
                }
            };
            (status, FRESH, format!("{error}\n")).into_response()
        }
    }
}

fn shown(split: &SplitState) -> Value {
    let side = |side: &Side| {
        json!({
            "upstream": side.upstream,
            "weight": side.weight,
            "weight-of-file": side.weight_of_file,
            "share": side.share,
        })
    };
    let shift = |shift: &Shift| {
        json!({
            "to": shift.to,
            "state": shift.ended.map_or("running", |end| end.as_str()),
            "says": shift.says,
            "steps": shift.steps,
            "abort-if": shift.abort_if,
        })
    };
    json!({
        "route": split.route,
        "sides": split.sides.iter().map(side).collect::<Vec<_>>(),
        "shift": split.shift.as_ref().map(shift),
    })
}
