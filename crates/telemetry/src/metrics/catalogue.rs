//! Every metric's name, type, labels and meaning. `docs/metrics.md` is generated from here.

/// One metric family.
#[derive(Debug)]
pub struct Family {
    /// The name, as it is exported.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels, in the order they are written.
    pub labels: &'static [&'static str],
    /// What it tells, in one line.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by bounds, with `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// The word of the exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The reference of all metrics as a Markdown table.
pub fn markdown() -> String {
    let head = ["| metric | type | labels | tells |\n|---|---|---|---|\n".to_owned()];
    let rows = ALL.iter().map(|family| {
        let labels: Vec<_> = family
            .labels
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let (name, kind, help) = (family.name, family.kind.as_str(), family.help);
        format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", "))
    });
    head.into_iter().chain(rows).collect()
}

macro_rules! families {
    ($( $ident:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal; )+) => {
        $( pub(crate) static $ident: Family = Family {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        }; )+

        /// Every family, in the order they are exported.
        pub static ALL: &[&Family] = &[$( &$ident ),+];
    };
}

families! {
    // Requests, by route.
    REQUESTS = Counter "sluice_requests_total" ["route", "code"] "Requests answered, by class of the final status.";
    REQUEST_ENDS = Counter "sluice_request_ends_total" ["route", "end"] "Requests by why they ended; those without an answer too.";
    REQUEST_SECONDS = Histogram "sluice_request_duration_seconds" ["route"] "From the first byte of a request until the end of its answer.";

    // Requests of routes with a split, by side.
    SPLIT_REQUESTS = Counter "sluice_split_requests_total" ["route", "upstream", "code"] "Requests of a route with `split` answered, by side and class of the final status.";
    SPLIT_FAILURES = Counter "sluice_split_failures_total" ["route", "upstream"] "Requests that a side of a `split` has failed: answered with 5xx, in part, not at all, or by `fallback`.";
    SPLIT_SECONDS = Histogram "sluice_split_duration_seconds" ["route", "upstream"] "From the first byte of a request of a side until the end of its answer.";
    SPLIT_SHARE = Gauge "sluice_split_share_ratio" ["route", "upstream"] "The share of a route's requests that a side of its `split` gets now, 0 to 1.";
    SPLIT_SHIFTS = Counter "sluice_split_shifts_total" ["route", "end"] "Shifts between the sides of a `split` (`sluice shift`) that have ended, by how.";

    // Who is let in, by `[auth.NAME]`.
    AUTH = Counter "sluice_auth_total" ["auth", "outcome"] "Requests that were asked who they are of, by what came of it.";
    AUTH_KEY_FETCHES = Counter "sluice_auth_key_fetches_total" ["auth", "outcome"] "Times that the keys of tokens were fetched (`jwks` by URL), by what came of it.";
    AUTH_KEYS_FETCHED = Gauge "sluice_auth_keys_fetched_timestamp_seconds" ["auth"] "When the keys of tokens were last fetched with success, in Unix time; missing until they were.";

    // Copies of requests, by route.
    MIRRORED = Counter "sluice_mirrored_requests_total" ["route", "outcome"] "Requests of a route with `mirror` that were to be copied, by what came of it.";
    MIRRORED_IN_FLIGHT = Gauge "sluice_mirrored_requests_in_flight" ["route"] "Copies of a route's requests that are under way now.";

    // Connections and refused requests, by listener.
    CONNECTIONS = Counter "sluice_connections_total" ["listener"] "Connections accepted.";
    CONNECTIONS_REFUSED = Counter "sluice_connections_refused_total" ["listener", "reason"] "Connections closed at once because a limit was reached, by which.";
    CONNECTIONS_ACTIVE = Gauge "sluice_connections_active" ["listener"] "Connections open now, idle ones among them; UDP sessions too.";
    CONNECTIONS_IDLE = Gauge "sluice_connections_idle" ["listener"] "Connections that wait for their next request now.";
    ACCEPT_ERRORS = Counter "sluice_accept_errors_total" ["listener"] "Failed accept calls, other than for want of descriptors.";
    BAD_REQUESTS = Counter "sluice_bad_requests_total" ["listener", "reason"] "Malformed, ambiguous, oversized or late requests, by what was wrong.";
    DENIED = Counter "sluice_denied_requests_total" ["listener"] "Requests of clients whom `allow` or `deny` of the route keeps out, answered 403.";
    UNROUTED = Counter "sluice_unrouted_requests_total" ["listener"] "Requests that no route matched, answered 404.";
    TLS_HELLOS = Counter "sluice_tls_hellos_total" ["listener", "outcome"] "First messages of TLS clients where connections go by server name, by what came of them.";
    SNI_CONNECTIONS = Counter "sluice_sni_connections_total" ["listener", "sni"] "Connections passed on by a name in `sni`, as it stands in the file.";
    TCP_SESSIONS = Counter "sluice_tcp_sessions_total" ["listener", "end"] "TCP sessions by why they ended.";
    TLS_HANDSHAKES = Counter "sluice_tls_handshakes_total" ["listener", "version"] "TLS handshakes of clients that were completed, by version.";
    TLS_FAILURES = Counter "sluice_tls_handshake_failures_total" ["listener", "reason"] "TLS handshakes of clients that failed, by why.";
    TLS_RESUMPTIONS = Counter "sluice_tls_resumptions_total" ["listener"] "TLS handshakes of clients that resumed an earlier session.";
    TLS_EARLY_DATA = Counter "sluice_tls_early_data_total" ["listener", "outcome"] "Connections of clients that wished to send before the handshake was done (0-RTT), by what came of it.";
    TLS_EXPIRY = Gauge "sluice_tls_certificate_expiry_timestamp_seconds" ["listener", "certificate"] "When a listener's certificate expires, in Unix time; the label is its first name.";
    ACME_ORDERS = Counter "sluice_acme_orders_total" ["certificate", "outcome"] "Certificates ordered by ACME, by what came of it; the label is the first of `domains`.";
    UDP_SESSIONS = Counter "sluice_udp_sessions_total" ["listener", "end"] "UDP sessions by why they ended.";
    UDP_RECEIVED = Counter "sluice_udp_datagrams_received_total" ["listener"] "Datagrams received from clients.";
    UDP_SENT = Counter "sluice_udp_datagrams_sent_total" ["listener"] "Datagrams sent to clients.";
    UDP_DROPPED = Counter "sluice_udp_datagrams_dropped_total" ["listener", "reason"] "Datagrams that were not passed on, by why.";
    DOWNSTREAM_RECEIVED = Counter "sluice_downstream_received_bytes_total" ["listener"] "Bytes received from clients.";
    DOWNSTREAM_SENT = Counter "sluice_downstream_sent_bytes_total" ["listener"] "Bytes sent to clients.";

    // Upstreams.
    UPSTREAM_RESPONSE_SECONDS = Histogram "sluice_upstream_response_seconds" ["upstream"] "From choosing a server until the head of its answer, of the last attempt.";
    UPSTREAM_CONNECT_SECONDS = Histogram "sluice_upstream_connect_seconds" ["upstream"] "From starting to connect until the connection stands.";
    UPSTREAM_RETRIES = Counter "sluice_upstream_retries_total" ["upstream"] "Attempts after the first.";
    UPSTREAM_FALLBACKS = Counter "sluice_upstream_fallbacks_total" ["upstream"] "Requests that came to this upstream by `fallback`, as their own had failed them.";
    UPSTREAM_RETRIES_DENIED = Counter "sluice_upstream_retries_denied_total" ["upstream"] "Failures passed on as the upstream had as many retries under way as `budget` allows.";
    UPSTREAM_HEDGES = Counter "sluice_upstream_hedges_total" ["upstream"] "Requests sent to one more server as the answer was late (`hedge`).";
    UPSTREAM_HEDGES_WON = Counter "sluice_upstream_hedges_won_total" ["upstream"] "Hedges that answered first.";
    UPSTREAM_HEDGES_DENIED = Counter "sluice_upstream_hedges_denied_total" ["upstream"] "Late answers waited for as the upstream had as many hedges under way as `budget` of `hedge` allows.";
    UPSTREAM_SESSIONS_STARTED = Counter "sluice_upstream_sticky_started_total" ["upstream"] "Sessions that were given a server to stay on (`sticky`).";
    UPSTREAM_SESSIONS_MOVED = Counter "sluice_upstream_sticky_moved_total" ["upstream"] "Sessions that were given another server, as theirs takes them no more.";
    UPSTREAM_SESSIONS_PUSHED_OUT = Counter "sluice_upstream_sticky_pushed_out_total" ["upstream"] "Sessions that were forgotten before their time, as there were more than `max-sessions`.";
    UPSTREAM_NO_SERVER = Counter "sluice_upstream_no_server_total" ["upstream"] "Requests and sessions for which no server could be chosen.";
    UPSTREAM_ALL_DOWN = Counter "sluice_upstream_all_down_total" ["upstream"] "Requests and sessions refused because no server was well (`fail-closed`).";
    UPSTREAM_QUEUE_WAITING = Gauge "sluice_upstream_queue_waiting" ["upstream"] "Requests and sessions that wait for a place at a server now.";
    UPSTREAM_QUEUE_WAITS = Counter "sluice_upstream_queue_waits_total" ["upstream"] "Requests and sessions that waited for a place at a server.";
    UPSTREAM_CONCURRENCY_LIMIT = Gauge "sluice_upstream_concurrency_limit" ["upstream"] "Requests that an upstream with `adaptive-concurrency` gets at a time now; 0 without.";
    UPSTREAM_CONCURRENCY_IN_FLIGHT = Gauge "sluice_upstream_concurrency_in_flight" ["upstream"] "Requests under way that count for that limit.";
    UPSTREAM_REFUSED = Counter "sluice_upstream_refused_total" ["upstream", "reason", "priority"] "Requests and sessions refused because there were too many, by why and by their priority.";

    // Servers.
    SERVER_REQUESTS = Counter "sluice_server_requests_total" ["upstream", "server", "code"] "Answers of a server, by class of the final status.";
    SERVER_SESSIONS = Counter "sluice_server_sessions_total" ["upstream", "server"] "TCP and UDP sessions taken to a server.";
    SERVER_IN_FLIGHT = Gauge "sluice_server_in_flight" ["upstream", "server"] "Requests, TCP or UDP sessions at a server now.";
    SERVER_CONNECTIONS = Counter "sluice_server_connections_total" ["upstream", "server"] "Connections opened to a server.";
    SERVER_REUSED = Counter "sluice_server_connections_reused_total" ["upstream", "server"] "Requests sent on a connection that had served one before.";
    SERVER_STALE = Counter "sluice_server_connections_stale_total" ["upstream", "server"] "Idle connections that turned out closed when a request was sent on them.";
    SERVER_IDLE = Gauge "sluice_server_connections_idle" ["upstream", "server"] "Connections to a server that wait for their next request now.";
    SERVER_IDLE_DROPPED = Counter "sluice_server_connections_idle_dropped_total" ["upstream", "server"] "Connections closed after use because `idle-connections` were kept already.";
    SERVER_CONNECT_FAILURES = Counter "sluice_server_connect_failures_total" ["upstream", "server", "reason"] "Connections that could not be opened, by why.";
    SERVER_RESPONSE_FAILURES = Counter "sluice_server_response_failures_total" ["upstream", "server", "reason"] "Exchanges that failed once the connection stood, by why.";
    SERVER_LIMIT_REACHED = Counter "sluice_server_limit_reached_total" ["upstream", "server"] "Times a server was passed by because it had its `max-connections`.";
    SERVER_STATE = Gauge "sluice_server_state" ["upstream", "server", "state"] "1 for the state that a server is in, 0 for the others.";
    SERVER_BREAKER_OPENINGS = Counter "sluice_server_breaker_openings_total" ["upstream", "server", "cause"] "Openings of a server's circuit breaker, by why.";
    SERVER_LAST_RESORTS = Counter "sluice_server_last_resorts_total" ["upstream", "server"] "Requests and sessions sent to a server that was not well, as no other was (`fail-open`).";
    SERVER_SENT = Counter "sluice_server_sent_bytes_total" ["upstream", "server"] "Bytes sent to a server.";
    SERVER_RECEIVED = Counter "sluice_server_received_bytes_total" ["upstream", "server"] "Bytes received from a server.";
    SERVER_CHECKS = Counter "sluice_server_checks_total" ["upstream", "server", "outcome"] "Health checks of a server, by what came of them.";
    SERVER_CHECK_SECONDS = Gauge "sluice_server_check_duration_seconds" ["upstream", "server"] "How long the last health check of a server took.";
    PORTS_USED = Gauge "sluice_ephemeral_ports_used_ratio" ["upstream", "server"] "Share of the ephemeral ports towards a server that is in use, 0 to 1.";

    // Rate limits.
    RATE_LIMIT_REQUESTS = Counter "sluice_rate_limit_requests_total" ["limit", "outcome"] "Requests held against a rate limit, by what it said.";
    RATE_LIMIT_WAITING = Gauge "sluice_rate_limit_waiting" ["limit"] "Requests that wait for their turn now (`over = \"delay\"`).";
    RATE_LIMIT_FORGOTTEN = Counter "sluice_rate_limit_keys_forgotten_total" ["limit"] "Keys that had used some of their quota and were forgotten, as there were more than `max-keys`.";

    // Stores.
    STORE_OPERATIONS = Counter "sluice_store_operations_total" ["store", "outcome"] "What stores were asked, by what came of it.";
    STORE_CONNECTED = Gauge "sluice_store_connected" ["store"] "Workers that are connected to a store now.";

    // Workers and the process.
    WORKER_BUSY = Counter "sluice_worker_busy_seconds_total" ["worker"] "Time a worker spent working and not waiting.";
    WORKER_CONNECTIONS = Counter "sluice_worker_connections_total" ["worker"] "Connections a worker accepted.";
    ACCEPT_PAUSES = Counter "sluice_accept_pauses_total" [] "Times accepting was slowed down because descriptors ran out.";
    MEMORY_LIMIT = Gauge "sluice_memory_limit_bytes" [] "The most memory that the process is to take (`max-memory`); absent where there is no limit.";
    MEMORY_STRAIN = Gauge "sluice_memory_strain" [] "0 while there is memory, 1 near the limit, where new connections are refused, 2 at it, where new requests are.";
    RELOADS = Counter "sluice_reloads_total" ["result"] "Reloads of the configuration, by result.";
    RELOAD_SUCCESSFUL = Gauge "sluice_last_reload_successful" [] "1 if the last load of the configuration was taken over, 0 if it was wrong.";
    RELOAD_TIME = Gauge "sluice_last_reload_success_timestamp_seconds" [] "When the running configuration was taken over, in Unix time.";
    CONFIG_WARNINGS = Gauge "sluice_config_warnings" [] "Warnings about the running configuration.";
    LOG_DROPPED = Counter "sluice_log_dropped_lines_total" ["log"] "Lines dropped because a log's writer did not keep up or could not write; `access` or `process`.";
    BUILD_INFO = Gauge "sluice_build_info" ["version"] "Always 1; the version stands in the label.";
    START_TIME = Gauge "process_start_time_seconds" [] "When the process started, in Unix time.";
    CPU_SECONDS = Counter "process_cpu_seconds_total" [] "CPU time of the process, user and system.";
    RESIDENT_BYTES = Gauge "process_resident_memory_bytes" [] "Resident memory of the process.";
    OPEN_FDS = Gauge "process_open_fds" [] "Open file descriptors.";
    MAX_FDS = Gauge "process_max_fds" [] "The limit of open file descriptors.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let mut seen = BTreeSet::new();
        for family in ALL {
            let name = family.name;
            assert!(seen.insert(name), "{name} is there twice");
            assert!(
                name.starts_with("sluice_") || name.starts_with("process_"),
                "{name}"
            );
            assert_eq!(
                name.ends_with("_total"),
                family.kind == Kind::Counter,
                "{name}"
            );
            if family.kind == Kind::Histogram {
                assert!(name.ends_with("_seconds"), "{name}");
            }
            for label in family.labels {
                assert!(
                    label.bytes().all(|byte| byte.is_ascii_lowercase()),
                    "{name} {label}"
                );
            }
            assert!(
                family.help.ends_with('.') && !family.help.contains(['\n', '\\', '|']),
                "{name}"
            );
        }
    }
}
