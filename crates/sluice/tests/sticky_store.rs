//! Sessions that two balancers share in a real Redis, through the real binary.

mod example;
#[path = "sticky_kit/mod.rs"]
mod sticky_kit;

use example::Example;
use sticky_kit::{SLUICE, application, ask, configuration, served_by};
use testkit::{Balancer, EchoServer, RedisServer, run, wait_until};

const OPERATIONS: &str = "sluice_store_operations_total";

/// With a store that may take so long for an answer.
fn file(servers: &[EchoServer], redis: &RedisServer, timeout: &str) -> String {
    configuration(
        servers.iter().map(EchoServer::address),
        "header = \"x-session\", store = \"main\"",
        &format!(
            "[runtime]\nworkers = 2\nsecret-key = \"the same on every balancer\"\n\
             [stores.main]\nredis = \"{}\"\ntimeout = \"{timeout}\"\n",
            redis.url()
        ),
    )
}

/// A balancer each of whose workers is connected to the store, and waits for it as long as can be.
fn start(servers: &[EchoServer], redis: &RedisServer) -> Balancer {
    let balancer = Balancer::start(SLUICE, &file(servers, redis, "1s"));
    wait_connected(&balancer, 2);
    balancer
}

fn wait_connected(balancer: &Balancer, workers: usize) {
    balancer.wait_for_metrics("the store", |metrics| {
        metrics.count("sluice_store_connected", &[]) == workers
    });
}

/// Until the store has got what it was told: each new session asks once and tells once.
fn wait_operations(balancer: &Balancer, count: usize) {
    balancer.wait_for_metrics("operations of the store", |metrics| {
        metrics.count(OPERATIONS, &[("outcome", "ok")]) >= count
    });
}

/// What `sluice status` says.
fn status(balancer: &Balancer) -> String {
    let file = balancer.file();
    let finished = run(SLUICE, &["status", "-c", file.to_str().expect("UTF-8")]);
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""));
    finished.stdout
}

fn operations(balancer: &Balancer) -> usize {
    balancer.metrics().count(OPERATIONS, &[("outcome", "ok")])
}

fn user(number: usize) -> String {
    format!("x-session: user-{number}\r\n")
}

/// Where a balancer has some new users.
fn settled(balancer: &Balancer, users: std::ops::Range<usize>) -> Vec<(String, String)> {
    let before = operations(balancer);
    let count = users.len();
    let settled = users
        .map(|number| (user(number), served_by(balancer, &user(number))))
        .collect();
    wait_operations(balancer, before + 2 * count);
    settled
}

fn moved(balancer: &Balancer) -> usize {
    let metrics = balancer.metrics();
    metrics.count("sluice_upstream_sticky_moved_total", &[])
}

#[test]
fn two_balancers_keep_one_user_on_one_server() {
    let redis = RedisServer::start();
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let [one, two] = [start(&servers, &redis), start(&servers, &redis)];
    let mut users = settled(&one, 0..10);
    users.extend(settled(&two, 10..20));
    for (fields, server) in &users {
        for balancer in [&two, &one, &two] {
            assert_eq!(&served_by(balancer, fields), server, "{fields}");
        }
    }
    // One that comes later knows them as well.
    drop(one);
    let three = start(&servers, &redis);
    for (fields, server) in &users {
        assert_eq!(&served_by(&three, fields), server, "{fields}");
    }
    assert_eq!(moved(&two) + moved(&three), 0);
}

#[test]
fn a_session_that_one_has_moved_moves_for_the_other() {
    let redis = RedisServer::start();
    let mut servers = ["a", "b", "c", "d"].map(EchoServer::start);
    let [one, two] = [start(&servers, &redis), start(&servers, &redis)];
    let users = settled(&one, 0..12);
    for (fields, server) in &users {
        assert_eq!(&served_by(&two, fields), server);
    }
    let at = |server: &String| ["a", "b", "c", "d"].iter().position(|name| name == server);
    let left = at(&users[0].1).expect("one of them");
    let address = servers[left].address();
    servers[left].die();
    for balancer in [&one, &two] {
        sticky_kit::set(balancer, "down", address);
    }
    for (fields, server) in users.iter().filter(|(_, server)| at(server) == Some(left)) {
        let before = operations(&one);
        let now = served_by(&one, fields);
        assert_ne!(&now, server);
        // It has asked, and told.
        wait_operations(&one, before + 2);
        assert_eq!(served_by(&two, fields), now);
        assert_eq!(served_by(&one, fields), now);
    }
    assert!(moved(&one) > 0);
    assert_eq!(moved(&two), 0, "it has followed");
}

