//! `sluice shift` and `/api/shifts`: requests of a running balancer move from one side of a split to the other.

mod example;
mod split_kit;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use example::Example;
use testkit::{
    Balancer, DEADLINE, EchoReply, EchoServer, Finished, RawClient, Response, Script,
    ScriptedServer, run, wait_until,
};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// With a route `shop`, which is split so.
fn file(one: SocketAddr, two: SocketAddr, split: &str) -> String {
    split_kit::file([one, two], &format!("[[routes]]\nname = \"shop\"\n{split}"))
}

const EVEN: &str =
    r#"split = [{ upstream = "v1", weight = 90 }, { upstream = "v2", weight = 10 }]"#;

fn sluice(file: &Path, arguments: &[&str]) -> Finished {
    let file = file.to_str().expect("UTF-8");
    let mut all = vec!["shift", "-c", file];
    all.extend(arguments);
    run(SLUICE, &all)
}

/// What `sluice shift` says, which goes well.
#[track_caller]
fn shift(balancer: &Balancer, arguments: &[&str]) -> String {
    let finished = sluice(&balancer.file(), arguments);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    finished.stdout
}

/// What it says that goes wrong.
#[track_caller]
fn refused(balancer: &Balancer, arguments: &[&str]) -> String {
    let finished = sluice(&balancer.file(), arguments);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""));
    finished.stderr
}

/// The servers that answer this many requests, each once.
fn answering(balancer: &Balancer, count: usize) -> Vec<String> {
    let mut client = RawClient::connect(balancer.address("web"));
    let mut names: Vec<_> = (0..count)
        .map(|_| {
            client.send(GET);
            EchoReply::from_response(&client.response("GET")).server
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Sends requests until `sluice shift shop` says this, and returns all that it says then.
#[track_caller]
fn under_load(balancer: &Balancer, part: &str) -> String {
    let done = AtomicBool::new(false);
    let latest = Instant::now() + DEADLINE;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = RawClient::connect(balancer.address("web"));
                while !done.load(Ordering::Relaxed) && Instant::now() < latest {
                    client.send(GET);
                    client.response("GET");
                }
            });
        }
        loop {
            let said = shift(balancer, &["shop", "--status"]);
            if said.contains(part) || Instant::now() > latest {
                done.store(true, Ordering::Relaxed);
                assert!(said.contains(part), "{said}");
                return said;
            }
        }
    })
}

#[test]
fn all_at_once_and_back() {
    let [one, two] = ["1", "2"].map(EchoServer::start);
    let text = file(one.address(), two.address(), EVEN);
    let mut balancer = Balancer::start(SLUICE, &text);
    assert_eq!(
        shift(&balancer, &["shop"]),
        "route     shop\nside      v1 90.0% (weight 90)\nside      v2 10.0% (weight 10)\n"
    );
    let all = "route     shop\nside      v1 0.0% (weight 0; 90 in the file)\nside      v2 100.0% (weight 1; 10 in the file)\n\
               shift     to v2: completed, all at once\n";
    assert_eq!(shift(&balancer, &["shop", "--to", "v2"]), all);
    assert_eq!(answering(&balancer, 50), ["2"]);
    let file = balancer.file();
    let status = ["status", "-c", file.to_str().expect("UTF-8")];
    let shown = run(SLUICE, &status).stdout;
    let table = "\n\nROUTE  SHIFT TO  STATE      SAYS\nshop   v2        completed  all at once\n";
    assert!(shown.ends_with(table), "{shown}");
    let shown = run(SLUICE, &[&status[..], &["--json"]].concat()).stdout;
    let told = balancer.admin("/api/shifts");
    let routes = told.text().trim_end().strip_prefix("{\"routes\":");
    let routes = routes
        .and_then(|text| text.strip_suffix('}'))
        .expect("routes");
    assert!(shown.contains(&format!("\"shifts\":{routes},")), "{shown}");
    // It stays over a reload that says the same of the split, and is what `explain` goes by.
    balancer.reload(&format!("{text}\n[logs]\nlevel = \"debug\"\n"));
    assert_eq!(shift(&balancer, &[]), all);
    assert_eq!(answering(&balancer, 50), ["2"]);
    let path = balancer.file();
    let path = path.to_str().expect("UTF-8");
    let url = ["GET", "http://a/"];
    let live = run(SLUICE, &["explain", "-c", path, "--live", url[0], url[1]]);
    let side = "side      v2 (weight 1 of 1: 100.0%; shifted)\n";
    assert!(live.stdout.contains(side), "{}{}", live.stdout, live.stderr);
    let of_file = run(SLUICE, &["explain", "-c", path, url[0], url[1]]);
    let side = "side      v2 (weight 10 of 100: 10.0%)\n";
    assert!(of_file.stdout.contains(side), "{}", of_file.stdout);
    let back = shift(&balancer, &["shop", "--back"]);
    assert!(
        back.ends_with("shift     to v2: completed, taken back by hand since\n"),
        "{back}"
    );
    assert_eq!(answering(&balancer, 200), ["1", "2"]);
    // What the file says anew holds.
    shift(&balancer, &["shop", "--to", "v2"]);
    balancer.reload(&text.replace("weight = 90", "weight = 80"));
    assert_eq!(
        shift(&balancer, &["shop"]),
        "route     shop\nside      v1 88.9% (weight 80)\nside      v2 11.1% (weight 10)\n"
    );
}

