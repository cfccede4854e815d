//! Which servers of an upstream there are to choose from, and which one a request's key leads to.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use sluice_balance::{Ask, Kind, Load, Policy};
use sluice_config::plan::{Server, Upstream};
use sluice_model::Weight;
use sluice_route::Facts;

use crate::admin_client::AdminClient;
use crate::live_servers::LiveServer;
use crate::live_session::{LiveSession, ToldSession};
use crate::shift::Split;

/// Servers as the file has them, or as they are now.
pub(super) struct Servers {
    /// Who is asked about sessions.
    admin: Option<AdminClient>,
    live: Option<Vec<LiveServer>>,
    splits: Vec<Split>,
}

impl Servers {
    /// Of none is known how it is.
    pub(super) fn of_the_file() -> Self {
        Self {
            admin: None,
            live: None,
            splits: Vec::new(),
        }
    }

    /// Those of the sluice that runs from this file; what went wrong is told.
    pub(super) fn live(file: &Path) -> Result<Self, ExitCode> {
        let admin = AdminClient::of_file(file)?;
        Ok(Self {
            live: Some(LiveServer::all(&admin)?),
            splits: Split::all(&admin)?,
            admin: Some(admin),
        })
    }

    /// Where a session is that is remembered; `None` where that is not known, and what went wrong is told.
    pub(super) fn session(&self, upstream: &Upstream, told: &ToldSession) -> Option<LiveSession> {
        let admin = self.admin.as_ref()?;
        LiveSession::find(admin, &upstream.name, told).ok()
    }

    /// The split of a route as it is now; `None` where that is not known.
    pub(super) fn split(&self, route: &str) -> Option<&Split> {
        self.splits.iter().find(|split| split.is_of(route))
    }

    /// Each server with its share. `what` are what servers get: requests, connections or sessions.
    pub(super) fn describe(
        &self,
        upstream: &Upstream,
        what: &str,
        text: &mut String,
    ) -> std::fmt::Result {
        writeln!(text, "upstream  {}", upstream.name)?;
        writeln!(text, "policy    {}", upstream.balance.name)?;
        let may_be = |server: &&Server| self.takes_requests(upstream, server);
        let zones_matter = upstream
            .servers
            .iter()
            .filter(may_be)
            .any(|server| server.in_own_zone && !server.backup);
        let is_first = |server: &Server| !server.backup && (server.in_own_zone || !zones_matter);
        let all: u32 = upstream
            .servers
            .iter()
            .filter(may_be)
            .filter(|server| is_first(server))
            .map(|server| self.weight(upstream, server).value())
            .sum();
        for server in &upstream.servers {
            let weight = self.weight(upstream, server).value();
            let why = if !may_be(&server) {
                "gets none".to_owned()
            } else if server.backup {
                "backup: only when no other can be used".to_owned()
            } else if !is_first(server) {
                "another zone: only while the own one is overloaded".to_owned()
            } else if all == weight {
                "the only one".to_owned()
            } else {
                share_of(upstream, weight, all, what)
            };
            let now = self.now(upstream, server).unwrap_or_default();
            writeln!(text, "server    {} ({why}{now})", server.address)?;
        }
        self.describe_all_down(upstream, text)
    }

    fn describe_all_down(&self, upstream: &Upstream, text: &mut String) -> std::fmt::Result {
        let live = || {
            let servers = upstream.servers.iter();
            servers.filter_map(|server| self.of(upstream, server))
        };
        if live().any(LiveServer::is_last_resort) {
            return writeln!(text, "all down  tried all the same, the healthiest first");
        }
        if live().next().is_some() && !live().any(LiveServer::takes_requests) {
            return writeln!(text, "all down  refused");
        }
        Ok(())
    }

    /// Which server the request's key leads to, where the policy goes by one; else which one is chosen now, where servers are known as they
    /// are, or by what.
    pub(super) fn describe_choice(
        &self,
        upstream: &Upstream,
        facts: &Facts<'_>,
        text: &mut String,
    ) -> std::fmt::Result {
        let Some(key) = &upstream.balance.key else {
            return self.describe_pick(upstream, text);
        };
        let Some(hash) = key.of_request(facts) else {
            return writeln!(
                text,
                "key       {key}: the request has none, so any server may take it"
            );
        };
        let ask = Ask {
            key: Some(hash),
            ..Ask::default()
        };
        match self.picked(upstream, &ask) {
            Some(server) => writeln!(
                text,
                "key       {key}: goes to {}, unless that cannot take it",
                server.address
            ),
            None => Ok(()),
        }
    }