#[test]
fn a_server_that_fails_a_request_is_left_for_the_one_that_others_have_moved_it_to() {
    let redis = RedisServer::start();
    let mut servers = ["a", "b", "c", "d"].map(EchoServer::start);
    // One worker, so that what the store is told and asked goes there in that order.
    let file = file(&servers, &redis, "1s").replace("workers = 2", "workers = 1");
    let [one, two] = [(); 2].map(|()| Balancer::start(SLUICE, &file));
    wait_connected(&one, 1);
    wait_connected(&two, 1);
    let users = settled(&one, 0..1);
    let (fields, server) = &users[0];
    assert_eq!(&served_by(&two, fields), server);
    let position = ["a", "b", "c", "d"].iter().position(|name| name == server);
    // Nobody knows yet that it is gone: both find out by trying it.
    servers[position.expect("one of them")].die();
    let now = served_by(&one, fields);
    assert_ne!(&now, server);
    // The store is asked for this one, behind what it was told of the other.
    served_by(&one, &user(1));
    assert_eq!(served_by(&two, fields), now);
    assert_eq!((moved(&one), moved(&two)), (1, 0), "the other has followed");
}

#[test]
fn without_the_store_each_goes_on_by_what_it_knows() {
    let mut redis = RedisServer::start();
    let servers = ["a", "b", "c"].map(EchoServer::start);
    let [one, two] = [start(&servers, &redis), start(&servers, &redis)];
    let users = settled(&one, 0..6);
    for (fields, server) in &users {
        assert_eq!(&served_by(&two, fields), server);
    }
    let told = status(&one);
    assert!(told.ends_with("\n\nSTORE  STATE\nmain   here\n"), "{told}");
    let kept = told
        .lines()
        .filter(|line| line.starts_with("app "))
        .map(|line| {
            let sessions = line
                .rsplit(' ')
                .next()
                .and_then(|word| word.parse::<usize>().ok());
            sessions.expect("a number of sessions")
        });
    assert_eq!(kept.sum::<usize>(), users.len(), "{told}");
    redis.kill();
    for balancer in [&one, &two] {
        // A worker notices when it asks the next time.
        let mut number = 1_000;
        wait_until("both workers to notice", || {
            number += 1;
            served_by(balancer, &user(number));
            let metrics = balancer.metrics();
            metrics.count("sluice_store_connected", &[]) == 0
        });
        balancer.wait_for_stderr("the store is away");
        assert!(status(balancer).ends_with("main   away\n"));
        for (fields, server) in &users {
            assert_eq!(&served_by(balancer, fields), server);
        }
        let new = served_by(balancer, &user(100));
        for _ in 0..4 {
            assert_eq!(served_by(balancer, &user(100)), new);
        }
        assert_eq!(balancer.stderr().matches("the store is away").count(), 1);
    }
    redis.restart();
    for balancer in [&one, &two] {
        wait_connected(balancer, 2);
    }
    for (fields, server) in settled(&one, 200..206) {
        assert_eq!(served_by(&two, &fields), server);
    }
}

#[test]
fn a_store_that_does_not_answer_holds_nobody_up() {
    let redis = RedisServer::start();
    let servers = ["a", "b"].map(EchoServer::start);
    let balancer = Balancer::start(SLUICE, &file(&servers, &redis, "100ms"));
    wait_connected(&balancer, 2);
    redis.freeze();
    for number in 0..10 {
        let first = served_by(&balancer, &user(number));
        assert_eq!(served_by(&balancer, &user(number)), first);
    }
    balancer.wait_for_stderr("the store is away");
    redis.thaw();
    wait_connected(&balancer, 2);
}

#[test]
fn the_example_shares_what_it_learns() {
    let redis = RedisServer::start();
    let [one, two] = ["one", "two"].map(application);
    let example = || {
        Example::read("sticky-redis.toml")
            .listener("127.0.0.1:8080", "web")
            .server("127.0.0.1:9001", one.address())
            .server("127.0.0.1:9002", two.address())
            // It may take as long as can be for an answer, and each worker is known to be connected.
            .text(
                "redis = \"redis://127.0.0.1:6379\"",
                format!("redis = \"{}\"\ntimeout = \"1s\"", redis.url()),
            )
            .text("[runtime]", "[runtime]\nworkers = 2".to_owned())
            .run()
    };
    let [first, second] = [example(), example()];
    for balancer in [&first, &second] {
        wait_connected(balancer, 2);
    }
    let session = ask(&first, "").text().to_owned();
    wait_operations(&first, 1);
    let fields = format!("Cookie: JSESSIONID={session}\r\n");
    for _ in 0..4 {
        assert_eq!(ask(&second, &fields).text(), session);
    }
}
