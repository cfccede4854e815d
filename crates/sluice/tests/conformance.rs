//! The tables of conformance, put to the real binary. Each topic has a balancer of its own.

use std::fmt::Write as _;

use conformance::conditions::{MAX_BODY, MAX_FIELDS, MAX_HEAD, MAX_TARGET};
use conformance::responses::Exhibit;
use conformance::{Case, Lane, Origin, http2, requests, responses, run};
use testkit::{Balancer, EchoServer};

/// Tests that put a topic of the request tables to the balancer.
macro_rules! topics {
    ($($test:ident: $topic:literal,)*) => {
        $(#[test]
        fn $test() {
            put(&requests::topic($topic), LANES, "");
        })*

        #[test]
        fn every_topic_is_put() {
            let put = [$($topic),*];
            let topics: Vec<_> = requests::topics().into_iter().map(|(name, _)| name).collect();
            assert_eq!(topics, put);
        }
    };
}

topics! {
    request_line: "request line",
    methods: "methods",
    targets: "targets",
    versions: "versions",
    line_ends: "line ends",
    host: "host",
    fields: "fields",
    content_length: "content length",
    transfer_encoding: "transfer encoding",
    chunked_bodies: "chunked bodies",
    limits: "limits",
    connection_handling: "connection handling",
    expectations: "expectations",
    pipelining: "pipelining",
    smuggling: "smuggling",
}

/// Every try takes the second after which the balancer gives up, so there are many lanes.
#[test]
fn unfinished_messages() {
    let impatient = "head-timeout = \"3s\"\nbody-timeout = \"3s\"\nidle-timeout = \"3s\"\n";
    put(&requests::unfinished(), 48, impatient);
}

#[test]
fn responses_of_servers() {
    let exhibits: Vec<_> = responses::cases()
        .iter()
        .enumerate()
        .flat_map(|(number, case)| Exhibit::start(case, number))
        .collect();
    // One worker: each keeps connections of its own, and it is to be seen whether they are used again.
    let mut configuration =
        "[runtime]\nworkers = 1\n[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n".to_owned();
    for (number, exhibit) in exhibits.iter().enumerate() {
        let (path, address) = (exhibit.path(), exhibit.address());
        write!(
            configuration,
            "[[routes]]\nmatch.path = \"{path}\"\nupstream = \"server-{number}\"\n\
             [upstreams.server-{number}]\nservers = [\"{address}\"]\n"
        )
        .expect("writing to a string");
    }
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    responses::run(balancer.address("web"), &exhibits);
}

#[test]
fn frames_of_http2() {
    let server = EchoServer::start("a");
    let configuration = format!(
        "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\nprotocols = [\"h2\"]\n\
         h2 = {{ max-concurrent-streams = {} }}\n[upstreams.a]\nservers = [\"{}\"]\n",
        http2::MAX_STREAMS,
        server.address()
    );
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    http2::run(balancer.address("web"));
}

/// Puts cases to a balancer with a listener, a route and an upstream for each lane.
fn put(cases: &[Case], lanes: usize, timeouts: &str) {
    let origins: Vec<_> = (0..lanes).map(|_| Origin::start()).collect();
    let mut configuration = String::new();
    for (lane, origin) in origins.iter().enumerate() {
        let address = origin.address();
        write!(
            configuration,
            "[listeners.lane-{lane}]\naddress = \"127.0.0.1:<port:lane-{lane}>\"\n\
             max-head = \"{MAX_HEAD}B\"\nmax-target = \"{MAX_TARGET}B\"\nmax-fields = {MAX_FIELDS}\n{timeouts}\
             [[routes]]\nlisteners = [\"lane-{lane}\"]\nmatch.path = '{ROUTED}'\nmax-body = \"{MAX_BODY}B\"\n\
             upstream = \"origin-{lane}\"\n\
             [upstreams.origin-{lane}]\nservers = [\"{address}\"]\n"
        )
        .expect("writing to a string");
    }
    let balancer = Balancer::start(env!("CARGO_BIN_EXE_sluice"), &configuration);
    let lane = |(lane, origin)| Lane {
        subject: balancer.address(&format!("lane-{lane}")),
        origin,
    };
    let lanes: Vec<_> = origins.into_iter().enumerate().map(lane).collect();
    run(cases, &lanes);
}

/// Everything but what begins like [`conformance::conditions::UNROUTED`].
const ROUTED: &str = r"~\*|/([^-].*)?";
const LANES: usize = 4;
