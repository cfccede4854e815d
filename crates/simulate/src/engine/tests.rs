//! Against what is known of queues without simulating them, and what must hold of any run.

use std::path::Path;

use super::*;
use crate::report::Comparison;
use crate::study;

fn scenario(text: &str) -> Scenario {
    Scenario::parse("test.toml", text, Path::new("")).unwrap_or_else(|error| panic!("{error}"))
}

fn compared(text: &str) -> Comparison {
    study::run(&scenario(text), 2, &|_| ())
}

fn outcome(text: &str) -> Outcome {
    let scenario = scenario(text);
    Simulation::new(&scenario, &scenario.policies()[0], scenario.seed).finish()
}

/// The mean time at a server is what theory says, within the confidence interval (taken half as wide again, as one in
/// twenty would be missed otherwise), which is narrow enough to tell.
fn assert_mean(text: &str, theory: f64) {
    let comparison = compared(text);
    let mean = comparison.rows[0].mean_latency();
    let within = mean.within.expect("several seeds");
    assert!(within < 0.05 * theory, "too wide to tell: {mean:?}");
    assert!(
        (mean.mean - theory).abs() < 1.5 * within,
        "{mean:?}, not {theory}"
    );
}

#[test]
fn one_server_is_mm1() {
    // 1 / (μ − λ) = 10 ms / (1 − 0.7)
    assert_mean(
        "policies = ['random']\nrequests = 60_000\nseeds = 8\narrivals.utilization = '70%'\n\
         [[servers]]\nservice.exponential = '10ms'",
        0.010 / 0.3,
    );
}

#[test]
fn random_over_servers_is_mm1_at_each() {
    assert_mean(
        "policies = ['random']\nrequests = 80_000\nseeds = 8\narrivals.utilization = '70%'\n\
         servers = [{ count = 10, service.exponential = '10ms' }]",
        0.010 / 0.3,
    );
}

#[test]
fn a_server_with_slots_is_mmc() {
    // Erlang's C formula for 4 slots at 80 %.
    let (slots, offered) = (4.0_f64, 3.2_f64);
    let term = |k: i32| offered.powi(k) / (1..=k).map(f64::from).product::<f64>();
    let all_busy = term(4) * slots / (slots - offered);
    let waits = all_busy / ((0..4).map(term).sum::<f64>() + all_busy);
    assert_mean(
        "policies = ['round-robin']\nrequests = 80_000\nseeds = 8\narrivals.utilization = '80%'\n\
         servers = [{ capacity = 4, service.exponential = '10ms' }]",
        0.010 + waits * 0.010 / (slots - offered),
    );
}

#[test]
fn other_services_wait_by_pollaczek_and_khinchine() {
    // The mean wait is ρ / (1 − ρ) × (1 + c²) / 2 of a service, with c² the squared coefficient of variation.
    let wait = |load: f64, variation: f64| load / (1.0 - load) * (1.0 + variation) / 2.0;
    let text = |service: &str| {
        format!(
            "policies = ['random']\nrequests = 60_000\nseeds = 8\narrivals.utilization = '60%'\n\
             servers = [{{ service.{service} }}]"
        )
    };
    assert_mean(&text("constant = '10ms'"), 0.010 * (1.0 + wait(0.6, 0.0)));
    // c² of a log-normal distribution is e^σ² − 1.
    assert_mean(
        &text("log-normal = { mean = '10ms', sigma = 0.5 }"),
        0.010 * (1.0 + wait(0.6, 0.25_f64.exp() - 1.0)),
    );
}

#[test]
fn the_power_of_two_keeps_queues_as_short_as_its_law_says() {
    // In the limit of many servers a share λ^(2^k − 1) of them has k requests at least (Mitzenmacher, 1996).
    let scenario = scenario(
        "policies = ['power-of-two']\nrequests = 400_000\narrivals.utilization = '90%'\n\
         servers = [{ count = 400, service.exponential = '10ms' }]",
    );
    let mut simulation = Simulation::new(&scenario, &scenario.policies()[0], 5);
    let mut seen = [0_u32; 8];
    let mut looks = 0;
    // Beyond the warm-up of a tenth.
    let mut arrived = 60_000;
    while simulation.advance(arrived) {
        arrived += 400;
        for requests in simulation.requests_at_servers() {
            looks += 1;
            for at_least in 1..=requests.min(7) {
                seen[at_least as usize] += 1;
            }
        }
    }
    assert!(looks > 100_000);
    for (at_least, seen) in (0..).zip(seen).skip(1).take(6) {
        let law = 0.9_f64.powi((1 << at_least) - 1);
        let share = f64::from(seen) / f64::from(looks);
        assert!(
            (share - law).abs() < 0.015,
            "{at_least}: {share}, not {law}"
        );
    }
}

