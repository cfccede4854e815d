//! Servers that are asked for their load: whom to ask and how often, and what is made of the answers.

use std::collections::BTreeSet;
use std::time::Duration;

use sluice_balance::{Kind, Policy, Probe, Probes};

use crate::cluster::{Cluster, MILLISECOND, policy};

const ASKED: Kind = Kind::Prequal(Probes::Asked);

fn targets(policy: &mut Policy, cluster: &Cluster) -> Vec<usize> {
    std::iter::from_fn(|| policy.probe_target(cluster.now))
        .take(1_000)
        .collect()
}

/// Asks whom the policy wants to, and lets the servers answer.
fn ask_around(policy: &mut Policy, cluster: &Cluster, answer: impl Fn(usize) -> Probe) {
    for server in targets(policy, cluster) {
        policy.probed(server, answer(server), cluster.now);
    }
}

#[test]
fn three_for_each_request_and_a_few_while_there_is_none() {
    let mut cluster = Cluster::of(100);
    let mut policy = policy(ASKED, &[1; 100], 5);
    cluster.now = cluster.now + Duration::from_secs(1);
    targets(&mut policy, &cluster);
    let mut asked = 0;
    for _ in 0..1_000 {
        cluster.now = cluster.now + MILLISECOND;
        policy.pick(&cluster, &cluster.ask()).expect("a server");
        asked += targets(&mut policy, &cluster).len();
    }
    assert_eq!(asked, 3_000);
    for _ in 0..1_000 {
        cluster.now = cluster.now + MILLISECOND * 10;
        asked += targets(&mut policy, &cluster).len();
    }
    assert_eq!(asked, 3_040);
}

#[test]
fn a_caller_that_does_not_ask_owes_no_more_than_a_few() {
    let cluster = Cluster::of(100);
    let mut policy = policy(ASKED, &[1; 100], 5);
    for _ in 0..1_000 {
        policy.pick(&cluster, &cluster.ask()).expect("a server");
    }
    assert!(targets(&mut policy, &cluster).len() <= 32);
}

#[test]
fn in_local_mode_and_in_other_kinds_nobody_is_asked() {
    for kind in [Kind::Prequal(Probes::Local), Kind::RoundRobin] {
        let cluster = Cluster::of(100);
        let mut policy = policy(kind, &[1; 100], 5);
        policy.pick(&cluster, &cluster.ask()).expect("a server");
        assert_eq!(policy.probe_target(cluster.now), None);
    }
}

#[test]
fn the_soonest_of_those_that_are_not_busy() {
    for servers in [3, 10, 100] {
        let mut cluster = Cluster::of(servers);
        let mut policy = policy(ASKED, &vec![1; servers], 5);
        // An odd one is fast, but each fifth of all has its hands full.
        let answer = |server: usize| Probe {
            in_flight: if server % 10 == 1 { 50.0 } else { 2.0 },
            latency: Some(MILLISECOND * if server % 2 == 1 { 1 } else { 20 }),
        };
        let mut counts = vec![0; servers];
        for request in 0..2_000 {
            cluster.now = cluster.now + MILLISECOND;
            ask_around(&mut policy, &cluster, answer);
            let server = policy.pick(&cluster, &cluster.ask()).expect("a server");
            counts[server] += u32::from(request >= 100);
        }
        let slow: u32 = counts.iter().step_by(2).sum();
        let busy: u32 = counts.iter().skip(1).step_by(10).sum();
        if servers > 3 {
            assert!(busy < 60, "{busy} of 1900 to busy ones, {counts:?}");
            assert!(slow < 300, "{slow} of 1900 to slow ones, {counts:?}");
        } else {
            assert_eq!(counts.iter().sum::<u32>(), 1_900);
        }
    }
}

#[test]
fn old_answers_are_not_used() {
    let mut cluster = Cluster::of(20);
    let mut policy = policy(ASKED, &[1; 20], 5);
    let probe = |milliseconds| Probe {
        in_flight: 0.0,
        latency: Some(MILLISECOND * milliseconds),
    };
    for server in 0..4 {
        policy.probed(server, probe(1), cluster.now);
    }
    for _ in 0..4 {
        let server = policy.pick(&cluster, &cluster.ask()).expect("a server");
        assert!(server < 4, "{server}");
    }
    for server in 0..4 {
        policy.probed(server, probe(1), cluster.now);
    }
    cluster.now = cluster.now + Duration::from_millis(1_001);
    let picks: BTreeSet<usize> = (0..400)
        .map(|_| policy.pick(&cluster, &cluster.ask()).expect("a server"))
        .collect();
    assert_eq!(picks.len(), 20, "by chance: {picks:?}");
}

#[test]
fn a_request_that_was_sent_counts_until_the_next_answer() {
    let cluster = Cluster::of(100);
    let mut policy = policy(ASKED, &[1; 100], 5);
    let probe = Probe {
        in_flight: 1.0,
        latency: Some(MILLISECOND),
    };
    // Enough to know what is usual: one in flight.
    for server in 0..16 {
        policy.probed(server, probe, cluster.now);
    }
    let first: BTreeSet<usize> = (0..6)
        .map(|_| policy.pick(&cluster, &cluster.ask()).expect("a server"))
        .collect();
    assert_eq!(first.len(), 6, "each another one: {first:?}");
}

#[test]
fn answers_that_make_no_sense_do_no_harm() {
    let cluster = Cluster::of(20);
    let mut policy = policy(ASKED, &[1; 20], 5);
    for in_flight in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -5.0, f32::MAX] {
        for server in [0, 1, 2, 19, 20, usize::MAX] {
            let latency = Some(Duration::MAX);
            policy.probed(server, Probe { in_flight, latency }, cluster.now);
            assert!(policy.pick(&cluster, &cluster.ask()).is_some());
        }
    }
}

#[test]
fn a_server_that_fails_is_left_out_whatever_it_answers() {
    let mut cluster = Cluster::of(20);
    let mut policy = policy(ASKED, &[1; 20], 5);
    (0..20).for_each(|_| cluster.loads[3].ended(cluster.now, true));
    let answer = |server: usize| Probe {
        in_flight: if server == 3 { 0.0 } else { 4.0 },
        latency: Some(MILLISECOND * if server == 3 { 1 } else { 10 }),
    };
    let mut picked = 0;
    for _ in 0..500 {
        cluster.now = cluster.now + MILLISECOND / 2;
        ask_around(&mut policy, &cluster, answer);
        let server = policy.pick(&cluster, &cluster.ask()).expect("a server");
        picked += u32::from(server == 3);
    }
    assert_eq!(picked, 0);
}
