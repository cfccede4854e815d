//! The keys of tokens that a running sluice fetches, as its admin address tells of them.

use std::process::ExitCode;

use serde::Deserialize;

use crate::admin_client::{AdminClient, read};

/// The keys of an `[auth.NAME]`.
#[derive(Deserialize)]
pub(crate) struct LiveKeySet {
    /// The name of its table.
    pub(crate) auth: String,
    pub(crate) url: String,
    pub(crate) keys: usize,
    /// Seconds since they came; `None` where they never did.
    pub(crate) age: Option<u64>,
    /// What went wrong the last time.
    pub(crate) failure: Option<String>,
}

impl LiveKeySet {
    /// All of them, by name; what went wrong is told.
    pub(crate) fn all(admin: &AdminClient) -> Result<Vec<Self>, ExitCode> {
        read::<Told>(&admin.get(PATH)?).map(|told| told.key_sets)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Told {
    key_sets: Vec<LiveKeySet>,
}

/// Where they are told of.
pub(crate) const PATH: &str = "/api/key-sets";