const EVERYTHING: &str = "policies = ['power-of-two', 'peak-ewma', 'round-robin', 'c3', 'maglev', { policy = 'prequal', probes = 'asked' }]
requests = 5_000
seeds = 3
[arrivals]
utilization = '80%'
burst = { peak = 3.0, on = '100ms', off = '300ms' }
keys = { count = 100, skew = 1.0 }
[balancers]
count = 3
zones = ['a', 'b']
round-trip = '1ms'
timeout = '200ms'
attempts = 3
max-connections = 30
health-delay = '100ms'
[[servers]]
count = 5
capacity = 2
service.log-normal = { mean = '10ms', sigma = 1.0 }
zone = 'a'
queue-limit = 10
antagonist = { period = '500ms', share = '30%', slowdown = 4.0 }
reports-load = true
[[servers]]
name = 'odd'
count = 2
service.pareto = { mean = '10ms', shape = 2.0 }
zone = 'b'
fail-fast = { share = '20%', after = '1ms' }
restarts = [{ at = '1s', down = '500ms', cold = '1s' }]
[[servers]]
service.empirical = ['1ms', '20ms']
backup = true
";

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let one = study::run(&scenario(EVERYTHING), 1, &|_| ());
    let three = study::run(&scenario(EVERYTHING), 3, &|_| ());
    assert_eq!(one.table(), three.table());
    assert_eq!(one.csv(), three.csv());
    assert_eq!(one.json(), three.json());
    assert_eq!(one.svg(), three.svg());
    let other = study::run(&scenario(&format!("seed = 100\n{EVERYTHING}")), 3, &|_| ());
    assert_ne!(one.csv(), other.csv());
}

#[test]
fn every_request_ends_and_every_count_returns_to_zero() {
    let scenario = scenario(EVERYTHING);
    for policy in scenario.policies() {
        let mut simulation = Simulation::new(&scenario, policy, 9);
        while simulation.step() {}
        assert!(
            simulation
                .requests_at_servers()
                .all(|requests| requests == 0)
        );
        assert!(simulation.balancers.iter().all(Balancer::is_idle));
        let outcome = simulation.finish();
        assert_eq!(outcome.requests, 5_000);
        let unanswered = outcome.failed + outcome.refused + outcome.unserved;
        assert_eq!(outcome.latencies.len() + unanswered, 5_000);
        assert!(outcome.failed > 0 && outcome.late > 0, "{outcome:?}");
    }
}

#[test]
fn a_server_that_fails_fast_answers_with_errors_and_works_less() {
    // So few that the server is not avoided for it.
    let text = "policies = ['random']\nrequests = 20_000\narrivals.utilization = '50%'\n\
         [[servers]]\ncount = 3\nservice.constant = '10ms'\n\
         [[servers]]\nservice.constant = '10ms'\nfail-fast = { share = '10%', after = '1ms' }";
    let outcome = outcome(text);
    let share = outcome.failed as f64 / outcome.requests as f64;
    assert!((share - 0.025).abs() < 0.003, "{share}");
    assert_eq!(outcome.errors(), outcome.failed);
    assert!((outcome.groups[1].utilization - 0.45).abs() < 0.02);
    assert!((outcome.groups[1].share - 0.25).abs() < 0.02);
    // Errors are not quick answers.
    assert!(outcome.latencies.min() >= 9_900_000);
}

#[test]
fn an_antagonist_slows_its_server_while_it_is_there() {
    // Constant service of 1 ms, no queue to speak of: 30 % of the time it takes 4 ms.
    let outcome = outcome(
        "policies = ['random']\nrequests = 20_000\narrivals.rate = '10/s'\n\
         [[servers]]\nservice.constant = '1ms'\n\
         antagonist = { period = '10s', share = '30%', slowdown = 4.0 }",
    );
    let slow = outcome
        .latencies
        .iter_recorded()
        .filter(|v| v.value_iterated_to() > 3_000_000);
    let slow: u64 = slow.map(|value| u64::from(value.count_at_value())).sum();
    let share = slow as f64 / outcome.requests as f64;
    assert!((share - 0.3).abs() < 0.02, "{share}");
}

