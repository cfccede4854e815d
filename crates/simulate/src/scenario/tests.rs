//! What a wrong file is told, and what a recording becomes.

use std::fmt::Write as _;

use super::*;

fn wrong(text: &str) -> String {
    match Scenario::parse("cluster.toml", text, Path::new("/nowhere")) {
        Ok(_) => panic!("this is good:\n{text}"),
        Err(error) => format!("{error}\n"),
    }
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let good =
        "policies = ['random']\narrivals.rate = '10/s'\nservers = [{ service.constant = '1ms' }]\n";
    assert!(Scenario::parse("good", good, Path::new("")).is_ok());
    let servers = "servers = [{ service.constant = '1ms' }]\n";
    let rest = format!("arrivals.rate = '10/s'\n{servers}");
    let cases = [
        ("a policy that is none", format!("policies = ['round-robin', 'least-conections']\n{rest}")),
        ("nothing like it", format!("policies = ['best']\n{rest}")),
        ("an option that it does not take", format!("policies = [{{ policy = 'random', sample = 3 }}]\n{rest}")),
        ("an option of the wrong type", format!("policies = [{{ policy = 'peak-ewma', sample = 'many' }}]\n{rest}")),
        ("twice the same", format!("policies = ['random', 'random']\n{rest}")),
        ("an unknown key", format!("polices = ['random']\n{rest}")),
        ("an unknown key of servers", "policies = ['random']\narrivals.rate = '10/s'\n\n[[servers]]\ncapcity = 4\nservice.constant = '1ms'\n".into()),
        ("nothing to serve with", "policies = ['random']\narrivals.rate = '10/s'\n\n[[servers]]\ncapacity = 4\n".into()),
        ("no unit", "policies = ['random']\narrivals.rate = '10/s'\nservers = [{ service.constant = '10' }]\n".into()),
        ("another distribution", "policies = ['random']\narrivals.rate = '10/s'\nservers = [{ service.exponental = '10ms' }]\n".into()),
        ("no mean", "policies = ['random']\narrivals.rate = '10/s'\nservers = [{ service.pareto = { mean = '1ms', shape = 1.0 } }]\n".into()),
        ("no share", format!("policies = ['random']\narrivals.utilization = 0.7\n{servers}")),
        ("no arrivals", format!("policies = ['random']\n{servers}\n[arrivals]\n")),
        ("two ways to arrive", format!("policies = ['random']\narrivals = {{ rate = '1/s', utilization = '50%' }}\n{servers}")),
        ("too high a peak", format!("policies = ['random']\narrivals = {{ rate = '1/s', burst = {{ peak = 9.0, on = '1s', off = '3s' }} }}\n{servers}")),
        ("what belongs to a log", format!("policies = ['random']\narrivals = {{ rate = '1/s', upstream = 'app' }}\n{servers}")),
        ("two ends", format!("policies = ['random']\nduration = '1s'\nrequests = 10\n{rest}")),
        ("too many pairs", "policies = ['random']\nbalancers.count = 10_000\narrivals.rate = '1/s'\nservers = [{ count = 10_000, service.constant = '1ms' }]\n".into()),
        ("a weight that is none", "policies = ['random']\narrivals.rate = '1/s'\nservers = [{ weight = 0, service.constant = '1ms' }]\n".into()),
        ("recorded services without a log", "policies = ['random']\narrivals.rate = '1/s'\nservers = [{ service = 'recorded' }]\n".into()),
        ("a file that is not there", format!("policies = ['random']\narrivals.access-log = 'access.log'\n{servers}")),
        ("no TOML", "policies = ['random'\n".into()),
    ];
    let mut told = String::new();
    for (name, text) in cases {
        let _ = writeln!(told, "--- {name}\n{}", wrong(&text));
    }
    insta::assert_snapshot!(told);
}

/// A scenario beside a file that it names.
fn beside(file: &str, content: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(file), content).expect("writing");
    let path = folder.path().join("scenario.toml");
    std::fs::write(&path, text).expect("writing");
    Scenario::load(&path)
}

fn recorded(scenario: &Scenario) -> &[Recorded] {
    match &scenario.arrivals {
        Arrivals::Recorded(all) => all,
        other => panic!("{other:?}"),
    }
}

