//! What users notice when servers are killed, hang, or are restarted under a steady load: nothing.

mod events_kit;

use std::net::Ipv4Addr;

use events_kit::{Load, Server, begin, wait_for_state};
use testkit::Signal;

#[test]
fn a_killed_server_costs_no_request() {
    let (mut servers, balancer) = begin([Ipv4Addr::LOCALHOST; 5]);
    let load = Load::start(balancer.address("web"));
    end(&mut servers[1], Signal::KILL);
    load.go_on();
    wait_for_state(&balancer, &servers[1], "unhealthy");
    servers[1].restart();
    load.go_on();
    assert_eq!(load.end(), [""; 0], "{}", balancer.stderr());
}

#[test]
fn a_hanging_server_costs_no_request() {
    let (servers, balancer) = begin([Ipv4Addr::LOCALHOST; 5]);
    let load = Load::start(balancer.address("web"));
    signal(&servers[2], Signal::STOP);
    load.go_on();
    wait_for_state(&balancer, &servers[2], "unhealthy");
    load.go_on();
    signal(&servers[2], Signal::CONT);
    load.go_on();
    assert_eq!(load.end(), [""; 0], "{}", balancer.stderr());
}

#[test]
fn restarting_all_in_turn_costs_no_request() {
    let (mut servers, balancer) = begin([Ipv4Addr::LOCALHOST; 5]);
    let load = Load::start(balancer.address("web"));
    for server in &mut servers {
        end(server, Signal::TERM);
        load.go_on();
        server.restart();
        load.go_on();
    }
    assert_eq!(load.end(), [""; 0], "{}", balancer.stderr());
}

fn signal(server: &Server, signal: Signal) {
    let process = server.process.as_ref().expect("it runs");
    process.signal(signal);
}

/// Ends it by a signal.
fn end(server: &mut Server, by: Signal) {
    signal(server, by);
    let mut process = server.process.take().expect("it runs");
    process.wait_exit();
}
