//! Rate limits that balancers share by a real Redis.

use testkit::{Balancer, RawClient, RedisServer, Script, ScriptedServer};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

fn start(redis: &RedisServer, limit: &str) -> Balancer {
    let balancer = Balancer::start(
        SLUICE,
        &format!(
            "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\
             [[routes]]\nmatch.host = \"a\"\nrespond = {{ body = \"here\" }}\nrate-limits = [\"one\"]\n\
             [runtime]\nworkers = 2\n\
             [stores.main]\nredis = \"{}\"\ntimeout = \"1s\"\n\
             [rate-limits.one]\nstore = \"main\"\nkey = \"global\"\n{limit}\n",
            redis.url()
        ),
    );
    balancer.wait_for_metrics("both workers to be connected", |metrics| {
        metrics.count("sluice_store_connected", &[]) == 2
    });
    balancer
}

fn status(balancer: &Balancer) -> u16 {
    balancer.ask("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").status
}

/// How many of so many requests of each of four clients at once are served.
fn served(balancer: &Balancer, requests: usize) -> usize {
    let address = balancer.address("web");
    let client = move || {
        let mut served = 0;
        for _ in 0..requests / 50 {
            let mut client = RawClient::connect(address);
            for _ in 0..50 {
                client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
                served += usize::from(client.response("GET").status == 200);
            }
        }
        served
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .map(|client| client.join().expect("a client"))
            .sum()
    })
}

#[test]
fn two_balancers_together_let_pass_what_the_limit_holds() {
    for limit in [
        "rate = \"1/d\"\nburst = 1000",
        "algorithm = \"sliding-window\"\nrate = \"1000/d\"",
        "algorithm = \"fixed-window\"\nrate = \"1000/d\"",
    ] {
        let redis = RedisServer::start();
        let balancers = [start(&redis, limit), start(&redis, limit)];
        let total: usize = std::thread::scope(|scope| {
            let both = balancers
                .each_ref()
                .map(|one| scope.spawn(|| served(one, 300)));
            both.into_iter()
                .map(|one| one.join().expect("clients"))
                .sum()
        });
        assert!((950..=1_050).contains(&total), "{limit}: {total}");
    }
}

#[test]
fn without_the_store_a_share_holds_and_nobody_fails() {
    let mut redis = RedisServer::start();
    let balancer = start(&redis, "rate = \"10/d\"\nshare-when-alone = \"30%\"");
    for _ in 0..4 {
        assert_eq!(status(&balancer), 200);
    }
    redis.kill();
    let statuses: Vec<_> = (0..6).map(|_| status(&balancer)).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429, 429]);
    let stderr = balancer.wait_for_stderr("the store is away");
    assert_eq!(stderr.matches("the store is away").count(), 1);
    let labels = [("limit", "one"), ("outcome", "alone")];
    let metrics = balancer.metrics();
    assert_eq!(
        metrics.count("sluice_rate_limit_requests_total", &labels),
        3
    );
    redis.restart();
    balancer.wait_for_stderr("the store is back");
    balancer.wait_for_metrics("both workers to be connected", |metrics| {
        metrics.count("sluice_store_connected", &[]) == 2
    });
    let served = (0..20).filter(|_| status(&balancer) == 200).count();
    assert_eq!(served, 10, "it knows of nothing");
}

#[test]
fn what_other_limits_gave_comes_back_where_the_store_refuses() {
    for limits in ["[\"one\", \"here\"]", "[\"here\", \"one\"]"] {
        let redis = RedisServer::start();
        let balancer = start(
            &redis,
            &format!(
                "rate = \"2/d\"\n[rate-limits.here]\nrate = \"5/d\"\n\
                 [logs]\naccess = {{ format = \"json\", to = \"stdout\" }}\n\
                 [[routes]]\nmatch.host = \"both\"\nrespond = {{ body = \"here\" }}\nrate-limits = {limits}\n\
                 [[routes]]\nmatch.host = \"here\"\nrespond = {{ body = \"here\" }}\nrate-limits = [\"here\"]\n",
            ),
        );
        let statuses = |host: &str, count: usize| -> Vec<u16> {
            let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
            (0..count).map(|_| balancer.ask(&request).status).collect()
        };
        assert_eq!(statuses("both", 4), [200, 200, 429, 429]);
        assert_eq!(statuses("here", 4), [200, 200, 200, 429], "{limits}");
        let log = balancer.wait_for_stdout("\"limit\":\"one\"");
        assert!(log.contains("\"host\":\"both\""), "{log}");
        let labels = [("limit", "here"), ("outcome", "allowed")];
        let allowed = "sluice_rate_limit_requests_total";
        assert_eq!(balancer.metrics().count(allowed, &labels), 5);
    }
}

#[test]
fn whoever_tries_out_passwords_is_limited_by_the_store_too() {
    let no = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let service = ScriptedServer::start([Script::new().read_request().write(no).forever()]);
    let redis = RedisServer::start();
    let balancer = start(
        &redis,
        &format!(
            "rate = \"2/d\"\n[[routes]]\nauth = \"ask\"\nrespond = {{ body = \"here\" }}\nrate-limits = [\"one\"]\n\
             [auth.ask]\nforward = {{ url = \"http://{}/verify\" }}\n",
            service.address()
        ),
    );
    let statuses: Vec<_> = (0..4)
        .map(|_| balancer.ask("GET /a HTTP/1.1\r\nHost: b\r\n\r\n").status)
        .collect();
    assert_eq!(statuses, [401, 401, 429, 429]);
    let labels = [("auth", "ask"), ("outcome", "refused")];
    assert_eq!(balancer.metrics().count("sluice_auth_total", &labels), 2);
}