#[test]
fn a_good_version_gets_all_requests_step_by_step() {
    let [one, two] = ["1", "2"].map(EchoServer::start);
    let balancer = Balancer::start(SLUICE, &file(one.address(), two.address(), EVEN));
    let said = shift(
        &balancer,
        &[
            "shop",
            "--to",
            "v2",
            "--step",
            "30%",
            "--every",
            "200ms",
            "--abort-if",
            "error-rate > 1%",
            "--abort-if",
            "p99 > 30s",
            "--min-requests",
            "20",
        ],
    );
    assert!(
        said.contains("shift     to v2 by 30% every 200ms: running, "),
        "{said}"
    );
    assert!(
        said.contains("abort-if  error-rate > 1%\nabort-if  p99 > 30s\n"),
        "{said}"
    );
    let busy = refused(&balancer, &["shop", "--to", "v1"]);
    assert!(
        busy.contains("a shift of route `shop` is under way"),
        "{busy}"
    );
    let end = under_load(&balancer, "completed");
    assert!(end.contains("side      v2 100.0%"), "{end}");
    assert_eq!(answering(&balancer, 50), ["2"]);
    for percent in [40, 70, 100] {
        balancer.wait_for_stderr(&format!("percent={percent}"));
    }
    let ended = [("route", "shop"), ("end", "completed")];
    let share = [("route", "shop"), ("upstream", "v2")];
    balancer.wait_for_metrics("its end and its share", |metrics| {
        metrics.value("sluice_split_shifts_total", &ended) == Some(1.0)
            && metrics.value("sluice_split_share_ratio", &share) == Some(1.0)
    });
}

#[test]
fn a_bad_version_goes_back_by_itself_and_says_why() {
    let good = EchoServer::start("1");
    let failing = ScriptedServer::start([Script::answer(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    )
    .forever()]);
    let balancer = Balancer::start(SLUICE, &file(good.address(), failing.address(), EVEN));
    shift(
        &balancer,
        &[
            "shop",
            "--to",
            "v2",
            "--step",
            "10%",
            "--every",
            "200ms",
            "--abort-if",
            "error-rate > 1%",
            "--min-requests",
            "20",
        ],
    );
    let end = under_load(&balancer, "went-back");
    assert!(end.contains("side      v1 90.0% (weight 90)\n"), "{end}");
    let reason = "shift     to v2 by 10% every 200ms: went-back, at 20%, error-rate > 1%: it was 100.0% over ";
    assert!(end.contains(reason), "{end}");
    assert!(end.contains(" requests, of the others 0.0%\n"), "{end}");
    let log = balancer.wait_for_stderr("a shift went back by itself");
    assert!(log.contains("error-rate > 1%: it was 100.0%"), "{log}");
    let ended = [("route", "shop"), ("end", "went-back")];
    balancer.wait_for_metrics("its end", |metrics| {
        metrics.value("sluice_split_shifts_total", &ended) == Some(1.0)
    });
}

#[test]
fn one_that_nobody_asks_for_waits_and_is_stopped() {
    let [one, two] = ["1", "2"].map(EchoServer::start);
    let balancer = Balancer::start(SLUICE, &file(one.address(), two.address(), EVEN));
    let steps = ["shop", "--to", "v2", "--step", "40%", "--every", "100ms"];
    let mut watched = steps.to_vec();
    watched.extend(["--abort-if", "error-rate > 1%"]);
    shift(&balancer, &watched);
    let waits = "at 50%, 0 of the 50 requests that a step takes";
    wait_until(waits, || shift(&balancer, &["shop"]).contains(waits));
    let stopped = shift(&balancer, &["shop", "--stop"]);
    assert!(
        stopped.contains("side      v2 50.0%") && stopped.contains("stopped by hand"),
        "{stopped}"
    );
    let again = refused(&balancer, &["shop", "--stop"]);
    assert_eq!(again, "error: no shift of route `shop` is under way\n");
    let back = shift(&balancer, &["shop", "--back"]);
    assert!(back.contains("side      v2 10.0%"), "{back}");
    // Unwatched, time alone decides.
    shift(&balancer, &steps);
    wait_until("it to be completed", || {
        shift(&balancer, &["shop"]).contains("completed")
    });
}

