//! A line that says what the balancer is doing, written over itself every second, where there is a terminal.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use sluice_telemetry::Registry;
use sluice_telemetry::metrics::Totals;
use tokio::time::interval;

/// Starts writing the line; nothing where standard output is no terminal.
pub(super) fn start(registry: &Arc<Registry>) {
    if !std::io::stdout().is_terminal() {
        return;
    }
    let registry = Arc::clone(registry);
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_secs(1));
        let mut before = registry.totals();
        loop {
            ticks.tick().await;
            let now = registry.totals();
            write(&line(&before, &now));
            before = now;
        }
    });
}

/// Clears the line, so that what follows starts on a fresh one.
pub(super) fn clear() {
    if std::io::stdout().is_terminal() {
        write("");
    }
}

fn line(before: &Totals, now: &Totals) -> String {
    let rate = now.requests.saturating_sub(before.requests);
    let servers: Vec<String> = now
        .servers
        .iter()
        .map(|server| format!("{} {}", server.server, server.requests))
        .collect();
    format!(
        "{rate} requests/s  {} in all  {} failed  {} connections  |  {}",
        now.requests,
        now.server_errors,
        now.connections_active,
        servers.join("  ")
    )
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    // A terminal that went away shows nothing either way.
    let _ = write!(out, "\r\x1b[2K{text}");
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use sluice_telemetry::metrics::ServerTotals;

    use super::*;

    #[test]
    fn the_rate_is_the_difference() {
        let before = Totals {
            requests: 10,
            ..Totals::default()
        };
        let now = Totals {
            requests: 25,
            servers: vec![ServerTotals {
                upstream: "app".into(),
                server: "a:1".into(),
                requests: 25,
                in_flight: 0,
            }],
            ..Totals::default()
        };
        let line = line(&before, &now);
        assert!(line.starts_with("15 requests/s  25 in all"), "{line}");
        assert!(line.ends_with("a:1 25"), "{line}");
    }
}