#[test]
fn what_is_under_way_goes_on_at_the_new_pace() {
    // A request of 1 s; when it has been served for 0.4 s everything becomes three times as slow: 0.4 + 0.6 × 3 = 2.2 s.
    let scenario = scenario(
        "policies = ['random']\nrequests = 1\nwarm-up = '0s'\narrivals.rate = '1000000/s'\n\
         servers = [{ service.constant = '1s' }]",
    );
    let mut simulation = Simulation::new(&scenario, &scenario.policies()[0], 1);
    assert!(simulation.advance(1) && simulation.step());
    let began = simulation.now;
    simulation.now += 400_000_000;
    simulation.servers[0].slowdown = 3.0;
    simulation.stretch(0, 1.0);
    assert_eq!(simulation.jobs[0].ends - began, 2_200_000_000);
    // What was entered before does not count any more.
    let outcome = simulation.finish();
    assert!((outcome.mean_latency - 2.2).abs() < 1e-6, "{outcome:?}");
}

#[test]
fn a_restart_loses_what_is_under_way_and_refuses_what_comes() {
    let text = "policies = ['random']\nrequests = 2_000\nwarm-up = '0s'\narrivals.rate = '1000/s'\n\
         [[servers]]\ncapacity = 100\nservice.constant = '20ms'\n\
         restarts = [{ at = '500ms', down = '250ms' }]\n[balancers]\n";
    let lost = outcome(text);
    // 20 were being served, 250 came meanwhile.
    assert!((10..35).contains(&lost.failed), "{}", lost.failed);
    assert!((200..300).contains(&lost.refused), "{}", lost.refused);
    let told = outcome(&format!("{text}health-delay = '0s'\n"));
    assert_eq!(told.refused, 0);
    assert!((200..300).contains(&told.unserved), "{}", told.unserved);
}

#[test]
fn a_refused_request_goes_to_another_server() {
    let text = "policies = ['round-robin']\nrequests = 2_000\nwarm-up = '0s'\narrivals.rate = '1000/s'\n\
         [[servers]]\ncapacity = 100\nservice.constant = '1ms'\n\
         restarts = [{ at = '0s', down = '100s' }]\n\
         [[servers]]\ncapacity = 100\nservice.constant = '1ms'\n[balancers]\n";
    assert!(outcome(text).refused > 0);
    assert_eq!(outcome(&format!("{text}attempts = 2\n")).errors(), 0);
}

#[test]
fn a_full_queue_refuses() {
    let outcome = outcome(
        "policies = ['random']\nrequests = 10_000\narrivals.utilization = '200%'\n\
         [[servers]]\nservice.constant = '10ms'\nqueue-limit = 3",
    );
    let refused = outcome.refused as f64 / outcome.requests as f64;
    assert!((refused - 0.5).abs() < 0.02, "{refused}");
    // Three before it, and itself.
    assert!(outcome.latencies.max() <= 40_100_000);
    assert!((outcome.utilizations[0] - 1.0).abs() < 0.01);
}

#[test]
fn a_late_request_counts_as_late_with_the_time_that_was_waited() {
    let outcome = outcome(
        "policies = ['random']\nrequests = 5_000\narrivals.utilization = '200%'\n\
         [[servers]]\nservice.constant = '10ms'\n[balancers]\ntimeout = '50ms'",
    );
    let late = outcome.late as f64 / outcome.requests as f64;
    // Half would do, were the server not busy with some that nobody waits for.
    assert!((0.45..1.0).contains(&late), "{late}");
    assert!(outcome.latencies.max() <= 50_100_000);
}

#[test]
fn bursts_have_the_mean_rate_and_wait_longer() {
    let text = |burst: &str| {
        format!(
            "policies = ['least-connections']\nrequests = 200_000\narrivals.rate = '1000/s'\n{burst}\n\
             servers = [{{ count = 20, service.exponential = '10ms' }}]"
        )
    };
    let even = outcome(&text(""));
    let bursty = outcome(&text(
        "arrivals.burst = { peak = 4.0, on = '100ms', off = '400ms' }",
    ));
    let rate = bursty.requests as f64 / bursty.measured_time;
    assert!((rate / 1_000.0 - 1.0).abs() < 0.1, "{rate}");
    assert!(bursty.mean_latency > 2.0 * even.mean_latency);
}

#[test]
fn many_balancers_see_less() {
    let text = |balancers: u32| {
        format!(
            "policies = ['least-connections']\nrequests = 40_000\narrivals.utilization = '90%'\n\
             servers = [{{ count = 20, service.exponential = '10ms' }}]\nbalancers.count = {balancers}"
        )
    };
    let (alone, many) = (outcome(&text(1)), outcome(&text(50)));
    assert!(many.mean_latency > 1.5 * alone.mean_latency);
}