#[test]
fn what_is_said_of_wrong_orders() {
    let [one, two] = ["1", "2"].map(EchoServer::start);
    let balancer = Balancer::start(SLUICE, &file(one.address(), two.address(), EVEN));
    let steps = ["shop", "--to", "v2", "--step", "10%", "--every", "1m"];
    let with = |more: [&'static str; 2]| [steps.as_slice(), more.as_slice()].concat();
    for (arguments, said) in [
        (
            vec!["shop", "--to", "v3"],
            "error: the split of route `shop` has no side `v3`; it has: v1, v2\n",
        ),
        (
            vec!["shopp", "--to", "v2"],
            "error: there is no route `shopp` with a split; there are: shop\n",
        ),
        (
            vec!["shop", "--to", "v2", "--step", "10", "--every", "1m"],
            "error: `step`: `10` is no share from 1% to 100%: the unit is missing\n",
        ),
        (
            with(["--abort-if", "error-rate < 1%"]),
            "error: `abort-if`: only `>` compares here, not `<`\n",
        ),
        (
            with(["--abort-if", "p99 > 1%"]),
            "error: `abort-if`: `1%` is no bound of a percentile: it is a duration such as `300ms`, `baseline + 50ms` or `baseline * 1.5`\n",
        ),
    ] {
        assert_eq!(refused(&balancer, &arguments), said);
    }
    for arguments in [
        &["shop", "--to", "v2", "--step", "10%"][..],
        &["shop", "--stop", "--back"],
        &["--to", "v2"],
        &["shop", "--abort-if", "error-rate > 1%"],
    ] {
        assert_eq!(
            sluice(&balancer.file(), arguments).code(),
            2,
            "{arguments:?}"
        );
    }
    let said = shift(&balancer, &["shop"]);
    assert!(
        said.contains("(weight 10)") && !said.contains("shift"),
        "{said}"
    );
}

fn put(balancer: &Balancer, path: &str, fields: &str, body: &str) -> Response {
    let mut client = RawClient::connect(balancer.address("admin"));
    let length = body.len();
    client.send(format!(
        "PUT {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ));
    client.response("PUT")
}

#[test]
fn over_the_admin_address() {
    let [one, two] = ["1", "2"].map(EchoServer::start);
    let balancer = Balancer::start(SLUICE, &file(one.address(), two.address(), EVEN));
    let path = "/api/shifts/shop";
    for (path, fields, body, status) in [
        (path, "", "{\"to\": \"v2\"}", 200),
        (path, "", "{\"to\": \"v2\"}", 409),
        (path, "", "\"back\"", 200),
        (path, "", "\"stop\"", 409),
        (path, "", "\"stopp\"", 400),
        (path, "", "{\"to\": \"v2\", \"stepp\": \"10%\"}", 400),
        (
            path,
            "",
            "{\"to\": \"v2\", \"abort-if\": [\"error-rate > 1%\"]}",
            400,
        ),
        (path, "", "{\"to\": \"v9\"}", 400),
        (path, "", "", 400),
        ("/api/shifts/none", "", "{\"to\": \"v2\"}", 404),
        (
            path,
            "Origin: http://evil.example\r\n",
            "{\"to\": \"v2\"}",
            403,
        ),
    ] {
        let response = put(&balancer, path, fields, body);
        assert_eq!(
            response.status,
            status,
            "{path} {body}: {}",
            response.text()
        );
    }
    let shown = balancer.admin("/api/shifts");
    let shown: serde_json::Value = serde_json::from_str(shown.text()).expect("JSON");
    let expected = serde_json::json!({ "routes": [{
        "route": "shop",
        "sides": [
            { "upstream": "v1", "weight": 90, "weight-of-file": 90, "share": 0.9 },
            { "upstream": "v2", "weight": 10, "weight-of-file": 10, "share": 0.1 },
        ],
        "shift": { "to": "v2", "state": "completed", "says": "taken back by hand since", "steps": null, "abort-if": [] },
    }] });
    assert_eq!(shown, expected);
    assert_eq!(balancer.admin("/api/shifts/none").status, 404);
}

#[test]
fn the_blue_green_example() {
    let [blue, green] = ["blue", "green"].map(EchoServer::start);
    let balancer = Example::read("blue-green.toml")
        .listener("127.0.0.1:8080", "web")
        .listener("127.0.0.1:9900", "admin")
        .server("127.0.0.1:9001", blue.address())
        .server("127.0.0.1:9002", green.address())
        .run();
    assert_eq!(answering(&balancer, 30), ["blue"]);
    shift(&balancer, &["app", "--to", "green"]);
    assert_eq!(answering(&balancer, 30), ["green"]);
    shift(&balancer, &["app", "--back"]);
    assert_eq!(answering(&balancer, 30), ["blue"]);
}
