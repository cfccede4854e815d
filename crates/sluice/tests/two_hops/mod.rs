//! Two hops through one balancer, with HTTP of a version between them: a client of that version and a server of it, both ours.

use testkit::{Balancer, RawClient, ScriptedServer};

use super::tls_kit::{Authority, certificates};

pub(crate) const VERSIONS: [&str; 3] = ["h1", "h2", "h3"];

/// Listener `front`, spoken to by HTTP/1.1, before listener `back`, before a server of HTTP/1.1.
pub(crate) struct Hops {
    pub(crate) balancer: Balancer,
    _authority: Authority,
}

/// Which of the two hops is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// The one whose server is spoken to by the version that is looked at.
    Front,
    /// The one whose client speaks it.
    Back,
}

impl Hop {
    pub(crate) const BOTH: [Self; 2] = [Self::Front, Self::Back];

    fn route(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Back => "back",
        }
    }
}

impl Hops {
    /// With further keys of listeners: `here` of the hop that is looked at, `elsewhere` of the other.
    pub(crate) fn start(
        server: &ScriptedServer,
        version: &str,
        looked_at: Hop,
        [here, elsewhere]: [&str; 2],
    ) -> Self {
        let authority = Authority::new("a");
        let files = authority.issue("back", &["127.0.0.1"]);
        let (listener, upstream) = match version {
            "h3" => (
                format!("protocols = [\"h1\", \"h3\"]\n{}", certificates(&[&files])),
                format!("tls = {{ ca = \"{}\" }}", authority.ca().display()),
            ),
            other => (format!("protocols = [\"{other}\"]"), String::new()),
        };
        let [front, back] = Hop::BOTH.map(|hop| if hop == looked_at { here } else { elsewhere });
        let configuration = format!(
            r#"
[listeners.front]
address = "127.0.0.1:<port:front>"
{front}
[listeners.back]
address = "127.0.0.1:<port:back>"
{back}
{listener}
[[routes]]
name = "front"
listeners = ["front"]
upstream = "hop"
timeout = "1h"
[[routes]]
name = "back"
listeners = ["back"]
upstream = "server"
timeout = "1h"
[upstreams.hop]
protocol = "{version}"
servers = ["127.0.0.1:<port:back>"]
{upstream}
[upstreams.server]
servers = ["{}"]
[runtime]
workers = 1
"#,
            server.address()
        );
        Self {
            balancer: Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration),
            _authority: authority,
        }
    }

    pub(crate) fn client(&self) -> RawClient {
        RawClient::connect(self.balancer.address("front"))
    }

    /// How many requests ended at a hop for this reason.
    pub(crate) fn ended(&self, hop: Hop, end: &str) -> usize {
        let labels = [("route", hop.route()), ("end", end)];
        let metrics = self.balancer.metrics();
        metrics.count("sluice_request_ends_total", &labels)
    }
}