const LOG: &str = r#"{"time":"2026-11-20T23:39:11.042Z","kind":"http","client_ip":"192.0.2.7","status":200,"request_bytes":20,"response_bytes":5120,"duration_ms":3.007,"upstream_ms":2.950,"upstream":"app","attempts":1,"end":"ok"}
{"time":"2026-11-20T23:39:10.042Z","kind":"http","client_ip":"192.0.2.7","duration_ms":7.5,"upstream":"app","attempts":2,"end":"ok"}
{"time":"2026-11-20T23:39:11.500Z","kind":"http","status":400,"request_bytes":0,"response_bytes":0,"duration_ms":3.007,"attempts":0,"end":"bad-request"}
{"time":"2026-11-20T23:39:12.042Z","kind":"tcp","received_bytes":71,"sent_bytes":4096,"duration_ms":12500.000,"upstream":"mysql","attempts":1,"end":"ok"}
"#;

#[test]
fn an_access_log_becomes_arrivals_in_the_order_of_time() {
    let text = "policies = ['random']\narrivals = { access-log = 'a.log', speed = 2.0 }\n\
         servers = [{ service = 'recorded' }]";
    let scenario = beside("a.log", LOG, text).expect("a good file");
    let key = Some(sluice_balance::key_hash(b"192.0.2.7"));
    let expected = [
        Recorded {
            at: 0,
            service: 7_500_000,
            key,
            bytes: Some(0),
        },
        Recorded {
            at: 500_000_000,
            service: 2_950_000,
            key,
            bytes: Some(5_140),
        },
        Recorded {
            at: 1_000_000_000,
            service: 12_500_000_000,
            key: None,
            bytes: Some(4_167),
        },
    ];
    assert_eq!(recorded(&scenario), expected);
    assert_eq!((scenario.warm_up, scenario.extent), (0, Extent::All));
    let only = text.replace("speed = 2.0", "upstream = 'app'");
    let scenario = beside("a.log", LOG, &only).expect("a good file");
    assert_eq!(recorded(&scenario).len(), 2);
    let none = text.replace("speed = 2.0", "upstream = 'api'");
    let error = beside("a.log", LOG, &none).expect_err("no request");
    assert!(
        error.to_string().contains("no request in this file"),
        "{error}"
    );
}

#[test]
fn a_broken_line_of_a_log_is_shown() {
    let text = "policies = ['random']\narrivals.access-log = 'a.log'\n\
         servers = [{ service = 'recorded' }]";
    for broken in [
        "{}",
        "GET / HTTP/1.1",
        &LOG.replace("2026-11-20T23:39:12", "yesterday"),
    ] {
        let error = beside("a.log", broken, text)
            .expect_err("no log")
            .to_string();
        assert!(error.contains("a.log:"), "{error}");
    }
}

#[test]
fn times_become_arrivals() {
    let text = "policies = ['random']\narrivals.recorded = 'times'\n\
         servers = [{ service.constant = '1ms' }]";
    let scenario = beside("times", "# seconds\n12.5\n\n12.25\n13\n", text).expect("good");
    let at: Vec<Nanos> = recorded(&scenario).iter().map(|one| one.at).collect();
    assert_eq!(at, [0, 250_000_000, 750_000_000]);
    let error = beside("times", "1\nsoon\n", text)
        .expect_err("no time")
        .to_string();
    assert!(
        error.contains("this is not a time") && error.contains("times:2"),
        "{error}"
    );
}

#[test]
fn utilization_is_of_what_servers_can_do_together() {
    let text = "policies = ['random']\narrivals.utilization = '50%'\n\
         [[servers]]\ncount = 2\ncapacity = 3\nservice.constant = '10ms'\n\
         [[servers]]\nservice.exponential = '10ms'\nslow-factor = 10.0\n\
         [[servers]]\nservice.exponential = '10ms'\nbackup = true";
    let scenario = Scenario::parse("a", text, Path::new("")).expect("good");
    // 2 × 3 / 10 ms + 1 / 100 ms = 610 a second, of which half.
    assert!((scenario.arrivals.rate() * 1e9 - 305.0).abs() < 1e-6);
}

#[test]
fn a_shortened_scenario_has_a_shorter_warm_up() {
    let text = "policies = ['random']\nduration = '100s'\narrivals.rate = '1000/s'\n\
         servers = [{ service.constant = '1us' }]";
    let mut scenario = Scenario::parse("a", text, Path::new("")).expect("good");
    assert_eq!(scenario.warm_up, 10_000_000_000);
    scenario.shorten(1_000);
    assert_eq!(scenario.extent, Extent::Requests(1_000));
    assert_eq!(scenario.warm_up, 1_000_000_000);
}
