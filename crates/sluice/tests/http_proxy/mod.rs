//! A balancer in front of a test's servers.

use std::net::SocketAddr;

use testkit::Balancer;

/// What a test adds to the smallest configuration. Each part is TOML, and may be empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup<'a> {
    /// Keys of the listener `web`.
    pub(crate) listener: &'a str,
    /// Keys of the upstream `app`.
    pub(crate) upstream: &'a str,
    /// Whole tables, routes among them.
    pub(crate) tables: &'a str,
}

/// Starts a balancer with one worker, the listener `web` and the upstream `app` of these servers.
#[track_caller]
pub(crate) fn start(servers: &[SocketAddr], setup: Setup<'_>) -> Balancer {
    let servers: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
    // In turn, unless a test is about something else: then it is known whose turn it is.
    let balance = if setup.upstream.contains("balance") {
        ""
    } else {
        "balance = \"round-robin\""
    };
    // Kept for as long as the test may take, unless it is about that.
    let idle = if setup.upstream.contains("idle-timeout") {
        ""
    } else {
        "idle-timeout = \"1h\""
    };
    let configuration = format!(
        r#"
[listeners.web]
address = "127.0.0.1:<port:web>"
{}

[upstreams.app]
servers = {servers:?}
{balance}
{idle}
{}

[runtime]
workers = 1

{}
"#,
        setup.listener, setup.upstream, setup.tables
    );
    Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration)
}
