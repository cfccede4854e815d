//! `cargo xtask bench`: the harness in `bench/`, on a release build of sluice.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::workspace::cargo;

/// `false` when the build or the harness failed.
pub(crate) fn run(arguments: &[OsString]) -> Result<bool> {
    // Counting instructions, timing picks and routes look at parts of sluice that the harness links itself.
    let links_it = |part: &OsString| part == "instructions" || part == "picks" || part == "routes";
    if !arguments.first().is_some_and(links_it) {
        let mut build = cargo(&["build", "--locked", "--release", "--package", "sluice"]);
        if !build.status().context("starting cargo")?.success() {
            return Ok(false);
        }
    }
    let harness = [
        "run",
        "--locked",
        "--quiet",
        "--release",
        "--package",
        "sluice-bench",
        "--",
    ];
    let status = cargo(&harness).args(arguments).status();
    Ok(status.context("starting cargo")?.success())
}
