//! A few totals at a glance, for a live line on a terminal.

use super::registry::Registry;

/// What the balancer did so far and does now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests answered.
    pub requests: u64,
    /// Requests answered with 5xx.
    pub server_errors: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub connections_active: i64,
    /// Each server's share, in the order of upstream and address.
    pub servers: Vec<ServerTotals>,
}

/// What one server did so far and does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTotals {
    /// The upstream's name.
    pub upstream: String,
    /// The server's address.
    pub server: String,
    /// Requests answered, or TCP sessions taken.
    pub requests: u64,
    /// Requests or sessions at the server now.
    pub in_flight: i64,
}

impl Registry {
    /// A few totals, all shards added up.
    pub fn totals(&self) -> Totals {
        use super::shards::StatusClass::ServerError;

        let mut totals = Totals::default();
        for route in self
            .routes
            .snapshot()
            .values()
            .flat_map(|shards| shards.values())
        {
            totals.requests += route.requests.total();
            totals.server_errors += route.requests.value(ServerError);
        }
        for upstream in self
            .upstreams
            .snapshot()
            .values()
            .flat_map(|shards| shards.values())
        {
            totals.retries += upstream.retries.value();
        }
        for listener in self
            .listeners
            .snapshot()
            .values()
            .flat_map(|shards| shards.values())
        {
            totals.connections += listener.connections_accepted.value();
            totals.connections_active += listener.connections_active.value();
        }
        for ([upstream, server], shards) in self.servers.snapshot() {
            let requests =
                |shard: &super::ServerMetrics| shard.requests.total() + shard.sessions.value();
            totals.servers.push(ServerTotals {
                upstream,
                server,
                requests: shards.values().map(|shard| requests(shard)).sum(),
                in_flight: shards.values().map(|shard| shard.in_flight.value()).sum(),
            });
        }
        totals
    }
}
