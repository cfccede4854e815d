//! Where a session is that a running sluice remembers, as its admin address tells.

use std::net::IpAddr;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use crate::admin_client::{AdminClient, encoded, read};

/// How a client tells its session.
pub(crate) enum ToldSession {
    /// The value of a cookie or a field.
    Value(String),
    /// Where it is.
    Address(IpAddr),
}

/// What is known of a session.
#[derive(Deserialize)]
#[serde(tag = "session", rename_all = "kebab-case")]
pub(crate) enum LiveSession {
    /// It has this server; `None` where that is there no more.
    Remembered {
        server: Option<String>,
    },
    Unknown,
}

impl LiveSession {
    /// What went wrong is told.
    pub(crate) fn find(
        admin: &AdminClient,
        upstream: &str,
        told: &ToldSession,
    ) -> Result<Self, ExitCode> {
        let body = match told {
            ToldSession::Value(value) => json!({ "value": value }),
            ToldSession::Address(address) => json!({ "client-ip": address }),
        };
        let path = format!("/api/upstreams/{}/sessions", encoded(upstream));
        read(&admin.post(&path, &body.to_string())?)
    }
}