    fn describe_pick(&self, upstream: &Upstream, text: &mut String) -> std::fmt::Result {
        let can = |server: &&Server| self.takes_requests(upstream, server);
        if self.live.is_none() || upstream.servers.iter().filter(can).count() < 2 {
            return Ok(());
        }
        let by = match upstream.balance.settings.kind {
            Kind::LeastConnections(_) => {
                let Some(server) = self.picked(upstream, &Ask::default()) else {
                    return Ok(());
                };
                let address = &server.address;
                let why = "no other has fewer in flight for its weight";
                return writeln!(text, "pick      {address} now: {why}");
            }
            Kind::PowerOfTwo => "the one with fewer in flight of two that are drawn",
            Kind::LeastResponseTime(_) => {
                "the lowest product of average response time and requests in flight"
            }
            Kind::PeakEwma(_) => "the lowest product of peak response time and requests in flight",
            Kind::C3 { .. } => "the lowest score of response time and requests in flight",
            Kind::Prequal(_) => {
                "the fastest, by its probes, of those that are not busier than most"
            }
            Kind::LeastBandwidth(_) => "the fewest bytes a second",
            // The lines of the servers say so, or a key does.
            _ => return Ok(()),
        };
        writeln!(text, "pick      {by}, as each worker has measured")
    }

    /// Which one the policy chooses, by the requests that servers have in flight.
    fn picked<'u>(&self, upstream: &'u Upstream, ask: &Ask) -> Option<&'u Server> {
        let mut shapes = upstream.shapes();
        for (shape, server) in shapes.iter_mut().zip(&upstream.servers) {
            shape.weight = self.weight(upstream, server);
        }
        let as_now = |server: &Server| {
            let load = Load::default();
            let live = self.of(upstream, server);
            for _ in 0..live.map_or(0, |live| live.in_flight.min(MOST_IN_FLIGHT)) {
                load.try_enter(None);
            }
            (self.takes_requests(upstream, server), load)
        };
        let servers = Loaded(upstream.servers.iter().map(as_now).collect());
        let mut policy = Policy::new(upstream.balance.settings, &shapes, 0);
        let position = policy.pick(&servers, ask)?;
        upstream.servers.get(position)
    }

    fn of(&self, upstream: &Upstream, server: &Server) -> Option<&LiveServer> {
        self.at(upstream, &server.address.to_string())
    }

    fn at(&self, upstream: &Upstream, address: &str) -> Option<&LiveServer> {
        let mut live = self.live.iter().flatten();
        live.find(|one| one.upstream == *upstream.name && one.address == address)
    }

    fn takes_requests(&self, upstream: &Upstream, server: &Server) -> bool {
        match self.live {
            Some(_) => {
                let live = self.of(upstream, server);
                live.is_some_and(LiveServer::takes_requests)
            }
            None => true,
        }
    }

    /// Whether requests of sessions that are there go on to it, as far as is known.
    pub(super) fn takes_sessions(&self, upstream: &Upstream, address: &str) -> bool {
        self.at(upstream, address)
            .is_none_or(LiveServer::takes_sessions)
    }

    fn weight(&self, upstream: &Upstream, server: &Server) -> Weight {
        let live = self.of(upstream, server);
        let weight = live.and_then(|live| Weight::try_from(i64::from(live.weight)).ok());
        weight.unwrap_or(server.weight)
    }

    /// How it is, where that is known.
    fn now(&self, upstream: &Upstream, server: &Server) -> Option<String> {
        self.live.as_ref()?;
        let Some(live) = self.of(upstream, server) else {
            return Some("; the running sluice does not have it".to_owned());
        };
        let mut now = format!("; {}, {} in flight", live.state, live.in_flight);
        if live.takes == "trials" {
            now.push_str(", trials only");
        }
        if live.weight_by_hand.is_some() {
            now.push_str(", weight set by hand");
        }
        Some(now)
    }
}

/// What a weight means to the policy.
fn share_of(upstream: &Upstream, weight: u32, all: u32, what: &str) -> String {
    match upstream.balance.settings.kind {
        Kind::RoundRobin => format!("{weight} of {all} {what}, in turn"),
        Kind::Random => format!("{weight} of {all} {what}, drawn at random"),
        _ => format!("weight {weight} of {all}"),
    }
}

/// Beyond that it makes no difference here.
const MOST_IN_FLIGHT: u32 = 100_000;

/// Servers as they are loaded, and whether each takes requests.
struct Loaded(Vec<(bool, Load)>);

impl sluice_balance::Servers for Loaded {
    fn is_eligible(&self, server: usize) -> bool {
        self.0.get(server).is_some_and(|(takes, _)| *takes)
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.0.get(server).map(|(_, load)| load)
    }
}
