//! What users notice when the network loses all that goes to one server and comes from it, under a steady load: nothing.

mod events_kit;

use std::net::Ipv4Addr;

use events_kit::{Load, begin, wait_for_state};
use testkit::{in_private_network, run};

#[test]
fn a_partitioned_server_costs_no_request() {
    in_private_network("a_partitioned_server_costs_no_request", &[], || {
        let (servers, balancer) =
            begin([11, 12, 13, 14, 15].map(|last| Ipv4Addr::new(127, 0, 0, last)));
        let load = Load::start(balancer.address("web"));
        nft(CUT);
        load.go_on();
        wait_for_state(&balancer, &servers[2], "unhealthy");
        load.go_on();
        nft("delete table ip partition");
        wait_for_state(&balancer, &servers[2], "healthy");
        load.go_on();
        assert_eq!(load.end(), [""; 0], "{}", balancer.stderr());
    });
}

/// Has the kernel do so with what it passes on.
fn nft(commands: &str) {
    let finished = run("nft", &[commands]);
    assert_eq!(finished.code(), 0, "{commands}: {}", finished.stderr);
}

/// Nothing reaches the third server, and nothing comes from it.
const CUT: &str = "
add table ip partition
add chain ip partition arriving { type filter hook input priority 0; }
add rule ip partition arriving ip daddr 127.0.0.13 drop
add rule ip partition arriving ip saddr 127.0.0.13 drop
";
